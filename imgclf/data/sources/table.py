"""Loads images that a table lists: a CSV file or data frame with a path and a label a row."""

from __future__ import annotations

import dataclasses
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from imgclf import checks
from imgclf.data.cache import CacheLocation, CacheSettings
from imgclf.data.dataset import Dataset
from imgclf.data.image_formats import has_image_suffix, suffix_of
from imgclf.data.images import MAX_PIXELS, WHITE
from imgclf.data.known_images import SplitLikeChoice
from imgclf.data.labels import check_plausible
from imgclf.data.loading_code import records_code
from imgclf.data.sources.from_files import make_dataset
from imgclf.data.sources.image_options import Color, Exclude, ImageOptions, Resize, WhiteLevel
from imgclf.data.sources.labelled_files import LabelledFile
from imgclf.data.sources.table_columns import (
    DataFrame,
    Table,
    TableOptions,
    is_true,
    read_table,
    split_reader,
)
from imgclf.errors import DataError
from imgclf.formatting import list_names, show_path
from imgclf.typing import ImageSize, RgbColor, StrPath

__all__ = ["TableScan", "load_csv", "scan_table"]

# A whole number, perhaps as pandas writes it in a column of floats.
_WHOLE = re.compile(r"-?\d+(?:\.0*)?")

# Folders that are searched for the files if none is where the table says.
_MAX_SEARCHED = 200


class TableScan(NamedTuple):
    """What a table lists.

    Args:
        files: the files, sorted by their paths.
        name: a short name of the table.
        origin: the table, for messages.
        root: the folder that paths are relative to.
        notes: sentences on how the table was understood.
        class_names: the classes in the order that the table gives them; None if it gives none.
    """

    files: tuple[LabelledFile, ...]
    name: str
    origin: str
    root: Path
    notes: tuple[str, ...]
    class_names: tuple[str, ...] | None


