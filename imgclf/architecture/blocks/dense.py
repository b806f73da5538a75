"""Blocks of fully connected layers, and the flattening before them."""

from __future__ import annotations

import dataclasses

from imgclf.architecture import layers
from imgclf.architecture.blocks.block import Block
from imgclf.architecture.blocks.constraints import (
    Count,
    OptionalActivation,
    OptionalFlag,
    PlainInitializer,
    Rate,
)
from imgclf.architecture.blocks.dropout import drop
from imgclf.architecture.blocks.normalization import OptionalNormalization, finish, has_bias
from imgclf.architecture.layers import Part

__all__ = ["dense", "dense_dropout", "flatten"]


@dataclasses.dataclass(frozen=True, repr=False)
class Flatten(Block):
    """A map as one row of numbers, then dropout.

    Args:
        dropout: the fraction of values that training drops, 0 to below 1.

    Shape:
        (height, width, channels) → (height · width · channels,)

    Example:
        >>> flatten(dropout=0.5).output_shape((2, 2, 128))
        (512,)
    """

    dropout: Rate = 0.0

    def parts(self) -> tuple[Part, ...]:
        return (layers.Flatten(), *drop(self.dropout))


@dataclasses.dataclass(frozen=True, repr=False)
class Dense(Block):
    """A fully connected layer → normalisation → activation.

    Args:
        units: number of output values.
        activation: the name of a Keras activation, or None.
        normalization: None, "batch", or batch_norm(...) with settings.
        use_bias: None adds a bias unless normalisation follows.
        kernel_initializer: a Keras name or initializer(...).
        bias_initializer: the same for the bias.

    Shape:
        (features,) → (units,)

    Example:
        >>> dense(128).output_shape((512,))
        (128,)
    """

    units: Count
    activation: OptionalActivation = "relu"
    normalization: OptionalNormalization = None
    use_bias: OptionalFlag = None
    kernel_initializer: PlainInitializer = "glorot_uniform"
    bias_initializer: PlainInitializer = "zeros"

    def parts(self) -> tuple[Part, ...]:
        return (_connect(self), *finish(self.normalization, self.activation))


@dataclasses.dataclass(frozen=True, repr=False)
class DenseDropout(Block):
    """A fully connected layer → normalisation → activation → dropout.

    Args:
        units: number of output values.
        dropout: the fraction of values that training drops, 0 to below 1.
        activation: the name of a Keras activation, or None.
        normalization: None, "batch", or batch_norm(...) with settings.
        use_bias: None adds a bias unless normalisation follows.
        kernel_initializer: a Keras name or initializer(...).
        bias_initializer: the same for the bias.

    Shape:
        (features,) → (units,)

    Example:
        >>> dense_dropout(1024, dropout=0.5)
        dense_dropout(1024, dropout=0.5)
    """

    units: Count
    dropout: Rate = 0.0
    activation: OptionalActivation = "relu"
    normalization: OptionalNormalization = None
    use_bias: OptionalFlag = None
    kernel_initializer: PlainInitializer = "glorot_uniform"
    bias_initializer: PlainInitializer = "zeros"

    def parts(self) -> tuple[Part, ...]:
        return (_connect(self), *finish(self.normalization, self.activation, self.dropout))


def _connect(block: Dense | DenseDropout) -> Part:
    return layers.Dense(
        block.units,
        has_bias(block.use_bias, block.normalization),
        block.kernel_initializer,
        block.bias_initializer,
    )


dense = Dense
dense_dropout = DenseDropout
flatten = Flatten
