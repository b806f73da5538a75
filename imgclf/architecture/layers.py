"""The parts that blocks are made of: one Keras layer each, with the arithmetic of its shapes.

A part knows its output shape, its parameters, its multiply-adds and its receptive field without
TensorFlow, and makes its Keras layer. So a network is checked, described and priced before it has
a single weight, which a search does thousands of times.

Multiply-adds count the products of convolutions and dense layers for one image. Biases,
normalisation, pooling and activations are left out, as is usual.
"""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from imgclf.architecture.initializer import Initializer, dirac_kernel, is_dirac, to_keras
from imgclf.architecture.shapes import (
    CHANNELS_LAST,
    Shape,
    channels,
    need_map,
    product,
    show_shape,
    slide,
    total,
)
from imgclf.errors import BlockError
from imgclf.typing import KerasLayer, KerasTensor

__all__ = [
    "Activate",
    "BatchNorm",
    "Convolve",
    "Dense",
    "Depthwise",
    "Dropout",
    "Flatten",
    "GlobalPool",
    "Namer",
    "Part",
    "Pool",
    "Shortcut",
    "Whiten",
    "named",
    "out_of",
    "steps",
    "widen",
]


class Namer:
    """Names layers, each once: `conv_0.conv`, `conv_0.norm`, then `conv_0.conv_1`.

    Args:
        prefix: of all names, such as `conv_0`.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.used: dict[str, int] = {}

    def __call__(self, kind: str) -> str:
        used = self.used.get(kind, 0)
        self.used[kind] = used + 1
        return f"{self.prefix}.{kind}" + (f"_{used}" if used else "")


class Part(abc.ABC):
    """One Keras layer and its arithmetic; a subclass overrides what differs from the defaults."""

    kind: ClassVar[str]

    def output_shape(self, shape: Shape) -> Shape:
        """Returns the output shape; raises `BlockError` if `shape` does not fit."""
        return shape

    def parameters(self, shape: Shape) -> int:  # noqa: ARG002
        """Returns the number of weights, trained or not."""
        return 0

    def macs(self, shape: Shape) -> int | None:  # noqa: ARG002
        """Returns the multiply-adds for one image; None if height or width is open."""
        return 0

    def window(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Returns (height, width) of the window and of its step, in pixels of the input."""
        return (1, 1), (1, 1)

    @abc.abstractmethod
    def make(self, name: str) -> KerasLayer:
        """Makes a Keras layer."""

    def apply(self, tensor: KerasTensor, namer: Namer) -> KerasTensor:
        """Calls a new layer on a Keras tensor."""
        return self.make(namer(self.kind))(tensor)

    def named(self, shape: Shape, namer: Namer) -> Iterator[tuple[str, Part]]:  # noqa: ARG002
        """Yields the name that `apply` gives to each layer, with its part."""
        yield namer(self.kind), self


@dataclasses.dataclass(frozen=True)
class Convolve(Part):
    """`keras.layers.Conv2D`."""

    kind = "conv"
    filters: int
    kernel_size: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    padding: str = "same"
    use_bias: bool = True
    kernel_initializer: str | Initializer = "glorot_uniform"
    bias_initializer: str | Initializer = "zeros"

    def output_shape(self, shape: Shape) -> Shape:
        need_map(shape, "a convolution")
        size = slide(shape, self.kernel_size, self.strides, self.padding, what="the kernel")
        return (*size, self.filters)

    def parameters(self, shape: Shape) -> int:
        return math.prod(self.kernel_size) * channels(shape) * self.filters + self._biases()

    def _biases(self) -> int:
        return self.filters if self.use_bias else 0

    def macs(self, shape: Shape) -> int | None:
        return product(self.output_shape(shape), *self.kernel_size, channels(shape))

    def window(self) -> tuple[tuple[int, int], tuple[int, int]]:
        return self.kernel_size, self.strides

    def make(self, name: str) -> KerasLayer:
        import keras

        return keras.layers.Conv2D(
            self.filters,
            self.kernel_size,
            strides=self.strides,
            padding=self.padding,
            data_format=CHANNELS_LAST,
            use_bias=self.use_bias,
            kernel_initializer=to_keras(self.kernel_initializer),
            bias_initializer=to_keras(self.bias_initializer),
            name=name,
        )

    def apply(self, tensor: KerasTensor, namer: Namer) -> KerasTensor:
        layer = self.make(namer(self.kind))
        tensor = layer(tensor)
        if is_dirac(self.kernel_initializer):
            layer.kernel.assign(dirac_kernel(np.asarray(layer.kernel)))
        return tensor


