"""Shows names, numbers, bytes, durations and progress to people. Imports nothing of imgclf."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Any, Literal

__all__ = [
    "clock_time",
    "escape_controls",
    "hours_minutes_seconds",
    "is_terminal",
    "list_names",
    "ordinal",
    "plural",
    "say",
    "shorten",
    "show_bytes",
    "show_duration",
    "show_interval",
    "show_path",
    "show_percent",
]

_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def escape_controls(text: str) -> str:
    r"""Escapes what a terminal or a file would not take as text.

    Example:
        >>> print(escape_controls("cat\x1b[2J\udcff"))
        cat\x1b[2J\udcff
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def show_path(path: str | os.PathLike[str]) -> str:
    r"""Shows a path in one line, with control characters and undecodable bytes escaped.

    Example:
        >>> print(show_path("photos/cat\n.jpg"))
        photos/cat\n.jpg
    """
    return escape_controls(os.fspath(path))


def shorten(text: str, width: int = 28, cut: Literal["start", "middle", "end"] = "middle") -> str:
    """Shortens a text to one line of at most `width` characters, control characters escaped.

    Args:
        text: any text.
        width: characters, the ellipsis included.
        cut: where the ellipsis stands.

    Example:
        >>> shorten("runs/cifar10/model", 9), shorten("runs/cifar10/model", 9, "end")
        ('runs…odel', 'runs/cif…')
    """
    text = escape_controls(text)
    if len(text) <= width:
        return text
    kept = width - 1
    head = {"start": 0, "middle": width // 2, "end": kept}[cut]
    return f"{text[:head]}…{text[len(text) - (kept - head) :]}"


def list_names(names: Sequence[str], most: int = 5) -> str:
    """Lists names as they stand in a sentence, the first few of many.

    Example:
        >>> list_names(["cat", "dog"]), list_names("abcde", 3)
        ("'cat', 'dog'", "'a', 'b', 'c' and 2 more")
    """
    if not names:
        return "none"
    first = ", ".join(map(repr, names[:most]))
    return f"{first} and {len(names) - most} more" if len(names) > most else first


def plural(count: int, noun: str) -> str:
    """Shows a count with its noun.

    Example:
        >>> plural(1, "image"), plural(1_259, "epoch"), plural(2, "class")
        ('1 image', '1,259 epochs', '2 classes')
    """
    ending = "" if count == 1 else "es" if noun.endswith(("s", "x", "sh")) else "s"
    return f"{count:,} {noun}{ending}"


def ordinal(number: int) -> str:
    """Shows a place in a series.

    Example:
        >>> ordinal(1), ordinal(12), ordinal(23)
        ('1st', '12th', '23rd')
    """
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10)
    return f"{number:,}{ending or 'th'}"


def show_percent(
    share: float, interval: tuple[float, float] | None = None, *, decimals: int = 1
) -> str:
    """Shows a share in percent, with its interval if there is one.

    Example:
        >>> show_percent(0.912), show_percent(0.912, (0.906, 0.917)), show_percent(0.5, decimals=0)
        ('91.2%', '91.2% (90.6% to 91.7%)', '50%')
    """
    shown = f"{share:.{decimals}%}"
    return shown if interval is None else f"{shown} ({show_interval(interval, decimals=decimals)})"


def show_interval(interval: tuple[float, float], *, decimals: int = 1) -> str:
    """Shows an interval of shares in percent.

    Example:
        >>> show_interval((0.906, 0.917))
        '90.6% to 91.7%'
    """
    low, high = interval
    return f"{low:.{decimals}%} to {high:.{decimals}%}"


def show_bytes(size: float) -> str:
    """Shows a number of bytes, by powers of 1,000.

    Example:
        >>> show_bytes(520), show_bytes(4_400_000), show_bytes(13_000_000), show_bytes(1.234e9)
        ('520 bytes', '4.4 MB', '13 MB', '1.2 GB')
    """
    if size < 999.5:
        return f"{size:.0f} bytes"
    for unit in _UNITS[1:-1]:
        size /= 1000
        if size < 9.95:
            return f"{size:.1f} {unit}"
        if size < 999.5:
            return f"{size:.0f} {unit}"
    return f"{size / 1000:,.1f} {_UNITS[-1]}"


def hours_minutes_seconds(seconds: float) -> tuple[int, int, int]:
    """Splits seconds, rounded to whole ones first, so that no part is 60.

    Example:
        >>> hours_minutes_seconds(3_659.6)
        (1, 1, 0)
    """
    minutes, rest = divmod(round(seconds), 60)
    return *divmod(minutes, 60), rest


def clock_time(seconds: float) -> str:
    """Shows seconds as a clock does.

    Example:
        >>> clock_time(75), clock_time(3_675)
        ('1:15', '1:01:15')
    """
    hours, minutes, rest = hours_minutes_seconds(seconds)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def show_duration(seconds: float) -> str:
    """Shows a duration with its units.

    Example:
        >>> show_duration(8.25), show_duration(41.3), show_duration(204), show_duration(7300)
        ('8.2 s', '41 s', '3 min 24 s', '2 h 1 min')
    """
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    hours, minutes, rest = hours_minutes_seconds(seconds)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def is_terminal(stream: Any) -> bool:
    """Whether a stream is a terminal; None is none, nor is a closed file."""
    with contextlib.suppress(ValueError, OSError, AttributeError):
        return bool(stream.isatty())
    return False


def say(line: str) -> None:
    """Writes a line on stderr. Progress never ends what it is about.

    There may be no stderr (programs without a console) or one that can only write, its encoding may
    lack a letter, the terminal may be gone.
    """
    stream: Any = sys.stderr
    with contextlib.suppress(ValueError, OSError, AttributeError):
        try:
            stream.write(f"{line}\n")
        except UnicodeEncodeError:
            encoding = getattr(stream, "encoding", None) or "ascii"
            stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        stream.flush()
