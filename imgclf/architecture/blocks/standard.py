"""The blocks that come with imgclf. Each is settings, and the parts that they stand for.

The lower-case names are what people type; they are the classes themselves, so that
`conv_maxpool(32)` is a `ConvMaxpool`, and prints as what was typed. In a search, `choice(...)` or
`between(...)` may stand in place of any setting.
"""

from __future__ import annotations

import dataclasses
from typing import Any, TypeAlias

from imgclf import checks
from imgclf.architecture import layers as parts
from imgclf.architecture.blocks.block import Block
from imgclf.architecture.initializer import Initializer, is_dirac
from imgclf.errors import ArgumentError

__all__ = [
    "activation",
    "avgpool",
    "batch_norm",
    "conv",
    "conv_maxpool",
    "dense",
    "dense_dropout",
    "dropout",
    "flatten",
    "global_pool",
    "maxpool",
    "residual",
    "separable_conv",
    "whitening",
]

Size: TypeAlias = int | tuple[int, int]
Init: TypeAlias = str | Initializer


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

    momentum: float = 0.9
    epsilon: float = 1e-3
    scale: bool = True
    center: bool = True

    def parts(self) -> tuple[parts.Part, ...]:
        return (_batch_norm(self),)


@dataclasses.dataclass(frozen=True, repr=False)
class Conv(Block):
    """Convolution → normalisation → activation → dropout.

    Args:
        filters: how many channels come out.
        kernel_size: int or (height, width) of the window.
        strides: int or (down, right), how far the window moves.
        padding: "same" or "valid", as in Keras.
        activation: a name that Keras knows, or None for none.
        normalization: None, "batch", or batch_norm(...) with settings.
        dropout: the part of the values that are dropped in training, 0 to below 1.
        use_bias: None adds a bias unless normalisation follows, which would cancel it.
        kernel_initializer: a Keras name or initializer(...).
        bias_initializer: the same for the bias.

    Shape:
        (height, width, channels) → (height / strides, width / strides, filters)

    Example:
        >>> conv(16, normalization="batch").output_shape((32, 32, 3))
        (32, 32, 16)
    """

    filters: int
    kernel_size: Size = 3
    strides: Size = 1
    padding: str = "same"
    activation: str | None = "relu"
    normalization: str | BatchNorm | None = None
    dropout: float = 0.0
    use_bias: bool | None = None
    kernel_initializer: Init = "glorot_uniform"
    bias_initializer: Init = "zeros"

    def parts(self) -> tuple[parts.Part, ...]:
        return (_convolve(self), *_finish(self))


@dataclasses.dataclass(frozen=True, repr=False)
class ConvMaxpool(Block):
    """Convolution → max-pooling → normalisation → activation → dropout.

    Pooling comes before normalisation and activation since it leaves them a quarter of the work;
    for an activation that only rises, such as relu, the result is the same.

    Args:
        filters: how many channels come out.
        kernel_size: int or (height, width) of the convolution's window.
        strides: int or (down, right), how far the convolution's window moves.
        pool_size: int or (height, width) of the pooling window.
        pool_strides: how far the pooling window moves; None is as far as it is large.
        padding: "same" or "valid", for the convolution.
        pool_padding: the same for pooling; None is as `padding`. With "valid" an odd last row and
            column are left out, which saves work: 15×15 becomes 7×7, not 8×8.
        activation: a name that Keras knows, or None for none.
        normalization: None, "batch", or batch_norm(...) with settings.
        dropout: the part of the values that are dropped in training, 0 to below 1.
        use_bias: None adds a bias unless normalisation follows, which would cancel it.
        kernel_initializer: a Keras name or initializer(...).
        bias_initializer: the same for the bias.

    Shape:
        (height, width, channels) → (height / strides / pool, width / strides / pool, filters)

    Example:
        >>> conv_maxpool(32, kernel_size=7, strides=2).output_shape((32, 32, 3))
        (8, 8, 32)
    """

    filters: int
    kernel_size: Size = 3
    strides: Size = 1
    pool_size: Size = 2
    pool_strides: Size | None = None
    padding: str = "same"
    pool_padding: str | None = None
    activation: str | None = "relu"
    normalization: str | BatchNorm | None = None
    dropout: float = 0.0
    use_bias: bool | None = None
    kernel_initializer: Init = "glorot_uniform"
    bias_initializer: Init = "zeros"

    def parts(self) -> tuple[parts.Part, ...]:
        return (_convolve(self), _pool(self, average=False), *_finish(self))


