"""Loads images that a table lists: a CSV file or data frame with a path and a label a row."""

from __future__ import annotations

import csv
import dataclasses
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TextIO, TypeGuard

from imgclf import checks
from imgclf.data.cache import CacheLocation, CacheSettings
from imgclf.data.dataset import Dataset
from imgclf.data.images import MAX_PIXELS
from imgclf.data.sources.from_files import make_dataset
from imgclf.data.sources.image_options import Color, Exclude, ImageOptions, Resize
from imgclf.data.sources.labelled_files import SPLIT_NAMES, LabelledFile
from imgclf.errors import ArgumentError, ArgumentTypeError, DataError
from imgclf.formatting import show_path
from imgclf.typing import ImageSize, StrPath

__all__ = ["load_csv", "names_splits", "scan_csv"]

_SPLIT_COLUMN = "split"

# The delimiters of columns, and what messages call them.
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "'|'"}

# The place of a row ("line 3"), and its cells.
Row = tuple[str, dict[str, Any]]


class DataFrame(Protocol):
    """A pandas `DataFrame`, or anything else with its columns and records."""

    @property
    def columns(self) -> Iterable[Any]:
        """The names of the columns."""

    def to_dict(self, orient: Any, /) -> Any:
        """With "records": a dictionary for each row."""


def load_csv(
    path: StrPath | DataFrame,
    *,
    path_column: str = "path",
    label_column: str = "label",
    root: StrPath | None = None,
    image_size: ImageSize | None = None,
    color: Color | None = None,
    resize: Resize = "crop",
    validation: float | None = 0.15,
    test: float | None = 0.15,
    class_names: Sequence[str] | None = None,
    seed: int = 0,
    max_skipped: float = 0.05,
    delimiter: str | None = None,
    exclude: Exclude | None = None,
    groups: str | None = None,
    max_pixels: int = MAX_PIXELS,
    cache: CacheLocation | CacheSettings = "auto",
) -> Dataset:
    r"""Loads the images that a table lists.

    Args:
        path: a CSV file with a header, in UTF-8; or a pandas `DataFrame` or anything else with
            `columns` and `to_dict("records")`. A column `split` with `train`, `val` (or `valid`,
            `validation`) or `test` in each row decides the splits.
        path_column: the column that names the files.
        label_column: the column that names the classes.
        root: the folder that paths are relative to; if left out, that of the table, or of a data
            frame the current folder.
        image_size: as in `load_folder`, like all that follow.
        color: "rgb", "gray", or None to choose.
        resize: "crop", "pad" or "stretch".
        validation: the fraction for validation; `split` rows for validation take precedence.
        test: the same for the test split.
        class_names: the class names in the order of their labels.
        seed: decides which images are in which split.
        max_skipped: the fraction of the files that may be missing or unusable.
        delimiter: the delimiter of the columns; if left out, the one of comma, semicolon, tab and
            "|" with which the header has the required columns.
        exclude: as in `load_folder`; paths are relative to the same folder as those of the table.
        groups: the column of the groups whose images must stay in one split, such as "patient".
        max_pixels: as in `load_folder`.
        cache: where decoded images are kept from the first epoch on: "auto" (memory up to a
            quarter of what is free, at most 2 GiB, else the disk), "memory", "disk", None
            (nowhere), or `CacheSettings` with other limits.

    Returns:
        The data set; `Dataset.train.images` is an `ImageFiles` of (N, height, width, channels).

    Raises:
        MissingFileError: if there is no such table or `root`.
        ArgumentError: if an argument is not as above, or a column is missing.
        DataError: if a row cannot be understood, a file has two labels, there are fewer than two
            classes, or too many files are unusable.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> temporary = tempfile.TemporaryDirectory()
        >>> folder = Path(temporary.name)
        >>> rows = ["path,label"]
        >>> for number in range(20):
        ...     Image.new("L", (16, 16), number).save(folder / f"{number}.png")
        ...     rows.append(f"{number}.png,{'odd' if number % 2 else 'even'}")
        >>> _ = (folder / "labels.csv").write_text("\n".join(rows))
        >>> load_csv(folder / "labels.csv").train.label_counts()
        {'even': 6, 'odd': 6}
        >>> temporary.cleanup()
    """
    options = ImageOptions(
        image_size=image_size,
        color=color,
        resize=resize,
        validation=validation,
        test=test,
        class_names=class_names,
        seed=seed,
        max_skipped=max_skipped,
        exclude=exclude,
        max_pixels=max_pixels,
        cache=cache,
    )
    columns = _Columns(path_column, label_column, groups)
    start = None if root is None else checks.existing_path("root", root)
    notes: list[str] = []
    if _is_frame(path):
        name, origin = "table", "the table"
        names, rows = list(map(str, path.columns)), list(_frame_rows(path))
        start = start or Path()
    else:
        file = checks.existing_path("path", path)
        name, origin = show_path(file.stem), show_path(file)
        names, rows = _csv_rows(file, columns, delimiter, notes)
        start = start or file.parent
    columns.check(names)
    try:
        files, repeated = _to_files(rows, columns, start)
    except DataError as error:
        raise DataError(f"{origin}, {error}") from error
    if repeated:
        notes.append(f"Rows that name the same file again, passed over: {repeated}.")
    return make_dataset(files, options, name=name, origin=origin, root=start, notes=notes)