@records_code
def load_csv(
    path: StrPath | DataFrame,
    *,
    path_column: str | None = None,
    label_column: str | Sequence[str] | None = None,
    split_column: str | None = None,
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
    encoding: str | None = None,
    exclude: Exclude | None = None,
    groups: str | None = None,
    max_pixels: int = MAX_PIXELS,
    background: RgbColor = WHITE,
    white_level: WhiteLevel = "auto",
    cache: CacheLocation | CacheSettings = "auto",
    split_like: SplitLikeChoice = None,
) -> Dataset:
    r"""Loads the images that a table lists.

    Usual headers are found without being named, such as `filename,class`, `id,breed` or a column
    for each class with 0 and 1; a note says which. A table without a header has the columns
    "column 1", "column 2" and so on. A path without a suffix, such as an id, means the image of
    that name, and backslashes separate folders.

    Args:
        path: a text file (CSV, TSV) in UTF-8 or UTF-16; or a pandas `DataFrame` or anything else
            with `columns` and `to_dict("records")`.
        path_column: the column that names the files.
        label_column: the column that names the classes, or several that are 1 for their class and
            0 for all others. The order of a pandas `Categorical` and of several columns is kept.
        split_column: the column that decides the splits: `train`, `val`, `test` or another usual
            word in each row. If left out, a column `split`, or one with another usual name that
            holds nothing else.
        root: the folder that paths are relative to; if left out, that of the table, or of a data
            frame the current folder.
        image_size: as in `load_folder`, like all that follow.
        color: "rgb", "gray", or None to choose.
        resize: "crop", "pad" or "stretch".
        validation: the fraction for validation; `split` rows for validation take precedence.
        test: the same for the test split.
        class_names: the class names in the order of their labels. They confirm names that seem to
            be several labels or numbers.
        seed: decides which images are in which split.
        max_skipped: the fraction of the files that may be missing or unusable.
        delimiter: the delimiter of the columns; if left out, the one of comma, semicolon, tab, "|"
            and blank with which the table has the columns that it must have.
        encoding: the encoding of the file, such as "latin-1"; UTF-8 or UTF-16 if left out.
        exclude: as in `load_folder`; paths are relative to the same folder as those of the table.
        groups: the column of the groups whose images must stay in one split, such as "patient".
        max_pixels: as in `load_folder`.
        background: as in `load_folder`.
        white_level: as in `load_folder`.
        cache: where decoded images are kept from the first epoch on: "auto" (memory up to a
            quarter of what is free, at most 2 GiB, else the disk), "memory", "disk", None
            (nowhere), or `CacheSettings` with other limits.
        split_like: as in `load_folder`.

    Returns:
        The data set; `Dataset.train.images` is an `ImageFiles` of (N, height, width, channels).

    Raises:
        MissingFileError: if there is no such table or `root`.
        ArgumentError: if an argument is not as above, a column is missing, or more than one may
            be meant.
        DataError: if a row cannot be understood, a file has two labels, a cell has several, labels
            seem to be no classes, there are fewer than two, or too many files are unusable.

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
        background=background,
        white_level=white_level,
        cache=cache,
        split_like=split_like,
    )
    table = TableOptions(path_column, label_column, split_column, groups, delimiter, encoding)
    scan = scan_table(path, table, root, class_names=options.class_names)
    if options.class_names is None and scan.class_names is not None:
        options = dataclasses.replace(options, class_names=scan.class_names)
    return make_dataset(
        scan.files,
        options,
        name=scan.name,
        origin=scan.origin,
        root=scan.root,
        notes=scan.notes,
    )


def scan_table(
    path: StrPath | DataFrame,
    options: TableOptions,
    root: StrPath | None = None,
    *,
    class_names: Sequence[str] | None = None,
) -> TableScan:
    """Lists the files of a table; arguments and errors as of `load_csv`."""
    start = None if root is None else checks.existing_path("root", root)
    table = read_table(path, options)
    if isinstance(path, (str, os.PathLike)):
        file = checks.path("path", path)
        name, origin, start = show_path(file.stem), show_path(file), start or file.parent
    else:
        name, origin, start = "table", "the table", start or Path()
    try:
        files, repeated = _to_files(table, start, class_names)
    except DataError as error:
        raise DataError(f"{origin}, {error}") from error
    notes = list(table.notes)
    if repeated:
        notes.append(f"Rows that name the same file again, passed over: {repeated}.")
    there = Counter(file.class_name for file in files)
    try:
        if class_names is None:
            notes += check_plausible(there)
        _check_some_exist(files, start)
    except DataError as error:
        raise DataError(f"{origin}: {error}") from error
    return TableScan(
        tuple(files), name, origin, start, tuple(notes), _in_order(table.class_order, files)
    )


def _in_order(order: Sequence[str] | None, files: Sequence[LabelledFile]) -> tuple[str, ...] | None:
    """The classes in a given order, without those that no image has."""
    learned = {file.class_name for file in files if file.split in (None, "train")}
    names = tuple(name for name in map(_as_name, order or ()) if name in learned)
    return names if len(names) == len({file.class_name for file in files}) >= 2 else None


def _to_files(
    table: Table, start: Path, class_names: Sequence[str] | None
) -> tuple[list[LabelledFile], int]:
    """Returns the files in the order of their paths, and the number of repeated rows."""
    first: dict[str, tuple[str, LabelledFile]] = {}
    columns = table.columns
    find = _FileFinder(start)
    read_split = (
        None
        if columns.split is None
        else split_reader(columns.split, (row.get(columns.split) for _, row in table.rows))
    )
    labels = _labels_of(table, class_names)
    for (where, row), label in zip(table.rows, labels, strict=True):
        path = find(_cell(row, columns.path, where), where)
        split = None
        if columns.split is not None and read_split is not None:
            split = read_split(text := _cell(row, columns.split, where))
            if split is None:
                raise DataError(
                    f"{where}: the column {columns.split!r} must hold train, val, test or another "
                    f"usual name of a split. Received: {text!r}."
                )
        group = None if columns.group is None else _cell(row, columns.group, where)
        file = LabelledFile(path, label, split, group)
        earlier_where, earlier = first.setdefault(os.path.normpath(path), (where, file))
        _check_same(file, where, earlier, earlier_where)
    files = [file for _, file in first.values()]
    return sorted(files, key=lambda file: file.name), len(table.rows) - len(files)


def _check_same(file: LabelledFile, where: str, earlier: LabelledFile, earlier_where: str) -> None:
    """Refuses two rows that say different things of a file."""
    if _key(earlier) != _key(file):
        raise DataError(
            f"{where} and {earlier_where} name the same file {show_path(file.name)}, but not the "
            f"same class and split: {_describe(file)} and {_describe(earlier)}."
        )
    if earlier.group != file.group:
        raise DataError(
            f"{where} and {earlier_where} name the same file {show_path(file.name)}, but not the "
            f"same group: {file.group!r} and {earlier.group!r}."
        )


def _labels_of(table: Table, class_names: Sequence[str] | None) -> list[str]:
    """The class of each row; whole numbers lose the zeros of a column of floats."""
    columns = table.columns.labels
    if len(columns) > 1:
        return [_from_one_hot(row, columns, where) for where, row in table.rows]
    texts = [show_path(_cell(row, columns[0], where)) for where, row in table.rows]
    as_written = class_names is not None and set(texts) <= set(class_names)
    whole = not as_written and all(map(_WHOLE.fullmatch, texts))
    return list(map(_as_name, texts)) if whole else texts


def _as_name(text: str) -> str:
    return text.partition(".")[0] if _WHOLE.fullmatch(text) else text


def _from_one_hot(row: dict[str, Any], columns: Sequence[str], where: str) -> str:
    chosen = [column for column in columns if is_true(_cell(row, column, where))]
    if len(chosen) == 1:
        return show_path(chosen[0])
    if chosen:
        raise DataError(
            f"{where}: {list_names(chosen)} are all 1. imgclf gives each image one class: several "
            "labels an image (multi-label) are not supported. Leave a single 1 in each row."
        )
    raise DataError(
        f"{where}: none of the columns {list_names(columns)} is 1. Give each image one class."
    )


class _FileFinder:
    """Finds the file that a cell means.

    Args:
        start: the folder that paths are relative to.
    """

    def __init__(self, start: Path) -> None:
        self._start = start
        self._listings: dict[str, dict[str, list[str]]] = {}

    def __call__(self, text: str, where: str) -> str:
        path = os.path.join(self._start, text)
        if "\\" in text and os.sep == "/" and not os.path.lexists(path):
            path = os.path.join(self._start, text.replace("\\", "/"))
        if suffix_of(path) and has_image_suffix(path):
            return path
        if os.path.lexists(path):
            return path
        folder, name = os.path.split(path)
        found = self._listing(folder).get(name, [])
        if len(found) > 1:
            raise DataError(f"{where}: {text!r} may be any of {list_names(found)}. Add the suffix.")
        return os.path.join(folder, found[0]) if found else path

    def _listing(self, folder: str) -> dict[str, list[str]]:
        """The images in a folder by their names without the suffix."""
        if folder not in self._listings:
            listing: dict[str, list[str]] = {}
            try:
                names = sorted(entry.name for entry in Path(folder or ".").iterdir())
            except OSError:
                names = []
            for name in names:
                if suffix_of(name) and has_image_suffix(name):
                    listing.setdefault(name.removesuffix(Path(name).suffix), []).append(name)
            self._listings[folder] = listing
        return self._listings[folder]


def _check_some_exist(files: Sequence[LabelledFile], start: Path) -> None:
    """Refuses a table none of whose files is there, since paths start elsewhere."""
    if not files or any(os.path.lexists(file.name) for file in files):
        return
    first = files[0].name
    raise DataError(
        f"none of the {len(files):,} files is there, such as {show_path(first)}. Give the folder "
        f"that the paths are relative to by `root` (--root).{_where_it_is(first, start)}"
    )


def _where_it_is(path: str, start: Path) -> str:
    """A sentence on where a file is, at or below the folder that paths are relative to."""
    inside = Path(path).is_relative_to(start)
    parts = Path(path).relative_to(start).parts if inside else Path(path).parts[1:]
    for number, (folder, folders, _) in enumerate(os.walk(start)):
        folders.sort()
        for dropped in range(len(parts)):
            end, head = Path(*parts[dropped:]), parts[:dropped]
            if not Path(folder, end).is_file():
                continue
            home = Path(folder).resolve()
            if inside and home.parts[len(home.parts) - dropped :] == head:
                root = home.parents[dropped - 1] if dropped else Path(folder)
                return f" It is in {show_path(root)}."
            # Of the path of another computer only the end is the same here.
            return (
                f" There is {show_path(Path(folder, end))}: write paths that are relative to a "
                f"folder, such as {show_path(end)!r}."
            )
        if number >= _MAX_SEARCHED:
            break
    return ""


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
