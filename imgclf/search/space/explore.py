"""`explore`: the hyperparameters of a hypermodel, before anything is searched.

keras-tuner learns of a hyperparameter when the code asks for it. A search that can be killed and
gone on with must know all of them, in one order, from the start.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from imgclf.errors import ArgumentError

__all__ = ["explore"]

# How many networks are built to find hyperparameters that are asked for only under some values.
_MOST_BUILDS = 40

# More options than these of one hyperparameter are not tried one by one.
_MOST_OPTIONS = 6


def explore(build: Callable[[Any], Any]) -> Any:
    """The hyperparameters that a hypermodel asks for, with all that hang on others' values.

    Args:
        build: makes a network of keras-tuner's `HyperParameters`.

    Returns:
        `HyperParameters` with the default values.

    Raises:
        ArgumentError: if the network of the default values cannot be built.
    """
    import keras_tuner

    found = keras_tuner.HyperParameters()
    try:
        build(found)
    except Exception as error:  # anyone's code may raise anything
        raise ArgumentError(
            f"`hypermodel` cannot be built with its default values: {type(error).__name__}: {error}"
        ) from error
    tried: set[tuple[str, str]] = set()
    pending = list(_options(found, tried))
    for _ in range(_MOST_BUILDS):
        if not pending:
            break
        name, value = pending.pop(0)
        hp = found.copy()
        hp.values[name] = value
        for other in hp.space:  # what the value opens gets its default, what it closes goes
            if hp.is_active(other):
                hp.values.setdefault(other.name, other.default)
            else:
                hp.values.pop(other.name, None)
        with contextlib.suppress(Exception):  # a candidate that cannot be built fails its trial
            build(hp)
        found.merge(hp.space, overwrite=False)
        pending += _options(found, tried)
    found.values = {hp.name: hp.default for hp in found.space if found.is_active(hp)}
    return found


def _options(hp: Any, tried: set[tuple[str, str]]) -> Iterator[tuple[str, Any]]:
    """The values under which others may be asked for: each of a few, or the largest of many."""
    for one in hp.space:
        options = list(one.values)
        if len(options) > _MOST_OPTIONS:
            options = options[-1:]
        for value in options:
            if value != one.default and (one.name, repr(value)) not in tried:
                tried.add((one.name, repr(value)))
                yield one.name, value
