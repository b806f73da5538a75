"""Running statistics of batch normalisation, computed again after the last step.

While the weights move, running statistics are a compromise: over few batches they are noisy, over
many they lag behind. After the last step the weights stand still, so a plain mean over many batches
has neither fault (Wu and Johnson 2021, "Rethinking 'Batch' in BatchNorm", arXiv:2105.07576, call it
precise batch normalisation).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras

from imgclf.backend.keras_internals import all_layers
from imgclf.typing import KerasModel

__all__ = ["NUM_IMAGES", "PreciseBatchNorm", "compute_statistics"]

# Images for the statistics. Those of 2,500 were as good as those of 20,000 in `fast` on CIFAR-10,
# trained on 5,000 images and, for half its epochs, on all.
NUM_IMAGES = 5000


class PreciseBatchNorm(keras.callbacks.Callback):
    """Computes the statistics after the last step, before the last validation.

    Args:
        epochs: of the whole run; one that ends earlier keeps the statistics that it has.
        steps: batches in an epoch.
        batches: gives batches of training images (images, labels).
    """

    def __init__(self, epochs: int, steps: int, batches: Callable[[], Iterable[Any]]) -> None:
        super().__init__()
        self.last_step = (epochs - 1, steps - 1)
        self.batches = batches
        self.epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:  # noqa: ARG002
        """Keeps the number of the epoch."""
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:  # noqa: ARG002
        """Computes them after the last batch."""
        if (self.epoch, batch) == self.last_step:
            # The average of weights (`ema_momentum`) counts from here on, not only at the end.
            self.model.optimizer.finalize_variable_values(self.model.trainable_variables)
            compute_statistics(self.model, self.batches())


def compute_statistics(model: KerasModel, batches: Iterable[Any]) -> None:
    """Sets running means and variances to the mean of those of the batches.

    Layers that are not trainable keep theirs.

    Args:
        model: a `keras.Model`.
        batches: (images, labels) each; the labels are ignored.
    """
    layers = [
        layer
        for layer in all_layers(model)
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    try:
        for position, (images, *_) in enumerate(batches):
            for layer in layers:
                layer.momentum = position / (position + 1)  # the mean over the batches so far
            model(images, training=True)
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
