"""Finds all hyperparameters of a hypermodel before the search.

keras-tuner learns of a hyperparameter when the code asks for it. A search that can be resumed must
know all of them, in a fixed order, from the start.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from imgclf.errors import ArgumentError
from imgclf.typing import HyperParameters, KerasModel

__all__ = ["discover_hyperparameters"]

# Networks that are built to find hyperparameters which depend on the values of others.
_MAX_BUILDS = 40

# If a hyperparameter has more options, only its last one is tried.
_MAX_OPTIONS = 6


def discover_hyperparameters(
    build: Callable[[HyperParameters], KerasModel],
) -> HyperParameters:
    """Returns all hyperparameters of a hypermodel, also those that depend on others' values.

    Args:
        build: builds a network from keras-tuner's `HyperParameters`.

    Returns:
        `HyperParameters` with their default values.

    Raises:
        ArgumentError: if the network of the default values cannot be built.
    """
    import keras_tuner

    found = keras_tuner.HyperParameters()
    try:
        build(found)
    except Exception as error:  # its code may raise anything
        raise ArgumentError(
            f"`hypermodel` cannot be built with its default values: {type(error).__name__}: {error}"
        ) from error
    tried: set[tuple[str, str]] = set()
    pending = list(_options(found, tried))
    for _ in range(_MAX_BUILDS):
        if not pending:
            break
        name, value = pending.pop(0)
        hp = found.copy()
        hp.values[name] = value
        for other in hp.space:  # activated ones get their default, others go
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


def _options(hp: HyperParameters, tried: set[tuple[str, str]]) -> Iterator[tuple[str, Any]]:
    """Yields values that others may depend on: each of a few options, or the last of many."""
    for one in hp.space:
        options = list(one.values)
        if len(options) > _MAX_OPTIONS:
            options = options[-1:]
        for value in options:
            if value != one.default and (one.name, repr(value)) not in tried:
                tried.add((one.name, repr(value)))
                yield one.name, value
