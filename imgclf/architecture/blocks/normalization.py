"""Normalisation as a block, and as what follows a convolution or a dense layer."""

from __future__ import annotations

import dataclasses
from typing import Annotated, TypeAlias

from imgclf.architecture import layers
from imgclf.architecture.blocks.activation import activate
from imgclf.architecture.blocks.block import Block
from imgclf.architecture.blocks.constraints import Rate
from imgclf.architecture.blocks.dropout import drop
from imgclf.architecture.layers import Part
from imgclf.checks import Constraint, Flag, Maybe, Number

__all__ = ["OptionalNormalization", "batch_norm", "finish", "has_bias"]


@dataclasses.dataclass(frozen=True, repr=False)
class BatchNorm(Block):
    """Batch normalisation (Ioffe and Szegedy 2015).

    Args:
        momentum: how much of the running mean and variance each step keeps. Keras's own default of
            0.99 needs hundreds of steps to settle; 0.9 suits trainings of minutes.
        epsilon: added to the variance.
        scale: whether a factor is learned.
        center: whether an offset is learned.

    Shape:
        Any; the same comes out.

    Example:
        >>> batch_norm(momentum=0.8)
        batch_norm(momentum=0.8)
    """

    momentum: Rate = 0.9
    epsilon: Annotated[float, Number(low=0, above=True)] = 1e-3
    scale: Annotated[bool, Flag()] = True
    center: Annotated[bool, Flag()] = True

    def parts(self) -> tuple[Part, ...]:
        return (layers.BatchNorm(self.momentum, self.epsilon, self.scale, self.center),)


@dataclasses.dataclass(frozen=True)
class Normalization(Constraint):
    """A normalisation: "batch", or batch_norm(...) with settings."""

    allowed = '"batch" or batch_norm(...)'

    def accept(self, value: object) -> str | BatchNorm:
        """The value itself."""
        if not isinstance(value, (str, BatchNorm)):
            raise TypeError
        if isinstance(value, str) and value != "batch":
            raise ValueError
        return value


OptionalNormalization: TypeAlias = Annotated[str | BatchNorm | None, Maybe(Normalization())]

batch_norm = BatchNorm


def finish(
    normalization: str | BatchNorm | None, activation: str | None, dropout: float = 0.0
) -> tuple[Part, ...]:
    """What follows a convolution or a dense layer: normalisation → activation → dropout."""
    chosen = BatchNorm() if isinstance(normalization, str) else normalization
    normalize = () if chosen is None else chosen.parts()
    return (*normalize, *activate(activation), *drop(dropout))


def has_bias(use_bias: bool | None, normalization: str | BatchNorm | None) -> bool:
    """Whether a layer has a bias: unless said otherwise, if no normalisation would cancel it."""
    return normalization is None if use_bias is None else use_bias
