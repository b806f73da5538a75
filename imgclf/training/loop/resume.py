"""Passes over the first batches of `keras.Model.fit`.

Keras can begin at a later epoch, but not within one. So `fit` begins at the epoch, and the batches
that are over already are passed over: they take no data and change nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from imgclf.backend.keras_internals import replaced_train_function
from imgclf.typing import KerasModel

__all__ = ["passing_over"]


@contextlib.contextmanager
def passing_over(model: KerasModel, steps: int) -> Iterator[None]:
    """Within it, the first steps of `model.fit` do nothing.

    Args:
        model: a compiled `keras.Model`.
        steps: how many; a multiple of the model's `steps_per_execution`.
    """
    if not steps:
        yield
        return
    left = steps // model.steps_per_execution

    def passing(restore: Callable[[], None]) -> Callable[[Any], Any]:
        def pass_over(iterator: Any) -> Any:  # noqa: ARG001
            nonlocal left
            left -= 1
            if not left:
                restore()
            # Keras takes the epoch's metrics from the last one, if no batch follows.
            last = not left or model.stop_training
            return model.get_metrics_result() if last else {}

        return pass_over

    with replaced_train_function(model, passing):
        yield
