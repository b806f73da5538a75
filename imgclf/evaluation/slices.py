"""Slices: parts of the images that have something in common, and how well each is recognised."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
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

__all__ = ["Slice", "columns_by", "slice_records"]

# A mark is wrong, anywhere among the slices of one column, in at most so many of such columns.
_SIGNIFICANCE = 0.05

# Numbers with at most so many different values are taken one by one, not in ranges.
_MOST_VALUES = 8

# Brightness is that of a copy of this side: the mean of the pixels hardly depends on it.
_SIDE = 32
_CHUNK = 64

# Source: ITU-R BT.601, as Pillow turns colour into grey.
_LUMA = np.array([0.299, 0.587, 0.114])

_NO_VALUE = "unknown"


@dataclasses.dataclass(frozen=True)
class Slice:
    """Images that have something in common.

    Args:
        by: what they were sorted by: "class", "brightness", the name of a column.
        name: what they have in common.
        num_images: how many there are.
        accuracy: the part of them that is right.
        interval: 95% Wilson interval of it.
        rest_accuracy: the part of all other images that is right; not a number if there are none.
        p_value: how often chance alone would put a slice so far below the rest: Fisher's exact
            test, one-sided, corrected by Holm for the number of slices.
        is_worse: whether it is really below the rest: the p-value is below 5%.
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
    """A record a group, the least accurate first.

    Args:
        by: what the groups are made by.
        groups: (N,) the number of each image's group.
        names: a name a group.
        correct: (N,) whether each prediction is right.

    Source:
        S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
        Statistics 6 (1979). It holds however the slices depend on each other, which they do: each
        is part of the rest of all others.

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
    by: Any, labels: np.ndarray, class_names: Any, images: Any, bins: int
) -> list[tuple[str, np.ndarray, list[str]]]:
    """What the images are sorted by: (name, the number of each one's group, names of groups).

    Args:
        by: as for `Evaluation.slices`.
        labels: (N,) the true classes.
        class_names: one name a class.
        images: the images, or None.
        bins: ranges that numbers are sorted into.
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


def _check_column(name: str, values: Any, count: int) -> np.ndarray:
    try:
        column = np.asarray(values)
    except ValueError as error:
        raise ArgumentTypeError(f"`{name}` must hold one value an image.") from error
    if column.ndim != 1 or len(column) != count:
        raise ArgumentError(
            f"`{name}` must hold {count} values, one an image. Received: shape={column.shape}."
        )
    return column


def _group(column: np.ndarray, bins: int, unit: str = "") -> tuple[np.ndarray, list[str]]:
    """Texts and few numbers value by value; many numbers in ranges with as many images each."""
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
    """The mean grey value of each image, 0 to 255."""
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
    """The folder that each file is in, from the folder on that holds them all."""
    folders = [os.path.dirname(os.path.abspath(path)) for path in _paths("folder", images)]  # noqa: PTH120
    root = os.path.commonpath(folders) if folders else ""
    return np.array([os.path.relpath(folder, root).replace(os.sep, "/") for folder in folders])


def _paths(by: str, images: Any) -> np.ndarray:
    if not isinstance(images, ImageFiles):
        raise ArgumentError(
            f"`by`={by!r} needs image files, as `load_folder` and `load_csv` give them: an array "
            "says nothing of it. " + checks.received("images", type(images).__name__)
        )
    return images.paths


_MEASURES = {"size": _sizes, "brightness": _brightness, "folder": _folders}
_UNITS = {"size": " px"}
