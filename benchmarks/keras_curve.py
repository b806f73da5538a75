"""A Keras callback that draws the curve of test accuracy while any `fit` runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from recorder import Recorder


class Curve(keras.callbacks.Callback):
    """Judges the model on the test images after each epoch, off the clock.

    Args:
        recorder: of the run.
        judge: () → test accuracy of the model as it is now.
    """

    def __init__(self, recorder: Recorder, judge: Callable[[], float]) -> None:
        super().__init__()
        self.recorder = recorder
        self.judge = judge
        self.steps = 0
        self.steps_of_first_call = 0
        self._before = 0  # steps of the epochs that are over

    def images(self, batch_size: int, pixels: int) -> int:
        """Training images seen after the first call.

        Args:
            batch_size: images in a step.
            pixels: of all epochs, since the last batch of an epoch may be short.
        """
        return min(self.steps * batch_size, pixels) - self.steps_of_first_call * batch_size

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Keeps the time of the first step."""
        self.steps = self._before + batch + 1
        self.steps_of_first_call = self.steps_of_first_call or self.steps
        self.recorder.step()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Draws a point."""
        self._before = self.steps
        with self.recorder.evaluating():
            accuracy = self.judge()
        self.recorder.point(accuracy)


class SearchCurve(keras.callbacks.Callback):
    """The curve of a search: the test accuracy of the network that is the best so far.

    Which one is the best, validation decides; a training without validation images (the last one
    of AutoKeras, on all images) counts when it is over. The search is ended when time is up.

    Args:
        recorder: of the run.
        judge: (model) → test accuracy.
        time_limit: in seconds since the process started, evaluating taken out.
    """

    def __init__(
        self, recorder: Recorder, judge: Callable[[keras.Model], float], time_limit: float
    ) -> None:
        super().__init__()
        self.recorder = recorder
        self.judge = judge
        self.time_limit = time_limit
        self.best: float | None = None
        self.validated = False

    def __deepcopy__(self, memo: Any) -> SearchCurve:
        return self  # the tuners copy callbacks for each trial; the curve is one

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Ends the search when time is up."""
        from keras_tuner.errors import FatalError

        self.recorder.step()
        if self.recorder.seconds > self.time_limit:
            if self.best is None:  # not one epoch is over
                self._look()
            raise FatalError("time is up")  # other errors would only end the trial

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Draws a point if this network is the best so far."""
        loss = (logs or {}).get("val_loss")
        self.validated = loss is not None
        if loss is not None and (self.best is None or loss < self.best):
            self.best = loss
            self._look()

    def on_train_end(self, logs: Any = None) -> None:  # noqa: ARG002
        """Draws a point for a training without validation."""
        if not self.validated:
            self._look()

    def _look(self) -> None:
        with self.recorder.evaluating():
            accuracy = self.judge(self.model)
        self.recorder.point(accuracy)
