"""The streams of a command: what stdout cannot print is escaped, as Python does on stderr."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator

__all__ = ["escaping_stdout", "fill_closed_streams"]


@contextlib.contextmanager
def escaping_stdout() -> Iterator[None]:
    r"""Within it, stdout prints `\u010d` where its encoding has no such letter.

    Names of classes and files may hold any letter, and bytes that are no text; stdout may be a code
    page of Windows, or ASCII.
    """
    stream = sys.stdout
    if not isinstance(stream, io.TextIOWrapper):
        yield
        return
    before = stream.errors
    stream.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # closed meanwhile
            stream.reconfigure(errors=before)


def fill_closed_streams() -> None:
    """Opens the null device in the place of standard streams that the caller has closed.

    Otherwise the next file that is opened takes the place of stderr, and what TensorFlow writes
    there would get into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