@dataclasses.dataclass(frozen=True)
class Whiten(Part):
    """A frozen `keras.layers.Conv2D` whose filters decorrelate the patches of its input.

    It has two filters for each number in a patch: a direction and its opposite, so that the
    activation loses none. Until `adapt_whitening` has seen images, the directions are the numbers
    of the patch themselves.
    """

    kind = "whitening"
    kernel_size: tuple[int, int]

    def _convolve(self, shape: Shape) -> Convolve:
        filters = 2 * math.prod(self.kernel_size) * channels(need_map(shape, "whitening"))
        return Convolve(filters, self.kernel_size, padding="valid", use_bias=False)

    def output_shape(self, shape: Shape) -> Shape:
        return self._convolve(shape).output_shape(shape)

    def parameters(self, shape: Shape) -> int:
        return self._convolve(shape).parameters(shape)

    def macs(self, shape: Shape) -> int | None:
        return self._convolve(shape).macs(shape)

    def window(self) -> tuple[tuple[int, int], tuple[int, int]]:
        return self.kernel_size, (1, 1)

    def make(self, name: str) -> KerasLayer:
        raise NotImplementedError("its filters depend on the channels of its input: use apply")

    def apply(self, tensor: KerasTensor, namer: Namer) -> KerasTensor:
        layer = self._convolve(tuple(tensor.shape[1:])).make(namer(self.kind))
        tensor = layer(tensor)
        numbers = layer.filters // 2
        directions = np.eye(numbers, dtype=np.float32).reshape(*layer.kernel.shape[:3], numbers)
        layer.kernel.assign(np.concatenate([directions, -directions], axis=-1))
        layer.trainable = False
        return tensor


@dataclasses.dataclass(frozen=True)
class Depthwise(Part):
    """`keras.layers.DepthwiseConv2D`: each channel is filtered on its own."""

    kind = "depthwise"
    kernel_size: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    padding: str = "same"
    kernel_initializer: str | Initializer = "glorot_uniform"

    def output_shape(self, shape: Shape) -> Shape:
        need_map(shape, "a convolution")
        size = slide(shape, self.kernel_size, self.strides, self.padding, what="the kernel")
        return (*size, channels(shape))

    def parameters(self, shape: Shape) -> int:
        return math.prod(self.kernel_size) * channels(shape)

    def macs(self, shape: Shape) -> int | None:
        return product(self.output_shape(shape), *self.kernel_size)

    def window(self) -> tuple[tuple[int, int], tuple[int, int]]:
        return self.kernel_size, self.strides

    def make(self, name: str) -> KerasLayer:
        import keras

        return keras.layers.DepthwiseConv2D(
            self.kernel_size,
            strides=self.strides,
            padding=self.padding,
            data_format=CHANNELS_LAST,
            use_bias=False,
            depthwise_initializer=to_keras(self.kernel_initializer),
            name=name,
        )


