"""Builds a new network: its initial weights by the seed, its pixel statistics by the images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from imgclf.architecture.blocks.block import Block
from imgclf.architecture.build import build_classifier
from imgclf.architecture.whitening import adapt_whitening
from imgclf.backend.random_state import seeded
from imgclf.data.split import Split
from imgclf.training.recipe.recipe import Recipe
from imgclf.training.speed.precision import dtype_policy
from imgclf.typing import KerasModel

__all__ = ["NUM_SAMPLE_IMAGES", "new_network", "sample_images"]

# Images of 32×32 pixels for pixel statistics and whitening; of larger ones fewer, for the same
# memory (61 MB as float32).
NUM_SAMPLE_IMAGES = 5_000
_VALUES = np.arange(256)  # of a pixel


def new_network(
    image_shape: tuple[int | None, int | None, int],
    num_classes: int,
    blocks: Sequence[Block],
    recipe: Recipe,
    sample: np.ndarray | None = None,
    **settings: Any,
) -> KerasModel:
    """Builds a network, not compiled.

    Args:
        image_shape: as in `build_classifier`.
        num_classes: as in `build_classifier`.
        blocks: as in `build_classifier`.
        recipe: its seed decides the initial weights, its precision the dtype.
        sample: training images (N, height, width, channels), 0 to 255, as from `sample_images`.
            They standardise the pixels, unless `settings` has `pixel_mean`, and adapt `whitening`.
        **settings: other arguments of `build_classifier`, such as `pixel_mean`.
    """
    if sample is not None and "pixel_mean" not in settings:
        settings["pixel_mean"], settings["pixel_std"] = _pixel_statistics(sample)
    policy = dtype_policy(recipe.precision)
    with seeded(recipe.seed):
        model = build_classifier(image_shape, num_classes, blocks, dtype=policy, **settings)
    if sample is not None:
        adapt_whitening(model, sample)
    return model


def _pixel_statistics(images: np.ndarray) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel, on the scale 0 to 255."""
    if images.dtype == np.uint8:
        # A histogram takes a fifth of the time, and is exact.
        channels = np.moveaxis(images, -1, 0)
        counts = [np.bincount(channel.ravel(), minlength=256) for channel in channels]
        mean = np.array([np.average(_VALUES, weights=count) for count in counts])
        square = np.array([np.average(_VALUES**2, weights=count) for count in counts])
        std = np.sqrt(square - mean**2)
    else:
        mean = images.mean(axis=(0, 1, 2), dtype=np.float64)
        std = images.std(axis=(0, 1, 2), dtype=np.float64)
    return mean.round(3).tolist(), np.maximum(std, 1.0).round(3).tolist()


def sample_images(train: Split) -> np.ndarray:
    """Returns some training images, evenly spread over the split."""
    height, width, _ = train.image_shape
    num_images = max(1, min(len(train), NUM_SAMPLE_IMAGES * 32 * 32 // (height * width)))
    return np.asarray(train.images[np.linspace(0, len(train) - 1, num_images).astype(int)])
