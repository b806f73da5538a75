"""Estimates the memory of a training before its network is built.

A training step keeps the output of each layer until the backward pass. For the whole batch, that is
nearly all the memory that an image classifier needs. Weights, gradients and the averages of the
optimiser are added.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from imgclf.architecture.blocks.block import Block
from imgclf.architecture.layers import Part, Shortcut, steps
from imgclf.architecture.shapes import Shape

__all__ = ["estimate_training_bytes"]

# Weights, their gradients, and two averages of an optimiser such as Adam, all as float32.
_BYTES_PER_PARAMETER = 4 * 4

# Counted as float32: where TensorFlow computes in bfloat16, it keeps copies for the operations that
# bfloat16 lacks. The second factor is for the gradients of the outputs, and for temporary arrays.
_BYTES_PER_VALUE = 4 * 1.5


def estimate_training_bytes(
    blocks: Sequence[Block], image_shape: Shape, num_classes: int, parameters: int, batch_size: int
) -> int | None:
    """Estimates the bytes of a training, without those that Python and TensorFlow always take.

    Args:
        blocks: that fit the images.
        image_shape: (height, width, channels).
        num_classes: of the output layer.
        parameters: of the whole network.
        batch_size: number of images in a step.

    Returns:
        Bytes; None if height or width is open.

    Example:
        >>> from imgclf import conv, global_pool
        >>> estimate_training_bytes([conv(8), global_pool()], (8, 8, 1), 10, 170, batch_size=100)
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
    total = (
        values + num_classes
    ) * batch_size * _BYTES_PER_VALUE + parameters * _BYTES_PER_PARAMETER
    return round(total)


def _values(part: Part, before: Shape) -> int:
    """Returns the size of the outputs of a part, and of those inside it, for one image."""
    own = math.prod(side or 0 for side in part.output_shape(before))
    if isinstance(part, Shortcut):
        own += sum(_values(inner, shape) for inner, shape in steps(part.inner, before))
    return own
