"""Dropout as a block, and as what follows other layers."""

from __future__ import annotations

import dataclasses

from imgclf.architecture import layers
from imgclf.architecture.blocks.block import Block
from imgclf.architecture.blocks.constraints import Rate
from imgclf.architecture.layers import Part

__all__ = ["drop", "dropout"]


@dataclasses.dataclass(frozen=True, repr=False)
class Dropout(Block):
    """Dropout alone.

    Args:
        rate: the fraction of values that training drops, 0 to below 1.

    Shape:
        Any; it stays the same.

    Example:
        >>> dropout(0.3)
        dropout(0.3)
    """

    rate: Rate

    def parts(self) -> tuple[Part, ...]:
        return drop(self.rate)


def drop(rate: float) -> tuple[Part, ...]:
    """The dropout layer at the end of a block; none for a rate of 0."""
    return (layers.Dropout(rate),) if rate else ()


dropout = Dropout