def scan_csv(path: Path) -> tuple[LabelledFile, ...]:
    """Lists the files of a CSV file with the columns `path` and `label`; raises as `load_csv`."""
    columns = _Columns("path", "label", None)
    names, rows = _csv_rows(path, columns, None, [])
    columns.check(names)
    try:
        files, _ = _to_files(rows, columns, path.parent)
    except DataError as error:
        raise DataError(f"{show_path(path)}, {error}") from error
    return tuple(files)


def names_splits(path: Path) -> bool:
    """Whether a CSV file has a column `split`."""
    columns, _ = _csv_rows(path, _Columns("path", "label", None), None, [], head_only=True)
    return _SPLIT_COLUMN in columns


@dataclasses.dataclass(frozen=True)
class _Columns:
    """The names of the columns."""

    path: str
    label: str
    group: str | None

    def check(self, names: Sequence[str]) -> None:
        """Raises if a column is missing."""
        for argument, column in self._needed().items():
            if not isinstance(column, str):
                raise ArgumentTypeError(
                    f"`{argument}` must be the name of a column. "
                    + checks.received(argument, column)
                )
            if column not in names:
                raise ArgumentError(
                    f"`{argument}` must be one of the table's columns, "
                    f"{', '.join(map(repr, names))}. {checks.received(argument, column)}"
                )

    def _needed(self) -> dict[str, Any]:
        needed = {"path_column": self.path, "label_column": self.label}
        return needed if self.group is None else {**needed, "groups": self.group}

    def are_in(self, names: Sequence[str]) -> bool:
        """Whether all columns are there."""
        return all(column in names for column in self._needed().values())


def _is_frame(value: StrPath | DataFrame) -> TypeGuard[DataFrame]:
    return hasattr(value, "columns") and hasattr(value, "to_dict")


def _frame_rows(frame: DataFrame) -> Iterator[Row]:
    for number, row in enumerate(frame.to_dict("records")):
        yield f"row {number}", {str(column): cell for column, cell in row.items()}


