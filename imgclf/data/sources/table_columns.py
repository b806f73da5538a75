"""Reads tables as people have them, and finds the columns of paths, classes and splits.

A table is a text file or a data frame. What its header does not say clearly is an error that asks.
"""

from __future__ import annotations

import codecs
import csv
import dataclasses
import io
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeGuard

from imgclf import checks
from imgclf.data.image_formats import has_image_suffix, suffix_of
from imgclf.data.sources.labelled_files import SPLIT_NAMES, find_split_names
from imgclf.errors import ArgumentError, ArgumentTypeError, DataError
from imgclf.formatting import list_names, show_path
from imgclf.typing import StrPath

__all__ = [
    "TABLE_SUFFIXES",
    "Columns",
    "DataFrame",
    "Row",
    "Table",
    "TableOptions",
    "is_true",
    "read_table",
    "split_reader",
]

# The suffixes by which a file is known to be a table.
TABLE_SUFFIXES = (".csv", ".tsv", ".tab", ".txt")

# The delimiters of columns, and what messages call them.
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "'|'", " ": "blanks"}

# Usual headers, without case, blanks and signs. The first of them wins over all others; those in
# the second list count only without one of the first.
_PATHS = (
    *("path", "filepath", "filename", "file", "files", "filenames", "fname", "image", "img"),
    *("images", "imagepath", "imgpath", "imagename", "imgname", "imagefile", "imagefilename"),
    *("imagefilepath", "relativepath", "relpath", "photo", "photopath"),
)
_WEAK_PATHS = ("id", "imageid", "imgid", "uuid", "uid", "name", "key")
_LABELS = (
    *("label", "labels", "class", "classname", "classlabel", "classes", "category", "categories"),
    *("categoryname", "labelname", "target", "breed", "species"),
)
_WEAK_LABELS = (
    *("classid", "labelid", "categoryid", "classindex", "labelindex", "classidx", "labelidx", "y"),
    *("tag", "type", "kind", "variety", "diagnosis", "groundtruth", "truth", "gt"),
)
_SPLITS = (
    "split",
    "splits",
    "subset",
    "partition",
    "datasplit",
    "dataset",
    "set",
    "phase",
    "usage",
)
# Columns of True and False, and the split of True.
_FLAGS = {"isvalid": "validation", "isvalidation": "validation", "istest": "test"}

_TRUE, _FALSE = ("true", "1", "1.0"), ("false", "0", "0.0")

# Rows that are looked at to choose a delimiter.
_SAMPLE = 20

# The place of a row ("line 3"), and its cells.
Row = tuple[str, dict[str, Any]]


class DataFrame(Protocol):
    """A pandas `DataFrame`, or anything else with its columns and records."""

    @property
    def columns(self) -> Iterable[Any]:
        """The names of the columns."""

    def to_dict(self, orient: Any, /) -> Any:
        """With "records": a dictionary for each row."""


@dataclasses.dataclass(frozen=True)
class TableOptions:
    """How the user says to read a table; None leaves it to the table. See `load_csv`."""

    path_column: str | None = None
    label_column: str | Sequence[str] | None = None
    split_column: str | None = None
    groups: str | None = None
    delimiter: str | None = None
    encoding: str | None = None

    def __post_init__(self) -> None:
        for name in ("path_column", "label_column", "split_column", "groups"):
            value = getattr(self, name)
            several = name == "label_column" and isinstance(value, (list, tuple))
            for one in value if several else [value]:
                if one is not None and not isinstance(one, str):
                    raise ArgumentTypeError(
                        f"`{name}` must be the name of a column. {checks.received(name, value)}"
                    )
        sign = self.delimiter
        if sign is not None and (not isinstance(sign, str) or len(sign) != 1):
            raise ArgumentError(
                f"`delimiter` must be one character. {checks.received('delimiter', sign)}"
            )
        if self.encoding is not None:
            try:
                codecs.lookup(self.encoding)
            except (LookupError, TypeError) as error:
                raise ArgumentError(
                    "`encoding` must be one that Python knows, such as 'utf-8' or 'latin-1'. "
                    + checks.received("encoding", self.encoding)
                ) from error

    @property
    def labels(self) -> tuple[str, ...] | None:
        """The columns of the classes that were asked for."""
        if self.label_column is None:
            return None
        column = self.label_column
        return (column,) if isinstance(column, str) else tuple(column)


