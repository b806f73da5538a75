"""The default space and recipes of a search.

They consist of what the presets consist of, so that every candidate is a sensible network. A trial
takes a few epochs; the winner can then be trained for longer.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from imgclf import checks
from imgclf.architecture.blocks.convolution import conv, conv_maxpool, whitening
from imgclf.architecture.blocks.normalization import batch_norm
from imgclf.architecture.blocks.pooling import global_pool
from imgclf.architecture.blocks.wrappers import residual
from imgclf.architecture.choices import Choice, between, choice, repeat
from imgclf.search.space.space import BlockSpace
from imgclf.training.presets import Preset
from imgclf.training.recipe.augmentation import Augmentation
from imgclf.training.recipe.recipe import Recipe

if TYPE_CHECKING:
    from imgclf.data.dataset import Dataset

__all__ = ["default_recipe", "default_space"]

# Images with a shorter side than this need half as many filters.
_SMALL = 24

# Larger images are halved by narrow stages until they are below this, since early layers cost the
# most.
_LARGE = 64

_WIDTHS = ((16, 32, 64), (64, 128, 192), (128, 256, 384))

# As in the presets: the running averages must converge within the few hundred steps of a trial.
_NORM = batch_norm(momentum=0.6, epsilon=1e-5, scale=False)


def default_space(image_shape: tuple[int | None, int | None, int]) -> list[BlockSpace]:
    """Returns the space named "default": stages of more and more filters, then a global pool.

    It varies the first layer (whitening or learned); filters, depth and activation of each stage;
    the kind of pool and its dropout. Large images get more stages, small images narrower ones.

    Args:
        image_shape: (height, width, channels); an open side counts as 32.

    Example:
        >>> len(default_space((8, 8, 1))), len(default_space((32, 32, 3)))
        (8, 8)
        >>> len(default_space((224, 224, 3)))
        10
    """
    height, width, _ = checks.image_shape("image_shape", image_shape)
    side = min(height or 32, width or 32) - 1  # the first layer has no padding
    scale = 2 if side + 1 < _SMALL else 1
    settings: dict[str, Any] = {
        "normalization": _NORM,
        "kernel_initializer": "dirac",
    }
    first = conv(24, kernel_size=2, padding="valid", normalization=_NORM)
    blocks: list[BlockSpace] = [choice(whitening(2, activation="relu"), first)]
    while side >= _LARGE:
        widths = choice(16, 32)
        blocks.append(conv_maxpool(widths, pool_padding="valid", **settings))
        side //= 2
    for stage in _WIDTHS:
        widths = choice(*(width // scale for width in stage))
        each: dict[str, Any] = {**settings, "activation": choice("relu", "silu")}
        if side >= 6:
            blocks.append(conv_maxpool(widths, pool_padding="valid", **each))
            side //= 2
        else:
            blocks.append(conv(widths, **each))
        blocks.append(repeat(residual([conv(widths, **settings)], activation=None), 0, 2))
    dropout = choice(0.0, 0.1, 0.2)
    # The first trial has the first kind. On CIFAR-10, three-epoch trials with "average" were better
    # by 1.3 points (standard error 0.4; a regression over 27 networks of searches of 20 minutes).
    heads = [global_pool(kind, dropout=dropout) for kind in ("average", "max")]
    return [*blocks, choice(*heads)]


def default_recipe(data: Dataset) -> Choice:
    """Returns the recipes of a search that is given none.

    Args:
        data: decides batch size and epochs, as for a preset, and whether images may be flipped.

    Returns:
        A `choice` of two recipes, with Muon and with SGD. Their learning rates, label smoothing,
        shifts and progressive image sizes are choices, too.

    Example:
        >>> import imgclf
        >>> [recipe.optimizer for recipe in default_recipe(imgclf.load_digits()).options]
        ['muon', 'sgd']
    """
    base = Recipe(
        epochs=3,
        batch_size=500,
        optimizer="muon",
        momentum=0.6,
        head_learning_rate=0.005,
        schedule="linear",
        augmentation=Augmentation(flip="alternate", shift=2),
        progressive_size=0.75,
        progressive_fraction=0.6,
    )
    blocks: Any = default_space  # not used for the recipe
    preset = Preset("search", "What the recipes of a search have in common.", blocks, base)
    recipe = preset.recipe(data)
    shift = max(1, recipe.augmentation.shift)
    varied = recipe.replace(
        label_smoothing=choice(0.0, 0.1, 0.2),
        progressive_fraction=choice(recipe.progressive_fraction, 0.0)
        if recipe.progressive_fraction
        else 0.0,
        augmentation=dataclasses.replace(
            recipe.augmentation, shift=choice(shift // 2, shift, 2 * shift)
        ),
    )
    return choice(
        varied.replace(learning_rate=between(0.05, 0.4, log=True)),
        varied.replace(
            optimizer="sgd",
            learning_rate=between(0.02, 0.5, log=True),
            momentum=0.9,
            head_learning_rate=None,
        ),
    )
