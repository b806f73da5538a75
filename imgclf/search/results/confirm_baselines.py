"""What a confirmation compares with: the presets, and a small network named "default"."""

from __future__ import annotations

from collections.abc import Callable

from imgclf import checks
from imgclf.architecture.blocks.block import Block
from imgclf.architecture.blocks.convolution import conv_maxpool
from imgclf.architecture.blocks.dense import dense_dropout, flatten
from imgclf.classifier.classifier import Classifier
from imgclf.data.dataset import Dataset
from imgclf.training.presets import PRESETS
from imgclf.training.recipe.recipe import Recipe

__all__ = ["BASELINES", "default_blocks", "make_baseline"]

BASELINES = ("default", *PRESETS)

# Filters of the small network's convolutions, as far as the images can be halved.
_FILTERS = (32, 64, 128)


def make_baseline(name: str, data: Dataset) -> tuple[Callable[[int], Classifier], Recipe]:
    """Returns a function that makes the baseline for a seed, and its recipe.

    Args:
        name: one of `BASELINES`.
        data: gives the image shape, the classes and the pixel statistics.
    """
    checks.one_of("baselines", name, BASELINES)
    if name == "default":
        recipe = Recipe()
        blocks = default_blocks(data.image_shape)
        return (
            lambda seed: Classifier.from_blocks(blocks, data, recipe.replace(seed=seed)),
            recipe,
        )
    recipe = PRESETS[name].recipe(data)
    return lambda seed: Classifier.from_preset(name, data, seed=seed), recipe


def default_blocks(image_shape: tuple[int | None, int | None, int]) -> list[Block]:
    """Returns the small network that most people would write first.

    Args:
        image_shape: (height, width, channels).

    Example:
        >>> default_blocks((8, 8, 1))
        [conv_maxpool(32), conv_maxpool(64), flatten(dropout=0.3), dense_dropout(64)]
    """
    height, width, _ = checks.image_shape("image_shape", image_shape)
    side = min(height or 32, width or 32)
    blocks: list[Block] = []
    for filters in _FILTERS:
        if side >= 4:
            blocks.append(conv_maxpool(filters))
            side //= 2
    return [*blocks, flatten(dropout=0.3), dense_dropout(64)]
