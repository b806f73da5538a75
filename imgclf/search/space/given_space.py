"""`given_space`: the space of a search, whatever it was given as."""

from __future__ import annotations

import dataclasses
from typing import Any

from imgclf import checks
from imgclf.architecture.choices import Choice
from imgclf.data.dataset import Dataset, check_dataset
from imgclf.errors import ArgumentError
from imgclf.search.space.default_space import default_recipe, default_space
from imgclf.search.space.hypermodel_space import HyperModelSpace, is_foreign
from imgclf.search.space.space import Space, each_recipe
from imgclf.training.recipe.recipe import Recipe

__all__ = ["given_space"]


def given_space(
    data: Any, blocks: Any, recipe: Any, epochs: Any, **limits: Any
) -> Space | HyperModelSpace:
    """The space that the arguments of a search stand for.

    Args:
        data: with validation images.
        blocks: a list of blocks, "default", or a hypermodel.
        recipe: None for the default.
        epochs: in place of the recipe's; None to keep those.
        **limits: of a `Space`.

    Raises:
        ArgumentError: if an argument cannot be used.
    """
    check_dataset(data)
    if data.validation is None or not len(data.validation):
        raise ArgumentError(
            "`data` must have validation images: a search judges by them. Load it with "
            "validation=0.1. Received: data.validation=None."
        )
    if epochs is not None:
        checks.integer("epochs", epochs, low=1)
    if is_foreign(blocks):
        return _of_hypermodel(data, blocks, recipe, epochs, limits)
    if isinstance(blocks, str):
        checks.one_of("blocks", blocks, ["default"])
        blocks = default_space(data.image_shape)
    if recipe is None:
        recipe = default_recipe(data)
    recipe = _with_epochs(recipe, epochs)
    return Space(blocks, recipe, data.image_shape, data.num_classes, **limits)


def _of_hypermodel(
    data: Dataset, hypermodel: Any, recipe: Any, epochs: Any, limits: dict[str, Any]
) -> Space | HyperModelSpace:
    from imgclf.search.space.hypermodel import (
        HyperClassifier,  # loads keras-tuner, and so TensorFlow
    )

    if isinstance(hypermodel, HyperClassifier):
        return _of_hyper_classifier(data, hypermodel.space, recipe, epochs, limits)
    for name in ("max_ms", "max_memory"):
        if limits.pop(name, None) is not None:
            raise ArgumentError(
                f"`{name}` is about networks of blocks: there is no estimate for what a hypermodel "
                "builds. Use max_params or max_macs, or result.best(max_ms=…) behind the search."
            )
    recipe = _with_epochs(Recipe() if recipe is None else recipe, epochs)
    return HyperModelSpace(hypermodel, recipe, data.image_shape, data.num_classes, **limits)


def _of_hyper_classifier(
    data: Dataset, space: Space, recipe: Any, epochs: Any, limits: dict[str, Any]
) -> Space:
    """Its own space, with what the search was given besides."""
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
    """The recipe with other epochs; what is no recipe is left to be refused later."""
    if epochs is None or not all(isinstance(each, Recipe) for each in each_recipe(recipe)):
        return recipe
    if isinstance(recipe, Choice):
        return Choice(*(each.replace(epochs=epochs) for each in recipe.options))
    return recipe.replace(epochs=epochs)
