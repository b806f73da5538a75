"""`fit`: trains a Keras model on images by a recipe, all by `keras.Model.fit`.

Check, then act: `prepared` refuses what cannot be trained while model and folder are as they were;
`Training.run` does the rest.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from imgclf.data.split import Split
from imgclf.errors import ArgumentError
from imgclf.training.budget.budget import Budget
from imgclf.training.budget.pace import Pace
from imgclf.training.budget.plan import Plan
from imgclf.training.loop.batches import steps_per_epoch
from imgclf.training.loop.callback_state import check_resumable
from imgclf.training.loop.checkpoint import check_storable
from imgclf.training.loop.options import FitOptions, TrainingData
from imgclf.training.loop.progress import announce
from imgclf.training.loop.run_folder import RunFolder
from imgclf.training.loop.timing import make_plan
from imgclf.training.loop.training import Training
from imgclf.training.recipe.class_weight import class_weights
from imgclf.training.recipe.rate_callbacks import check_rate_callbacks
from imgclf.training.recipe.recipe import Recipe
from imgclf.training.speed.progressive_size import check_any_size, progressive_sizes
from imgclf.typing import KerasHistory, KerasModel

__all__ = ["check", "fit", "measure", "plan", "prepared"]


def fit(model: KerasModel, data: TrainingData, recipe: Recipe, options: FitOptions) -> KerasHistory:
    """Trains a model.

    Args:
        model: a `keras.Model` that gives probabilities. If you compiled it, your optimiser, loss
            and metrics are used, and of the recipe only the rest.
        data: the images.
        recipe: how to train.
        options: how the run is limited, watched, kept and shown.

    Returns:
        The history of all epochs, those of earlier sessions included. Its `recipe` is the one that
        was trained with.

    Raises:
        NotFiniteError: if the loss becomes infinite or NaN. The last checkpoint stays.
        OutOfMemoryError: if a batch does not fit into memory. The last checkpoint stays.
        RunFolderError: if the folder holds another run, is in use, or cannot be written to.
        ArgumentError: if the model does not fit the data.
    """
    with prepared(model, data, recipe, options) as training:
        return training.run()


@contextlib.contextmanager
def prepared(
    model: KerasModel, data: TrainingData, recipe: Recipe, options: FitOptions
) -> Iterator[Training]:
    """Checks all that `fit` may refuse, and locks the folder; changes nothing.

    Yields:
        The training: within the context, `run` begins it.
    """
    check(model, data, recipe, options)
    if options.run_dir is None:
        recipe, pace = _fitted(model, data, recipe, options, None)
        yield Training(model, data, recipe, options, pace=pace)
        return
    folder = RunFolder(options.run_dir)
    with folder.lock():
        recipe, pace = _fitted(model, data, recipe, options, folder)
        training = Training(model, data, recipe, options, pace=pace, folder=folder)
        training.check_folder(folder)
        yield training


def check(model: KerasModel, data: TrainingData, recipe: Recipe, options: FitOptions) -> None:
    """Checks that model, data, recipe and callbacks fit each other.

    Raises:
        ArgumentError: if they do not.
    """
    train = data.train
    _check_shapes(model, train, "data")
    if data.validation is not None:
        _check_shapes(model, data.validation, "validation data")
    if recipe.patience is not None and data.validation is None:
        raise ArgumentError("`patience` needs validation images.")
    class_weights(recipe.class_weight, train)
    check_rate_callbacks(model, options.callbacks)
    steps = steps_per_epoch(train, recipe.batch_size)
    if progressive_sizes(recipe, train.image_shape, steps):
        check_any_size(model)
    if options.run_dir is not None:
        check_resumable(options.callbacks)
        check_storable(options.callbacks)


def plan(model: KerasModel, data: TrainingData, recipe: Recipe, budget: Budget | None) -> Plan:
    """Takes a few steps, puts back what they changed, and returns what a run will take.

    Args:
        model: as for `fit`.
        data: as for `fit`.
        recipe: as for `fit`.
        budget: then the plan is that of the epochs that fit.
    """
    pace = measure(model, data, recipe)
    if budget:
        recipe = recipe.replace(epochs=budget.epochs(pace, recipe.epochs))
    return make_plan(model, recipe, pace)


def measure(model: KerasModel, data: TrainingData, recipe: Recipe) -> Pace:
    """Takes a few steps, puts back what they changed, and returns how long each takes."""
    options = FitOptions(verbose=0)
    check(model, data, recipe, options)
    with tempfile.TemporaryDirectory() as folder:
        return Training(model, data, recipe, options).measure(Path(folder))


def _fitted(
    model: KerasModel,
    data: TrainingData,
    recipe: Recipe,
    options: FitOptions,
    folder: RunFolder | None,
) -> tuple[Recipe, Pace | None]:
    """The recipe with the epochs that fit the budget, and the pace if it was measured for that.

    A run that is resumed keeps the epochs that were fitted at first.
    """
    budget = options.budget
    if budget is None:
        return recipe, None
    if folder is not None:
        epochs = folder.epochs_of(budget.minutes)
        if epochs is not None:
            return recipe.replace(epochs=epochs), None
        # Another run is refused before anything is timed.
        alike = recipe.replace(epochs=folder.stored_epochs() or recipe.epochs)
        config = Training(model, data, alike, options).config()
        folder.check(config, data, force=options.force)
    announce(options.verbose, f"Timing a few steps, to fit the epochs to {budget.shown}")
    pace = Training(model, data, recipe, options).measure(folder.path if folder else None)
    return recipe.replace(epochs=budget.epochs(pace, recipe.epochs)), pace


def _check_shapes(model: KerasModel, split: Split, name: str) -> None:
    wanted, given = tuple(model.input_shape[1:]), split.image_shape
    fits = len(wanted) == 3 and all(
        side in (None, size) for side, size in zip(wanted, given, strict=True)
    )
    if not fits:
        raise ArgumentError(
            f"The model takes images of the shape {wanted}, but the {name} has {given}."
        )
    classes = max(2, model.output_shape[-1])
    if classes != split.num_classes:
        raise ArgumentError(
            f"The model has {classes} classes, but the {name} has {split.num_classes}."
        )
