"""`inspect`: one function for all data that can be inspected before training."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import overload

from imgclf import checks
from imgclf.data.sources.image_options import Exclude
from imgclf.data.sources.table_columns import TableOptions
from imgclf.errors import ArgumentError
from imgclf.inspection.dataset_inspection import DatasetLike, Inspection, inspect_dataset
from imgclf.inspection.photo_inspection import PhotoInspection, inspect_photos
from imgclf.typing import StrPath

__all__ = ["inspect"]


@overload
def inspect(
    data: StrPath,
    *,
    progress: Callable[[int, int], None] | None = None,
    exclude: Exclude | None = None,
    class_names: Sequence[str] | None = None,
    path_column: str | None = None,
    label_column: str | Sequence[str] | None = None,
    split_column: str | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    root: StrPath | None = None,
) -> PhotoInspection: ...


@overload
def inspect(data: DatasetLike, *, sample: int | None = None) -> Inspection: ...


def inspect(
    data: StrPath | DatasetLike,
    *,
    sample: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    exclude: Exclude | None = None,
    class_names: Sequence[str] | None = None,
    path_column: str | None = None,
    label_column: str | Sequence[str] | None = None,
    split_column: str | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    root: StrPath | None = None,
) -> Inspection | PhotoInspection:
    """Inspects data before anything is trained on it.

    Loaded data is summarized: the number of images of each class, their shape, type and values. A
    folder or CSV file of photos is checked file by file. Every file is decoded once. Broken files,
    copies and near copies within and across classes and splits, odd images, imbalanced classes and
    shortcuts that reveal the class become findings.

    Args:
        data: a `Dataset`, a `Split`, a pair (images, labels), or the path of a folder or CSV file.
        sample: the index of an image to show; of a `Dataset`, in its train split.
        progress: for a path: called from time to time with the number of files checked so far and
            the number of all files.
        exclude: for a path: files to leave out, as in `load_folder`, such as those of an earlier
            inspection. They are counted, but not checked.
        class_names: for a path: the names of the classes, as in `load_folder`.
        path_column: for a table: as in `load_csv`, like all that follow.
        label_column: the column of the classes, or one-hot columns.
        split_column: the column of the splits.
        delimiter: the delimiter of the columns.
        encoding: the encoding of the file.
        root: the folder that paths are relative to.

    Returns:
        An `Inspection`, or of a path a `PhotoInspection`. Print it, or draw images with `.plot()`.

    Raises:
        ArgumentError: if there is no such sample, or an argument does not go with the data.
        ArgumentTypeError: if `data` is none of these.
        MissingFileError: if there is no such folder or table.
        DataError: if the folder or table holds no classes of images, or its folders may be splits
            or classes.

    Example:
        >>> import imgclf
        >>> found = inspect(imgclf.load_digits(), sample=7)
        >>> found.splits[0].num_images, found.splits[0].pixel_range
        (1259, (0, 255))
        >>> print(found.sample)
        Sample 7: 1 (label 1), shape 8×8×1, values 0 to 255
    """
    if isinstance(data, (str, os.PathLike)):
        if sample is not None:
            raise ArgumentError(
                "`sample` goes with data that is loaded: inspect(load_folder(path), sample=…). "
                + checks.received("sample", sample)
            )
        table = TableOptions(
            path_column, label_column, split_column, delimiter=delimiter, encoding=encoding
        )
        return inspect_photos(data, progress, exclude, table, root, class_names)
    for name, value in (
        *(("progress", progress), ("exclude", exclude), ("class_names", class_names)),
        *(("path_column", path_column), ("label_column", label_column)),
        *(("split_column", split_column), ("delimiter", delimiter)),
        *(("encoding", encoding), ("root", root)),
    ):
        if value is not None:
            raise ArgumentError(f"`{name}` goes with a path only. {checks.received(name, value)}")
    return inspect_dataset(data, sample=sample)