@dataclasses.dataclass(frozen=True, repr=False)
class SeparableConv(Block):
    """Depthwise-separable convolution: each channel filtered on its own, then mixed by a 1×1.

    About `kernel_size`² times cheaper than `conv` (Howard et al. 2017, "MobileNets"). The mixing is
    followed by normalisation, activation and dropout.

    Args:
        filters: how many channels come out.
        kernel_size: int or (height, width) of the window.
        strides: int or (down, right), how far the window moves.
        padding: "same" or "valid", as in Keras.
        activation: a name that Keras knows, or None for none.
        normalization: None, "batch", or batch_norm(...) with settings.
        dropout: the part of the values that are dropped in training, 0 to below 1.
        use_bias: None adds a bias unless normalisation follows.
        kernel_initializer: a Keras name or initializer(...), for both convolutions.
        bias_initializer: the same for the bias.

    Shape:
        (height, width, channels) → (height / strides, width / strides, filters)

    Example:
        >>> separable_conv(64, strides=2).output_shape((32, 32, 16))
        (16, 16, 64)
    """

    filters: int
    kernel_size: Size = 3
    strides: Size = 1
    padding: str = "same"
    activation: str | None = "relu"
    normalization: str | BatchNorm | None = None
    dropout: float = 0.0
    use_bias: bool | None = None
    kernel_initializer: Init = "glorot_uniform"
    bias_initializer: Init = "zeros"

    def check(self) -> None:
        _check_depthwise_strides(self)
        _check_not_dirac(self)

    def parts(self) -> tuple[parts.Part, ...]:
        return (*_separate(self), *_finish(self))


@dataclasses.dataclass(frozen=True, repr=False)
class Whitening(Block):
    """A frozen convolution that decorrelates small patches → activation; the first block, if any.

    Its filters are computed from the training images by `adapt_whitening`, not learned: two for
    each number in a patch, a direction and its opposite.

    Args:
        kernel_size: int or (height, width) of a patch.
        activation: a name that Keras knows, or None for none.

    Shape:
        (height, width, channels) → (height - k + 1, width - k + 1, 2 · k · k · channels)

    Example:
        >>> whitening(2).output_shape((32, 32, 3))
        (31, 31, 24)
    """

    kernel_size: Size = 2
    activation: str | None = "relu"

    def parts(self) -> tuple[parts.Part, ...]:
        return (parts.Whiten(_pair(self.kernel_size)), *_activate(self))


@dataclasses.dataclass(frozen=True, repr=False)
class Residual(Block):
    """Blocks with a way around them, added up: input + blocks(input) (He et al. 2015).

    Where the shapes differ, a 1×1 convolution without activation is put on the way around.

    Args:
        blocks: the blocks inside; they must give a map of (height, width, channels).
        activation: what follows the sum; None for nothing.

    Shape:
        (height, width, channels) → what the inner blocks give

    Example:
        >>> residual([conv(64), conv(64, activation=None)])
        residual([conv(64), conv(64, activation=None)])
    """

    blocks: Any
    activation: str | None = "relu"

    def parts(self) -> tuple[parts.Part, ...]:
        inner = tuple(part for block in self.blocks for part in block.parts())
        return (parts.Shortcut(inner), *_activate(self))


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
    pool_strides: Size | None = None
    padding: str = "same"

    def parts(self) -> tuple[parts.Part, ...]:
        return (_pool(self, average=False),)


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
    pool_strides: Size | None = None
    padding: str = "same"

    def parts(self) -> tuple[parts.Part, ...]:
        return (_pool(self, average=True),)


@dataclasses.dataclass(frozen=True, repr=False)
class GlobalPool(Block):
    """The average or the largest value of each channel; the end of most modern networks.

    Unlike `flatten` it takes maps of any size, so that a network can be used on larger images.

    Args:
        kind: "average" or "max".
        dropout: the part of the values that are dropped in training, 0 to below 1.

    Shape:
        (height, width, channels) → (channels,)

    Example:
        >>> global_pool("max").output_shape((None, None, 64))
        (64,)
    """

    kind: str = "average"
    dropout: float = 0.0

    def parts(self) -> tuple[parts.Part, ...]:
        return (parts.GlobalPool(average=self.kind == "average"), *_drop(self.dropout))


@dataclasses.dataclass(frozen=True, repr=False)
class Flatten(Block):
    """A map as one row of numbers, then dropout.

    Args:
        dropout: the part of the values that are dropped in training, 0 to below 1.

    Shape:
        (height, width, channels) → (height · width · channels,)

    Example:
        >>> flatten(dropout=0.5).output_shape((2, 2, 128))
        (512,)
    """

    dropout: float = 0.0

    def parts(self) -> tuple[parts.Part, ...]:
        return (parts.Flatten(), *_drop(self.dropout))


