"""`inspect`: one function for all that can be looked at before training."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, overload

from imgclf import checks
from imgclf.errors import ArgumentError
from imgclf.inspection.dataset import Inspection, inspect_dataset
from imgclf.inspection.photos import PhotoInspection, check_photos

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["inspect"]


@overload
def inspect(
    data: str | os.PathLike[str],
    *,
    progress: Callable[[int, int], None] | None = None,
    exclude: Any = None,
) -> PhotoInspection: ...


@overload
def inspect(data: Any, *, sample: int | None = None) -> Inspection: ...


def inspect(
    data: Any,
    *,
    sample: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    exclude: Any = None,
) -> Inspection | PhotoInspection:
    """Looks at data before anything is trained on it.

    Of data that is loaded, it says how many images of which classes there are, their shape, type
    and values. A path of a folder or CSV file of photos is checked from top to bottom: every file
    is decoded once, and broken files, copies and near copies within and across classes and splits,
    odd images, imbalanced classes and facts that give the class away become findings.

    Args:
        data: a `Dataset`, a `Split`, a pair (images, labels), or the path of a folder or CSV file.
        sample: an image to look at, counted from 0; of a `Dataset`, in its train split.
        progress: for a path: called now and then with how many files are done and how many there
            are.
        exclude: for a path: files to leave out, as in `load_folder`, such as an earlier check
            found. They are counted and not looked at.

    Returns:
        An `Inspection`, or a `PhotoInspection` of a path. Print it, or draw images with
        `.plot()`.

    Raises:
        ArgumentError: if there is no such sample, or an argument does not go with the data.
        ArgumentTypeError: if `data` is none of these.
        MissingFileError: if there is no such folder or table.
        DataError: if the folder or table holds no classes of images.

    Example:
        >>> import imgclf
        >>> found = inspect(imgclf.load_digits(), sample=7)
        >>> found.splits[0].samples, found.splits[0].pixel_range
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
        return check_photos(data, progress, exclude)
    for name, value in (("progress", progress), ("exclude", exclude)):
        if value is not None:
            raise ArgumentError(f"`{name}` goes with a path only. {checks.received(name, value)}")
    return inspect_dataset(data, sample=sample)
