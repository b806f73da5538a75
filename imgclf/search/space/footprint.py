"""How much memory a training needs, told before a weight is made.

A training step keeps what comes out of each layer until the gradients have gone back through it.
That, times the batch, is nearly all that a network for images needs; weights, gradients and the
optimiser's averages come on top.
"""

from __future__ import annotations

import math
from typing import Any

from imgclf.architecture.layers import Part, Shortcut, steps
from imgclf.architecture.shapes import Shape

__all__ = ["training_bytes"]

# Weights, their gradients, and two averages of an optimiser such as Adam, all as float32.
_BYTES_A_PARAMETER = 4 * 4

# Counted as float32: where TensorFlow computes in bfloat16 it keeps copies for what it cannot do in
# it. The second factor is for the gradients on their way back, and room to work in.
_BYTES_A_VALUE = 4 * 1.5


def training_bytes(
    blocks: Any, image_shape: Shape, num_classes: int, parameters: int, batch_size: int
) -> int | None:
    """About as many bytes as a training needs beyond what Python and TensorFlow take anyway.

    Args:
        blocks: that fit the images.
        image_shape: (height, width, channels).
        num_classes: of the output layer.
        parameters: of the whole network.
        batch_size: images in a step.

    Returns:
        Bytes; None where height or width is open.

    Example:
        >>> from imgclf import conv, global_pool
        >>> training_bytes([conv(8), global_pool()], (8, 8, 1), 10, 170, batch_size=100)
        666320
    """
    values = math.prod(side or 0 for side in image_shape)
    shape = image_shape
    for block in blocks:
        parts = block.parts()
        for part, before in steps(parts, shape):
            values += _values(part, before)
        shape = parts[-1].output_shape(steps(parts, shape)[-1][1]) if parts else shape
    if None in image_shape:
        return None
    total = (values + num_classes) * batch_size * _BYTES_A_VALUE + parameters * _BYTES_A_PARAMETER
    return round(total)


def _values(part: Part, before: Shape) -> int:
    """The numbers that come out of a part, and out of those inside it, for one image."""
    own = math.prod(side or 0 for side in part.output_shape(before))
    if isinstance(part, Shortcut):
        own += sum(_values(inner, shape) for inner, shape in steps(part.inner, before))
    return own
