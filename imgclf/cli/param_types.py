"""Types of option values that click does not have."""

from __future__ import annotations

import click

from imgclf import checks
from imgclf.errors import ArgumentError

__all__ = ["ByteSize", "Fractions", "ImageSize"]


class ImageSize(click.ParamType):
    """`64` or `48x64` (height × width)."""

    name = "image_size"

    def convert(
        self,
        value: str | int | tuple[int, int],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> int | tuple[int, int]:
        """Returns the side, or height and width."""
        if not isinstance(value, str):
            return value
        sides = value.lower().replace("×", "x").split("x")
        if len(sides) > 2 or not all(side.strip().isdecimal() for side in sides):
            self.fail(
                f"{value!r} is neither a side such as 64 nor height×width such as 48x64.",
                param,
                ctx,
            )
        height, width = int(sides[0]), int(sides[-1])
        return (height, width) if len(sides) == 2 else height


class ByteSize(click.ParamType):
    """`500MB`, `20GB`, or a number of bytes."""

    name = "size"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Returns bytes."""
        try:
            return checks.byte_size("size", value)
        except ArgumentError:
            self.fail(f"{value!r} is not a size such as 500MB or 20GB.", param, ctx)


class Fractions(click.ParamType):
    """`0.1,0.3,1`."""

    name = "fractions"

    def convert(
        self,
        value: str | tuple[float, ...],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[float, ...]:
        """Returns the numbers."""
        if not isinstance(value, str):
            return value
        try:
            return tuple(float(part) for part in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is not a list of numbers such as 0.2,1.", param, ctx)
