"""`Speed`: how long a network takes for one image on this processor, before it is built.

A few small networks are timed once. What each layer costs however small it is, and what a million
multiply-adds cost, follow from them; the rest is arithmetic.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from typing import Any

import numpy as np

from imgclf.architecture.describe import describe
from imgclf.architecture.layers import Part, Shortcut

__all__ = ["Speed", "measure_milliseconds", "measure_speed"]

# Calls before the clock counts, in which `CompiledModel` writes the weights into its own graph.
_WARM_CALLS = 12
_TIMED_CALLS = 15


@dataclasses.dataclass(frozen=True)
class Speed:
    """What one image costs, in milliseconds.

    Args:
        call: to ask a network anything at all.
        layer: each layer of it.
        macs: a million multiply-adds.

    Example:
        >>> from imgclf import conv, global_pool
        >>> speed = Speed(call=0.2, layer=0.01, macs=0.05)
        >>> round(speed.estimate([conv(8), global_pool()], 4_700_000), 3)
        0.475
    """

    call: float
    layer: float
    macs: float

    def estimate(self, blocks: Any, macs: int) -> float:
        """Milliseconds for an image.

        Args:
            blocks: of the network.
            macs: its multiply-adds, as `describe` tells them.
        """
        return self.call + self.layer * count_layers(blocks) + self.macs * macs / 1e6


def count_layers(blocks: Any) -> int:
    """How many layers the blocks stand for, and the output layer."""
    return 1 + sum(_layers(part) for block in blocks for part in block.parts())


def _layers(part: Part) -> int:
    inner = part.inner if isinstance(part, Shortcut) else ()
    return 1 + sum(map(_layers, inner))


def measure_milliseconds(model: Any) -> float:
    """The median time that a classifier takes for one image, in milliseconds."""
    from imgclf.backend.compiled_model import CompiledModel

    shape = [side or 32 for side in model.input_shape[1:]]
    network, image = CompiledModel(model), np.zeros((1, *shape), np.uint8)
    times = []
    for call in range(_WARM_CALLS + _TIMED_CALLS):
        started = time.perf_counter()
        network(image)
        if call >= _WARM_CALLS:
            times.append(time.perf_counter() - started)
    return round(1000 * statistics.median(times), 4)


def measure_speed(image_shape: Any, recipe: Any) -> Speed:
    """Times a few networks of random weights, in a second or two.

    Args:
        image_shape: (height, width, channels) of the images that are to be classified.
        recipe: its precision decides what is computed in.
    """
    import scipy.optimize

    from imgclf.training.network import new_network

    height, width, channels = image_shape
    shape = (height or 32, width or 32, channels)
    rows, times = [], []
    for blocks in _samples(shape):
        costs = describe(blocks, shape, 10)
        model = new_network(shape, 10, blocks, recipe)
        times.append(measure_milliseconds(model))
        rows.append([1.0, count_layers(blocks), (costs.macs or 0) / 1e6])
    # Weighted so that a tenth too much counts alike for small and large networks.
    scale = 1 / np.asarray(times)
    found, _ = scipy.optimize.nnls(np.asarray(rows) * scale[:, None], np.ones(len(times)))
    return Speed(*(round(float(value), 6) for value in found))


def _samples(shape: Any) -> list[list[Any]]:
    """Few layers and many, cheap ones and costly ones, on maps as large as searched ones have."""
    from imgclf.architecture.blocks.convolution import conv
    from imgclf.architecture.blocks.pooling import global_pool

    # Large images are brought to some 32×32 first, as every sensible network does.
    stride = max(1, min(shape[:2]) // 32)
    small = [conv(8, strides=stride), *[conv(8)] * 10]
    medium = [conv(16, strides=stride, normalization="batch"), *[conv(64)] * 3]
    large = [conv(32, strides=stride), conv(128, strides=min(2, max(1, min(shape[:2]) // 2)))]
    large += [conv(128)] * 3
    return [[*blocks, global_pool()] for blocks in (small[:1], small, medium, large)]