@dataclasses.dataclass(frozen=True)
class Pool(Part):
    """`keras.layers.MaxPooling2D` or `AveragePooling2D`."""

    kind = "pool"
    pool_size: tuple[int, int]
    strides: tuple[int, int]
    padding: str = "same"
    average: bool = False

    def output_shape(self, shape: Shape) -> Shape:
        size = need_map(shape, "pooling")[:2]
        for side, window in zip(size, self.pool_size, strict=True):
            if side is not None and side < window:
                raise BlockError(
                    f"pooling needs at least {show_shape(self.pool_size)}, got {show_shape(size)}. "
                    "Remove a pool or use larger images."
                )
        sides = slide(shape, self.pool_size, self.strides, self.padding, what="the pool")
        return (*sides, channels(shape))

    def window(self) -> tuple[tuple[int, int], tuple[int, int]]:
        return self.pool_size, self.strides

    def make(self, name: str) -> KerasLayer:
        import keras

        kind = keras.layers.AveragePooling2D if self.average else keras.layers.MaxPooling2D
        return kind(self.pool_size, self.strides, self.padding, CHANNELS_LAST, name=name)


@dataclasses.dataclass(frozen=True)
class GlobalPool(Part):
    """`keras.layers.GlobalAveragePooling2D` or `GlobalMaxPooling2D`."""

    kind = "global_pool"
    average: bool

    def output_shape(self, shape: Shape) -> Shape:
        return (channels(need_map(shape, "global pooling")),)

    def make(self, name: str) -> KerasLayer:
        import keras

        layers = keras.layers
        kind = layers.GlobalAveragePooling2D if self.average else layers.GlobalMaxPooling2D
        return kind(CHANNELS_LAST, name=name)


@dataclasses.dataclass(frozen=True)
class BatchNorm(Part):
    """`keras.layers.BatchNormalization`."""

    kind = "norm"
    momentum: float
    epsilon: float
    scale: bool
    center: bool

    def parameters(self, shape: Shape) -> int:
        # The running mean and variance are always there.
        return channels(shape) * (2 + self.scale + self.center)

    def make(self, name: str) -> KerasLayer:
        import keras

        return keras.layers.BatchNormalization(
            momentum=self.momentum,
            epsilon=self.epsilon,
            scale=self.scale,
            center=self.center,
            name=name,
        )


@dataclasses.dataclass(frozen=True)
class Activate(Part):
    """`keras.layers.Activation`."""

    kind = "activation"
    function: str

    def make(self, name: str) -> KerasLayer:
        import keras

        return keras.layers.Activation(self.function, name=name)


@dataclasses.dataclass(frozen=True)
class Dropout(Part):
    """`keras.layers.Dropout`."""

    kind = "dropout"
    rate: float

    def make(self, name: str) -> KerasLayer:
        import keras

        return keras.layers.Dropout(self.rate, name=name)


@dataclasses.dataclass(frozen=True)
class Flatten(Part):
    """`keras.layers.Flatten`."""

    kind = "flatten"

    def output_shape(self, shape: Shape) -> Shape:
        if None in shape:
            raise BlockError(
                f"flatten needs a known height and width, got {show_shape(shape)}. "
                "Use global_pool() for images of any size."
            )
        return (product(shape),)

    def make(self, name: str) -> KerasLayer:
        import keras

        return keras.layers.Flatten(CHANNELS_LAST, name=name)


@dataclasses.dataclass(frozen=True)
class Dense(Part):
    """`keras.layers.Dense`."""

    kind = "dense"
    units: int
    use_bias: bool = True
    kernel_initializer: str | Initializer = "glorot_uniform"
    bias_initializer: str | Initializer = "zeros"

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 1:
            raise BlockError(
                f"a dense layer needs a flat tensor, got {show_shape(shape)}. "
                "Put flatten() or global_pool() before it."
            )
        return (self.units,)

    def parameters(self, shape: Shape) -> int:
        return channels(shape) * self.units + (self.units if self.use_bias else 0)

    def macs(self, shape: Shape) -> int | None:
        return channels(shape) * self.units

    def make(self, name: str) -> KerasLayer:
        import keras

        return keras.layers.Dense(
            self.units,
            use_bias=self.use_bias,
            kernel_initializer=to_keras(self.kernel_initializer),
            bias_initializer=to_keras(self.bias_initializer),
            name=name,
        )


