"""A Keras callback that records the test accuracy over time during any `fit`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from recorder import Recorder


class Curve(keras.callbacks.Callback):
    """Evaluates the model on the test images after each epoch, with the clock stopped.

    Args:
        recorder: of the run.
        evaluate: () → test accuracy of the model with its present weights.
    """

    def __init__(self, recorder: Recorder, evaluate: Callable[[], float]) -> None:
        super().__init__()
        self.recorder = recorder
        self.evaluate = evaluate
        self.steps = 0
        self.steps_of_first_call = 0
        self._before = 0  # steps of completed epochs

    def images(self, batch_size: int, num_images: int) -> int:
        """Training images seen after the first call.

        Args:
            batch_size: images in a step.
            num_images: of all epochs, since the last batch of an epoch may be short.
        """
        return min(self.steps * batch_size, num_images) - self.steps_of_first_call * batch_size

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Records the time of the first step."""
        self.steps = self._before + batch + 1
        self.steps_of_first_call = self.steps_of_first_call or self.steps
        self.recorder.step()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Records a point of the curve."""
        self._before = self.steps
        with self.recorder.evaluating():
            accuracy = self.evaluate()
        self.recorder.point(accuracy)


class SearchCurve(keras.callbacks.Callback):
    """The curve of a search: the test accuracy of the best network so far.

    The best network is that with the lowest validation loss; a training without validation images
    (the last one of AutoKeras, on all images) counts when it ends. The search ends when its time
    is up.

    Args:
        recorder: of the run.
        evaluate: (model) → test accuracy.
        time_limit: in seconds since the start of the process, without evaluations.
    """

    def __init__(
        self, recorder: Recorder, evaluate: Callable[[keras.Model], float], time_limit: float
    ) -> None:
        super().__init__()
        self.recorder = recorder
        self.evaluate = evaluate
        self.time_limit = time_limit
        self.best: float | None = None
        self.validated = False

    def __deepcopy__(self, memo: Any) -> SearchCurve:
        return self  # tuners copy callbacks for each trial, but there is one curve

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Ends the search when time is up."""
        from keras_tuner.errors import FatalError

        self.recorder.step()
        if self.recorder.seconds > self.time_limit:
            if self.best is None:  # no epoch has been completed
                self._record()
            raise FatalError("time is up")  # other errors end only the trial

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Records a point if this network is the best so far."""
        loss = (logs or {}).get("val_loss")
        self.validated = loss is not None
        if loss is not None and (self.best is None or loss < self.best):
            self.best = loss
            self._record()

    def on_train_end(self, logs: Any = None) -> None:  # noqa: ARG002
        """Records a point for a training without validation."""
        if not self.validated:
            self._record()

    def _record(self) -> None:
        with self.recorder.evaluating():
            accuracy = self.evaluate(self.model)
        self.recorder.point(accuracy)
