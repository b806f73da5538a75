"""Builds what a new classifier is made of: from a preset, blocks, or a trained model."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from imgclf import checks
from imgclf.architecture.blocks.block import Block
from imgclf.backend.random_state import seeded
from imgclf.classifier import persistence
from imgclf.classifier.predicting import image_settings
from imgclf.classifier.strategies import Phases, Strategy, WholeNetwork
from imgclf.data.dataset import Dataset, check_dataset
from imgclf.errors import ArgumentError, ArgumentTypeError
from imgclf.training.network import new_network, sample_images
from imgclf.training.presets import get_preset
from imgclf.training.recipe.recipe import Recipe, check_recipe
from imgclf.training.transfer.backbones import BACKBONES, build_body
from imgclf.training.transfer.head import body_of, with_new_head
from imgclf.training.transfer.recipes import transfer_recipe
from imgclf.typing import KerasModel, StrPath

__all__ = ["Parts", "from_blocks", "from_model", "from_preset", "saved_model"]


class Parts(TypedDict):
    """The arguments of `Classifier`."""

    model: KerasModel
    class_names: Sequence[str]
    recipe: Recipe
    blocks: Sequence[Block] | None
    strategy: Strategy
    resize: str
    max_pixels: int
    background: str
    white_level: float | None


def from_preset(
    name: str, data: Dataset, weights: StrPath | None, changes: Mapping[str, Any]
) -> Parts:
    """See `Classifier.from_preset`."""
    check_dataset(data)
    if isinstance(name, str) and name in BACKBONES:
        recipe = _transfer_recipe(data, changes)
        body = build_body(BACKBONES[name], data.image_shape, weights, recipe)
        return _on_body(body, data, recipe)
    preset = get_preset(name)
    if weights not in ("imagenet", None):
        raise ArgumentError(
            f"The preset {name!r} starts from nothing: `weights` goes with a pretrained "
            f"backbone, such as 'efficientnetv2-b0'. {checks.received('weights', weights)}"
        )
    recipe = preset.recipe(data, **changes)
    return _parts(preset.build(data, recipe), data, recipe, preset.blocks(data.image_shape))


def from_blocks(blocks: Sequence[Block], data: Dataset, recipe: Recipe | None) -> Parts:
    """See `Classifier.from_blocks`."""
    check_dataset(data)
    recipe = check_recipe(recipe)
    sample = sample_images(data.train)
    model = new_network(data.image_shape, data.num_classes, blocks, recipe, sample)
    return _parts(model, data, recipe, blocks)


def saved_model(source: StrPath) -> persistence.SavedClassifier:
    """What a file or run folder holds; raises `ArgumentTypeError` if `source` is no path."""
    if not isinstance(source, (str, os.PathLike)) or not os.fspath(source):
        raise ArgumentTypeError(
            "`source` must be a Classifier, or the path of a .keras file or run folder. Wrap a "
            f"Keras model in Classifier(model). {checks.received('source', source)}"
        )
    return persistence.read(source)


def from_model(model: KerasModel, data: Dataset, changes: Mapping[str, Any]) -> Parts:
    """See `Classifier.from_model`; `model` is the trained one."""
    check_dataset(data)
    wanted, given = model.input_shape[1:], data.image_shape
    if any(side not in (None, size) for side, size in zip(wanted, given, strict=True)):
        height, width, channels = wanted
        color = "gray" if channels == 1 else "rgb"
        raise ArgumentError(
            f"The model takes images of the shape {wanted}, but the data has {given}. Load "
            f'the data with image_size=({height}, {width}) and color="{color}".'
        )
    recipe = _transfer_recipe(data, changes)
    with seeded(recipe.seed):
        body = body_of(model)
    return _on_body(body, data, recipe)


def _on_body(body: KerasModel, data: Dataset, recipe: Recipe) -> Parts:
    model = with_new_head(body, data.num_classes, recipe.seed)
    return {**_parts(model, data, recipe, None), "strategy": Phases()}


def _parts(
    model: KerasModel, data: Dataset, recipe: Recipe, blocks: Sequence[Block] | None
) -> Parts:
    return {
        "model": model,
        "class_names": data.class_names,
        "recipe": recipe,
        "blocks": blocks,
        "strategy": WholeNetwork(),
        **image_settings(data),
    }


def _transfer_recipe(data: Dataset, changes: Mapping[str, Any]) -> Recipe:
    return transfer_recipe(len(data.train), flip_safe=data.flip_safe, **changes)
