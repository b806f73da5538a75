"""Shapes of maps and rows of features, and the arithmetic that layers do with them.

A shape is (height, width, channels) or (features,), without the batch; height and width may be
None, which leaves them open.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from imgclf.errors import BlockError

__all__ = [
    "CHANNELS_LAST",
    "Shape",
    "channels",
    "need_map",
    "product",
    "show_shape",
    "slide",
    "total",
]

Shape: TypeAlias = tuple[int | None, ...]

# What every layer says itself: Keras's global setting may be another.
CHANNELS_LAST = "channels_last"


def channels(shape: Shape) -> int:
    """Channels of a map, or features of a row."""
    return int(shape[-1] or 0)


def need_map(shape: Shape, what: str) -> Shape:
    """The shape itself; raises `BlockError` if it is no map.

    Args:
        shape: the input of a layer.
        what: the layer, for the message.
    """
    if len(shape) != 3:
        raise BlockError(
            f"{what} needs a map of (height, width, channels), got a flat tensor of {shape[0]}. "
            "Put it before flatten() or global_pool()."
        )
    return shape


def slide(
    shape: Shape, window: tuple[int, int], strides: tuple[int, int], padding: str, *, what: str
) -> tuple[int | None, int | None]:
    """Height and width of the output of a sliding window.

    Args:
        shape: the map it slides over.
        window: its (height, width).
        strides: its steps, (down, right).
        padding: "same" or "valid".
        what: the window, for the message.

    Raises:
        BlockError: if the map is smaller than a window without padding.

    Example:
        >>> slide((32, 32, 3), (3, 3), (2, 2), "valid", what="the kernel")
        (15, 15)
    """
    sides: list[int | None] = []
    for side, width, stride in zip(shape, window, strides, strict=False):
        if side is None:
            sides.append(None)
        elif padding == "same":
            sides.append(-(-side // stride))
        elif side < width:
            raise BlockError(
                f'with padding="valid" {what} of {show_shape(window)} needs a map of at '
                f'least that size, got {show_shape(shape[:2])}. Use padding="same" or larger '
                "images."
            )
        else:
            sides.append((side - width) // stride + 1)
    return sides[0], sides[1]


def product(shape: Shape, *factors: int) -> int | None:
    """The values in a shape, times other factors; None if a side is open."""
    sizes = [side for side in shape if side is not None]
    return math.prod(sizes) * math.prod(factors) if len(sizes) == len(shape) else None


def total(costs: Iterable[int | None]) -> int | None:
    """The sum, or None if any of the costs is open."""
    given = list(costs)
    known = [cost for cost in given if cost is not None]
    return sum(known) if len(known) == len(given) else None


def show_shape(shape: Sequence[int | None]) -> str:
    """A shape for people: 8×8×32; an open side is shown as ?.

    Example:
        >>> show_shape((8, None, 32))
        '8×?×32'
    """
    return "×".join("?" if side is None else str(side) for side in shape)
