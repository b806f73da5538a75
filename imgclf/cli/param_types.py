"""Types of option values that click does not have."""

from __future__ import annotations

import difflib
import math

import click

from imgclf import checks
from imgclf.errors import ArgumentError

__all__ = ["Address", "ByteSize", "Fraction", "Fractions", "ImageSize", "PresetName"]


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


class Fraction(click.ParamType):
    """`0.8`, or the same as `80%`.

    Args:
        zero: whether 0 is allowed.
        one: whether 1 is allowed.
    """

    name = "fraction"

    def __init__(self, *, zero: bool = False, one: bool = False) -> None:
        self.zero, self.one = zero, one

    def convert(
        self, value: str | float, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Returns the number."""
        try:
            number = _number(value)
        except ValueError:
            self.fail(f"{value!r} is not a number such as 0.8 or 80%.", param, ctx)
        if not (0 < number < 1 or (self.zero and number == 0) or (self.one and number == 1)):
            meant = 1 < number < 100 and "%" not in str(value)
            hint = f" Did you mean {value}%?" if meant else ""
            self.fail(f"{value!r} is not {self._allowed()}.{hint}", param, ctx)
        return number

    def _allowed(self) -> str:
        if self.zero and self.one:
            return "from 0 to 1"
        return (
            f"{'at least' if self.zero else 'above'} 0 and {'at most' if self.one else 'below'} 1"
        )


class Fractions(click.ParamType):
    """`0.1,0.3,1`, or the same as `10%,30%,100%`."""

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
            return tuple(_number(part) for part in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is not a list of numbers such as 0.2,1.", param, ctx)


class PresetName(click.ParamType):
    """The name of a preset or a pretrained backbone."""

    name = "preset"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Returns the name."""
        from imgclf.training.presets import BACKBONES, PRESETS

        names = [*PRESETS, *BACKBONES]
        if value not in names:
            near = difflib.get_close_matches(value, names, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            self.fail(f"{value!r} is not one of {', '.join(map(repr, names))}.{hint}", param, ctx)
        return value


class Address(click.ParamType):
    """`HOST:PORT`."""

    name = "address"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Returns the text as it was given."""
        host, _, port = value.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
            self.fail(f"{value!r} is not an address such as 192.168.0.5:8000.", param, ctx)
        return value


def _number(value: str | float) -> float:
    """Reads a number, or one in percent; raises `ValueError` for others, NaN among them."""
    text = str(value).strip()
    number = float(text.removesuffix("%")) / 100 if text.endswith("%") else float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number
