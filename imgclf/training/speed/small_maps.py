"""Gradients of convolutions on small maps as matrix products.

On small maps, oneDNN (the library behind TensorFlow's convolutions) takes up to ten times as long
for the gradient of a kernel as for the convolution itself: it works along the rows, and its tiles
of bfloat16 hold 32 pixels, most of which a row of 3 or 7 leaves empty. (The same images side by
side in wide rows take a third of the time.) The same gradient is a matrix product for each pixel of
the kernel, over all pixels of all images at once. The layers stay Keras's own: only their
`convolution_op` is replaced, and only during training. The rows `small-maps-…` of `benchmarks/`
measure the gain.
"""

from __future__ import annotations

import contextlib
import functools
from typing import Any

from imgclf.backend.keras_internals import replaced_methods
from imgclf.typing import KerasLayer, KerasModel, Tensor

__all__ = ["small_map_gradients"]

# The products are faster up to this width (at 15 they are slower), and from this many channels on.
_WIDEST = 8
_FEWEST = 128


def small_map_gradients(model: KerasModel) -> contextlib.AbstractContextManager[None]:
    """Within it, convolutions on small maps get their kernels' gradients from matrix products.

    Only convolutions in bfloat16 (float32 gains nothing) of many channels, without strides,
    dilation, groups or bias: TensorFlow computes a bias's gradient together with the kernel's in
    float32, and separately in bfloat16.

    Args:
        model: a functional `keras.Model`.
    """
    return replaced_methods(
        filter(_is_suited, model.layers),
        "convolution_op",
        lambda layer: functools.partial(_convolution, layer.padding.upper()),
    )


def _is_suited(layer: KerasLayer) -> bool:
    import keras

    if type(layer) is not keras.layers.Conv2D or layer.compute_dtype != "bfloat16":
        return False
    width = layer.output.shape[2]
    return (
        layer.data_format == "channels_last"
        and width is not None
        and width <= _WIDEST
        and set(layer.strides) == set(layer.dilation_rate) == {1}
        and layer.groups == 1
        and not layer.use_bias
        and layer.input.shape[-1] >= _FEWEST
    )


def _convolution(padding: str, inputs: Tensor, kernel: Tensor) -> Tensor:
    """`tf.nn.conv2d` with another computation of the kernel's gradient.

    Args:
        padding: "SAME" or "VALID".
        inputs: (n, height, width, channels).
        kernel: (rows, columns, channels, filters).
    """
    import tensorflow as tf

    @tf.custom_gradient
    def convolve(inputs: Any, kernel: Any) -> Any:
        def gradients(upstream: Any) -> tuple[Any, Any]:
            of_inputs = tf.nn.conv2d_transpose(
                upstream, kernel, tf.shape(inputs), strides=1, padding=padding
            )
            return of_inputs, _of_kernel(inputs, upstream, kernel.shape[:2], padding)

        return tf.nn.conv2d(inputs, kernel, strides=1, padding=padding), gradients

    return convolve(inputs, tf.cast(kernel, inputs.dtype))


def _of_kernel(inputs: Any, upstream: Any, kernel_size: Any, padding: str) -> Any:
    """Each pixel of the kernel multiplied the shifted inputs, and was added to all outputs."""
    import tensorflow as tf

    if padding == "SAME":
        around = [((side - 1) // 2, side // 2) for side in kernel_size]
        inputs = tf.pad(inputs, [(0, 0), *around, (0, 0)])
    channels, filters = inputs.shape[-1], upstream.shape[-1]
    height, width = tf.unstack(tf.shape(upstream)[1:3])
    outputs = tf.reshape(upstream, [-1, filters])
    rows, columns = kernel_size
    products = [
        tf.matmul(
            tf.reshape(inputs[:, row : row + height, column : column + width], [-1, channels]),
            outputs,
            transpose_a=True,
        )
        for row in range(rows)
        for column in range(columns)
    ]
    return tf.reshape(tf.stack(products), [rows, columns, channels, filters])
