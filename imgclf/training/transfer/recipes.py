"""The recipe of transfer learning, and those of its two phases."""

from __future__ import annotations

from typing import Any

from imgclf.training.recipe.augmentation import Augmentation
from imgclf.training.recipe.recipe import Recipe

__all__ = ["TRANSFER", "for_fine_tuning", "for_head", "transfer_recipe"]

# Steps of the output layer cost next to nothing, so there are enough of them for few images too.
_STEPS = 1_000
_MOST_EPOCHS = 300

TRANSFER = Recipe(
    epochs=20,
    batch_size=64,
    optimizer="adam",
    learning_rate=0.003,
    schedule="cosine",
    augmentation=Augmentation(flip=True),
)


def transfer_recipe(num_train_images: int, *, flip_safe: bool, **changes: Any) -> Recipe:
    """The recipe for so many training images, with some fields changed.

    Example:
        >>> transfer_recipe(320, flip_safe=True).epochs
        200
    """
    steps = -(-num_train_images // TRANSFER.batch_size)
    epochs = max(TRANSFER.epochs, min(_MOST_EPOCHS, -(-_STEPS // steps)))
    recipe = TRANSFER.replace(epochs=epochs, augmentation=Augmentation(flip=flip_safe))
    return recipe.replace(**changes)


def for_head(recipe: Recipe) -> Recipe:
    """The recipe of the first phase: features are no images, so nothing is augmented or resized."""
    return recipe.replace(
        augmentation=Augmentation(), progressive_size=1.0, progressive_fraction=0.0
    )


def for_fine_tuning(recipe: Recipe) -> Recipe:
    """The recipe of the second phase."""
    return recipe.replace(
        epochs=max(1, recipe.fine_tune_epochs),
        learning_rate=recipe.fine_tune_learning_rate,
        progressive_size=1.0,
        progressive_fraction=0.0,
    )
