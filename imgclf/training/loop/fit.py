"""`fit`: trains a Keras model on a data set by a recipe, with resume; all by `keras.Model.fit`."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from imgclf import checks
from imgclf.data.dataset import Dataset
from imgclf.data.image_batches import inference_batch_size
from imgclf.data.image_files import ImageFiles
from imgclf.data.split import Split
from imgclf.errors import ArgumentError, ArgumentTypeError, NotFiniteError, OutOfMemoryError
from imgclf.training.budget.budget import Budget
from imgclf.training.budget.pacing import Pacing
from imgclf.training.budget.plan import Pace, Plan, make_plan, measure_pace
from imgclf.training.loop import batches as flow
from imgclf.training.loop.callback_state import check_callbacks, set_states
from imgclf.training.loop.checkpoint import Checkpoint, TrainingState, take_checkpoint
from imgclf.training.loop.progress import Work, announce, make_progress
from imgclf.training.loop.resume import make_callback_list, passing_over
from imgclf.training.loop.run_config import run_config
from imgclf.training.loop.run_folder import RunFolder
from imgclf.training.loop.run_time import timed
from imgclf.training.loop.saving import Saving
from imgclf.training.loop.stop_signals import stop_signals
from imgclf.training.recipe.class_weight import class_weights, imbalance_note
from imgclf.training.recipe.compile import compile_model, compiled_by_user, wants_one_hot
from imgclf.training.recipe.recipe import Recipe
from imgclf.training.speed.fused_norm import fused_batch_norm
from imgclf.training.speed.precision import precision_note
from imgclf.training.speed.progressive_size import any_input_size, progressive_sizes
from imgclf.training.speed.retracing import no_retracing_advice
from imgclf.training.speed.small_maps import small_map_gradients

__all__ = ["check_model", "fit", "measure", "plan", "splits"]


def fit(
    model: Any,
    data: Dataset | Split,
    recipe: Recipe,
    *,
    minutes: Any = None,
    validation: Split | None = None,
    callbacks: Sequence[Any] = (),
    run_dir: Any = None,
    resume: str = "auto",
    checkpoint_seconds: float = 60.0,
    verbose: Any = 0,
    config: dict[str, Any] | None = None,
) -> Any:
    """Trains a model.

    Args:
        model: a `keras.Model` that gives probabilities. If you compiled it, your optimiser, loss
            and metrics are used, and of the recipe only the rest.
        data: a `Dataset`, or the training `Split`.
        recipe: how to train.
        minutes: a time, or a `Budget`, that the epochs are fitted to; a run that is resumed keeps
            those that were fitted at first.
        validation: what is looked at after each epoch; by default the data set's own.
        callbacks: any Keras callbacks. One that offers `get_state()` and `set_state(state)` is
            resumed too, and so are Keras's `EarlyStopping`, `ReduceLROnPlateau` and
            `ModelCheckpoint`.
        run_dir: a folder for log, checkpoints and curves. The same call again goes on where the
            first stopped, at the very batch, and ends in the same weights. Meanwhile SIGINT
            (Ctrl-C) and SIGTERM save before they end the run.
        resume: "auto" goes on with a run that was asked for the same; "force" with any whose
            checkpoint fits the model.
        checkpoint_seconds: between two checkpoints within an epoch; each epoch ends in one too.
        verbose: 0 is silent, 1 or "auto" live on a terminal, 2 a line an epoch.
        config: what else makes this run this run, such as the network's blocks.

    Returns:
        The `keras.callbacks.History` of all epochs, earlier ones of a resumed run included. Its
        `recipe` is the one by which was trained, with the epochs that were fitted.

    Raises:
        NotFiniteError: if the loss becomes infinite or NaN. The last checkpoint stays.
        OutOfMemoryError: if a batch does not fit into memory. The last checkpoint stays.
        RunFolderError: if the folder holds another run, is in use, or cannot be written to.
        ArgumentError: if the model does not fit the data.
    """
    checks.one_of("verbose", verbose, ["auto", 0, 1, 2])
    checks.one_of("resume", resume, ["auto", "force"])
    checks.number("checkpoint_seconds", checkpoint_seconds, low=0)
    budget = None if minutes is None else Budget.of(minutes)
    train, validation = _checked(model, data, recipe, validation)
    if recipe.patience is not None:
        callbacks = [_patience(recipe.patience), *callbacks]
    given = (train, validation, list(callbacks), verbose)
    if run_dir is None:
        pace = None
        if budget:
            recipe, pace = _fitted(budget, model, recipe, given, None)
        return _Training(model, recipe, *given).paced(budget, pace).run()
    check_callbacks(callbacks)
    folder = RunFolder(run_dir)
    force = resume == "force"
    with folder.lock():
        pace = None
        if budget:
            config = {**(config or {}), "minutes": budget.minutes}
            epochs = folder.epochs_of(budget.minutes)
            if epochs:
                recipe = recipe.replace(epochs=epochs)
            else:
                recipe, pace = _fitted(budget, model, recipe, given, folder)
        training = _Training(model, recipe, *given).paced(budget, pace)
        folder.claim(training.config(config or {}), force=force)
        folder.keep_ledger(data)
        return training.run_in(folder, checkpoint_seconds, force=force)


def plan(
    model: Any,
    data: Dataset | Split,
    recipe: Recipe,
    *,
    minutes: Any = None,
    validation: Split | None = None,
) -> Plan:
    """Takes a few steps, puts back what they changed, and says what a run will take.

    Args:
        model: as for `fit`.
        data: as for `fit`.
        recipe: as for `fit`.
        minutes: as for `fit`; then the plan is that of the epochs that fit.
        validation: as for `fit`.
    """
    budget = None if minutes is None else Budget.of(minutes)
    pace = measure(model, data, recipe, validation)
    if budget:
        recipe = recipe.replace(epochs=budget.epochs(pace, recipe.epochs))
    return make_plan(model, recipe, pace)


def measure(model: Any, data: Dataset | Split, recipe: Recipe, validation: Split | None) -> Pace:
    """Takes a few steps, puts back what they changed, and says how fast a run will go.

    Args:
        model: as for `fit`, as all that follow.
        data: a `Dataset`, or the training `Split`.
        recipe: how to train.
        validation: what is looked at after each epoch.
    """
    train, validation = _checked(model, data, recipe, validation)
    training = _Training(model, recipe, train, validation, [], 0)
    with tempfile.TemporaryDirectory() as folder:
        return training.pace(Path(folder))


def _fitted(
    budget: Budget, model: Any, recipe: Recipe, given: tuple[Any, ...], folder: RunFolder | None
) -> tuple[Recipe, Pace]:
    """The recipe with as many epochs as the budget has time for, and what that was told by."""
    training = _Training(model, recipe, *given)
    announce(training.verbose, f"Timing a few steps, to fit the epochs to {budget.shown}")
    pace = training.pace(folder.path if folder else None)
    try:
        return recipe.replace(epochs=budget.epochs(pace, recipe.epochs)), pace
    except ArgumentError:
        if folder:
            folder.give_up()
        raise


def _checked(model: Any, data: Any, recipe: Recipe, validation: Any) -> tuple[Split, Split | None]:
    """What to train on and what to look at, fit for model and recipe."""
    train, validation = splits(data, validation)
    check_model(model, train)
    if recipe.patience is not None and validation is None:
        raise ArgumentError("`patience` needs validation images to judge by.")
    return train, validation


def splits(data: Any, validation: Any) -> tuple[Split, Split | None]:
    """The images to train on and those to validate by, checked."""
    if isinstance(data, Dataset):
        train = data.train
        validation = data.validation if validation is None else validation
    else:
        train = data
    for name, split in (("data", train), ("validation", validation)):
        if split is not None and not isinstance(split, Split):
            raise ArgumentTypeError(
                f"`{name}` must be a Dataset or a Split. {checks.received(name, split)}"
            )
    if len(train) == 0:
        raise ArgumentError("`data` must hold at least one image to train on. Received: none.")
    return train, validation if validation is not None and len(validation) else None


def check_model(model: Any, train: Split) -> None:
    """Sees to it that a model takes the images and tells as many classes apart."""
    wanted, given = tuple(model.input_shape[1:]), train.image_shape
    fits = len(wanted) == 3 and all(
        side in (None, size) for side, size in zip(wanted, given, strict=True)
    )
    if not fits:
        raise ArgumentError(
            f"The model takes images of the shape {wanted}, but the data has {given}."
        )
    classes = max(2, model.output_shape[-1])
    if classes != train.num_classes:
        raise ArgumentError(
            f"The model tells {classes} classes apart, but the data has {train.num_classes}."
        )


class _Training:
    """One call of `fit`, its arguments checked."""

    def __init__(
        self,
        model: Any,
        recipe: Recipe,
        train: Split,
        validation: Split | None,
        callbacks: list[Any],
        verbose: Any,
    ) -> None:
        import keras

        self.model = model
        self.train = train
        self.validation = validation
        self.recipe = recipe
        self.callbacks = callbacks
        self.verbose = verbose
        self.steps = flow.steps_per_epoch(train, recipe.batch_size)
        self.history = keras.callbacks.History()
        self.history.recipe = recipe
        self.disk: int | None = None
        self.pacing: Pacing | None = None
        self.faults = flow.Faults()
        self.class_weight = class_weights(recipe.class_weight, train)
        keras.utils.set_random_seed(recipe.seed)
        if not compiled_by_user(model):
            compile_model(model, recipe, self.steps)
        self._make_variables()

    def config(self, more: dict[str, Any]) -> dict[str, Any]:
        return run_config(
            self.model, self.recipe, self.train, self.validation, self.callbacks, more
        )

    def paced(self, budget: Budget | None, pace: Pace | None) -> _Training:
        """The same, kept to a budget that it was fitted to just now."""
        if budget and pace:
            self.pacing = Pacing(
                budget, pace, self.recipe.epochs, take_checkpoint, self.callbacks, self.history
            )
        return self

    def pace(self, folder: Path | None) -> Pace:
        """How fast it would go; model and optimiser stay as they are."""
        with _naming_lack_of_memory(self.recipe, self.train):
            return measure_pace(self.model, self.train, self.validation, self.recipe, folder)

    def run(self) -> Any:
        """Trains, and keeps nothing."""
        self._fit(TrainingState(), [], lambda: None)
        return self.history

    def run_in(self, folder: RunFolder, checkpoint_seconds: float, *, force: bool) -> Any:
        """Trains from the folder's last checkpoint on, even of a run that is over if forced."""
        self.disk = needed = folder.checkpoints.size_of(self.model)
        checkpoint = folder.checkpoints.load(self.model) or self._begin(folder, needed)
        state = checkpoint.state
        if force:
            state = dataclasses.replace(state, finished=False, stopped=False)
        if state.finished or not state.begun:
            checkpoint.put_into(self.model)
        if state.finished:
            self._remember(state)
            return self.history

        def restore() -> None:
            # At the beginning callbacks have the last word: of what they do to model and optimiser
            # in `on_train_begin` a checkpoint from before knows nothing.
            if state.begun:
                self._go_back(dataclasses.replace(checkpoint, state=state))

        if self.pacing:
            self.pacing.keep = folder.checkpoints.save
        with timed(folder.path), stop_signals() as stop:
            saving = Saving(
                folder,
                self.callbacks,
                self.history,
                steps=self.steps,
                seconds=checkpoint_seconds,
                stop=stop,
            )
            self._fit(state, [saving.callback()], restore)
            saving.save_end(self.model)
            if stop:
                stop.obey("Stopped after the last epoch. The same call goes on from there.")
        return self.history

    def _begin(self, folder: RunFolder, needed: int) -> Checkpoint:
        """A first checkpoint: a run that is killed at once begins with the same weights again."""
        folder.check_space(needed)
        return folder.checkpoints.save(self.model, TrainingState())

    def _make_variables(self) -> None:
        """Makes the variables of optimiser and metrics, which Keras does in the first step.

        Checkpoints need them before it. And TensorFlow traces a step that makes none once, not
        twice.
        """
        self.model.optimizer.build(self.model.trainable_variables)
        labels: Any = np.zeros(1, np.int64)
        if wants_one_hot(self.model):
            labels = np.eye(self.train.num_classes, dtype=np.float32)[labels]
        outputs = np.zeros((1, self.model.output_shape[-1]), np.float32)
        self.model.compute_metrics(x=None, y=labels, y_pred=outputs)
        self.model.reset_metrics()

    def _go_back(self, checkpoint: Checkpoint) -> None:
        """Takes model, optimiser, callbacks and history back to a checkpoint."""
        checkpoint.put_into(self.model)
        set_states(self.callbacks, checkpoint.state.callbacks)
        self.model.stop_training = checkpoint.state.stopped
        self._remember(checkpoint.state)

    def _remember(self, state: TrainingState) -> None:
        self.history.set_model(self.model)
        self.history.history = {name: list(values) for name, values in state.history.items()}
        self.history.epoch = list(range(state.epoch))
        self.model.history = self.history

    def _fit(self, state: TrainingState, savers: list[Any], restore: Callable[[], None]) -> None:
        size_at = progressive_sizes(self.recipe, self.train.image_shape, self.steps)
        pacing = self.pacing
        kept = self._begin_reading()
        callbacks = [
            *self._statistics(),
            *self.callbacks,
            _make_finite_check(),
            *self._progress(size_at, kept),
            self.history,
            *savers,
            *([pacing.callback()] if pacing else []),
        ]
        with (
            fused_batch_norm(self.model),
            small_map_gradients(self.model),
            any_input_size(self.model) if size_at else contextlib.nullcontext(),
            _naming_lack_of_memory(self.recipe, self.train),
            self.faults.raised(),
            no_retracing_advice(),
        ):
            self._fit_from(state, callbacks, restore, size_at)
            while pacing and (jump := pacing.take()):
                announce(self.verbose, pacing.note(jump))
                restore = functools.partial(self._go_back, jump)
                self._fit_from(jump.state, callbacks, restore, size_at, goes_on=True)

    def _fit_from(
        self,
        state: TrainingState,
        callbacks: list[Any],
        restore: Callable[[], None],
        size_at: Callable[[int], tuple[int, int]] | None,
        *,
        goes_on: bool = False,
    ) -> None:
        """`keras.Model.fit` from a state to the end, or to where `pacing` jumps."""
        model, recipe, pacing = self.model, self.recipe, self.pacing
        one_hot = wants_one_hot(model)
        callback_list = make_callback_list(
            callbacks,
            model,
            epoch=state.epoch,
            step=state.step,
            restore=restore,
            epochs=recipe.epochs,
            steps=self.steps,
            goes_on=goes_on,
            will_go_on=lambda: pacing is not None and pacing.jump is not None,
        )
        with passing_over(model, state.step):
            model.fit(
                self._flow(
                    # One epoch at least: before a run that is over, too, Keras looks at a batch.
                    range(state.epoch, max(recipe.epochs, state.epoch + 1)),
                    first_step=state.step,
                    one_hot=one_hot,
                    size_at=size_at,
                ),
                epochs=state.epoch if state.stopped and not state.step else recipe.epochs,
                initial_epoch=state.epoch,
                steps_per_epoch=self.steps,
                validation_data=self._validation_flow(one_hot),
                callbacks=callback_list,
                class_weight=self.class_weight,  # Keras leaves validation alone
                shuffle=False,  # the flow has its own order
                verbose=0,
            )

    def _flow(self, epochs: range, **settings: Any) -> Any:
        """The batches of training images; the settings are those of `flow.shuffled`."""
        return flow.shuffled(
            self.train,
            batch_size=self.recipe.batch_size,
            seed=self.recipe.seed,
            epochs=epochs,
            augmentation=self.recipe.augmentation,
            sampling=self.recipe.sampling,
            faults=self.faults,
            **settings,
        )

    def _statistics(self) -> list[Any]:
        """Computes batch normalisation before callbacks and checkpoints see the last step."""
        if not self.recipe.precise_batch_norm:
            return []
        from imgclf.training.speed.precise_batch_norm import NUM_IMAGES, PreciseBatchNorm

        epochs = self.recipe.epochs

        def batches() -> Any:
            """Of an epoch that follows the last one, at full size."""
            epoch = self._flow(range(epochs, epochs + 1), one_hot=False)
            return epoch.take(-(-NUM_IMAGES // self.recipe.batch_size))

        return [PreciseBatchNorm(epochs, self.steps, batches)]

    def _validation_flow(self, one_hot: bool) -> Any:
        if self.validation is None:
            return None
        batch_size = max(self.recipe.batch_size, inference_batch_size(self.train.image_shape))
        return flow.ordered(
            self.validation, batch_size=batch_size, one_hot=one_hot, faults=self.faults
        )

    def _begin_reading(self) -> str:
        """Where images from files are kept once they are decoded; "" if nowhere."""
        kept = [
            split.images.begin_training()
            for split in (self.validation, self.train)
            if split is not None and isinstance(split.images, ImageFiles)
        ]
        return kept[-1] if kept else ""

    def _progress(self, size_at: Callable[[int], tuple[int, int]] | None, kept: str) -> list[Any]:
        recipe = self.recipe
        work = Work(recipe.epochs, self.steps, recipe.batch_size, size_at)
        note = (
            f"{recipe.epochs} × {self.steps} steps of {recipe.batch_size} images, "
            + precision_note(self.model, recipe.precision)
        )
        compensated = recipe.class_weight is not None or recipe.sampling is not None
        notes = [note, kept, imbalance_note(self.train, compensated=compensated)]
        return make_progress(self.verbose, work, "\n".join(filter(None, notes)), self.disk)


@contextlib.contextmanager
def _naming_lack_of_memory(recipe: Recipe, train: Split) -> Iterator[None]:
    import tensorflow as tf

    try:
        yield
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        height, width, channels = train.image_shape
        raise OutOfMemoryError(
            f"Memory ran out with batch_size={recipe.batch_size} and images of "
            f"{height}×{width}×{channels}. Nothing was changed; the last checkpoint stays. Try "
            f"batch_size={max(1, recipe.batch_size // 2)} (in a run folder of its own, since that "
            "is another training), or smaller images."
        ) from error


def _patience(patience: int) -> Any:
    import keras

    return keras.callbacks.EarlyStopping(
        "val_accuracy", mode="max", patience=patience, restore_best_weights=True
    )


def _make_finite_check() -> Any:
    import keras

    class FiniteCheck(keras.callbacks.Callback):
        """Ends the run at the first loss that is not finite, before it can count as a best one."""

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            self.epoch = epoch

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            loss = (logs or {}).get("loss", 0.0)
            if not math.isfinite(loss):
                rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
                raise NotFiniteError(
                    f"The loss became {loss} in epoch {self.epoch + 1}, step {batch + 1}, at a "
                    f"learning rate of {rate:.3g}. Try a learning rate ten times smaller, a longer "
                    "warmup, or precision='float32'."
                )

    return FiniteCheck()