class Columns(NamedTuple):
    """The names of the columns; several for the classes are one-hot."""

    path: str
    labels: tuple[str, ...]
    split: str | None
    group: str | None


class Table(NamedTuple):
    """A table that was read."""

    rows: list[Row]
    columns: Columns
    notes: tuple[str, ...] = ()
    class_order: tuple[str, ...] | None = None


def read_table(source: StrPath | DataFrame, options: TableOptions) -> Table:
    """Reads a text file or a data frame.

    Raises:
        ArgumentError: if a column is missing or more than one may be meant.
        DataError: if the file is no table.
    """
    if _is_frame(source):
        names = [str(column).strip() for column in source.columns]
        records = source.to_dicts() if hasattr(source, "to_dicts") else source.to_dict("records")
        cells = [list(record.values()) for record in records]
        columns, notes = _resolve(names, cells, options)
        rows = [
            (f"row {place}", dict(zip(names, row, strict=True))) for place, row in enumerate(cells)
        ]
        return Table(rows, columns, notes, _order(source, columns))
    file = checks.existing_path("path", source)
    if not file.is_file():
        raise ArgumentError(
            f"`path` must be a CSV file. {checks.received('path', str(file))} A folder of images "
            "is read by load_folder()."
        )
    try:
        return _parse(_read_text(file, options.encoding), options)
    except csv.Error as error:
        raise DataError(f"{show_path(file)}: is not a CSV table ({error}).") from error
    except DataError as error:
        raise DataError(f"{show_path(file)}: {error}") from error
    except OSError as error:
        raise DataError(f"{show_path(file)}: cannot be read ({error.strerror}).") from error


def _is_frame(value: StrPath | DataFrame) -> TypeGuard[Any]:
    return hasattr(value, "columns") and (hasattr(value, "to_dict") or hasattr(value, "to_dicts"))


def _order(frame: Any, columns: Columns) -> tuple[str, ...] | None:
    """The categories of the column of classes, in their order, or the one-hot columns."""
    if len(columns.labels) > 1:
        return columns.labels
    try:
        categories = frame[columns.labels[0]].dtype.categories
    except (AttributeError, KeyError, TypeError):
        return None
    return None if categories is None else tuple(str(one).strip() for one in categories)


def _read_text(file: Path, encoding: str | None) -> str:
    content = file.read_bytes()
    if encoding is None and content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    if encoding is None and content.startswith(b"PK\3\4"):
        raise DataError("is a workbook or archive, not a table of text. Save it as CSV in UTF-8.")
    try:
        text = content.decode(encoding or "utf-8-sig")
    except UnicodeDecodeError as error:
        kind = encoding or "UTF-8"
        raise DataError(
            f"is not text in {kind} ({error.reason} at byte {error.start}). Save the table as CSV "
            "in UTF-8, or give its encoding, such as encoding='latin-1' (--encoding latin-1)."
        ) from error
    return text.removeprefix("\ufeff")


def _parse(text: str, options: TableOptions) -> Table:
    notes: list[str] = []
    lines_before = 0
    delimiter = options.delimiter
    stated = re.match(r"sep=(.)\r?\n", text, re.IGNORECASE)
    if stated:  # a line that Excel writes
        text, lines_before, delimiter = text[stated.end() :], 1, delimiter or stated[1]
    if delimiter is None:
        delimiter = _choose_delimiter(text, options)
        if delimiter != ",":
            notes.append(f"The table's columns are separated by {_DELIMITERS[delimiter]}.")
    reader = _reader(text, delimiter, strict=True)
    rows = [(reader.line_num + lines_before, row) for row in reader if row]
    names, body = _header([row for _, row in rows], options)
    places = [number for number, _ in rows[len(rows) - len(body) :]]
    if len(body) == len(rows) > 0:
        notes.append("The table has no header; its columns are 'column 1', 'column 2', ….")
    columns, more = _resolve(names, body, options)
    filled = [_fill(row, names, place) for place, row in zip(places, body, strict=True)]
    order = columns.labels if len(columns.labels) > 1 else None
    return Table(filled, columns, (*notes, *more), order)


