"""A new network for a recipe, whose seed decides the first weights and precision the dtype."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imgclf.architecture.build import build_classifier
from imgclf.training.precision import dtype_policy
from imgclf.training.recipe import Recipe

if TYPE_CHECKING:
    import keras

__all__ = ["new_network"]


def new_network(
    image_shape: Any, num_classes: int, blocks: Any, recipe: Recipe, **settings: Any
) -> keras.Model:
    """Builds a network, not compiled.

    Args:
        image_shape: as in `build_classifier`.
        num_classes: as in `build_classifier`.
        blocks: as in `build_classifier`.
        recipe: how it will be trained.
        **settings: what else `build_classifier` takes, such as `pixel_mean`.
    """
    import keras

    keras.utils.set_random_seed(recipe.seed)
    policy = dtype_policy(recipe.precision)
    return build_classifier(image_shape, num_classes, blocks, dtype=policy, **settings)
