"""Reads JSON of run folders, which may come from strangers, and checks what is in it.

Size, depth and numbers are bounded before anything is used, and each key has a kind of value. As a
path nothing is used that was read: names of files are made of numbers.
"""

from __future__ import annotations

import json
import math
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from imgclf.errors import RunFolderError
from imgclf.formatting import shorten, show_bytes, show_path

__all__ = [
    "STORED_ERRORS",
    "Check",
    "check_record",
    "list_of",
    "number",
    "one_of",
    "optional",
    "parse_object",
    "read_bytes",
    "read_object",
    "show_error",
    "text",
    "truth",
    "values_by_name",
    "whole",
]

_MAX_BYTES = 16 * 2**20  # the names of 100,000 classes take 3 MB
_MAX_DEPTH = 64
_MAX_VALUES = 1_000_000
_MAX_INT = 2**64
_MAX_NAME = 1_000  # characters of a key

# What reading blocks and recipes of any JSON may raise.
STORED_ERRORS = (
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
    RecursionError,
)


def read_bytes(path: Path, most: int = _MAX_BYTES) -> bytes:
    """Reads a file of a run folder.

    Args:
        path: of the file, which may be a link to one.
        most: bytes that it may have.

    Raises:
        RunFolderError: if it is larger, no regular file, or cannot be read.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            raise RunFolderError(f"{show_path(path)}: is not a regular file.")
        if status.st_size > most:
            raise RunFolderError(
                f"{show_path(path)}: has {show_bytes(status.st_size)}; imgclf writes at most "
                f"{show_bytes(most)} there."
            )
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise RunFolderError(f"{show_path(path)}: cannot be read ({error.strerror}).") from error
    if len(data) > most:  # it grows
        raise RunFolderError(f"{show_path(path)}: has more than {show_bytes(most)}.")
    return data


def read_object(path: Path, remedy: str, most: int = _MAX_BYTES) -> dict[str, Any]:
    """Reads a file that holds one JSON object.

    Args:
        path: of the file.
        remedy: what the user can do if it cannot be used.
        most: bytes that it may have.

    Raises:
        RunFolderError: if it is not what imgclf writes.
    """
    data = read_bytes(path, most)
    try:
        return parse_object(data)
    except ValueError as error:
        raise RunFolderError(
            f"{show_path(path)}: is damaged ({show_error(error)}). {remedy}"
        ) from error


def parse_object(data: bytes) -> dict[str, Any]:
    """Reads a JSON object within bounds.

    Raises:
        ValueError: if it is none, or out of bounds; the message says why.
    """
    try:
        value = json.loads(
            data.decode("utf-8-sig"), parse_constant=_refuse, object_pairs_hook=_unique
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")
    _check_bounds(value)
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a key is there twice")
    return values


def _check_bounds(value: Any) -> None:
    count = 0
    parts: list[Iterator[Any]] = [iter((value,))]
    while parts:
        for one in parts[-1]:
            count += 1
            if count > _MAX_VALUES:
                raise ValueError(f"it holds more than {_MAX_VALUES:,} values")
            if isinstance(one, (dict, list)):
                if len(parts) > _MAX_DEPTH:
                    raise ValueError(f"it is nested more than {_MAX_DEPTH} deep")
                parts.append(iter(_inner(one)))
                break
            _check_number(one)
        else:
            parts.pop()


def _inner(value: dict[str, Any] | list[Any]) -> list[Any]:
    if isinstance(value, list):
        return value
    for name in value:
        if len(name) > _MAX_NAME:
            raise ValueError(f"a key has {len(name):,} characters")
    return list(value.values())


def _check_number(value: Any) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number is beyond all bounds")
    if isinstance(value, int) and abs(value) > _MAX_INT:
        raise ValueError("a number is beyond all bounds")


def show_error(error: Exception) -> str:
    """Shows the text of an error on one line, since it may quote what was read."""
    reason = str(error).split("; use sys.set_int_max_str_digits")[0]
    return shorten(reason, 300, "end")


# What a key must hold: words for it, and whether a value is that.
Check = tuple[str, Callable[[Any], bool]]


def check_record(
    values: Mapping[str, Any], checks: Mapping[str, Check], required: tuple[str, ...] = ()
) -> None:
    """Checks a stored record.

    Args:
        values: as read.
        checks: what each key must hold.
        required: the keys that must be there.

    Raises:
        KeyError: if a key is missing.
        ValueError: if one is unknown, or holds something else.

    Example:
        >>> check_record({"epochs": -1}, {"epochs": whole(1, 10)})
        Traceback (most recent call last):
        ValueError: 'epochs' must be a whole number from 1 to 10, not -1
    """
    for name in required:
        if name not in values:
            raise KeyError(name)
    for name, value in values.items():
        if name not in checks:
            raise ValueError(f"{shorten(repr(name), 60, 'end')} is not known")
        words, accepts = checks[name]
        if not accepts(value):
            shown = shorten(repr(value), 60, "end")
            raise ValueError(f"{name!r} must be {words}, not {shown}")


def whole(low: int, high: int) -> Check:
    """A whole number within bounds."""
    words = f"a whole number from {low:,} to {high:,}"
    return words, lambda value: _is_int(value) and low <= value <= high


def number(low: float, high: float) -> Check:
    """A number within bounds."""
    words = f"a number from {low:g} to {high:g}"
    return (
        words,
        lambda value: (_is_int(value) or isinstance(value, float)) and low <= value <= high,
    )


def text(most: int) -> Check:
    """A text of so many characters at most."""
    return (
        f"a text of at most {most:,} characters",
        lambda value: isinstance(value, str) and len(value) <= most,
    )


def truth() -> Check:
    """True or false."""
    return "true or false", lambda value: isinstance(value, bool)


def one_of(*options: str) -> Check:
    """One of some texts."""
    words = f"one of {', '.join(map(repr, options))}"
    return words, lambda value: isinstance(value, str) and value in options


def optional(check: Check) -> Check:
    """What another check accepts, or null."""
    words, accepts = check
    return f"{words}, or null", lambda value: value is None or accepts(value)


def list_of(check: Check) -> Check:
    """A list of what another check accepts."""
    words, accepts = check
    return (
        f"a list, each {words}",
        lambda value: isinstance(value, (list, tuple)) and all(map(accepts, value)),
    )


def values_by_name() -> Check:
    """An object of plain values."""
    plain = (str, int, float, bool, type(None))
    return (
        "an object of numbers and texts",
        lambda value: (
            isinstance(value, dict) and all(isinstance(each, plain) for each in value.values())
        ),
    )


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return _is_int(value) or isinstance(value, float)