def _reader(text: str, delimiter: str, *, strict: bool) -> Any:
    stream = io.StringIO(text, newline="")
    return csv.reader(stream, delimiter=delimiter, strict=strict, skipinitialspace=True)


def _fill(row: Sequence[str], names: Sequence[str], place: int) -> Row:
    extra = [cell for cell in row[len(names) :] if cell.strip()]
    if extra:
        raise DataError(
            f"line {place} has {len(row)} cells, but there are {len(names)} columns. A path or "
            "name that holds the delimiter must stand in quotes."
        )
    return f"line {place}", dict(
        zip(names, [*row, *[None] * (len(names) - len(row))], strict=False)
    )


def _header(
    rows: Sequence[Sequence[str]], options: TableOptions
) -> tuple[list[str], Sequence[Sequence[str]]]:
    """The names of the columns and the rows below them; a first row with a file is no header."""
    if not rows:
        raise DataError("is empty: there are no rows.")
    first = [cell.strip() for cell in rows[0]]
    asked = [options.path_column, *(options.labels or ()), options.split_column]
    if any(map(_names_image, first)) and not any(name in first for name in asked if name):
        return [f"column {number}" for number in range(1, max(map(len, rows)) + 1)], rows
    return first, rows[1:]


def _choose_delimiter(text: str, options: TableOptions) -> str:
    """Finds the delimiter with which the table has the columns that it must have."""
    head = "".join(text.splitlines(keepends=True)[: 2 * _SAMPLE])
    usable = []
    for delimiter in _DELIMITERS:
        try:
            rows = [row for row in _reader(head, delimiter, strict=False) if row][:_SAMPLE]
            names, body = _header(rows, options)
            if len(names) > 1:
                _resolve(names, body, options)
                usable.append((delimiter, all(len(row) == len(names) for row in body)))
        except (ArgumentError, DataError, csv.Error):
            continue
    for delimiter, is_even in usable:
        if is_even:
            return delimiter
    # A blank separates nothing for sure, unless all rows agree.
    return next((delimiter for delimiter, _ in usable if delimiter != " "), ",")


def _resolve(
    names: Sequence[str], rows: Sequence[Sequence[Any]], options: TableOptions
) -> tuple[Columns, tuple[str, ...]]:
    """Decides which columns hold what, with a note on what the user has not said."""
    values: dict[str, list[Any]] = {
        name: [row[place] for row in rows if place < len(row)] for place, name in enumerate(names)
    }
    group = None if options.groups is None else _asked("groups", options.groups, names)
    if options.split_column is not None:
        split: str | None = _asked("split_column", options.split_column, names)
    else:
        split = _find_split(names, values)
    asked = (
        []
        if options.labels is None
        else [_asked("label_column", one, names) for one in options.labels]
    )
    if options.path_column is not None:
        path = _asked("path_column", options.path_column, names)
    else:
        path = _find_path([one for one in names if one not in (*asked, split)], names, values)
    labels = tuple(asked) or _find_labels(
        [one for one in names if one not in (path, split, group)], names, values
    )
    for name in (path, *labels, split, group):
        if name is not None and list(names).count(name) > 1:
            raise ArgumentError(f"the table has two columns {name!r}. Rename one of them.")
    columns = Columns(path, labels, split, group)
    return columns, _note_columns(columns, options)


def _note_columns(columns: Columns, options: TableOptions) -> tuple[str, ...]:
    found = []
    if options.path_column is None and columns.path != "path":
        found.append(f"paths in {columns.path!r}")
    if options.label_column is None and columns.labels != ("label",):
        found.append(f"classes in {list_names(columns.labels)}")
    if options.split_column is None and columns.split not in (None, "split"):
        found.append(f"splits in {columns.split!r}")
    return (f"Columns found in the table: {', '.join(found)}.",) if found else ()


def _asked(argument: str, name: str, names: Sequence[str]) -> str:
    for one in (name, name.strip(), f"column {name.strip()}"):
        if one in names:
            return one
    raise ArgumentError(
        f"`{argument}` must be one of the table's columns, {', '.join(map(repr, names))}. "
        + checks.received(argument, name)
    )


