"""What a call of `Classifier.fit` or `plan` is asked to train with: recipe and images, checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from imgclf import checks
from imgclf.classifier.assessing import Images, LabelledImages, Labels, check_classes, to_split
from imgclf.data.dataset import Dataset
from imgclf.data.known_images import KnownImages
from imgclf.data.split import Split
from imgclf.errors import ArgumentError, ArgumentTypeError
from imgclf.training.budget.budget import Budget
from imgclf.training.loop.options import TrainingData
from imgclf.training.recipe.recipe import Recipe, check_no_choices, check_recipe

__all__ = ["DROPPED", "chosen_recipe", "training_data"]

# What is shown when a calibrated classifier is trained.
DROPPED = (
    "The temperature and the threshold belong to the weights of before the training, and are "
    "dropped: calibrate again after it."
)


def chosen_recipe(
    recipe: Recipe | None, default: Recipe, minutes: float | Budget | None, **changes: Any
) -> Recipe:
    """The recipe, or `default` in place of None, with the fields that are not None changed."""
    epochs = changes["epochs"]
    if epochs is not None and minutes is not None:
        raise ArgumentError(
            "`minutes` decides the epochs: give one of the two. "
            f"Received: epochs={epochs!r}, minutes={minutes!r}."
        )
    given = {name: value for name, value in changes.items() if value is not None}
    return check_no_choices(check_recipe(recipe, default).replace(**given))


def training_data(
    data: Dataset | Images,
    labels: Labels,
    validation_data: LabelledImages | None,
    class_names: tuple[str, ...],
    run_dir: Path | None = None,
) -> TrainingData:
    """The images to train on and to validate by, of the classifier's classes.

    `run_dir` is that of the weights: what they were trained on is never test.
    """
    validation = None
    if isinstance(data, Dataset):
        check_classes(data, class_names)
    else:
        data = to_split(data, labels, class_names)
    if validation_data is not None:
        is_tuple = isinstance(validation_data, tuple)
        if not isinstance(validation_data, Split) and not (is_tuple and len(validation_data) == 2):
            shown = validation_data if is_tuple else type(validation_data).__name__
            raise ArgumentTypeError(
                "`validation_data` must be a Split or a pair (images, labels). "
                + checks.received("validation_data", shown)
            )
        validation = to_split(validation_data, None, class_names)
    earlier = None if run_dir is None else KnownImages.read(run_dir)
    return TrainingData.of(data, validation, earlier)
