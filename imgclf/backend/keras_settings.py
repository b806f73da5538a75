"""The settings of Keras that imgclf needs, whatever `keras.json` and the environment say.

imgclf computes by TensorFlow. Its images are (height, width, channels): its layers say so
themselves, and what of Keras asks the global setting is called within `channels_last`.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from imgclf.backend.keras_internals import all_layers, tensorflow_has_started
from imgclf.errors import BackendError
from imgclf.typing import KerasModel

__all__ = ["channels_last", "check_backend", "check_process", "spread_rescaling"]

_LAST = "channels_last"


def check_backend() -> None:
    """Checks that Keras runs, or would run, on TensorFlow, and imports both.

    It is called before imgclf first imports them: TensorFlow draws a number from Python's global
    stream when it is imported, which is given back to the caller.

    Raises:
        BackendError: if it does not, or as `check_process` does.
    """
    check_process()
    backend, source = _backend()
    if backend != "tensorflow":
        raise BackendError(
            f"imgclf needs Keras on TensorFlow, but Keras is set to {backend!r} by {source}. Set "
            "the environment variable KERAS_BACKEND=tensorflow before Python starts, or "
            'os.environ["KERAS_BACKEND"] = "tensorflow" before Keras is imported.'
        )
    if "keras" not in sys.modules or "tensorflow" not in sys.modules:
        state = random.getstate()
        import keras  # noqa: F401
        import tensorflow  # noqa: F401

        random.setstate(state)


def _backend() -> tuple[str, str]:
    """The backend, and what has set it."""
    keras = sys.modules.get("keras")
    chosen = os.environ.get("KERAS_BACKEND")
    if keras is not None and hasattr(keras, "config"):
        return keras.config.backend(), "the time Keras was imported"
    if chosen:
        return chosen, "the environment variable KERAS_BACKEND"
    path = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "keras.json"
    try:
        settings = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return "tensorflow", ""
    backend = settings.get("backend") if isinstance(settings, dict) else None
    return str(backend or "tensorflow"), str(path)


# Whether TensorFlow was running in the process that this one was forked from.
_forked = False


def check_process() -> None:
    """Checks that this process was not forked from one in which TensorFlow was running.

    Raises:
        BackendError: if it was: it has none of TensorFlow's threads, and would wait for them.
    """
    if _forked:
        raise BackendError(
            "This process was forked after TensorFlow had started, so that TensorFlow would hang "
            'in it. Start it by multiprocessing.get_context("spawn"), or fork before the first '
            "model is made or loaded. A Classifier can be sent to a spawned process."
        )


def _note_fork() -> None:
    global _forked  # noqa: PLW0603 - about the process
    _forked = _forked or tensorflow_has_started()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)

_LOCK = threading.Lock()
_within = 0


@contextlib.contextmanager
def channels_last() -> Iterator[None]:
    """Within it, what is new in Keras takes channels last; afterwards what the caller had set.

    The setting is the process's. Where several threads are within it, the last one restores it.
    """
    global _within  # noqa: PLW0603 - the setting that it counts for is global, too
    import keras

    with _LOCK:
        before = keras.config.image_data_format()
        if before == _LAST and not _within:
            changes = False
        else:
            changes, _within = True, _within + 1
            keras.config.set_image_data_format(_LAST)
    try:
        yield
    finally:
        if changes:
            with _LOCK:
                _within -= 1
                if not _within:
                    keras.config.set_image_data_format("channels_first")


def spread_rescaling(model: KerasModel) -> None:
    """Lets rescaling by channel work where Keras's global setting is channels first.

    A `Rescaling` asks for it each time that it is called; numbers of three dimensions it leaves
    alone.
    """
    import keras

    if keras.config.image_data_format() == _LAST:
        return
    for layer in all_layers(model):
        if isinstance(layer, keras.layers.Rescaling):
            layer.scale, layer.offset = _spread(layer.scale), _spread(layer.offset)


def _spread(numbers: object) -> object:
    array = np.asarray(numbers)
    return array.reshape(1, 1, -1).tolist() if array.ndim == 1 else numbers
