"""Fine-tuning: which layers of a body are trained after the output layer."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence

from imgclf.training.transfer.head import HEAD
from imgclf.typing import KerasLayer, KerasModel

__all__ = ["upper_layers"]


@contextlib.contextmanager
def upper_layers(model: KerasModel, fraction: float) -> Iterator[None]:
    """Within it only the upper layers are trained; batch normalisation keeps its statistics.

    Args:
        model: as `with_new_head` makes it.
        fraction: of the body's layers, counted from the output.
    """
    layers = list(_leaves(model))
    before = [(layer, layer.trainable) for layer in layers]
    _freeze(layers, fraction)
    try:
        yield
    finally:
        for layer, trainable in before:
            layer.trainable = trainable


def _leaves(model: KerasModel) -> Iterator[KerasLayer]:
    """All layers in their order, those of models inside the model in its place."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _leaves(layer)
        else:
            yield layer


def _freeze(layers: Sequence[KerasLayer], fraction: float) -> None:
    import keras

    body = [layer for layer in layers if layer.name != HEAD and layer.weights]
    lower = len(body) - math.ceil(fraction * len(body))
    for number, layer in enumerate(body):
        normalises = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = bool(layer.trainable and number >= lower and not normalises)