@dataclasses.dataclass(frozen=True, repr=False)
class Dense(Block):
    """A fully connected layer → normalisation → activation.

    Args:
        units: how many values come out.
        activation: a name that Keras knows, or None for none.
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

    units: int
    activation: str | None = "relu"
    normalization: str | BatchNorm | None = None
    use_bias: bool | None = None
    kernel_initializer: Init = "glorot_uniform"
    bias_initializer: Init = "zeros"

    def check(self) -> None:
        _check_not_dirac(self)

    def parts(self) -> tuple[parts.Part, ...]:
        return (_fully_connect(self), *_normalize(self), *_activate(self))


@dataclasses.dataclass(frozen=True, repr=False)
class DenseDropout(Block):
    """A fully connected layer → normalisation → activation → dropout.

    Args:
        units: how many values come out.
        dropout: the part of the values that are dropped in training, 0 to below 1.
        activation: a name that Keras knows, or None for none.
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

    units: int
    dropout: float = 0.0
    activation: str | None = "relu"
    normalization: str | BatchNorm | None = None
    use_bias: bool | None = None
    kernel_initializer: Init = "glorot_uniform"
    bias_initializer: Init = "zeros"

    def check(self) -> None:
        _check_not_dirac(self)

    def parts(self) -> tuple[parts.Part, ...]:
        return (_fully_connect(self), *_finish(self))


@dataclasses.dataclass(frozen=True, repr=False)
class Dropout(Block):
    """Dropout on its own.

    Args:
        rate: the part of the values that are dropped in training, 0 to below 1.

    Shape:
        Any; the same comes out.

    Example:
        >>> dropout(0.3)
        dropout(0.3)
    """

    rate: float

    def parts(self) -> tuple[parts.Part, ...]:
        return _drop(self.rate)


@dataclasses.dataclass(frozen=True, repr=False)
class Activation(Block):
    """An activation on its own.

    Args:
        activation: a name that Keras knows.

    Shape:
        Any; the same comes out.

    Example:
        >>> activation("silu")
        activation('silu')
    """

    activation: str

    def check(self) -> None:
        if self.activation is None:
            checks.one_of("activation", None, ["relu", "silu", "gelu"])

    def parts(self) -> tuple[parts.Part, ...]:
        return _activate(self)


activation = Activation
avgpool = Avgpool
batch_norm = BatchNorm
conv = Conv
conv_maxpool = ConvMaxpool
dense = Dense
dense_dropout = DenseDropout
dropout = Dropout
flatten = Flatten
global_pool = GlobalPool
maxpool = Maxpool
residual = Residual
separable_conv = SeparableConv
whitening = Whitening


def _pair(setting: Any) -> tuple[int, int]:
    return checks.size_pair("size", setting)


def _uses_bias(block: Any) -> bool:
    return block.normalization is None if block.use_bias is None else bool(block.use_bias)


def _convolve(block: Any) -> parts.Convolve:
    return parts.Convolve(
        block.filters,
        _pair(block.kernel_size),
        _pair(block.strides),
        block.padding,
        _uses_bias(block),
        block.kernel_initializer,
        block.bias_initializer,
    )


def _separate(block: Any) -> tuple[parts.Part, ...]:
    depthwise = parts.Depthwise(
        _pair(block.kernel_size), _pair(block.strides), block.padding, block.kernel_initializer
    )
    mix = parts.Convolve(
        block.filters,
        (1, 1),
        use_bias=_uses_bias(block),
        kernel_initializer=block.kernel_initializer,
        bias_initializer=block.bias_initializer,
    )
    return depthwise, mix


def _batch_norm(block: Any) -> parts.BatchNorm:
    return parts.BatchNorm(block.momentum, block.epsilon, block.scale, block.center)


def _fully_connect(block: Any) -> parts.Dense:
    return parts.Dense(
        block.units, _uses_bias(block), block.kernel_initializer, block.bias_initializer
    )


def _pool(block: Any, *, average: bool) -> parts.Pool:
    strides = block.pool_size if block.pool_strides is None else block.pool_strides
    padding = getattr(block, "pool_padding", None) or block.padding
    return parts.Pool(_pair(block.pool_size), _pair(strides), padding, average)


def _finish(block: Any) -> tuple[parts.Part, ...]:
    return (*_normalize(block), *_activate(block), *_drop(block.dropout))


def _normalize(block: Any) -> tuple[parts.Part, ...]:
    if block.normalization is None:
        return ()
    chosen = BatchNorm() if block.normalization == "batch" else block.normalization
    return tuple(chosen.parts())


def _activate(block: Any) -> tuple[parts.Part, ...]:
    if block.activation in (None, "linear"):
        return ()
    return (parts.Activate(block.activation),)


def _drop(rate: Any) -> tuple[parts.Part, ...]:
    return (parts.Dropout(rate),) if rate else ()


def _check_depthwise_strides(block: Any) -> None:
    """TensorFlow's depthwise convolution moves equally far down and right."""
    down, right = _pair(block.strides)
    if down != right:
        raise ArgumentError(
            "`strides` of separable_conv must be the same down and right. "
            + checks.received("strides", block.strides)
        )


def _check_not_dirac(block: Any) -> None:
    if is_dirac(block.kernel_initializer):
        raise ArgumentError(
            f"`kernel_initializer` of {block.block_name} cannot be 'dirac', which is for conv and "
            "conv_maxpool. " + checks.received("kernel_initializer", block.kernel_initializer)
        )