def _find_path(
    candidates: Sequence[str], names: Sequence[str], values: dict[str, list[Any]]
) -> str:
    def shows_files(name: str) -> bool:
        texts = [str(value) for value in values[name][:_SAMPLE]]
        return bool(texts) and sum(map(_names_image, texts)) > len(texts) // 2

    found = _by_name(candidates, _PATHS, _WEAK_PATHS)
    if len(found) != 1:
        by_content = [name for name in found or candidates if shows_files(name)]
        found = by_content if len(by_content) == 1 or not found else found
    if len(found) == 1:
        return found[0]
    raise ArgumentError(_which("path_column", "paths of the images", found, names))


def _find_labels(
    candidates: Sequence[str], names: Sequence[str], values: dict[str, list[Any]]
) -> tuple[str, ...]:
    # An index that pandas has written has no name.
    candidates = [one for one in candidates if one and not one.startswith("Unnamed:")]
    found = _by_name(candidates, _LABELS, _WEAK_LABELS)
    if not found and len(candidates) == 1:
        found = list(candidates)
    if len(found) == 1:
        return (found[0],)
    if not found and len(candidates) > 1 and all(_is_binary(values[one]) for one in candidates):
        return tuple(candidates)
    raise ArgumentError(_which("label_column", "classes", found, names))


def _find_split(names: Sequence[str], values: dict[str, list[Any]]) -> str | None:
    for name in names:
        if _plain(name) == _SPLITS[0]:
            return name
    for name in names:
        texts = {_text(value) for value in values[name]}
        if _plain(name) in _FLAGS and texts and texts <= {*_TRUE, *_FALSE}:
            return name
        unnamed = name.startswith("column ")
        if not texts or not (unnamed or _plain(name) in _SPLITS):
            continue
        known = find_split_names(texts)
        if len(known) == len(texts):
            return name
        if not unnamed and 2 * len(known) > len(texts):
            odd = sorted(texts - known.keys())
            raise ArgumentError(
                f"the column {name!r} seems to hold splits, but {list_names(odd)} "
                f"{'are' if len(odd) > 1 else 'is'} none. Write train, val or test, or rename the "
                "column."
            )
    return None


def split_reader(column: str, values: Iterable[Any]) -> Callable[[str], str | None]:
    """A function that gives the split of a cell of a column; None for a cell without one."""
    flag = _FLAGS.get(_plain(column))
    if flag is not None:
        return lambda cell: (
            flag if cell.lower() in _TRUE else "train" if cell.lower() in _FALSE else None
        )
    known = find_split_names({str(value).strip() for value in values})
    return lambda cell: known.get(cell, SPLIT_NAMES.get(cell.lower()))


def _by_name(names: Sequence[str], strong: Sequence[str], weak: Sequence[str]) -> list[str]:
    for some in ((strong[0],), strong, weak):
        found = [name for name in names if _plain(name) in some]
        if found:
            return found
    return []


def _which(argument: str, what: str, found: Sequence[str], names: Sequence[str]) -> str:
    option = f"--{argument.replace('_', '-')}"
    if found:
        return (
            f"more than one column may hold the {what}: {list_names(found)}. Name the one that "
            f"does by `{argument}` ({option})."
        )
    several = (
        " Several columns of 0 and 1 can be named together."
        if argument == "label_column"
        else " If the table has no header, add one, such as path,label."
    )
    return (
        f"no column is known to hold the {what}; the table's columns are "
        f"{', '.join(map(repr, names)) or 'none'}. Name it by `{argument}` ({option}).{several}"
    )


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", name.casefold())


def _text(value: Any) -> str:
    return str(value).strip().lower()


def _is_binary(values: Sequence[Any]) -> bool:
    return bool(values) and all(_text(value) in (*_TRUE, *_FALSE) for value in values)


def is_true(value: str) -> bool:
    """Whether a cell of a one-hot column says that an image has this class."""
    return value.lower() in _TRUE


def _names_image(text: str) -> bool:
    return bool(suffix_of(text.strip())) and has_image_suffix(text.strip())
