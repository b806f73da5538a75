"""Blocks with a convolution."""

from __future__ import annotations

import dataclasses

from imgclf import checks
from imgclf.architecture import layers
from imgclf.architecture.blocks.activation import activate
from imgclf.architecture.blocks.block import Block
from imgclf.architecture.blocks.constraints import (
    ConvolutionInitializer,
    Count,
    EqualSize,
    OptionalActivation,
    OptionalFlag,
    OptionalPadding,
    OptionalSize,
    Padding,
    PlainInitializer,
    Rate,
    Size,
)
from imgclf.architecture.blocks.normalization import OptionalNormalization, finish, has_bias
from imgclf.architecture.blocks.pooling import pool
from imgclf.architecture.layers import Part

__all__ = ["conv", "conv_maxpool", "separable_conv", "whitening"]


@dataclasses.dataclass(frozen=True, repr=False)
class Conv(Block):
    """Convolution → normalisation → activation → dropout.

    Args:
        filters: number of output channels.
        kernel_size: int or (height, width) of the window.
        strides: int or (down, right), the step of the window.
        padding: "same" or "valid", as in Keras.
        activation: the name of a Keras activation, or None.
        normalization: None, "batch", or batch_norm(...) with settings.
        dropout: the fraction of values that training drops, 0 to below 1.
        use_bias: None adds a bias unless normalisation follows, which would cancel it.
        kernel_initializer: a Keras name or initializer(...).
        bias_initializer: the same for the bias.

    Shape:
        (height, width, channels) → (height / strides, width / strides, filters)

    Example:
        >>> conv(16, normalization="batch").output_shape((32, 32, 3))
        (32, 32, 16)
    """

    filters: Count
    kernel_size: Size = 3
    strides: Size = 1
    padding: Padding = "same"
    activation: OptionalActivation = "relu"
    normalization: OptionalNormalization = None
    dropout: Rate = 0.0
    use_bias: OptionalFlag = None
    kernel_initializer: ConvolutionInitializer = "glorot_uniform"
    bias_initializer: PlainInitializer = "zeros"

    def parts(self) -> tuple[Part, ...]:
        return (_convolve(self), *finish(self.normalization, self.activation, self.dropout))


@dataclasses.dataclass(frozen=True, repr=False)
class ConvMaxpool(Block):
    """Convolution → max-pooling → normalisation → activation → dropout.

    Pooling comes before normalisation and activation since it leaves them a quarter of the work;
    for an activation that only rises, such as relu, the result is the same.

    Args:
        filters: number of output channels.
        kernel_size: int or (height, width) of the convolution's window.
        strides: int or (down, right), the step of the convolution's window.
        pool_size: int or (height, width) of the pooling window.
        pool_strides: how far the pooling window moves; None is as far as it is large.
        padding: "same" or "valid", for the convolution.
        pool_padding: the same for pooling; None is as `padding`. With "valid" an odd last row and
            column are left out, which saves work: 15×15 becomes 7×7, not 8×8.
        activation: the name of a Keras activation, or None.
        normalization: None, "batch", or batch_norm(...) with settings.
        dropout: the fraction of values that training drops, 0 to below 1.
        use_bias: None adds a bias unless normalisation follows, which would cancel it.
        kernel_initializer: a Keras name or initializer(...).
        bias_initializer: the same for the bias.

    Shape:
        (height, width, channels) → (height / strides / pool, width / strides / pool, filters)

    Example:
        >>> conv_maxpool(32, kernel_size=7, strides=2).output_shape((32, 32, 3))
        (8, 8, 32)
    """

    filters: Count
    kernel_size: Size = 3
    strides: Size = 1
    pool_size: Size = 2
    pool_strides: OptionalSize = None
    padding: Padding = "same"
    pool_padding: OptionalPadding = None
    activation: OptionalActivation = "relu"
    normalization: OptionalNormalization = None
    dropout: Rate = 0.0
    use_bias: OptionalFlag = None
    kernel_initializer: ConvolutionInitializer = "glorot_uniform"
    bias_initializer: PlainInitializer = "zeros"

    def parts(self) -> tuple[Part, ...]:
        padding = self.padding if self.pool_padding is None else self.pool_padding
        return (
            _convolve(self),
            pool(self.pool_size, self.pool_strides, padding),
            *finish(self.normalization, self.activation, self.dropout),
        )


