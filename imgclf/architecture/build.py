"""`build_classifier`: a list of blocks becomes a plain functional `keras.Model`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from imgclf import checks
from imgclf.architecture.blocks.block import Block, check_blocks, fit_block
from imgclf.architecture.initializer import Initializer, InitializerSetting, to_keras
from imgclf.architecture.layers import Namer, Part, named
from imgclf.architecture.shapes import Shape, show_shape
from imgclf.backend.keras_settings import channels_last, check_backend, spread_rescaling
from imgclf.errors import ArgumentError, BlockError
from imgclf.typing import KerasModel

__all__ = ["block_layers", "build_classifier", "check_fit", "layers_computing_in"]


def build_classifier(
    image_shape: tuple[int | None, int | None, int],
    num_classes: int,
    blocks: Sequence[Block],
    *,
    pixel_mean: float | Sequence[float] = 0.0,
    pixel_std: float | Sequence[float] = 255.0,
    kernel_initializer: str | Initializer = "glorot_uniform",
    bias_initializer: str | Initializer = "zeros",
    dtype: str = "float32",
    name: str = "classifier",
) -> KerasModel:
    """Builds a network from raw pixels to probabilities.

    The model has standard Keras layers only: a `Rescaling` of the pixels, the blocks, and a dense
    layer with a float32 softmax. It is not compiled: `Classifier.fit` does that by its recipe, or
    compile it as any Keras model.

    Args:
        image_shape: (height, width, channels); height and width may be None if the blocks allow.
        num_classes: number of classes, at least 2.
        blocks: a list of blocks, such as `[conv_maxpool(32), global_pool()]`.
        pixel_mean: subtracted from each pixel, on the scale 0 to 255; one number, or one for each
            channel.
        pixel_std: the divisor of the result; 255 gives values from 0 to 1.
        kernel_initializer: for the weights of the output layer.
        bias_initializer: for the biases of the output layer.
        dtype: the Keras dtype policy of the layers: "float32", "mixed_bfloat16", ….
        name: the model's name.

    Returns:
        A model from images (batch, height, width, channels), 0 to 255 of any dtype, to
        probabilities (batch, num_classes), float32.

    Raises:
        BlockError: if a block does not fit its input, before any weight is made.
        ArgumentError: if another argument is not allowed.

    Example:
        >>> from imgclf import conv_maxpool, flatten
        >>> model = build_classifier((32, 32, 3), 10, [conv_maxpool(8), flatten()])
        >>> model.output_shape
        (None, 10)
    """
    shape = checks.image_shape("image_shape", image_shape)
    checks.integer("num_classes", num_classes, low=2)
    blocks = check_blocks(blocks)
    check_fit(blocks, shape)
    scale, offset = _rescaling(pixel_mean, pixel_std, shape[2])
    plain = InitializerSetting()
    kernel_initializer = plain.check("kernel_initializer", kernel_initializer)
    bias_initializer = plain.check("bias_initializer", bias_initializer)

    check_backend()
    import keras

    with layers_computing_in(dtype), channels_last():
        images = keras.Input(shape, name="images", dtype="float32")
        tensor = keras.layers.Rescaling(scale, offset, name="rescaling")(images)
        for position, block in enumerate(blocks):
            tensor = block(tensor, name=_layer_prefix(position, block))
        logits = keras.layers.Dense(
            num_classes,
            kernel_initializer=to_keras(kernel_initializer),
            bias_initializer=to_keras(bias_initializer),
            name="logits",
        )(tensor)
        outputs = keras.layers.Softmax(dtype="float32", name="probabilities")(logits)
        model = keras.Model(images, outputs, name=name)
    spread_rescaling(model)
    return model


def check_fit(blocks: Sequence[Block], image_shape: Shape) -> Shape:
    """Returns the output shape of the last block; raises `BlockError` where a block does not fit.

    Needs neither Keras nor TensorFlow.
    """
    shape: Shape = image_shape
    for position, block in enumerate(blocks):
        shape = fit_block(block, shape, f"blocks[{position}] {block!r}")
    if len(shape) != 1:
        raise BlockError(
            f"The last block must leave a flat tensor, but leaves {show_shape(shape)}. "
            "Add flatten() or global_pool() at the end."
        )
    return shape


def block_layers(blocks: Sequence[Block], image_shape: Shape) -> Iterator[tuple[str, Part]]:
    """The layers that `build_classifier` makes of blocks: the name of each, and its part.

    Example:
        >>> from imgclf import conv, flatten
        >>> [name for name, _ in block_layers([conv(8), flatten()], (8, 8, 1))]
        ['conv_0.conv', 'conv_0.activation', 'flatten_1.flatten']
    """
    shape = image_shape
    for position, block in enumerate(blocks):
        yield from named(block.parts(), shape, Namer(_layer_prefix(position, block)))
        shape = block.output_shape(shape)


def _layer_prefix(position: int, block: Block) -> str:
    return f"{block.block_name}_{position}"


def _rescaling(mean: Any, std: Any, channels: int) -> tuple[Any, Any]:
    """Scale and offset of a `Rescaling` layer: (x - mean) / std = x · scale + offset."""
    means, stds = (
        _per_channel("pixel_mean", mean, channels),
        _per_channel("pixel_std", std, channels),
    )
    if (stds <= 0).any():
        raise ArgumentError("`pixel_std` must be above 0. " + checks.received("pixel_std", std))
    scale, offset = 1 / stds, -means / stds
    if channels == 1 or (np.ptp(scale) == 0 and np.ptp(offset) == 0):
        return float(scale[0]), float(offset[0]) + 0.0  # + 0.0 turns -0.0 into 0.0
    return scale.tolist(), offset.tolist()


def _per_channel(name: str, value: Any, channels: int) -> np.ndarray:
    try:
        array = np.asarray(value, np.float64)
        spread = np.broadcast_to(array, (channels,))
    except (ValueError, TypeError):
        spread = None
    if spread is None or not np.isfinite(spread).all():
        raise ArgumentError(
            f"`{name}` must be one number, or one for each of {channels} channels. "
            + checks.received(name, value)
        )
    return spread


@contextlib.contextmanager
def layers_computing_in(dtype: str) -> Iterator[None]:
    """Within it, new layers get this dtype policy, which Keras takes from a global setting."""
    import keras

    try:
        wanted = keras.dtype_policies.get(dtype)
    except (ValueError, TypeError) as error:
        raise ArgumentError(
            '`dtype` must be a Keras dtype policy such as "float32" or "mixed_bfloat16". '
            + checks.received("dtype", dtype)
        ) from error
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(wanted)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
