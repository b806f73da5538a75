"""What can be taken out of a preset, for the ablation: a name, and what removes the technique.

One entry a technique. Those that a preset does not use are skipped by `ablation.py`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from imgclf import Recipe


@dataclasses.dataclass(frozen=True)
class Removal:
    """How a technique is taken out.

    Args:
        recipe: fields of the `Recipe` to change.
        augmentation: fields of its `Augmentation` to change.
        blocks: list of blocks → list of blocks without it.
    """

    recipe: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    augmentation: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    blocks: Callable[[list[Any]], list[Any]] | None = None

    def recipe_changes(self, recipe: Recipe) -> dict[str, Any]:
        """What to pass to `Classifier.from_preset`."""
        changes = dict(self.recipe)
        if self.augmentation:
            changes["augmentation"] = dataclasses.replace(recipe.augmentation, **self.augmentation)
        return changes

    def changes_anything(self, recipe: Recipe, blocks: list[Any]) -> bool:
        """Whether the preset has the technique at all."""
        other_blocks = self.blocks is not None and self.blocks(blocks) != blocks
        return other_blocks or recipe.replace(**self.recipe_changes(recipe)) != recipe


def plain(field: str) -> Callable[[list[Any]], list[Any]]:
    """Sets a field of all blocks, nested ones too, to its default."""
    return lambda blocks: [_plain(block, field) for block in blocks]


def _plain(block: Any, name: str) -> Any:
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(block):
        held = getattr(block, field.name)
        if field.name == name:
            changes[name] = field.default
        elif isinstance(held, (list, tuple)) and any(map(dataclasses.is_dataclass, held)):
            changes[field.name] = tuple(
                _plain(inner, name) if dataclasses.is_dataclass(inner) else inner for inner in held
            )
    return dataclasses.replace(block, **changes)


def leave_out(name: str) -> Callable[[list[Any]], list[Any]]:
    """Leaves out the blocks that a function of this name makes."""
    return lambda blocks: [block for block in blocks if not repr(block).startswith(f"{name}(")]


TECHNIQUES = {
    "flips": Removal(augmentation={"flip": False}),
    "alternating (flips at random instead)": Removal(augmentation={"flip": True}),
    "shifts": Removal(augmentation={"shift": 0}),
    "cutout": Removal(augmentation={"cutout": 0}),
    "smaller pictures in early epochs": Removal(recipe={"early_size": 1.0, "early_part": 0.0}),
    "label smoothing": Removal(recipe={"label_smoothing": 0.0}),
    "warm-up": Removal(recipe={"warmup": 0.0}),
    "falling learning rate": Removal(recipe={"schedule": "constant"}),
    "weight decay": Removal(recipe={"weight_decay": 0.0}),
    "weight averaging": Removal(recipe={"averaging": 0.0}),
    "momentum": Removal(recipe={"momentum": 0.0}),
    # A usual rate for networks with batch normalisation; it was not tuned.
    "Muon (Nesterov SGD instead)": Removal(
        recipe={
            "optimizer": "sgd",
            "learning_rate": 0.05,
            "momentum": 0.9,
            "head_learning_rate": None,
        }
    ),
    "a learning rate of its own for the head": Removal(recipe={"head_learning_rate": None}),
    "batch normalisation": Removal(blocks=plain("normalization")),
    "identity start": Removal(blocks=plain("kernel_initializer")),
    "whitening": Removal(blocks=leave_out("whitening")),
}
