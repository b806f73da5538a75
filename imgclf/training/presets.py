"""Presets: named pairs of a network and a recipe, that scale to the pictures at hand."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from imgclf import checks
from imgclf.architecture.blocks import conv as _conv
from imgclf.architecture.blocks import conv_maxpool, dense_dropout, flatten, global_pool, residual
from imgclf.architecture.initializer import initializer
from imgclf.data.dataset import Dataset
from imgclf.training.augmentation import Augmentation
from imgclf.training.network import new_network, sample_images
from imgclf.training.recipe import Recipe

if TYPE_CHECKING:
    import keras

__all__ = ["PRESETS", "Preset", "get_preset"]

# `_scaled`: the side of the pictures that presets are made for, and the bounds of a training.
_BASE_SIDE = 32
_FEWEST_STEPS = 600
_MOST_EPOCHS = 40


@dataclasses.dataclass(frozen=True)
class Preset:
    """A network and a recipe under a name.

    Args:
        name: what `Classifier.from_preset` is called with.
        description: what it is for, in a sentence.
        make_blocks: (image_shape) → list of blocks.
        base_recipe: the recipe for pictures that may be mirrored.
        standardize: whether pixels are standardised by the training pictures, or divided by 255.
        output_initializer: how weights and biases of the output layer start.
    """

    name: str
    description: str
    make_blocks: Callable[[tuple[int, int, int]], list[Any]]
    base_recipe: Recipe
    standardize: bool = True
    output_initializer: Any = None

    def blocks(self, image_shape: tuple[int, int, int], num_classes: int = 2) -> list[Any]:  # noqa: ARG002
        """The blocks for pictures of this shape."""
        height, width, channels = checks.image_shape("image_shape", image_shape)
        return self.make_blocks((height or 0, width or 0, channels))

    def recipe(self, data: Dataset, **changes: Any) -> Recipe:
        """The recipe for this data, with some fields changed."""
        recipe = _scaled(self.base_recipe, data) if self.standardize else self.base_recipe
        if recipe.augmentation.flip and not data.flip_safe:
            upright = dataclasses.replace(recipe.augmentation, flip=False)
            recipe = recipe.replace(augmentation=upright)
        return recipe.replace(**changes)

    def build(self, data: Dataset, recipe: Recipe) -> keras.Model:
        """A new network for this data; the recipe's seed decides its first weights."""
        settings: dict[str, Any] = {}
        if not self.standardize:
            settings |= {"pixel_mean": 0.0, "pixel_std": 255.0}
        if self.output_initializer is not None:
            settings["kernel_initializer"] = self.output_initializer
            settings["bias_initializer"] = self.output_initializer
        return new_network(
            data.image_shape,
            data.num_classes,
            self.blocks(data.image_shape),
            recipe,
            sample_images(data.train),
            **settings,
        )


def _scaled(recipe: Recipe, data: Dataset) -> Recipe:
    """The recipe for CIFAR-10 carried over to other sizes of pictures and of data sets.

    Shifts stay the same part of the picture. Small data sets get smaller batches and more epochs,
    so that the optimiser takes enough steps.
    """
    shift = round(recipe.augmentation.shift * min(data.image_shape[:2]) / _BASE_SIDE)
    batch_size = min(
        recipe.batch_size, max(32, 2 ** round(math.log2(max(1, len(data.train) / 40))))
    )
    steps = -(-len(data.train) // batch_size)
    epochs = max(recipe.epochs, min(_MOST_EPOCHS, -(-_FEWEST_STEPS // steps)))
    augmentation = dataclasses.replace(recipe.augmentation, shift=shift)
    return recipe.replace(batch_size=batch_size, epochs=epochs, augmentation=augmentation)


def _seed2017_blocks(image_shape: tuple[int, int, int]) -> list[Any]:
    """The tutorial's network; on pictures too small for a pool, that pool is left out."""
    start = initializer("truncated_normal", stddev=0.05)
    plain: dict[str, Any] = {
        "activation": None,
        "kernel_initializer": start,
        "bias_initializer": start,
    }
    blocks: list[Any] = []
    shape: Any = image_shape
    block: Any
    for filters, kernel_size, strides in ((32, 7, 2), (64, 3, 1), (128, 2, 1)):
        block = _conv(filters, kernel_size=kernel_size, strides=strides, **plain)
        height, width, _ = block.output_shape(shape)
        if min(height, width) >= 2:
            block = conv_maxpool(filters, kernel_size=kernel_size, strides=strides, **plain)
        blocks.append(block)
        shape = block.output_shape(shape)
    return [
        *blocks,
        flatten(dropout=0.5),
        dense_dropout(1024, dropout=0.5, **plain),
        dense_dropout(128, **plain),
    ]


def _fast_blocks(image_shape: tuple[int, int, int]) -> list[Any]:
    """Widening stages until the map is 4×4 or less, then the average of each channel.

    The first stage halves the map at once where pictures are large: early layers cost most.
    """
    height, width, _ = image_shape
    side = min(height, width)
    blocks: list[Any] = [_conv(32, normalization="batch")]
    while side >= 64:
        blocks.append(conv_maxpool(32, normalization="batch"))
        side //= 2
    for filters in (64, 128, 256):
        if side >= 4:
            blocks.append(conv_maxpool(filters, normalization="batch"))
            side = -(-side // 2)
        blocks.append(
            residual([_conv(filters, normalization="batch"), _conv(filters, normalization="batch")])
        )
    return [*blocks, global_pool("max", dropout=0.1)]


PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            name="seed2017",
            description="The 2017 tutorial's network and recipe, exactly: a yardstick.",
            make_blocks=_seed2017_blocks,
            base_recipe=Recipe(
                epochs=50,
                batch_size=256,
                optimizer="adam",
                learning_rate=0.001,
                precision="float32",
            ),
            standardize=False,
            output_initializer=initializer("truncated_normal", stddev=0.05),
        ),
        Preset(
            name="fast",
            description="A small residual network, mirrored and moved pictures: a first version.",
            make_blocks=_fast_blocks,
            base_recipe=Recipe(
                epochs=8,
                batch_size=128,
                optimizer="sgd",
                learning_rate=0.05,
                schedule="linear",
                warmup=0.2,
                weight_decay=5e-4,
                label_smoothing=0.1,
                augmentation=Augmentation(flip=True, shift=2),
            ),
        ),
    )
}


def get_preset(name: str) -> Preset:
    """The preset of that name.

    Raises:
        ArgumentError: for an unknown name; the message proposes the nearest.

    Example:
        >>> get_preset("seed2017").blocks((32, 32, 3))[3]
        flatten(dropout=0.5)
    """
    return PRESETS[checks.one_of("name", name, PRESETS)]
