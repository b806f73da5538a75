"""Seeds the random numbers of a call, and gives the caller's own back at its end.

Keras draws initial weights and the seeds of dropout from Python's global stream, and a user's
layers and callbacks may draw from any: so a training seeds them all. They belong to the caller, who
must find them as they were. Everything of imgclf that draws from them, or sets them, does so within
`seeded`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import random
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from imgclf.backend.keras_internals import (
    keras_random_state,
    set_keras_random_state,
    set_tensorflow_random_state,
    tensorflow_random_state,
)
from imgclf.backend.keras_settings import check_backend

__all__ = ["seeded"]

_NUMPY: Any = np.random  # its stubs lack two functions


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Within it, Python, NumPy, TensorFlow and Keras draw by `seed`; afterwards as before.

    The streams are the process's. Where several threads are within `seeded`, the last one to leave
    gives the caller's state back.

    Example:
        >>> random.seed(1)
        >>> with seeded(7):
        ...     drawn = random.random()
        >>> after = random.random()
        >>> random.seed(1)
        >>> random.random() == after
        True
    """
    check_backend()
    of_thread, kept = keras_random_state(), _Kept()
    try:
        random.seed(seed)
        # A generator of its own: the caller's may be of a kind that cannot be seeded.
        _NUMPY.set_bit_generator(np.random.MT19937())
        np.random.seed(seed)
        set_tensorflow_random_state((seed, random.Random(seed)))  # noqa: S311
        set_keras_random_state((seed, None))
        yield
    finally:
        set_keras_random_state(of_thread)
        kept.give_back()


@dataclasses.dataclass(frozen=True)
class _Streams:
    """The state of the streams that all threads share."""

    of_python: Any
    of_numpy: tuple[Any, Any]
    of_tensorflow: tuple[Any, Any]

    @classmethod
    def now(cls) -> _Streams:
        numpy = _NUMPY.get_bit_generator(), np.random.get_state(legacy=False)
        return cls(random.getstate(), numpy, tensorflow_random_state())

    def restore(self) -> None:
        random.setstate(self.of_python)
        generator, state = self.of_numpy
        _NUMPY.set_bit_generator(generator)
        np.random.set_state(state)
        set_tensorflow_random_state(self.of_tensorflow)


# Those within `seeded`, in the order in which they came; of several threads, perhaps.
_LOCK = threading.Lock()
_WITHIN: list[_Kept] = []


class _Kept:
    """What one `seeded` found, and has to give back."""

    def __init__(self) -> None:
        with _LOCK:
            self.streams = _Streams.now()
            _WITHIN.append(self)

    def give_back(self) -> None:
        with _LOCK:
            place = _WITHIN.index(self)
            del _WITHIN[place]
            if place == len(_WITHIN):
                self.streams.restore()
            else:  # who came later, in another thread, found what this one had set
                _WITHIN[place].streams = self.streams
