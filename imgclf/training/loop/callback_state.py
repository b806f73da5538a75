"""The state of callbacks, so that a resumed run continues with it.

A user's own callback offers `get_state()` and `set_state(state)`. Of Keras's callbacks those that
act on the training are known here.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from imgclf.backend.keras_internals import CALLBACK_STATE
from imgclf.errors import ArgumentError
from imgclf.typing import KerasCallback

__all__ = ["check_resumable", "names_with_state", "set_states", "states"]

# Callbacks of Keras without a state that a later epoch depends on.
_FORGETFUL = (
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ProgbarLogger",
    "SwapEMAWeights",
    "TerminateOnNaN",
)


def states(callbacks: Sequence[KerasCallback]) -> list[Any]:
    """The state of each callback that keeps one."""
    return [_get(callback) for callback in callbacks if _keeps_state(callback)]


def set_states(callbacks: Sequence[KerasCallback], stored: Sequence[Any]) -> None:
    """Gives the states back to the same callbacks, after their `on_train_begin`."""
    for callback, state in zip(filter(_keeps_state, callbacks), stored, strict=False):
        _set(callback, state)


def names_with_state(callbacks: Sequence[KerasCallback]) -> list[str]:
    """The class names of the callbacks that keep a state, which identify a run, too."""
    return [type(callback).__name__ for callback in callbacks if _keeps_state(callback)]


def check_resumable(callbacks: Sequence[KerasCallback]) -> None:
    """Warns of callbacks that cannot be resumed.

    Raises:
        ArgumentError: for `keras.callbacks.BackupAndRestore`, which would work against the folder.
    """
    import keras

    for callback in callbacks:
        if isinstance(callback, keras.callbacks.BackupAndRestore):
            raise ArgumentError(
                "`run_dir` does what BackupAndRestore does, and more: leave that callback out."
            )
        if not _keeps_state(callback) and _may_remember(callback):
            warnings.warn(
                f"The callback {type(callback).__name__} starts over if this run is resumed: it "
                "has no get_state() and set_state(state).",
                stacklevel=2,
            )


def _keeps_state(callback: KerasCallback) -> bool:
    return _has_own(callback) or _remembered(callback) is not None


def _has_own(callback: KerasCallback) -> bool:
    return hasattr(callback, "get_state") and hasattr(callback, "set_state")


def _remembered(callback: KerasCallback) -> tuple[str, ...] | None:
    import keras

    for name, attributes in CALLBACK_STATE.items():
        if isinstance(callback, getattr(keras.callbacks, name)):
            return attributes
    return None


def _may_remember(callback: KerasCallback) -> bool:
    """Whether a callback has attributes of its own, which then may change."""
    import keras

    if type(callback) in [getattr(keras.callbacks, name) for name in _FORGETFUL]:
        return False
    return bool(vars(callback).keys() - vars(keras.callbacks.Callback()).keys())


def _get(callback: KerasCallback) -> Any:
    if _has_own(callback):
        return callback.get_state()
    names = _remembered(callback) or ()
    return {name: getattr(callback, name) for name in names if hasattr(callback, name)}


def _set(callback: KerasCallback, state: Any) -> None:
    if _has_own(callback):
        callback.set_state(state)
        return
    # By the names that are known, not by those in the file: another would be a path to write to.
    for name in _remembered(callback) or ():
        if name in state:
            setattr(callback, name, state[name])
