"""Ignores Pillow's warnings while images are decoded, and only then."""

from __future__ import annotations

import contextlib
import re
import threading
import warnings
from collections.abc import Iterator
from typing import Any

__all__ = ["pillow_quiet"]

# Of harmless oddities, and of sizes, which are checked elsewhere.
_FILTER: Any = ("ignore", None, Warning, re.compile(r"PIL\."), 0)


class _Quiet:
    """Keeps one entry in the list of filters while any thread decodes.

    Not by `warnings.catch_warnings`, which restores the whole list: where several threads decode,
    one may restore what another had set for a moment, and all warnings would stay ignored. The
    entry is inserted directly, so that what was warned of once is not warned of again.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._changed: Any = []

    def begin(self) -> None:
        with self._lock:
            if not self._users:
                self._changed = warnings.filters
                self._changed.insert(0, _FILTER)
            self._users += 1

    def end(self) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                # Another list, if the caller has entered or left a catch_warnings meanwhile.
                now: Any = warnings.filters
                for filters in (self._changed, now):
                    with contextlib.suppress(ValueError):
                        filters.remove(_FILTER)


_QUIET = _Quiet()


@contextlib.contextmanager
def pillow_quiet() -> Iterator[None]:
    """Ignores warnings of Pillow's modules within the context, in all threads."""
    _QUIET.begin()
    try:
        yield
    finally:
        _QUIET.end()
