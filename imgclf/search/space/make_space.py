"""`make_space`: makes the space of a search from what `search` was given."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from imgclf import checks
from imgclf.architecture.choices import Choice
from imgclf.data.dataset import Dataset, check_dataset
from imgclf.errors import ArgumentError
from imgclf.search.space.default_space import default_recipe, default_space
from imgclf.search.space.hypermodel_space import HyperModel, HyperModelSpace, is_hypermodel
from imgclf.search.space.space import BlockSpace, RecipeSpace, Space, recipe_options
from imgclf.training.recipe.recipe import Recipe

__all__ = ["BlocksSpace", "make_space"]

# What a search may be given as blocks.
BlocksSpace: TypeAlias = Sequence[BlockSpace] | Literal["default"] | HyperModel


def make_space(
    data: Dataset,
    blocks: BlocksSpace,
    recipe: RecipeSpace | None,
    epochs: int | None,
    **limits: Any,
) -> Space | HyperModelSpace:
    """Checks the arguments, and returns the space that they stand for.

    Args:
        data: with validation images.
        blocks: a list of blocks, "default", or a hypermodel.
        recipe: None for the default.
        epochs: replaces that of the recipe; None keeps it.
        **limits: of a `Space`.

    Raises:
        ArgumentError: if an argument cannot be used.
    """
    check_dataset(data)
    if data.validation is None or not len(data.validation):
        raise ArgumentError(
            "`data` must have validation images: a search evaluates candidates on them. "
            "Load it with validation=0.1. Received: data.validation=None."
        )
    if epochs is not None:
        checks.integer("epochs", epochs, low=1)
    if is_hypermodel(blocks):
        return _of_hypermodel(data, blocks, recipe, epochs, limits)
    own_blocks: Any = blocks
    if isinstance(blocks, str):
        checks.one_of("blocks", blocks, ["default"])
        own_blocks = default_space(data.image_shape)
    if recipe is None:
        recipe = default_recipe(data)
    recipe = _with_epochs(recipe, epochs)
    return Space(own_blocks, recipe, data.image_shape, data.num_classes, **limits)


def _of_hypermodel(
    data: Dataset, hypermodel: Any, recipe: Any, epochs: Any, limits: dict[str, Any]
) -> Space | HyperModelSpace:
    # Loads keras-tuner, and so TensorFlow.
    from imgclf.search.space.hyper_classifier import HyperClassifier

    if isinstance(hypermodel, HyperClassifier):
        return _of_hyper_classifier(data, hypermodel.space, recipe, epochs, limits)
    for name in ("max_ms", "max_memory"):
        if limits.pop(name, None) is not None:
            raise ArgumentError(
                f"`{name}` applies to networks of blocks: there is no estimate for what a "
                "hypermodel builds. Use max_params or max_macs, or result.best(max_ms=…) after the "
                "search."
            )
    recipe = _with_epochs(Recipe() if recipe is None else recipe, epochs)
    return HyperModelSpace(hypermodel, recipe, data.image_shape, data.num_classes, **limits)


def _of_hyper_classifier(
    data: Dataset, space: Space, recipe: Any, epochs: Any, limits: dict[str, Any]
) -> Space:
    """Returns its own space, with the recipe and limits that the search was given."""
    shapes = (space.image_shape, space.num_classes), (data.image_shape, data.num_classes)
    if shapes[0] != shapes[1]:
        raise ArgumentError(
            f"The HyperClassifier is for images of {shapes[0][0]} and {shapes[0][1]} classes, "
            f"but the data has {shapes[1][0]} and {shapes[1][1]}."
        )
    given = {name: limit for name, limit in limits.items() if limit is not None}
    recipe = _with_epochs(space.recipe if recipe is None else recipe, epochs)
    return dataclasses.replace(space, recipe=recipe, **given)


def _with_epochs(recipe: Any, epochs: int | None) -> Any:
    """Returns the recipe with other epochs; anything else is refused later."""
    if epochs is None or not all(isinstance(each, Recipe) for each in recipe_options(recipe)):
        return recipe
    if isinstance(recipe, Choice):
        return Choice(*(each.replace(epochs=epochs) for each in recipe.options))
    return recipe.replace(epochs=epochs)
