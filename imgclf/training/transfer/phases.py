"""Transfer learning in two phases: first a new output layer, then the upper layers of the body.

In the first phase the body is frozen, so its features of each image are computed once; the output
layer is trained on these features by the ordinary `fit`, in seconds. In the second, optional phase
the upper layers of the body are trained with it, by the ordinary `fit` again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from typing import Any

from imgclf import checks
from imgclf.data.split import Split
from imgclf.training.budget.budget import Budget, TooFewMinutesError
from imgclf.training.budget.pace import Pace
from imgclf.training.budget.plan import TransferPlan
from imgclf.training.loop import fit as loop
from imgclf.training.loop.options import FitOptions, TrainingData
from imgclf.training.loop.progress import announce
from imgclf.training.loop.run_config import run_config
from imgclf.training.loop.run_folder import RunFolder
from imgclf.training.loop.run_time import add_time
from imgclf.training.loop.timing import make_plan, model_bytes
from imgclf.training.loop.training import Training
from imgclf.training.recipe.recipe import Recipe
from imgclf.training.transfer.features import Features
from imgclf.training.transfer.fine_tune import upper_layers
from imgclf.training.transfer.head import HEAD, body_before_head, check_head, head_alone
from imgclf.training.transfer.recipes import for_fine_tuning, for_head
from imgclf.typing import KerasHistory, KerasModel

__all__ = ["PhasedTraining", "plan_phases", "prepared_phases"]


@contextlib.contextmanager
def prepared_phases(
    model: KerasModel, data: TrainingData, recipe: Recipe, options: FitOptions
) -> Iterator[PhasedTraining]:
    """Checks all that training in phases may refuse, and computes the features.

    Model and folder are as they were; the folder is locked.

    Args:
        model: as `with_new_head` makes it.
        data: the images.
        recipe: `epochs` is for the output layer, `fine_tune_epochs` for the phase after it.
        options: as for `fit`; callbacks are used in both phases. Each phase has a folder in that
            of the run, `head` and `fine-tune`; the features are kept in `features`. With a budget,
            `epochs` and `fine_tune_epochs` are limits. If not even one epoch of fine-tuning fits,
            it is left out.

    Yields:
        The training: within the context, `run` begins it.
    """
    check_head(model)
    loop.check(model, data, for_fine_tuning(recipe), options)
    with contextlib.ExitStack() as stack:
        folder, config = None, {}
        if options.run_dir is not None:
            folder = RunFolder(options.run_dir)
            stack.enter_context(folder.lock())
            config = _config(model, data, recipe, options)
            folder.check(config, data, force=options.force)
        features = Features(body_before_head(model), options.run_dir, options.verbose)
        if options.budget:
            announce(options.verbose, f"Timing the features, to keep to {options.budget.shown}")
            _, seconds = features.seconds(_named(data))
            _check_time_for_features(options.budget, seconds)
        started = time.monotonic()
        of_images = TrainingData(
            features.of(data.train, "train"),
            data.validation and features.of(data.validation, "validation"),
        )
        seconds = time.monotonic() - started
        head = stack.enter_context(
            loop.prepared(
                head_alone(model), of_images, for_head(recipe), _options_of_head(options, recipe)
            )
        )
        if recipe.fine_tune_epochs:
            _check_fine_tuning(model, data, recipe, options)
        yield PhasedTraining(model, data, recipe, options, head, features, folder, config, seconds)


@dataclasses.dataclass(frozen=True, eq=False)
class PhasedTraining:
    """Both phases, ready to run. Until `run`, model and folder are as they were.

    Args:
        model: as `with_new_head` makes it.
        data: the images.
        recipe: of both phases.
        options: how the run is limited, watched, kept and shown.
        head: the first phase.
        features: that it is trained on.
        folder: of the run, locked; None keeps nothing.
        config: what identifies the run in the folder.
        seconds: that the features have taken.
    """

    model: KerasModel
    data: TrainingData
    recipe: Recipe
    options: FitOptions
    head: Training
    features: Features
    folder: RunFolder | None
    config: dict[str, Any]
    seconds: float

    def run(self) -> KerasHistory:
        """Trains: from here on model and folder are changed.

        Returns:
            The history of both phases, one after the other. Its `recipe` has the epochs that were
            trained.
        """
        if self.folder is not None:
            self.folder.begin(self.config, self.data)
            self.features.keep()
            add_time(self.folder.path, self.seconds)
        announce(self.options.verbose, "phase 1: the output layer, on these features")
        history = self.head.run()
        self.model.get_layer(HEAD).set_weights(self.head.model.layers[-1].get_weights())
        recipe = self.recipe.replace(epochs=history.recipe.epochs, fine_tune_epochs=0)
        later = self._fine_tuned() if self.recipe.fine_tune_epochs else None
        if later is not None:
            recipe = recipe.replace(fine_tune_epochs=later.recipe.epochs)
            history = _joined(history, later)
        history.recipe = recipe
        if self.folder is not None:
            self.folder.write_log(history.history)
            self.folder.write_curves(history.history)
        return history

    def _fine_tuned(self) -> KerasHistory | None:
        """The history of the second phase; None if there is no time for it."""
        recipe, verbose = self.recipe, self.options.verbose
        announce(
            verbose, f"phase 2: fine-tuning {recipe.fine_tune_fraction:.0%} of the body's layers"
        )
        data = dataclasses.replace(self.data, are_images=False)  # the run has them already
        try:
            with upper_layers(self.model, recipe.fine_tune_fraction):
                return loop.fit(
                    self.model,
                    data,
                    for_fine_tuning(recipe),
                    _options_of_fine_tuning(self.options, recipe),
                )
        except TooFewMinutesError as error:
            announce(
                verbose, f"phase 2 is left out: one epoch needs {error.needed:.2g} minutes in all"
            )
            return None


def _check_fine_tuning(
    model: KerasModel, data: TrainingData, recipe: Recipe, options: FitOptions
) -> None:
    """Refuses a second phase that cannot be resumed, before the first one changes anything."""
    later = _options_of_fine_tuning(options, recipe)
    if later.run_dir is None or not later.run_dir.exists():
        return
    folder = RunFolder(later.run_dir)
    folder.stored_epochs()
    with upper_layers(model, recipe.fine_tune_fraction):
        training = Training(model, data, for_fine_tuning(recipe), later)
        folder.checkpoints.load(model, training.optimizer)


def plan_phases(
    model: KerasModel, data: TrainingData, recipe: Recipe, budget: Budget | None
) -> TransferPlan:
    """Times a few batches and steps of each phase, and returns what they will take.

    Args:
        model: as for `prepared_phases`.
        data: as for `prepared_phases`.
        recipe: as for `prepared_phases`.
        budget: then the plan is that of the epochs that fit.
    """
    check_head(model)
    loop.check(model, data, for_fine_tuning(recipe), FitOptions(verbose=0))
    features = Features(body_before_head(model), None, 0)
    tracing, computing = features.seconds(_named(data))
    stand_ins = TrainingData(
        features.stand_in(data.train), data.validation and features.stand_in(data.validation)
    )
    head, head_recipe = head_alone(model), for_head(recipe)
    pace = loop.measure(head, stand_ins, head_recipe)
    fine_tuning: Pace | None = None
    fine_recipe = for_fine_tuning(recipe)
    if recipe.fine_tune_epochs:
        with upper_layers(model, recipe.fine_tune_fraction):
            fine_tuning = loop.measure(model, data, fine_recipe)
    if budget:
        _check_time_for_features(budget, computing)
        later = budget.after(computing)
        epochs = _budget_of_head(later, recipe).epochs(pace, head_recipe.epochs)
        head_recipe = head_recipe.replace(epochs=epochs)
        if fine_tuning:
            later = _budget_of_fine_tuning(later.after(pace.seconds(epochs)), recipe)
            try:
                epochs = later.epochs(fine_tuning, fine_recipe.epochs)
                fine_recipe = fine_recipe.replace(epochs=epochs)
            except TooFewMinutesError:
                fine_tuning = None
    splits = _named(data).values()
    return TransferPlan(
        num_images=sum(map(len, splits)),
        features_seconds=tracing + computing,
        features_bytes=sum(map(features.nbytes, splits)),
        head=make_plan(head, head_recipe, pace),
        fine_tuning=None if fine_tuning is None else make_plan(model, fine_recipe, fine_tuning),
        model_bytes=model_bytes(model),
    )


def _config(
    model: KerasModel, data: TrainingData, recipe: Recipe, options: FitOptions
) -> dict[str, Any]:
    """What identifies the run of both phases; each phase's folder has its own."""
    config = run_config(model, data, recipe, options.callbacks, options)
    return {**config, "strategy": "phases"}


