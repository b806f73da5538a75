"""`fit`: trains a Keras model on a data set by a recipe, with resume; all by `keras.Model.fit`."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from imgclf import checks
from imgclf.data.dataset import Dataset
from imgclf.data.split import Split
from imgclf.errors import ArgumentError, ArgumentTypeError, NotFiniteError, OutOfMemoryError
from imgclf.training import flow
from imgclf.training.callback_state import check_callbacks, set_states
from imgclf.training.checkpoint import Checkpoint, TrainingState
from imgclf.training.compile import compile_model, compiled_by_user, wants_one_hot
from imgclf.training.early_size import any_input_size, early_sizes
from imgclf.training.fused_norm import fused_batch_norm
from imgclf.training.precision import precision_note
from imgclf.training.progress import Plan, make_progress
from imgclf.training.recipe import Recipe
from imgclf.training.resume import make_callback_list, passing_over
from imgclf.training.run_config import run_config
from imgclf.training.run_folder import RunFolder
from imgclf.training.saving import Saving
from imgclf.training.stop_signals import stop_signals

__all__ = ["check_model", "fit", "splits"]


def fit(
    model: Any,
    data: Dataset | Split,
    recipe: Recipe,
    *,
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
        The `keras.callbacks.History` of all epochs, earlier ones of a resumed run included.

    Raises:
        NotFiniteError: if the loss becomes infinite or NaN. The last checkpoint stays.
        OutOfMemoryError: if a batch does not fit into memory. The last checkpoint stays.
        RunFolderError: if the folder holds another run, is in use, or cannot be written to.
        ArgumentError: if the model does not fit the data.
    """
    checks.one_of("verbose", verbose, ["auto", 0, 1, 2])
    checks.one_of("resume", resume, ["auto", "force"])
    checks.number("checkpoint_seconds", checkpoint_seconds, low=0)
    train, validation = splits(data, validation)
    check_model(model, train)
    if recipe.patience is not None:
        if validation is None:
            raise ArgumentError("`patience` needs validation pictures to judge by.")
        callbacks = [_patience(recipe.patience), *callbacks]
    training = _Training(model, train, validation, recipe, list(callbacks), verbose)
    if run_dir is None:
        return training.run()
    check_callbacks(callbacks)
    folder = RunFolder(run_dir)
    force = resume == "force"
    with folder.lock():
        folder.claim(training.config(config or {}), force=force)
        return training.run_in(folder, checkpoint_seconds, force=force)


def splits(data: Any, validation: Any) -> tuple[Split, Split | None]:
    """The pictures to train on and those to validate by, checked."""
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
        raise ArgumentError("`data` must hold at least one picture to train on. Received: none.")
    return train, validation if validation is not None and len(validation) else None


def check_model(model: Any, train: Split) -> None:
    """Sees to it that a model takes the pictures and tells as many classes apart."""
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
        train: Split,
        validation: Split | None,
        recipe: Recipe,
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
        keras.utils.set_random_seed(recipe.seed)
        if not compiled_by_user(model):
            compile_model(model, recipe, self.steps)

    def config(self, more: dict[str, Any]) -> dict[str, Any]:
        return run_config(
            self.model, self.recipe, self.train, self.validation, self.callbacks, more
        )

    def run(self) -> Any:
        """Trains, and keeps nothing."""
        self._fit(TrainingState(), [], lambda: None)
        return self.history

    def run_in(self, folder: RunFolder, checkpoint_seconds: float, *, force: bool) -> Any:
        """Trains from the folder's last checkpoint on, even of a run that is over if forced."""
        self.model.optimizer.build(self.model.trainable_variables)
        checkpoint = folder.checkpoints.load(self.model) or self._begin(folder)
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
                checkpoint.put_into(self.model)
                set_states(self.callbacks, state.callbacks)
                self.model.stop_training = state.stopped
                self._remember(state)

        if state.step:
            self._build_metrics()
        with stop_signals() as stop:
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

    def _begin(self, folder: RunFolder) -> Checkpoint:
        """A first checkpoint: a run that is killed at once begins with the same weights again."""
        folder.check_space(folder.checkpoints.size_of(self.model))
        return folder.checkpoints.save(self.model, TrainingState())

    def _build_metrics(self) -> None:
        """Makes the variables of the metrics, which Keras does in the first step only."""
        labels: Any = np.zeros(1, np.int64)
        if wants_one_hot(self.model):
            labels = np.eye(self.train.num_classes, dtype=np.float32)[labels]
        outputs = np.zeros((1, self.model.output_shape[-1]), np.float32)
        self.model.compute_metrics(x=None, y=labels, y_pred=outputs)
        self.model.reset_metrics()

    def _remember(self, state: TrainingState) -> None:
        self.history.set_model(self.model)
        self.history.history = {name: list(values) for name, values in state.history.items()}
        self.history.epoch = list(range(state.epoch))
        self.model.history = self.history

    def _fit(self, state: TrainingState, savers: list[Any], restore: Callable[[], None]) -> None:
        model, recipe = self.model, self.recipe
        size_at = early_sizes(recipe, self.train.image_shape, self.steps)
        callbacks = make_callback_list(
            [
                *self.callbacks,
                _make_finite_check(),
                *self._progress(size_at),
                self.history,
                *savers,
            ],
            model,
            epoch=state.epoch,
            step=state.step,
            restore=restore,
            epochs=recipe.epochs,
            steps=self.steps,
        )
        one_hot = wants_one_hot(model)
        with (
            fused_batch_norm(model),
            any_input_size(model) if size_at else contextlib.nullcontext(),
            passing_over(model, state.step),
            _naming_lack_of_memory(recipe, self.train),
        ):
            model.fit(
                flow.shuffled(
                    self.train,
                    batch_size=recipe.batch_size,
                    seed=recipe.seed,
                    # One epoch at least: before a run that is over, too, Keras looks at a batch.
                    epochs=range(state.epoch, max(recipe.epochs, state.epoch + 1)),
                    first_step=state.step,
                    augmentation=recipe.augmentation,
                    one_hot=one_hot,
                    size_at=size_at,
                ),
                epochs=state.epoch if state.stopped and not state.step else recipe.epochs,
                initial_epoch=state.epoch,
                steps_per_epoch=self.steps,
                validation_data=self._validation_flow(one_hot),
                callbacks=callbacks,
                shuffle=False,  # the flow has its own order
                verbose=0,
            )

    def _validation_flow(self, one_hot: bool) -> Any:
        if self.validation is None:
            return None
        batch_size = max(256, self.recipe.batch_size)
        return flow.ordered(self.validation, batch_size=batch_size, one_hot=one_hot)

    def _progress(self, size_at: Callable[[int], tuple[int, int]] | None) -> list[Any]:
        recipe = self.recipe
        plan = Plan(recipe.epochs, self.steps, recipe.batch_size, size_at)
        note = (
            f"{recipe.epochs} × {self.steps} steps of {recipe.batch_size} pictures, "
            + precision_note(self.model, recipe.precision)
        )
        return make_progress(self.verbose, plan, note)


@contextlib.contextmanager
def _naming_lack_of_memory(recipe: Recipe, train: Split) -> Iterator[None]:
    import tensorflow as tf

    try:
        yield
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        height, width, channels = train.image_shape
        raise OutOfMemoryError(
            f"Memory ran out with batch_size={recipe.batch_size} and pictures of "
            f"{height}×{width}×{channels}. Nothing was changed; the last checkpoint stays. Try "
            f"batch_size={max(1, recipe.batch_size // 2)} (in a run folder of its own, since that "
            "is another training), or smaller pictures."
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
