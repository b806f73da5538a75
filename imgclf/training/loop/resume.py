"""Going on in the middle of `keras.Model.fit`, so that callbacks and metrics notice nothing.

Keras can begin at a later epoch, but not within one. So `fit` begins at the epoch, and the batches
that are over already are passed over: they take no data, change nothing, and no callback hears of
them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from imgclf.backend.keras_internals import replaced_train_function

__all__ = ["make_callback_list", "passing_over"]


def make_callback_list(
    callbacks: Sequence[Any],
    model: Any,
    *,
    epoch: int,
    step: int,
    restore: Callable[[], None],
    epochs: int,
    steps: int,
    goes_on: bool = False,
    will_go_on: Callable[[], bool] = lambda: False,
) -> Any:
    """A `keras.callbacks.CallbackList` for a run that goes on at (epoch, step).

    Args:
        callbacks: in the order in which they are called.
        model: what is trained.
        epoch: where the run goes on, counted from 0.
        step: batches of that epoch that are over.
        restore: called once, when Keras and the callbacks have prepared themselves and nothing
            would overwrite what is restored.
        epochs: of the whole run.
        steps: batches in an epoch.
        goes_on: whether this is the same training taken up again at once: then the callbacks do not
            hear of a beginning.
        will_go_on: asked at the end: whether it will be; then they do not hear of an end.
    """

    class FromTheMiddle(_unbroken_list(goes_on, will_go_on)):  # type: ignore[misc]
        def on_train_begin(self, logs: Any = None) -> None:
            super().on_train_begin(logs)
            if not step:
                restore()

        def on_epoch_begin(self, epoch_now: int, logs: Any = None) -> None:
            super().on_epoch_begin(epoch_now, logs)
            self.over = step if epoch_now == epoch else 0
            if self.over:
                restore()

        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            if batch >= self.over:
                super().on_train_batch_begin(batch, logs)

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if batch >= self.over:
                super().on_train_batch_end(batch, logs)

    return FromTheMiddle(list(callbacks), model=model, epochs=epochs, steps=steps, verbose=0)


def _unbroken_list(goes_on: bool, will_go_on: Callable[[], bool]) -> Any:
    """A kind of `CallbackList` whose callbacks do not notice where a training is taken up again."""
    import keras

    class Unbroken(keras.callbacks.CallbackList):
        callbacks: list[Any]

        def on_train_begin(self, logs: Any = None) -> None:
            with self.heard_by_none(goes_on):
                super().on_train_begin(logs)

        def on_train_end(self, logs: Any = None) -> None:
            with self.heard_by_none(will_go_on()):
                super().on_train_end(logs)

        @contextlib.contextmanager
        def heard_by_none(self, silent: bool) -> Iterator[None]:
            kept = self.callbacks
            self.callbacks = [] if silent else kept
            try:
                yield
            finally:
                self.callbacks = kept

    return Unbroken


@contextlib.contextmanager
def passing_over(model: Any, steps: int) -> Iterator[None]:
    """Within it, the first steps of `model.fit` do nothing.

    Args:
        model: a compiled `keras.Model`.
        steps: how many; a multiple of the model's `steps_per_execution`.
    """
    if not steps:
        yield
        return
    left = steps // model.steps_per_execution

    def passing(train: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def pass_over(iterator: Any) -> Any:  # noqa: ARG001
            nonlocal left
            left -= 1
            if not left:
                model.train_function = train
            # Keras takes the epoch's metrics from the last one, if no batch follows.
            last = not left or model.stop_training
            return model.get_metrics_result() if last else {}

        return pass_over

    with replaced_train_function(model, passing):
        yield
