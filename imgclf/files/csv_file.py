"""Writes CSV files atomically, and safely for spreadsheets; reads those of run folders in bounds.

Spreadsheets take a cell that begins with =, +, - or @ for a formula, and file names may come from
strangers. Such a text gets an apostrophe in front; numbers are left alone.
"""

from __future__ import annotations

import csv
import io
import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from imgclf.files import atomic
from imgclf.files.stored_json import read_bytes
from imgclf.formatting import shorten
from imgclf.typing import StrPath

__all__ = ["cell", "escape", "read_rows", "text_of", "write_csv"]

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


# A million rows with paths of 200 characters.
_MAX_BYTES = 256 * 2**20


def read_rows(path: Path, required: Sequence[str]) -> list[dict[str, str]]:
    """Reads a table that imgclf or a person wrote, without undoing `cell`.

    Args:
        path: of the file.
        required: columns that it must have.

    Returns:
        A dictionary of the columns for each row; of an incomplete one, with "" for the rest.

    Raises:
        RunFolderError: if the file cannot be read, or is larger than any that imgclf writes.
        ValueError: if it is no such table; the message says why.
    """
    data = read_bytes(path, _MAX_BYTES)
    reader = csv.DictReader(
        io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True, restval=""
    )
    try:
        names = list(reader.fieldnames or [])
        for name in required:
            if names.count(name) != 1:
                raise ValueError(f"it has the columns {_shown(names)}" if names else "it is empty")
        rows = list(reader)
    except csv.Error as error:
        raise ValueError(str(error)) from error
    for number, row in enumerate(rows, start=1):
        if None in row:
            raise ValueError(f"row {number} has more cells than there are columns")
    return rows


def _shown(names: Sequence[str]) -> str:
    return shorten(", ".join(map(repr, names)), 200, "end")
