"""JSON from strangers: bounded in size, depth, and the size of its numbers and texts.

No object may hold a key twice: of the two values, another program may read the other one.
"""

from __future__ import annotations

import collections
import itertools
import json
import math
from collections.abc import Iterator
from typing import Any, NoReturn

from imgclf.untrusted.errors import UnsafeFileError

__all__ = ["MAX_BYTES", "parse"]

MAX_BYTES = 4 * 2**20  # the largest of keras.applications has 1 MB
_MAX_VALUES = 200_000  # the largest of keras.applications: 65,000
_MAX_DEPTH = 64  # keras.applications: 11
_MAX_TEXT = 4096  # characters
_MAX_INT = 2**64
_END = object()


def parse(name: str, data: bytes) -> Any:
    """Reads JSON and checks its bounds.

    Args:
        name: of the member, for messages.
        data: at most `MAX_BYTES`.

    Raises:
        UnsafeFileError: if it is no JSON, or out of bounds.
    """
    if len(data) > MAX_BYTES:
        raise UnsafeFileError(f"{name} is larger than {MAX_BYTES // 2**20} MiB.")

    # At most as many values, before any of them takes memory.
    values = sum(map(data.count, (b",", b"[", b"{")))
    if values > _MAX_VALUES:
        raise UnsafeFileError(f"{name} holds more than {_MAX_VALUES:,} values.")

    def refuse(constant: str) -> NoReturn:
        raise UnsafeFileError(f"{name} holds {constant}, which is not a number.")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            [(twice, _)] = collections.Counter(key for key, _ in pairs).most_common(1)
            raise UnsafeFileError(f"{name} holds {twice[:80]!r} twice in one object.")
        return found

    try:
        value = json.loads(data, parse_constant=refuse, object_pairs_hook=unique)
    except RecursionError as error:
        raise UnsafeFileError(f"{name} is nested too deeply.") from error
    except UnsafeFileError:
        raise
    except ValueError as error:  # also bytes that are no text, and numbers of thousands of digits
        reason = str(error).split(";")[0]
        raise UnsafeFileError(f"{name} is not JSON ({reason}).") from error
    _check_bounds(name, value)
    return value


def _check_bounds(name: str, value: Any) -> None:
    # Iterators, not lists of what is left: there may be a million values.
    open_parts: list[Iterator[Any]] = [iter((value,))]
    while open_parts:
        one = next(open_parts[-1], _END)
        if one is _END:
            open_parts.pop()
        elif isinstance(one, (dict, list)):
            if len(open_parts) > _MAX_DEPTH:
                raise UnsafeFileError(f"{name} is nested more than {_MAX_DEPTH} deep.")
            parts = itertools.chain(one, one.values()) if isinstance(one, dict) else one
            open_parts.append(iter(parts))
        else:
            _check_value(name, one)


def _check_value(name: str, value: Any) -> None:
    if isinstance(value, str) and len(value) > _MAX_TEXT:
        raise UnsafeFileError(f"{name} holds a text of {len(value):,} characters.")
    if isinstance(value, float) and not math.isfinite(value):
        raise UnsafeFileError(f"{name} holds a number beyond all bounds.")
    if isinstance(value, int) and abs(value) > _MAX_INT:
        raise UnsafeFileError(f"{name} holds a number of {len(str(abs(value)))} digits.")
