"""What stdout cannot print is escaped, as Python does on stderr."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator

__all__ = ["escaping_stdout"]


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
