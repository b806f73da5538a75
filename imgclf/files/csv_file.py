"""Writes CSV files atomically, and safely for spreadsheets.

Spreadsheets take a cell that begins with =, +, - or @ for a formula, and file names may come from
strangers. Such a text gets an apostrophe in front; numbers are left alone.
"""

from __future__ import annotations

import csv
import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from imgclf.files import atomic
from imgclf.typing import StrPath

__all__ = ["cell", "escape", "text_of", "write_csv"]

_FORMULA = re.compile(r"'*[=+\-@＝＋－＠]")
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")

# Unicode's categories of control characters, of halves of characters (bytes of a file name that
# are no text), and of line and paragraph ends.
_UNSAFE = frozenset({"Cc", "Cs", "Zl", "Zp"})


def cell(value: Any) -> str:
    """Writes a value as the text of a cell; `text_of` removes the apostrophe again.

    Args:
        value: a text, a path, a number, or None for an empty cell.

    Example:
        >>> cell("=1+1.jpg"), cell("-0.5"), cell(-0.5), cell("cat.jpg"), cell(None)
        ("'=1+1.jpg", '-0.5', '-0.5', 'cat.jpg', '')
    """
    if value is None:
        return ""
    if not isinstance(value, (str, os.PathLike)):
        return str(value)
    text = escape(os.fspath(value))
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def text_of(read: str) -> str:
    """Reads a cell that `cell` wrote, except that `escape` is not undone.

    Example:
        >>> text_of("'=1+1.jpg"), text_of("'quoted' cat.jpg")
        ('=1+1.jpg', "'quoted' cat.jpg")
    """
    return read[1:] if read.startswith("'") and _FORMULA.match(read) else read


def escape(text: str) -> str:
    r"""Escapes control characters, line ends, and what UTF-8 cannot write.

    Example:
        >>> print(escape("\x1b[2J.jpg"), escape("b\udcff.jpg"))
        \x1b[2J.jpg b\udcff.jpg
    """
    if text.isprintable():
        return text
    return "".join(
        repr(char)[1:-1] if unicodedata.category(char) in _UNSAFE else char for char in text
    )


def write_csv(path: StrPath, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Writes a table as UTF-8, row by row; if the rows raise an error, nothing is written.

    Args:
        path: the file; an existing one is replaced.
        header: the names of the columns.
        rows: a sequence of values for each row.

    Returns:
        The number of rows.
    """
    count = 0
    with (
        atomic.replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([cell(name) for name in header])
        for row in rows:
            writer.writerow([cell(value) for value in row])
            count += 1
    return count
