"""Blocks around other blocks."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Annotated, Any

from imgclf.architecture import layers
from imgclf.architecture.blocks.activation import activate
from imgclf.architecture.blocks.block import Block, check_blocks
from imgclf.architecture.blocks.constraints import OptionalActivation
from imgclf.architecture.layers import Part
from imgclf.checks import Constraint

__all__ = ["Blocks", "residual"]


@dataclasses.dataclass(frozen=True)
class Blocks(Constraint):
    """A list of blocks, with or without choices; it becomes a tuple."""

    allowed = "a list of blocks"

    def accept(self, value: object) -> tuple[Any, ...]:
        """The blocks; of anything else `check_blocks` says what is wrong."""
        return check_blocks(value)

    def check(self, name: str, value: object) -> tuple[Any, ...]:
        """The blocks, under the name that the field has."""
        return check_blocks(value, name=name)


@dataclasses.dataclass(frozen=True, repr=False)
class Residual(Block):
    """A residual connection around other blocks: input + blocks(input) (He et al. 2015).

    Where the shapes differ, the input passes a 1×1 convolution without activation first.

    Args:
        blocks: the blocks inside; their output must be a map of (height, width, channels).
        activation: what follows the sum, or None.

    Shape:
        (height, width, channels) → the output shape of the inner blocks

    Example:
        >>> from imgclf import conv
        >>> residual([conv(64), conv(64, activation=None)])
        residual([conv(64), conv(64, activation=None)])
    """

    blocks: Annotated[Sequence[Block], Blocks()]
    activation: OptionalActivation = "relu"

    def parts(self) -> tuple[Part, ...]:
        inner = tuple(part for block in self.blocks for part in block.parts())
        return (layers.Shortcut(inner), *activate(self.activation))


residual = Residual
