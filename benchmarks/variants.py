"""Variants of a preset for ablations: each removes or replaces one technique."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import imgclf

Blocks = list[Any]


@dataclasses.dataclass(frozen=True)
class Variant:
    """A single change.

    Args:
        recipe: fields of the `Recipe`.
        augmentation: fields of its `Augmentation`.
        blocks: changes a list of blocks.
    """

    recipe: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    augmentation: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    blocks: Callable[[Blocks], Blocks] | None = None

    def recipe_changes(self, recipe: imgclf.Recipe) -> dict[str, Any]:
        """The arguments for `Classifier.from_preset`."""
        changes = dict(self.recipe)
        if self.augmentation:
            changes["augmentation"] = dataclasses.replace(recipe.augmentation, **self.augmentation)
        return changes

    def changes_anything(self, recipe: imgclf.Recipe, blocks: Blocks) -> bool:
        """Whether the variant differs from the preset."""
        other_blocks = self.blocks is not None and self.blocks(blocks) != blocks
        return other_blocks or recipe.replace(**self.recipe_changes(recipe)) != recipe


def in_each(changes_of: Callable[[Any], dict[str, Any]]) -> Callable[[Blocks], Blocks]:
    """Changes fields of all blocks, including nested ones.

    Args:
        changes_of: block → new values of some of its fields.
    """

    def change(blocks: Blocks) -> Blocks:
        return [changed(block) for block in blocks]

    def changed(block: Any) -> Any:
        inner = {"blocks": change(block.blocks)} if isinstance(block, imgclf.residual) else {}
        return dataclasses.replace(block, **inner, **changes_of(block))

    return change


def everywhere(**settings: Any) -> Callable[[Blocks], Blocks]:
    """Sets fields of all blocks that have them."""

    def changes_of(block: Any) -> dict[str, Any]:
        names = {field.name for field in dataclasses.fields(block)}
        return {name: value for name, value in settings.items() if name in names}

    return in_each(changes_of)


def learned_first_layer(blocks: Blocks) -> Blocks:
    """Replaces whitening by a learned convolution of the same size, for colour images."""
    return [
        imgclf.conv(24, kernel_size=block.kernel_size, padding="valid")
        if isinstance(block, imgclf.whitening)
        else block
        for block in blocks
    ]


def no_residual_connections(blocks: Blocks) -> Blocks:
    """Replaces each residual block by the blocks inside it."""
    flat: Blocks = []
    for block in blocks:
        flat += block.blocks if isinstance(block, imgclf.residual) else [block]
    return flat


def _other_activation(block: Any) -> dict[str, Any]:
    other = {"relu": "silu", "silu": "relu"}
    activation = getattr(block, "activation", None)
    return {"activation": other[activation]} if activation in other else {}


def one_more_convolution(blocks: Blocks) -> Blocks:
    """Repeats the last convolution of each residual block."""
    return [
        dataclasses.replace(block, blocks=[*block.blocks, block.blocks[-1]])
        if isinstance(block, imgclf.residual)
        else block
        for block in blocks
    ]


# The names are stored in the result files; `page.py` has better titles for some of them.
VARIANTS = {
    "no flips": Variant(augmentation={"flip": False}),
    "flips at random, not alternating": Variant(augmentation={"flip": True}),
    "no shifts": Variant(augmentation={"shift": 0}),
    "cutout of 8 added": Variant(augmentation={"cutout": 8}),
    "full size from the start": Variant(
        recipe={"progressive_size": 1.0, "progressive_fraction": 0.0}
    ),
    "no label smoothing": Variant(recipe={"label_smoothing": 0.0}),
    "constant learning rate": Variant(recipe={"schedule": "constant"}),
    "averaging of weights (0.98) added": Variant(recipe={"ema_momentum": 0.98}),
    "constant learning rate, averaging of weights (0.98)": Variant(
        recipe={"schedule": "constant", "ema_momentum": 0.98}
    ),
    "statistics taken anew in the end": Variant(recipe={"precise_batch_norm": True}),
    # A common learning rate for networks with batch normalisation; it was not tuned.
    "Nesterov SGD in place of Muon": Variant(
        recipe={
            "optimizer": "sgd",
            "learning_rate": 0.05,
            "momentum": 0.9,
            "head_learning_rate": None,
        }
    ),
    "one learning rate for all": Variant(recipe={"head_learning_rate": None}),
    "batch normalisation with the defaults of `batch_norm`": Variant(
        blocks=everywhere(normalization="batch")
    ),
    "no identity start": Variant(blocks=everywhere(kernel_initializer="glorot_uniform")),
    "a learned first layer, not whitening": Variant(blocks=learned_first_layer),
    "no way around": Variant(blocks=no_residual_connections),
    "silu in place of relu, or relu in place of silu": Variant(blocks=in_each(_other_activation)),
    "one more convolution in each stage": Variant(blocks=one_more_convolution),
}
