"""`Training`: one call of `fit` whose arguments are checked, from its first step to its last."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imgclf.backend.random_state import seeded
from imgclf.data.decoding.image_batches import inference_batch_size
from imgclf.data.image_files import ImageFiles
from imgclf.data.split import Split
from imgclf.errors import OutOfMemoryError
from imgclf.formatting import is_terminal
from imgclf.training.budget.pace import Pace
from imgclf.training.budget.pacing import Pacing
from imgclf.training.loop import batches as flow
from imgclf.training.loop.callback_state import set_states
from imgclf.training.loop.checkpoint import Checkpoint, TrainingState, take_checkpoint
from imgclf.training.loop.options import FitOptions, TrainingData
from imgclf.training.loop.progress import Work, announce
from imgclf.training.loop.resume import passing_over
from imgclf.training.loop.run_config import run_config
from imgclf.training.loop.run_folder import RunFolder
from imgclf.training.loop.run_time import timed
from imgclf.training.loop.stop_signals import position, stop_signals
from imgclf.training.loop.timing import measure_pace
from imgclf.training.recipe.class_weight import class_weights, imbalance_note
from imgclf.training.recipe.compile import (
    compile_model,
    compiled_by_user,
    optimizer_for,
    scalable_rate,
    wants_one_hot,
)
from imgclf.training.recipe.rate_callbacks import may_set_rate
from imgclf.training.recipe.recipe import Recipe
from imgclf.training.speed.fused_norm import fused_batch_norm
from imgclf.training.speed.precision import precision_note
from imgclf.training.speed.progressive_size import any_input_size, progressive_sizes
from imgclf.training.speed.retracing import no_retracing_advice
from imgclf.training.speed.small_maps import small_map_gradients
from imgclf.typing import KerasCallback, KerasHistory, KerasModel

if TYPE_CHECKING:
    from imgclf.training.loop.callbacks import EpochLines, LiveProgress, Pacer
    from imgclf.training.recipe.scalable_rate import ScalableRate

__all__ = ["Training"]


class Training:
    """A training that is ready to run. Until `run`, model and folder are as they were.

    Args:
        model: a `keras.Model` that fits the data.
        data: the images.
        recipe: how to train, with the epochs that are trained.
        options: how the run is kept and shown.
        pace: what the epochs were fitted to the budget by; None if they were not, or earlier.
        folder: of the run, locked; None keeps nothing.
    """

    def __init__(
        self,
        model: KerasModel,
        data: TrainingData,
        recipe: Recipe,
        options: FitOptions,
        *,
        pace: Pace | None = None,
        folder: RunFolder | None = None,
    ) -> None:
        import keras

        self.model, self.data, self.recipe, self.options = model, data, recipe, options
        self.pace, self.folder = pace, folder
        self.callbacks: list[KerasCallback] = [*_patience(recipe), *options.callbacks]
        self.steps = flow.steps_per_epoch(data.train, recipe.batch_size)
        self.class_weight = class_weights(recipe.class_weight, data.train)
        self.history = keras.callbacks.History()
        self.history.recipe = recipe
        self.faults = flow.Faults()
        self.checkpoint: Checkpoint | None = None
        own = compiled_by_user(model)
        self.optimizer = model.optimizer if own else optimizer_for(model, recipe, self.steps)
        self.optimizer.build(model.trainable_variables)
        self.rate: ScalableRate | None = None
        if not own and may_set_rate(self.callbacks):
            self.rate = scalable_rate(self.optimizer, recipe, self.steps)
        # Whose states a checkpoint keeps.
        self.resumed: list[Any] = [*self.callbacks, *([self.rate] if self.rate else [])]

    def config(self) -> dict[str, Any]:
        """What identifies this run."""
        return run_config(self.model, self.data, self.recipe, self.callbacks, self.options)

    def check_folder(self, folder: RunFolder) -> None:
        """Checks that the folder is free, or that this run can be resumed from it.

        Raises:
            RunFolderError: if it holds another run, no checkpoint that is whole, or too little
                space is left.
        """
        folder.check(self.config(), self.data, force=self.options.force)
        self.checkpoint = folder.checkpoints.load(self.model, self.optimizer)
        if self.checkpoint is None:
            folder.check_space(self._checkpoint_bytes(folder))

    def measure(self, folder: Path | None) -> Pace:
        """Takes a few steps, puts back what they changed, and returns how long each takes."""
        data = self.data
        with seeded(self.recipe.seed), _naming_lack_of_memory(self.recipe, data.train):
            self._compile()
            return measure_pace(self.model, data.train, data.validation, self.recipe, folder)

    def run(self) -> KerasHistory:
        """Trains: from here on model and folder are changed.

        Returns:
            The history of all epochs, those of earlier sessions included. Its `recipe` is the one
            that was trained with, with the epochs of a longer run that it was forced to resume.
        """
        try:
            with seeded(self.recipe.seed):
                self._compile()
                if self.folder is None:
                    self._fit(TrainingState(), [], lambda: None)
                else:
                    self._run_in(self.folder)
        finally:
            if self.rate is not None:
                self.rate.release()
        return self.history

    def _run_in(self, folder: RunFolder) -> None:
        """Trains from the folder's last checkpoint; even beyond the end of a run, if forced."""
        from imgclf.training.loop.callbacks import Saver

        folder.begin(self.config(), self.data)
        # A first checkpoint: a run that is killed at once begins with the same weights again.
        checkpoint = self.checkpoint or folder.checkpoints.save(self.model, TrainingState())
        state = checkpoint.state
        if self.options.force:
            # With other data an epoch may have fewer steps than are over: it begins again.
            step = state.step if state.step < self.steps else 0
            state = dataclasses.replace(state, step=step, finished=False, stopped=False)
            epochs = max(self.recipe.epochs, state.epoch)
            self.history.recipe = self.recipe.replace(epochs=epochs)
        if state.finished or not state.begun:
            checkpoint.put_into(self.model)
        if state.finished:
            self._remember(state)
            return

        def restore() -> None:
            # At the beginning callbacks have the last word: of what they do to model and optimiser
            # in `on_train_begin` a checkpoint from before knows nothing.
            if state.begun:
                self._go_back(dataclasses.replace(checkpoint, state=state))

        with timed(folder.path), stop_signals() as stop:
            stop.saved(position(state.epoch, state.step, self.steps))
            saver = Saver(
                folder,
                self.resumed,
                self.history,
                steps=self.steps,
                seconds=self.options.checkpoint_seconds,
                stop=stop,
            )
            self._fit(state, [saver], restore)
            saver.save_end()
            if stop:
                stop.obey("Stopped after the last epoch. The same call resumes from there.")

    def _compile(self) -> None:
        """Compiles the model by the recipe, unless the user has done so, and makes all variables.

        Keras makes those of optimiser and metrics in the first step. Checkpoints need them before
        it. And TensorFlow traces a step that makes none once, not twice.
        """
        model = self.model
        if not compiled_by_user(model):
            compile_model(model, self.recipe, self.steps, self.optimizer)
        labels: Any = np.zeros(1, np.int64)
        if wants_one_hot(model):
            labels = np.eye(self.data.train.num_classes, dtype=np.float32)[labels]
        outputs = np.zeros((1, model.output_shape[-1]), np.float32)
        model.compute_metrics(x=None, y=labels, y_pred=outputs)
        model.reset_metrics()

    def _checkpoint_bytes(self, folder: RunFolder) -> int:
        return folder.checkpoints.size_of(self.model, self.optimizer)

    def _go_back(self, checkpoint: Checkpoint) -> None:
        """Restores model, optimiser, callbacks and history from a checkpoint."""
        checkpoint.put_into(self.model)
        set_states(self.resumed, checkpoint.state.callbacks)
        self.model.stop_training = checkpoint.state.stopped
        self._remember(checkpoint.state)

    def _remember(self, state: TrainingState) -> None:
        self.history.set_model(self.model)
        self.history.history = {name: list(values) for name, values in state.history.items()}
        self.history.epoch = list(range(state.epoch))
        self.model.history = self.history

    def _fit(
        self, state: TrainingState, savers: list[KerasCallback], restore: Callable[[], None]
    ) -> None:
        from imgclf.training.loop.callbacks import FiniteCheck

        size_at = progressive_sizes(self.recipe, self.data.train.image_shape, self.steps)
        pacer = self._pacer()
        kept = self._begin_reading()
        progress = self._progress(size_at, kept)
        callbacks = [
            *self._statistics(),
            *self.callbacks,
            FiniteCheck(),
            *progress,
            self.history,
            *savers,
            *([pacer] if pacer else []),
        ]
        with (
            fused_batch_norm(self.model),
            small_map_gradients(self.model),
            any_input_size(self.model) if size_at else contextlib.nullcontext(),
            _naming_lack_of_memory(self.recipe, self.data.train),
            self.faults.raised(),
            contextlib.ExitStack() as ends,
            no_retracing_advice(),
        ):
            for shown in progress:
                ends.callback(shown.close)
            self._fit_from(state, callbacks, restore, size_at, pacer)
            while pacer and (jump := pacer.take()):
                announce(
                    self.options.verbose,
                    f"Slower than it was at the start: continuing with epoch "
                    f"{jump.state.epoch + 1} of {self.recipe.epochs}, to end in time",
                )
                restore = functools.partial(self._go_back, jump)
                self._fit_from(jump.state, callbacks, restore, size_at, pacer, continues=True)

    def _fit_from(
        self,
        state: TrainingState,
        callbacks: list[KerasCallback],
        restore: Callable[[], None],
        size_at: Callable[[int], tuple[int, int]] | None,
        pacer: Pacer | None,
        *,
        continues: bool = False,
    ) -> None:
        """`keras.Model.fit` from a state to the end, or to where `pacer` jumps."""
        from imgclf.training.loop.callbacks import ResumedCallbackList

        model, recipe = self.model, self.recipe
        one_hot = wants_one_hot(model)
        callback_list = ResumedCallbackList(
            callbacks,
            model,
            state,
            restore,
            epochs=recipe.epochs,
            steps=self.steps,
            continues=continues,
            will_continue=lambda: pacer is not None and pacer.jump is not None,
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
            self.data.train,
            batch_size=self.recipe.batch_size,
            seed=self.recipe.seed,
            epochs=epochs,
            augmentation=self.recipe.augmentation,
            sampling=self.recipe.sampling,
            faults=self.faults,
            **settings,
        )

    def _validation_flow(self, one_hot: bool) -> Any:
        data = self.data
        if data.validation is None:
            return None
        batch_size = max(self.recipe.batch_size, inference_batch_size(data.train.image_shape))
        return flow.ordered(
            data.validation, batch_size=batch_size, one_hot=one_hot, faults=self.faults
        )

    def _statistics(self) -> list[KerasCallback]:
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

    def _pacer(self) -> Pacer | None:
        """Keeps the run to a budget that it was fitted to just now."""
        from imgclf.training.loop.callbacks import Pacer

        if self.options.budget is None or self.pace is None:
            return None
        pacing = Pacing(self.options.budget, self.pace, self.recipe.epochs)
        keep = take_checkpoint if self.folder is None else self.folder.checkpoints.save
        return Pacer(pacing, keep, self.resumed, self.history)

    def _begin_reading(self) -> str:
        """Where images from files are kept once they are decoded; "" if nowhere."""
        kept = [
            split.images.begin_training()
            for split in (self.data.validation, self.data.train)
            if split is not None and isinstance(split.images, ImageFiles)
        ]
        return kept[-1] if kept else ""

    def _progress(
        self, size_at: Callable[[int], tuple[int, int]] | None, kept: str
    ) -> list[EpochLines | LiveProgress]:
        from imgclf.training.loop.callbacks import EpochLines, LiveProgress

        recipe, verbose = self.recipe, self.options.verbose
        if verbose == 0:
            return []
        note = (
            f"{recipe.epochs} × {self.steps} steps of {recipe.batch_size} images, "
            + precision_note(self.model, recipe.precision)
        )
        compensated = recipe.class_weight is not None or recipe.sampling is not None
        imbalance = imbalance_note(self.data.train, compensated=compensated)
        notes = [note, kept, imbalance, self.data.overlap_note()]
        shown = LiveProgress if verbose != 2 and is_terminal(sys.stderr) else EpochLines
        work = Work(recipe.epochs, self.steps, recipe.batch_size, size_at)
        disk = None if self.folder is None else self._checkpoint_bytes(self.folder)
        text = "\n".join(filter(None, notes))
        return [shown(work, text, disk, every_epoch=verbose == 2)]


def _patience(recipe: Recipe) -> list[KerasCallback]:
    import keras

    if recipe.patience is None:
        return []
    return [
        keras.callbacks.EarlyStopping(
            "val_accuracy", mode="max", patience=recipe.patience, restore_best_weights=True
        )
    ]


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
