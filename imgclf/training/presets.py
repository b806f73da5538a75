"""Presets: named pairs of a network and a recipe, that scale to the images at hand."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

from imgclf import checks
from imgclf.architecture.blocks.block import Block
from imgclf.architecture.blocks.convolution import conv as _conv
from imgclf.architecture.blocks.convolution import conv_maxpool, whitening
from imgclf.architecture.blocks.dense import dense_dropout, flatten
from imgclf.architecture.blocks.normalization import batch_norm
from imgclf.architecture.blocks.pooling import global_pool
from imgclf.architecture.blocks.wrappers import residual
from imgclf.architecture.initializer import Initializer, initializer
from imgclf.architecture.shapes import Shape
from imgclf.data.dataset import Dataset
from imgclf.errors import ArgumentError
from imgclf.training.network import new_network, sample_images
from imgclf.training.recipe.augmentation import Augmentation
from imgclf.training.recipe.recipe import Recipe
from imgclf.training.transfer.backbones import BACKBONES
from imgclf.typing import KerasModel

__all__ = ["BACKBONES", "PRESETS", "Preset", "get_preset"]

# For `_scaled`: the side and the number of the images that presets are made for, those of CIFAR-10,
# and an upper bound of the epochs.
_BASE_SIDE = 32
_BASE_IMAGES = 50_000
_MOST_EPOCHS = 40

# The most pixels in a step, over all its images: 256 of 64×64, 20 of 224×224. With these, training
# by `accurate`, the largest preset, needs less than 2 GB where it computes in bfloat16.
_STEP_PIXELS = 2**20

# The side below which images are not made smaller in early epochs.
_SMALLEST_EARLY = 24


@dataclasses.dataclass(frozen=True)
class Preset:
    """A named pair of a network and a recipe.

    Args:
        name: the argument of `Classifier.from_preset`.
        description: its purpose, in a sentence.
        make_blocks: (image_shape) → list of blocks.
        base_recipe: the recipe for images that may be mirrored.
        measured: the accuracy that it reached, where and in what time, from `benchmarks/`.
        standardize: whether pixels are standardised by the training images, or divided by 255.
        output_initializer: for weights and biases of the output layer.
    """

    name: str
    description: str
    make_blocks: Callable[[tuple[int, int, int]], Sequence[Block]]
    base_recipe: Recipe
    measured: str = ""
    standardize: bool = True
    output_initializer: str | Initializer | None = None

    def blocks(self, image_shape: tuple[int, int, int], num_classes: int = 2) -> list[Block]:  # noqa: ARG002
        """Returns the blocks for images of this shape."""
        height, width, channels = checks.image_shape("image_shape", image_shape)
        return list(self.make_blocks((height or 0, width or 0, channels)))

    def recipe(self, data: Dataset, **changes: Any) -> Recipe:
        """Returns the recipe for this data, with some fields changed."""
        recipe = _scaled(self.base_recipe, data) if self.standardize else self.base_recipe
        if recipe.augmentation.flip and not data.flip_safe:
            upright = dataclasses.replace(recipe.augmentation, flip=False)
            recipe = recipe.replace(augmentation=upright)
        return recipe.replace(**changes)

    def build(self, data: Dataset, recipe: Recipe) -> KerasModel:
        """Builds a network for this data; the recipe's seed decides its initial weights."""
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
    """Scales the recipe for CIFAR-10 to other sizes of images and of data sets.

    Shifts stay the same fraction of the image. Small data sets get smaller batches and more
    epochs, so that the optimiser takes about as many steps. Large images get smaller batches,
    since the memory of a step grows with its pixels. Small images keep their size throughout:
    there is little to save, and few pixels to lose.
    """
    if min(data.image_shape[:2]) < _SMALLEST_EARLY:
        recipe = recipe.replace(progressive_size=1.0, progressive_fraction=0.0)
    height, width, _ = data.image_shape
    shift = round(recipe.augmentation.shift * min(height, width) / _BASE_SIDE)
    batch_size = min(
        recipe.batch_size,
        max(32, 2 ** round(math.log2(max(1, len(data.train) / 40)))),
        max(8, _STEP_PIXELS // (height * width)),
    )
    steps = -(-len(data.train) // batch_size)
    base_steps = recipe.epochs * _BASE_IMAGES // recipe.batch_size
    epochs = max(recipe.epochs, min(_MOST_EPOCHS, round(base_steps / steps)))
    augmentation = dataclasses.replace(recipe.augmentation, shift=shift)
    return recipe.replace(batch_size=batch_size, epochs=epochs, augmentation=augmentation)


def _seed2017_blocks(image_shape: tuple[int, int, int]) -> list[Block]:
    """The tutorial's network, without the pools for which the images are too small."""
    start = initializer("truncated_normal", stddev=0.05)
    plain: dict[str, Any] = {
        "activation": None,
        "kernel_initializer": start,
        "bias_initializer": start,
    }
    blocks: list[Block] = []
    shape: Shape = image_shape
    block: Block
    for filters, kernel_size, strides in ((32, 7, 2), (64, 3, 1), (128, 2, 1)):
        block = _conv(filters, kernel_size=kernel_size, strides=strides, **plain)
        if min(side or 0 for side in block.output_shape(shape)[:2]) >= 2:
            block = conv_maxpool(filters, kernel_size=kernel_size, strides=strides, **plain)
        blocks.append(block)
        shape = block.output_shape(shape)
    return [
        *blocks,
        flatten(dropout=0.5),
        dense_dropout(1024, dropout=0.5, **plain),
        dense_dropout(128, **plain),
    ]


def _staged_blocks(
    image_shape: tuple[int, int, int],
    widths: Sequence[int],
    depths: Sequence[int],
    activation: str = "relu",
) -> list[Block]:
    """Whitening, then stages that halve the map and widen it, then a global pool.

    The structure is that of airbench94 (Jordan 2024, arXiv:2404.00498), with relu or silu in place
    of gelu, which costs more, and a residual connection around the later convolutions of each
    stage. Large images are first halved by narrow stages, since early layers cost most; small
    ones are not halved below 3×3.

    Args:
        image_shape: (height, width, channels).
        widths: filters of each stage.
        depths: convolutions of each stage.
        activation: after each convolution.
    """
    side = min(image_shape[:2]) - 1
    settings: dict[str, Any] = {
        "activation": activation,
        "normalization": _NORM,
        "kernel_initializer": "dirac",
    }
    halving: Any = functools.partial(conv_maxpool, pool_padding="valid", **settings)
    convolution: Any = functools.partial(_conv, **settings)
    blocks: list[Block] = [whitening(2, activation=activation)]
    while side >= 2 * _BASE_SIDE:
        blocks.append(halving(widths[0]))
        side //= 2
    for width, depth in zip(widths, depths, strict=True):
        halved = side >= 6
        blocks.append(halving(width) if halved else convolution(width))
        side = side // 2 if halved else side
        if depth > 1:
            blocks.append(residual([convolution(width)] * (depth - 1), activation=None))
    return [*blocks, global_pool("max")]


def _quick_blocks(image_shape: tuple[int, int, int]) -> list[Block]:
    return _staged_blocks(image_shape, (16, 64, 128), (2, 2, 2))


def _fast_blocks(image_shape: tuple[int, int, int]) -> list[Block]:
    return _staged_blocks(image_shape, (32, 128, 256), (2, 2, 2))


def _accurate_blocks(image_shape: tuple[int, int, int]) -> list[Block]:
    return _staged_blocks(image_shape, (64, 256, 256), (2, 2, 3), "silu")


# The weights' norms are set by Muon and the next normalisation undoes any factor; running
# statistics must follow within the few hundred steps of a training of minutes.
_NORM = batch_norm(momentum=0.6, epsilon=1e-5, scale=False)

_MUON = Recipe(
    epochs=7,
    batch_size=500,
    optimizer="muon",
    learning_rate=0.15,
    momentum=0.6,
    head_learning_rate=0.005,
    schedule="linear",
    label_smoothing=0.2,
    augmentation=Augmentation(flip="alternate", shift=2),
    progressive_size=0.75,
    progressive_fraction=0.7,
)

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
            measured="CIFAR-10 on two cores: 68.7% in 5 minutes (mean accuracy of 2 runs)",
            standardize=False,
            output_initializer=initializer("truncated_normal", stddev=0.05),
        ),
        Preset(
            name="quick",
            description="A first result in seconds: a narrow network, and each image once.",
            make_blocks=_quick_blocks,
            measured="CIFAR-10 on two cores: 75.6% in 16 seconds (mean accuracy of 6 runs)",
            output_initializer="zeros",
            base_recipe=_MUON.replace(
                epochs=1,
                batch_size=250,
                learning_rate=0.24,
                progressive_size=0.625,
                progressive_fraction=0.8,
            ),
        ),
        Preset(
            name="fast",
            description="A good network in minutes on two cores.",
            make_blocks=_fast_blocks,
            measured="CIFAR-10 on two cores: 90.3% in 3.5 minutes (mean accuracy of 5 runs)",
            output_initializer="zeros",
            base_recipe=_MUON,
        ),
        Preset(
            name="accurate",
            description="A better network in five times the time.",
            make_blocks=_accurate_blocks,
            measured="CIFAR-10 on two cores: 93.1% in 18.5 minutes (mean accuracy of 5 runs)",
            output_initializer="zeros",
            base_recipe=_MUON.replace(epochs=14),
        ),
    )
}


def get_preset(name: str) -> Preset:
    """Returns the preset of a name.

    Raises:
        ArgumentError: for an unknown name; the message proposes the nearest.

    Example:
        >>> get_preset("seed2017").blocks((32, 32, 3))[3]
        flatten(dropout=0.5)
    """
    if checks.one_of("name", name, [*PRESETS, *BACKBONES]) in BACKBONES:
        raise ArgumentError(
            f"{name!r} is a pretrained backbone, which is not built of blocks: use "
            f"Classifier.from_preset({name!r}, data) or `imgclf train --preset {name}`."
        )
    return PRESETS[name]
