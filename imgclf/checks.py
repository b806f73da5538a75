"""Checks of arguments, all with messages of one form.

    `kernel_size` must be an int above 0 or a pair of them. Received: kernel_size=0.

Each check returns the value, so that it can be used in an assignment.
"""

from __future__ import annotations

import difflib
import math
import numbers
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from imgclf.errors import ArgumentError, ArgumentTypeError, MissingFileError
from imgclf.formatting import shorten

_UNITS = {"": 1, "b": 1} | {
    name: base**power
    for power, letter in enumerate("kmgt", start=1)
    for name, base in ((letter, 1000), (f"{letter}b", 1000), (f"{letter}ib", 1024))
}


def received(name: str, value: object) -> str:
    """The last sentence of every message: what came, cut to a readable length."""
    return f"Received: {name}={shorten(repr(value), 120, 'end')}."


def integer(name: str, value: Any, *, low: int, high: int | None = None) -> int:
    """An int (or numpy integer) from `low` to `high`, both included."""
    allowed = f"an int from {low} to {high}" if high is not None else f"an int of at least {low}"
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise ArgumentTypeError(f"`{name}` must be {allowed}. {received(name, value)}")
    value = int(value)
    if value < low or (high is not None and value > high):
        raise ArgumentError(f"`{name}` must be {allowed}. {received(name, value)}")
    return value


def number(
    name: str,
    value: Any,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    above: bool = False,
    below: bool = False,
) -> float:
    """A finite number from `low` to `high`; `above` and `below` leave out the bound itself."""
    bounds = []
    if low > -math.inf:
        bounds.append(f"above {low:g}" if above else f"at least {low:g}")
    if high < math.inf:
        bounds.append(f"below {high:g}" if below else f"at most {high:g}")
    allowed = " ".join(["a number", " and ".join(bounds)]).strip()
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise ArgumentTypeError(f"`{name}` must be {allowed}. {received(name, value)}")
    value = float(value)
    too_low = value <= low if above else value < low
    too_high = value >= high if below else value > high
    if not math.isfinite(value) or too_low or too_high:
        raise ArgumentError(f"`{name}` must be {allowed}. {received(name, value)}")
    return value


def flag(name: str, value: Any) -> bool:
    """True or False, nothing that merely counts as one."""
    if not isinstance(value, bool):
        raise ArgumentTypeError(f"`{name}` must be True or False. {received(name, value)}")
    return value


def one_of(name: str, value: Any, options: Iterable[Any]) -> Any:
    """One of `options`; the message proposes the nearest one."""
    known = list(options)
    if value in known:
        return value
    texts = [repr(option) for option in known]
    message = f"`{name}` must be one of {', '.join(texts)}. {received(name, value)}"
    near = difflib.get_close_matches(str(value), [str(option) for option in known], n=1)
    if near:
        message += f" Did you mean {near[0]!r}?"
    kind = ArgumentError if isinstance(value, str) else ArgumentTypeError
    raise kind(message)


def size_pair(name: str, value: Any) -> tuple[int, int]:
    """An int above 0, or a pair of them (height, width), as a pair."""
    pair = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    for size in pair:
        if isinstance(size, bool) or not isinstance(size, numbers.Integral):
            raise ArgumentTypeError(
                f"`{name}` must be an int above 0 or a pair of them. {received(name, value)}"
            )
    if len(pair) != 2 or min(pair) < 1:
        raise ArgumentError(
            f"`{name}` must be an int above 0 or a pair of them. {received(name, value)}"
        )
    return int(pair[0]), int(pair[1])


def byte_size(name: str, value: Any) -> int:
    """Bytes as an int, or as people write them: "500 MB", "2GB", "1.5 GiB"."""
    if not isinstance(value, str):
        return integer(name, value, low=1)
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", value.strip().lower())
    size = int(float(found[1]) * _UNITS.get(found[2], 0)) if found else 0
    if size < 1:
        raise ArgumentError(
            f'`{name}` must be a number of bytes, or such as "500 MB" or "2 GB". '
            f"{received(name, value)}"
        )
    return size


def image_shape(name: str, value: Any) -> tuple[int | None, int | None, int]:
    """(height, width, channels); height and width may be None, channels may not."""
    needs = "(height, width, channels), ints above 0; height and width may be None"
    if not isinstance(value, (tuple, list)) or len(value) != 3:
        raise ArgumentTypeError(f"`{name}` must be {needs}. {received(name, value)}")
    *size, channels = value
    for side in [channels, *(side for side in size if side is not None)]:
        if isinstance(side, bool) or not isinstance(side, numbers.Integral):
            raise ArgumentTypeError(f"`{name}` must be {needs}. {received(name, value)}")
        if side < 1:
            raise ArgumentError(f"`{name}` must be {needs}. {received(name, value)}")
    height, width = (None if side is None else int(side) for side in size)
    return height, width, int(channels)


def path(name: str, value: Any) -> Path:
    """A path as `pathlib.Path`; `~` stands for the home folder."""
    if not isinstance(value, (str, os.PathLike)) or not os.fspath(value):
        raise ArgumentTypeError(f"`{name}` must be a path. {received(name, value)}")
    return Path(value).expanduser()


def existing_path(name: str, value: Any) -> Path:
    """A path of a file or folder that is there."""
    found = path(name, value)
    if not found.exists():
        raise MissingFileError(f"`{name}`: there is no file or folder {str(found)!r}.")
    return found
