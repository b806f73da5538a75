"""The Keras callbacks of a trial. Importing this module loads Keras."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import keras

from imgclf.search.engine.early_stopping import should_stop
from imgclf.search.engine.job import Job
from imgclf.training.loop.stop_signals import TrainingPaused

__all__ = ["Watch", "keep_best_weights"]


class Watch(keras.callbacks.Callback):
    """Ends a training when the time is over or by early stopping, and records its curve.

    The run folder of each trial stores the name of this class, so renaming it would end the
    resuming of trials.

    Args:
        job: has the thresholds of early stopping.
        num_validation: number of validation images.
        started: start of the trial, by `time.monotonic`.
        deadline: end of the search, by `time.monotonic`; None if there is none.
        resumable: whether the training saves itself when it is paused.
        on_epoch: called with the number of each epoch, from 1, when it begins.
    """

    def __init__(
        self,
        job: Job,
        num_validation: int,
        *,
        started: float,
        deadline: float | None,
        resumable: bool,
        on_epoch: Callable[[int], None] | None = None,
    ) -> None:
        super().__init__()
        self.job = job
        self.num_validation = num_validation
        self.started = started
        self.deadline = deadline
        self.resumable = resumable
        self.on_epoch = on_epoch
        self.timed_out = False
        self.pause = False  # asks `fit` to save and to raise TrainingPaused
        self.curve: list[float] = []
        self.seconds_before = 0.0  # in earlier processes

    def seconds(self) -> float:
        """Returns the time of the trial, that in earlier processes included."""
        return self.seconds_before + time.monotonic() - self.started

    def get_state(self) -> dict[str, Any]:
        """Returns what a checkpoint stores."""
        return {"curve": list(self.curve), "seconds": self.seconds()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Takes over what a checkpoint stored."""
        self.curve, self.seconds_before = list(state["curve"]), state["seconds"]

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Tells how far the training is."""
        if self.on_epoch is not None:
            self.on_epoch(epoch + 1)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Pauses the training when the time is over."""
        if self.deadline is not None and time.monotonic() >= self.deadline:
            self.timed_out = self.pause = True
            if not self.resumable:
                raise TrainingPaused

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Records the validation accuracy, and stops the training if it is too low."""
        self.curve.append(float((logs or {}).get("val_accuracy", 0.0)))
        if should_stop(self.curve, self.job.stopping_thresholds, self.num_validation):
            self.model.stop_training = True


def keep_best_weights(epochs: int) -> keras.callbacks.EarlyStopping:
    """Returns a callback that restores the weights of the best epoch, and never stops early.

    Args:
        epochs: of the training.
    """
    return keras.callbacks.EarlyStopping(
        "val_accuracy", mode="max", patience=epochs, restore_best_weights=True
    )