@dataclasses.dataclass(frozen=True, repr=False)
class SeparableConv(Block):
    """Depthwise-separable convolution: each channel filtered on its own, then mixed by a 1×1.

    About `kernel_size`² times cheaper than `conv` (Howard et al. 2017, "MobileNets"). The mixing is
    followed by normalisation, activation and dropout.

    Args:
        filters: number of output channels.
        kernel_size: int or (height, width) of the window.
        strides: int or (down, right), equal ones: the step of the window.
        padding: "same" or "valid", as in Keras.
        activation: the name of a Keras activation, or None.
        normalization: None, "batch", or batch_norm(...) with settings.
        dropout: the fraction of values that training drops, 0 to below 1.
        use_bias: None adds a bias unless normalisation follows.
        kernel_initializer: a Keras name or initializer(...), for both convolutions.
        bias_initializer: the same for the bias.

    Shape:
        (height, width, channels) → (height / strides, width / strides, filters)

    Example:
        >>> separable_conv(64, strides=2).output_shape((32, 32, 16))
        (16, 16, 64)
    """

    filters: Count
    kernel_size: Size = 3
    # TensorFlow's depthwise convolution has one stride for both directions.
    strides: EqualSize = 1
    padding: Padding = "same"
    activation: OptionalActivation = "relu"
    normalization: OptionalNormalization = None
    dropout: Rate = 0.0
    use_bias: OptionalFlag = None
    kernel_initializer: PlainInitializer = "glorot_uniform"
    bias_initializer: PlainInitializer = "zeros"

    def parts(self) -> tuple[Part, ...]:
        depthwise = layers.Depthwise(
            checks.size_pair("kernel_size", self.kernel_size),
            checks.size_pair("strides", self.strides),
            self.padding,
            self.kernel_initializer,
        )
        mixing = layers.Convolve(
            self.filters,
            (1, 1),
            use_bias=has_bias(self.use_bias, self.normalization),
            kernel_initializer=self.kernel_initializer,
            bias_initializer=self.bias_initializer,
        )
        return (depthwise, mixing, *finish(self.normalization, self.activation, self.dropout))


@dataclasses.dataclass(frozen=True, repr=False)
class Whitening(Block):
    """A frozen convolution that decorrelates small patches → activation; the first block, if any.

    Its filters are computed from the training images by `adapt_whitening`, not learned: two for
    each number in a patch, a direction and its opposite.

    Args:
        kernel_size: int or (height, width) of a patch.
        activation: the name of a Keras activation, or None.

    Shape:
        (height, width, channels) → (height - k + 1, width - k + 1, 2 · k · k · channels)

    Example:
        >>> whitening(2).output_shape((32, 32, 3))
        (31, 31, 24)
    """

    kernel_size: Size = 2
    activation: OptionalActivation = "relu"

    def parts(self) -> tuple[Part, ...]:
        size = checks.size_pair("kernel_size", self.kernel_size)
        return (layers.Whiten(size), *activate(self.activation))


def _convolve(block: Conv | ConvMaxpool) -> Part:
    return layers.Convolve(
        block.filters,
        checks.size_pair("kernel_size", block.kernel_size),
        checks.size_pair("strides", block.strides),
        block.padding,
        has_bias(block.use_bias, block.normalization),
        block.kernel_initializer,
        block.bias_initializer,
    )


conv = Conv
conv_maxpool = ConvMaxpool
separable_conv = SeparableConv
whitening = Whitening
