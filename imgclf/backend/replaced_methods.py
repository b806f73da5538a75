"""Other methods for some layers of a model, for as long as it is trained."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

__all__ = ["replaced_methods"]


@contextlib.contextmanager
def replaced_methods(
    layers: Iterable[Any], name: str, replacement: Callable[[Any], Callable[..., Any]]
) -> Iterator[None]:
    """Within it, layers have another method; afterwards their class's own again, come what may.

    Args:
        layers: Keras layers.
        name: of the method.
        replacement: layer → what is called in its place.
    """
    layers = list(layers)
    for layer in layers:
        setattr(layer, name, replacement(layer))
    try:
        yield
    finally:
        for layer in layers:
            delattr(layer, name)