@dataclasses.dataclass(frozen=True)
class Shortcut(Part):
    """A residual connection: `keras.layers.Add` of the input and the output of other parts.

    Where their shapes differ, the input passes a 1×1 convolution (He et al. 2015, "Deep
    Residual Learning for Image Recognition", option B).
    """

    kind = "add"
    inner: tuple[Part, ...]

    def output_shape(self, shape: Shape) -> Shape:
        inside = out_of(self.inner, need_map(shape, "residual"))
        if len(inside) != 3:
            raise BlockError("residual needs blocks whose output is a map, not a flat tensor.")
        around = self._projection(shape)
        outside = around.output_shape(shape) if around else shape
        if inside != outside:
            raise BlockError(
                f"the output of the blocks in residual is {show_shape(inside)}, that of its "
                f'shortcut {show_shape(outside)}. Use padding="same" in those blocks.'
            )
        return inside

    def _projection(self, shape: Shape) -> Convolve | None:
        inside = out_of(self.inner, shape)
        strides = self.window()[1]
        if strides == (1, 1) and inside[-1] == shape[-1]:
            return None
        return Convolve(channels(inside), (1, 1), strides=strides, use_bias=False)

    def parameters(self, shape: Shape) -> int:
        around = self._projection(shape)
        extra = around.parameters(shape) if around else 0
        return extra + sum(part.parameters(before) for part, before in steps(self.inner, shape))

    def macs(self, shape: Shape) -> int | None:
        costs = [part.macs(before) for part, before in steps(self.inner, shape)]
        if around := self._projection(shape):
            costs.append(around.macs(shape))
        return total(costs)

    def window(self) -> tuple[tuple[int, int], tuple[int, int]]:
        sees, jump = (1, 1), (1, 1)
        for part in self.inner:
            sees, jump = widen(sees, jump, part)
        return sees, jump

    def make(self, name: str) -> KerasLayer:
        import keras

        return keras.layers.Add(name=name)

    def apply(self, tensor: KerasTensor, namer: Namer) -> KerasTensor:
        shape = tuple(tensor.shape[1:])
        around = self._projection(shape)
        inside = tensor
        for part in self.inner:
            inside = part.apply(inside, namer)
        outside = around.apply(tensor, namer) if around else tensor
        return self.make(namer(self.kind))([inside, outside])

    def named(self, shape: Shape, namer: Namer) -> Iterator[tuple[str, Part]]:
        around = self._projection(shape)
        yield from named(self.inner, shape, namer)
        yield from around.named(shape, namer) if around else ()
        yield namer(self.kind), self


def steps(parts: tuple[Part, ...], shape: Shape) -> list[tuple[Part, Shape]]:
    """Returns each part with its input shape."""
    pairs = []
    for part in parts:
        pairs.append((part, shape))
        shape = part.output_shape(shape)
    return pairs


def named(parts: tuple[Part, ...], shape: Shape, namer: Namer) -> Iterator[tuple[str, Part]]:
    """Yields the name of each layer that parts make for an input of this shape, with its part."""
    for part, before in steps(parts, shape):
        yield from part.named(before, namer)


def out_of(parts: tuple[Part, ...], shape: Shape) -> Shape:
    """Returns the output shape of the last part."""
    for part in parts:
        shape = part.output_shape(shape)
    return shape


def widen(
    sees: tuple[int, int], jump: tuple[int, int], part: Part
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Returns receptive field and step, in pixels of the image, after one more part.

    Source: Dumoulin and Visin 2016, "A guide to convolution arithmetic for deep learning".
    """
    window, strides = part.window()
    (high, wide), (down, right) = sees, jump
    return (
        (high + (window[0] - 1) * down, wide + (window[1] - 1) * right),
        (down * strides[0], right * strides[1]),
    )
