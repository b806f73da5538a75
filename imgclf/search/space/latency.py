"""`LatencyModel`: estimates the time of a network for one image, before it is built.

A few small networks are timed once on this processor. From them follow the cost of a call, that of
a layer however small, and that of a million multiply-adds.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Sequence

import numpy as np

from imgclf.architecture.blocks.block import Block
from imgclf.architecture.describe import describe
from imgclf.architecture.layers import Part, Shortcut
from imgclf.training.recipe.recipe import Recipe
from imgclf.typing import KerasModel

__all__ = ["LatencyModel", "fit_latency_model", "measure_latency"]

# Untimed calls first: during them `CompiledModel` compiles the weights into a graph.
_WARM_CALLS = 12
_TIMED_CALLS = 15


@dataclasses.dataclass(frozen=True)
class LatencyModel:
    """The milliseconds for one image, by layers and multiply-adds.

    Args:
        call: for any call of a network.
        layer: for each layer.
        macs: for a million multiply-adds.

    Example:
        >>> from imgclf import conv, global_pool
        >>> model = LatencyModel(call=0.2, layer=0.01, macs=0.05)
        >>> round(model.estimate([conv(8), global_pool()], 4_700_000), 3)
        0.475
    """

    call: float
    layer: float
    macs: float

    def estimate(self, blocks: Sequence[Block], macs: int) -> float:
        """Returns the estimated milliseconds for an image.

        Args:
            blocks: of the network.
            macs: its multiply-adds, from `describe`.
        """
        return self.call + self.layer * count_layers(blocks) + self.macs * macs / 1e6


def count_layers(blocks: Sequence[Block]) -> int:
    """Returns the number of layers of a network of these blocks, its output layer included."""
    return 1 + sum(_layers(part) for block in blocks for part in block.parts())


def _layers(part: Part) -> int:
    inner = part.inner if isinstance(part, Shortcut) else ()
    return 1 + sum(map(_layers, inner))


def measure_latency(model: KerasModel) -> float:
    """Returns the median milliseconds that a model takes for one image."""
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


def fit_latency_model(
    image_shape: tuple[int | None, int | None, int], recipe: Recipe
) -> LatencyModel:
    """Times a few networks of random weights, which takes a second or two.

    Args:
        image_shape: (height, width, channels) of the images.
        recipe: its precision is used.
    """
    import scipy.optimize

    from imgclf.training.network import new_network

    height, width, channels = image_shape
    shape = (height or 32, width or 32, channels)
    rows, times = [], []
    for blocks in _samples(shape):
        costs = describe(blocks, shape, 10)
        model = new_network(shape, 10, blocks, recipe)
        times.append(measure_latency(model))
        rows.append([1.0, count_layers(blocks), (costs.macs or 0) / 1e6])
    # Weighted so that relative errors count.
    scale = 1 / np.asarray(times)
    found, _ = scipy.optimize.nnls(np.asarray(rows) * scale[:, None], np.ones(len(times)))
    return LatencyModel(*(round(float(value), 6) for value in found))


def _samples(shape: tuple[int, int, int]) -> list[list[Block]]:
    """Returns networks of few and many layers, cheap and costly, on maps of realistic size."""
    from imgclf.architecture.blocks.convolution import conv
    from imgclf.architecture.blocks.pooling import global_pool

    # Large images are reduced to about 32×32 first, as in any sensible network.
    stride = max(1, min(shape[:2]) // 32)
    small = [conv(8, strides=stride), *[conv(8)] * 10]
    medium = [conv(16, strides=stride, normalization="batch"), *[conv(64)] * 3]
    large = [conv(32, strides=stride), conv(128, strides=min(2, max(1, min(shape[:2]) // 2)))]
    large += [conv(128)] * 3
    return [[*blocks, global_pool()] for blocks in (small[:1], small, medium, large)]
