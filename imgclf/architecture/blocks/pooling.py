"""Blocks that pool a map: windows of it, or all of it."""

from __future__ import annotations

import dataclasses
from typing import Annotated

from imgclf import checks
from imgclf.architecture import layers
from imgclf.architecture.blocks.block import Block
from imgclf.architecture.blocks.constraints import OptionalSize, Padding, Rate, Size
from imgclf.architecture.blocks.dropout import drop
from imgclf.architecture.layers import Part
from imgclf.checks import OneOf

__all__ = ["avgpool", "global_pool", "maxpool", "pool"]


@dataclasses.dataclass(frozen=True, repr=False)
class Maxpool(Block):
    """Max-pooling.

    Args:
        pool_size: int or (height, width) of the window.
        pool_strides: how far it moves; None is as far as it is large.
        padding: "same" or "valid".

    Shape:
        (height, width, channels) → (height / pool, width / pool, channels)

    Example:
        >>> maxpool().output_shape((32, 32, 16))
        (16, 16, 16)
    """

    pool_size: Size = 2
    pool_strides: OptionalSize = None
    padding: Padding = "same"

    def parts(self) -> tuple[Part, ...]:
        return (pool(self.pool_size, self.pool_strides, self.padding),)


@dataclasses.dataclass(frozen=True, repr=False)
class Avgpool(Block):
    """Average-pooling.

    Args:
        pool_size: int or (height, width) of the window.
        pool_strides: how far it moves; None is as far as it is large.
        padding: "same" or "valid".

    Shape:
        (height, width, channels) → (height / pool, width / pool, channels)

    Example:
        >>> avgpool(4).output_shape((32, 32, 16))
        (8, 8, 16)
    """

    pool_size: Size = 2
    pool_strides: OptionalSize = None
    padding: Padding = "same"

    def parts(self) -> tuple[Part, ...]:
        return (pool(self.pool_size, self.pool_strides, self.padding, average=True),)


@dataclasses.dataclass(frozen=True, repr=False)
class GlobalPool(Block):
    """The average or the largest value of each channel; the end of most modern networks.

    Unlike `flatten` it takes maps of any size, so that a network can be used on larger images.

    Args:
        kind: "average" or "max".
        dropout: the fraction of values that training drops, 0 to below 1.

    Shape:
        (height, width, channels) → (channels,)

    Example:
        >>> global_pool("max").output_shape((None, None, 64))
        (64,)
    """

    kind: Annotated[str, OneOf("average", "max")] = "average"
    dropout: Rate = 0.0

    def parts(self) -> tuple[Part, ...]:
        return (layers.GlobalPool(average=self.kind == "average"), *drop(self.dropout))


def pool(
    pool_size: Size, strides: OptionalSize, padding: Padding, *, average: bool = False
) -> Part:
    """The pooling layer of a block; without strides the windows lie side by side."""
    size = checks.size_pair("pool_size", pool_size)
    steps = size if strides is None else checks.size_pair("pool_strides", strides)
    return layers.Pool(size, steps, padding, average)


avgpool = Avgpool
global_pool = GlobalPool
maxpool = Maxpool