def _csv_rows(
    file: Path,
    wanted: _Columns,
    delimiter: str | None,
    notes: list[str],
    *,
    head_only: bool = False,
) -> tuple[list[str], list[Row]]:
    if delimiter is not None and (not isinstance(delimiter, str) or len(delimiter) != 1):
        raise ArgumentError(
            f"`delimiter` must be one character. {checks.received('delimiter', delimiter)}"
        )
    if not file.is_file():
        raise ArgumentError(
            f"`path` must be a CSV file. {checks.received('path', str(file))} A folder of images "
            "is read by load_folder()."
        )
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            separator = delimiter or _find_delimiter(stream, wanted)
            if separator != "," and delimiter is None:
                notes.append(f"The table's columns are separated by {_DELIMITERS[separator]}.")
            reader = csv.DictReader(stream, delimiter=separator, strict=True)
            columns = list(reader.fieldnames or [])
            if head_only:
                return columns, []
            return columns, [(f"line {reader.line_num}", row) for row in reader]
    except UnicodeDecodeError as error:
        raise DataError(
            f"{show_path(file)}: is not text in UTF-8 ({error.reason} at byte {error.start}). Save "
            "the table as CSV in UTF-8."
        ) from error
    except csv.Error as error:
        raise DataError(f"{show_path(file)}: is not a CSV table ({error}).") from error
    except OSError as error:
        raise DataError(f"{show_path(file)}: cannot be read ({error.strerror}).") from error


def _find_delimiter(stream: TextIO, wanted: _Columns) -> str:
    """Finds the delimiter with which the header has the required columns; else a comma."""
    header = stream.readline()
    stream.seek(0)
    for delimiter in _DELIMITERS:
        names = next(csv.reader([header.lstrip("\ufeff")], delimiter=delimiter), [])
        if wanted.are_in(names):
            return delimiter
    return ","


def _to_files(rows: list[Row], columns: _Columns, start: Path) -> tuple[list[LabelledFile], int]:
    """Returns the files in the order of their paths, and the number of repeated rows."""
    first: dict[str, tuple[str, LabelledFile]] = {}
    for where, row in rows:
        path = os.path.join(start, _cell(row, columns.path, where))
        split = _split_of(row, where)
        group = None if columns.group is None else _cell(row, columns.group, where)
        label = show_path(_cell(row, columns.label, where))
        file = LabelledFile(path, label, split, group)
        earlier_where, earlier = first.setdefault(os.path.normpath(path), (where, file))
        if _key(earlier) != _key(file):
            raise DataError(
                f"{where} and {earlier_where} name the same file {show_path(path)}, but not the "
                f"same class and split: {_describe(file)} and {_describe(earlier)}."
            )
        if earlier.group != file.group:
            raise DataError(
                f"{where} and {earlier_where} name the same file {show_path(path)}, but not the "
                f"same group: {file.group!r} and {earlier.group!r}."
            )
    files = [file for _, file in first.values()]
    return sorted(files, key=lambda file: file.name), len(rows) - len(files)


def _key(file: LabelledFile) -> tuple[str, str | None]:
    return file.class_name, file.split


def _describe(file: LabelledFile) -> str:
    return repr(file.class_name) if file.split is None else f"{file.class_name!r} in {file.split}"


def _cell(row: dict[str, Any], column: str, where: str) -> str:
    value = row.get(column)
    text = "" if _is_gap(value) else str(value).strip()
    if not text:
        raise DataError(f"{where}: the column {column!r} is empty.")
    if "\0" in text:
        raise DataError(f"{where}: the column {column!r} holds a zero byte.")
    return text


def _is_gap(value: Any) -> bool:
    """None, NaN and pandas' NA, whose comparisons are neither true nor false."""
    try:
        return value is None or bool(value != value)  # noqa: PLR0124
    except TypeError:
        return True


def _split_of(row: dict[str, Any], where: str) -> str | None:
    if _SPLIT_COLUMN not in row:
        return None
    text = _cell(row, _SPLIT_COLUMN, where)
    if text.lower() not in SPLIT_NAMES:
        raise DataError(
            f"{where}: the column 'split' must hold one of {', '.join(SPLIT_NAMES)}. "
            f"Received: {text!r}."
        )
    return SPLIT_NAMES[text.lower()]
