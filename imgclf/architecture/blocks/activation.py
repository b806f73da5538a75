"""An activation as a block, and as what follows other layers."""

from __future__ import annotations

import dataclasses

from imgclf.architecture import layers
from imgclf.architecture.blocks.block import Block
from imgclf.architecture.blocks.constraints import ActivationName
from imgclf.architecture.layers import Part

__all__ = ["activate", "activation"]


@dataclasses.dataclass(frozen=True, repr=False)
class Activation(Block):
    """An activation alone.

    Args:
        activation: the name of a Keras activation.

    Shape:
        Any; it stays the same.

    Example:
        >>> activation("silu")
        activation('silu')
    """

    activation: ActivationName

    def parts(self) -> tuple[Part, ...]:
        return activate(self.activation)


def activate(name: str | None) -> tuple[Part, ...]:
    """The activation layer in a block; none for None and "linear"."""
    return () if name in (None, "linear") else (layers.Activate(name),)


activation = Activation
