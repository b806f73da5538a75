"""Slices: groups of images that have something in common, with the accuracy of each."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from imgclf import checks
from imgclf.data.image_files import ImageFiles
from imgclf.data.images import read_header
from imgclf.data.thumbnails import thumbnails
from imgclf.errors import ArgumentError, ArgumentTypeError
from imgclf.evaluation.intervals.by_formula import wilson_intervals
from imgclf.evaluation.intervals.paired import holm
from imgclf.files.in_threads import in_threads
from imgclf.formatting import show_path
from imgclf.typing import ArrayLike

__all__ = ["Slice", "columns_by", "slice_records"]

# The significance level of a column: the probability of any false mark among its slices.
_SIGNIFICANCE = 0.05

# Numbers with at most so many different values are grouped by value, not by range.
_MOST_VALUES = 8

# Brightness is measured on thumbnails of this side, which hardly change the mean.
_SIDE = 32
_CHUNK = 64

# Source: ITU-R BT.601, as Pillow converts color to gray.
_LUMA = np.array([0.299, 0.587, 0.114])

_NO_VALUE = "unknown"


@dataclasses.dataclass(frozen=True)
class Slice:
    """Images that have something in common.

    Args:
        by: what they were grouped by: "class", "brightness", the name of a column.
        name: what they have in common.
        num_images: how many images there are.
        accuracy: the share of them that is right.
        interval: 95% Wilson interval of it.
        rest_accuracy: the accuracy on all other images; NaN if there are none.
        p_value: of Fisher's exact test, one-sided, corrected by Holm's method for the number of
            slices.
        is_worse: whether it is significantly below the rest: the p-value is below 5%.
    """

    by: str
    name: str
    num_images: int
    accuracy: float
    interval: tuple[float, float]
    rest_accuracy: float
    p_value: float
    is_worse: bool

    def __str__(self) -> str:
        low, high = self.interval
        return (
            f"{self.by} {show_path(self.name)}: {self.accuracy:.1%} ({low:.1%} to {high:.1%}) "
            f"of {self.num_images:,}; the rest {self.rest_accuracy:.1%}"
            + (", significantly worse" if self.is_worse else "")
        )


def slice_records(
    by: str, groups: np.ndarray, names: list[str], correct: np.ndarray
) -> list[Slice]:
    """Computes a `Slice` for each group, the least accurate first.

    Args:
        by: what the images are grouped by.
        groups: (N,) the number of each image's group.
        names: a name a group.
        correct: (N,) whether each prediction is right.

    Source:
        S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
        Statistics 6 (1979). It is valid for dependent tests, which these are: each slice is part
        of the rest of all others.

    Example:
        >>> correct = np.array([True] * 50 + [False] * 8 + [True] * 2)
        >>> worst, best = slice_records("room", np.repeat([0, 1], [50, 10]), ["a", "b"], correct)
        >>> worst.name, worst.accuracy, worst.is_worse, best.is_worse
        ('b', 0.2, True, False)
    """
    from scipy.stats import hypergeom

    counts = np.bincount(groups, minlength=len(names))
    right = np.bincount(groups[correct], minlength=len(names))
    there = np.flatnonzero(counts)
    counts, right = counts[there], right[there]
    total, all_right = len(correct), int(correct.sum())
    p_values = holm(hypergeom.cdf(right, total, all_right, counts))
    bounds = wilson_intervals(right, counts)
    with np.errstate(invalid="ignore"):
        rest = (all_right - right) / (total - counts)
    records = [
        Slice(
            by=by,
            name=names[there[place]],
            num_images=int(counts[place]),
            accuracy=float(right[place] / counts[place]),
            interval=(float(bounds[place, 0]), float(bounds[place, 1])),
            rest_accuracy=float(rest[place]),
            p_value=float(p_values[place]),
            is_worse=bool(p_values[place] < _SIGNIFICANCE),
        )
        for place in range(len(there))
    ]
    return sorted(records, key=lambda record: record.accuracy)


def columns_by(
    by: str | ArrayLike | Mapping[str, ArrayLike],
    labels: np.ndarray,
    class_names: Sequence[str],
    images: np.ndarray | ImageFiles | None,
    bins: int,
) -> list[tuple[str, np.ndarray, list[str]]]:
    """Groups the images: (name, (N,) the number of each one's group, names of groups).

    Args:
        by: as for `Evaluation.slices`.
        labels: (N,) the true classes.
        class_names: one name a class.
        images: the images, or None.
        bins: ranges that numbers are grouped into.
    """
    checks.integer("bins", bins, low=2)
    if isinstance(by, str):
        checks.one_of("by", by, ["class", "size", "brightness", "folder"])
        if by == "class":
            return [(by, labels, list(class_names))]
        return [(by, *_group(_MEASURES[by](images), bins, _UNITS.get(by, "")))]
    if isinstance(by, Mapping):
        return [
            (str(name), *_group(_check_column(f"by[{name!r}]", values, len(labels)), bins))
            for name, values in by.items()
        ]
    return [("value", *_group(_check_column("by", by, len(labels)), bins))]


def _check_column(name: str, values: ArrayLike, num_images: int) -> np.ndarray:
    try:
        column = np.asarray(values)
    except ValueError as error:
        raise ArgumentTypeError(f"`{name}` must hold one value an image.") from error
    if column.ndim != 1 or len(column) != num_images:
        raise ArgumentError(
            f"`{name}` must hold {num_images} values, one an image. Received: shape={column.shape}."
        )
    return column


def _group(column: np.ndarray, bins: int, unit: str = "") -> tuple[np.ndarray, list[str]]:
    """Groups texts and few numbers by value, many numbers by ranges of as many images each."""
    if column.dtype.kind not in "iuf":
        texts = np.array([_NO_VALUE if _is_missing(value) else str(value) for value in column])
        found, groups = np.unique(texts, return_inverse=True)
        return groups, [str(name) for name in found]
    numbers = column.astype(np.float64)
    known = np.isfinite(numbers)
    values = np.unique(numbers[known])
    groups = np.full(len(numbers), len(values))
    if len(values) <= _MOST_VALUES:
        groups[known] = np.searchsorted(values, numbers[known])
        return groups, [*(f"{value:g}{unit}" for value in values), _NO_VALUE]
    inner = np.unique(np.quantile(numbers[known], np.linspace(0, 1, bins + 1)[1:-1]))
    groups = np.full(len(numbers), len(inner) + 1)
    groups[known] = np.searchsorted(inner, numbers[known], side="left")
    names = [
        f"{some.min():.4g} to {some.max():.4g}{unit}" if len(some) else ""
        for some in (numbers[groups == number] for number in range(len(inner) + 1))
    ]
    return groups, [*names, _NO_VALUE]


def _is_missing(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, float) and np.isnan(value))


def _sizes(images: Any) -> np.ndarray:
    """The shorter side of each image in its file, in pixels, from the header alone."""
    paths = _paths("size", images)
    limit = images.spec.max_pixels

    def shorter_side(path: str) -> int:
        header = read_header(path, limit)
        return min(header.height, header.width)

    return np.array(list(in_threads(shorter_side, paths, _CHUNK)))


def _brightness(images: Any) -> np.ndarray:
    """The mean gray value of each image, 0 to 255."""
    if images is None:
        raise ArgumentError(
            "`by`='brightness' needs the images: make the Evaluation with `images`. "
            "Received: images=None."
        )
    chunks = range(0, len(images), 1024)
    means = [
        thumbnails(images[start : start + 1024], _SIDE).mean(axis=(1, 2), dtype=np.float64)
        for start in chunks
    ]
    by_channel = np.concatenate(means)
    return by_channel @ _LUMA if by_channel.shape[1] == 3 else by_channel.mean(axis=1)


def _folders(images: Any) -> np.ndarray:
    """The folder of each file, relative to the folder that holds them all."""
    folders = [os.path.dirname(os.path.abspath(path)) for path in _paths("folder", images)]  # noqa: PTH120
    root = os.path.commonpath(folders) if folders else ""
    return np.array([os.path.relpath(folder, root).replace(os.sep, "/") for folder in folders])


def _paths(by: str, images: Any) -> np.ndarray:
    if not isinstance(images, ImageFiles):
        raise ArgumentError(
            f"`by`={by!r} needs image files, as `load_folder` and `load_csv` give them: an array "
            "does not tell. " + checks.received("images", type(images).__name__)
        )
    return images.paths


_MEASURES = {"size": _sizes, "brightness": _brightness, "folder": _folders}
_UNITS = {"size": " px"}