def _named(data: TrainingData) -> dict[str, Split]:
    validation = data.validation
    return {"train": data.train} | ({} if validation is None else {"validation": validation})


def _options_of_head(options: FitOptions, recipe: Recipe) -> FitOptions:
    return dataclasses.replace(
        options,
        run_dir=options.run_dir and options.run_dir / "head",
        budget=options.budget and _budget_of_head(options.budget, recipe),
    )


def _options_of_fine_tuning(options: FitOptions, recipe: Recipe) -> FitOptions:
    return dataclasses.replace(
        options,
        run_dir=options.run_dir and options.run_dir / "fine-tune",
        budget=options.budget and _budget_of_fine_tuning(options.budget, recipe),
    )


def _budget_of_head(budget: Budget, recipe: Recipe) -> Budget:
    """Half of what is left at most, if there is to be fine-tuning."""
    kept_back = max(0.0, budget.left) / 2 if recipe.fine_tune_epochs else 0.0
    return dataclasses.replace(budget, most_epochs=recipe.epochs, kept_back=kept_back)


def _budget_of_fine_tuning(budget: Budget, recipe: Recipe) -> Budget:
    return dataclasses.replace(budget, most_epochs=recipe.fine_tune_epochs)


def _check_time_for_features(budget: Budget, seconds: float) -> None:
    needed = (budget.spent + seconds) / 60
    if seconds and needed > budget.minutes:  # features that are kept already need no time
        raise TooFewMinutesError(
            f"`minutes` must be enough for the features of all images, which need {needed:.2g} "
            "minutes here with the start. Give more, take a smaller backbone or smaller images. "
            + checks.received("minutes", budget.minutes),
            needed,
        )


def _joined(first: KerasHistory, second: KerasHistory) -> KerasHistory:
    """The history of both phases, without the metrics that one of them does not have."""
    import keras

    history = keras.callbacks.History()
    history.history = {
        name: [*values, *second.history[name]]
        for name, values in first.history.items()
        if name in second.history
    }
    history.epoch = list(range(len(first.epoch) + len(second.epoch)))
    return history
