"""Saving a run: after each epoch, within long ones, and when it is asked to end."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from imgclf.training.loop.callback_state import states
from imgclf.training.loop.checkpoint import TrainingState
from imgclf.training.loop.run_folder import RunFolder
from imgclf.training.loop.stop_signals import StopRequest

__all__ = ["Saving", "TrainingPaused"]


class TrainingPaused(Exception):  # noqa: N818  # no error: what was asked for
    """A training was saved and ended at a batch, since a callback has set its `pause` to True."""


@dataclasses.dataclass(eq=False)
class Saving:
    """When and what a run saves.

    Args:
        folder: where to.
        callbacks: whose states are kept.
        history: the `keras.callbacks.History` of the run.
        steps: batches in an epoch.
        seconds: between two checkpoints within an epoch.
        stop: looked at after each batch.
    """

    folder: RunFolder
    callbacks: Sequence[Any]
    history: Any
    steps: int
    seconds: float
    stop: StopRequest

    def __post_init__(self) -> None:
        self.epoch = self.step = 0
        self.metrics: Sequence[np.ndarray] = ()
        self.last = time.monotonic()

    def callback(self) -> Any:
        """A Keras callback, to come after all others, so that it saves what they have done."""
        import keras

        saving = self

        class Saver(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
                saving.epoch = epoch

            def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
                saving.after_batch(self.model, batch + 1)

            def on_test_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
                if saving.stop:
                    saving.save_and_end(self.model)

            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
                saving.after_epoch(self.model, epoch + 1)

        return Saver()

    def after_batch(self, model: Any, step: int) -> None:
        """Saves if it is time, or if the run was asked to end."""
        self.step = step
        due = step < self.steps and time.monotonic() - self.last >= self.seconds
        pause = any(getattr(callback, "pause", False) for callback in self.callbacks)
        if due or self.stop or pause or step == self.steps:
            # Of the last batch too, since the validation that follows uses the same variables.
            self.metrics = [np.asarray(variable) for variable in model.metrics_variables]
        if self.stop:
            self.save_and_end(model)
        if due or pause:
            self._save(model, self.epoch, self.step, self.metrics)
        if pause:
            raise TrainingPaused

    def after_epoch(self, model: Any, epochs: int) -> None:
        """Saves, and writes the log."""
        self._save(model, epochs)
        self.folder.write_log(self.history.history)
        if self.stop:
            self.stop.obey(f"Stopped after epoch {epochs}. The same call goes on from there.")

    def save_and_end(self, model: Any) -> None:
        """What the first signal asks for."""
        self._save(model, self.epoch, self.step, self.metrics)
        self.stop.obey(
            f"Stopped in epoch {self.epoch + 1}, after step {self.step} of {self.steps}. "
            "The same call goes on from there."
        )

    def save_end(self, model: Any) -> None:
        """Once more, when callbacks have gone back to the best weights; and the image."""
        self._save(model, len(self.history.epoch), finished=True)
        # The log too: a run may have been killed between its last checkpoint and its log.
        self.folder.write_log(self.history.history)
        self.folder.write_curves(self.history.history)

    def _save(
        self,
        model: Any,
        epoch: int,
        step: int = 0,
        metrics: Sequence[np.ndarray] = (),
        *,
        finished: bool = False,
    ) -> None:
        state = TrainingState(
            epoch=epoch,
            step=step,
            history=self.history.history,
            metrics=metrics,
            callbacks=states(self.callbacks),
            stopped=bool(model.stop_training),
            finished=finished,
        )
        self.folder.checkpoints.save(model, state)
        self.last = time.monotonic()
