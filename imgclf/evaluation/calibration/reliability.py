"""Reliability: whether predictions with a confidence of 80% are right in 80% of the cases."""

from __future__ import annotations

import dataclasses

import numpy as np

from imgclf import checks
from imgclf.errors import DataError
from imgclf.evaluation.intervals.by_formula import wilson_interval
from imgclf.typing import ArrayLike

__all__ = [
    "CalibrationBin",
    "calibration_bins",
    "calibration_gaps",
    "check_confidences",
    "expected_calibration_error",
]

# Guo et al. 2017 report all their results with 15 bins.
_BINS = 15


@dataclasses.dataclass(frozen=True)
class CalibrationBin:
    """The predictions whose confidence lies in one range.

    Args:
        low: the lower bound of the range, itself not in it (but 0 is in the first one).
        high: the upper bound, which is in it.
        num_images: how many there are.
        confidence: their mean confidence.
        accuracy: the share of them that is right.
        accuracy_interval: 95% Wilson interval of `accuracy`.
    """

    low: float
    high: float
    num_images: int
    confidence: float
    accuracy: float
    accuracy_interval: tuple[float, float]


def calibration_bins(
    confidences: ArrayLike, correct: ArrayLike, *, bins: int = _BINS
) -> list[CalibrationBin]:
    """Groups predictions into ranges of confidence of equal width.

    Args:
        confidences: (N,) probability of the class that was predicted, 0 to 1.
        correct: (N,) whether that class was the true one.
        bins: how many ranges 0 to 1 is cut into.

    Returns:
        The ranges that hold any prediction, from low to high confidence.

    Raises:
        DataError: if the two are not as above, or are empty.

    Example:
        >>> [chosen] = calibration_bins([0.81, 0.83, 0.85, 0.85], [True, True, True, False], bins=5)
        >>> round(chosen.confidence, 3), chosen.accuracy
        (0.835, 0.75)
    """
    checks.integer("bins", bins, low=1)
    confidences, correct = check_confidences(confidences, correct)
    edges = np.linspace(0, 1, bins + 1)
    members = _ranges(confidences, bins)
    counts = np.bincount(members, minlength=bins)
    sums = np.bincount(members, weights=confidences, minlength=bins)
    right = np.bincount(members[correct], minlength=bins)
    return [
        CalibrationBin(
            low=float(edges[index]),
            high=float(edges[index + 1]),
            num_images=int(counts[index]),
            confidence=float(sums[index] / counts[index]),
            accuracy=float(right[index] / counts[index]),
            accuracy_interval=wilson_interval(int(right[index]), int(counts[index])),
        )
        for index in np.flatnonzero(counts)
    ]


def expected_calibration_error(
    confidences: ArrayLike, correct: ArrayLike, *, bins: int = _BINS
) -> float:
    """Computes the mean distance between confidence and accuracy; 0 for a calibrated classifier.

    Args:
        confidences: (N,) probability of the class that was predicted, 0 to 1.
        correct: (N,) whether that class was the true one.
        bins: how many ranges of equal width 0 to 1 is cut into.

    Returns:
        The distances of the ranges, each weighted with its number of predictions; 0 to 1.

    Raises:
        DataError: if the two arrays are not as above, or are empty.

    Source:
        C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On Calibration of Modern Neural Networks",
        ICML 2017, equation 3.

    Example:
        >>> round(expected_calibration_error([0.9, 0.9, 0.9, 0.9], [True, True, True, False]), 3)
        0.15
    """
    ranges = calibration_bins(confidences, correct, bins=bins)
    total = sum(one.num_images for one in ranges)
    return sum(one.num_images / total * abs(one.accuracy - one.confidence) for one in ranges)


def check_confidences(confidences: ArrayLike, correct: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Both as arrays (N,), float64 and bool; `DataError` if they are not such."""
    levels = np.asarray(confidences)
    right = np.asarray(correct)
    if levels.ndim != 1 or levels.dtype.kind not in "fiu" or not len(levels):
        raise DataError(
            "`confidences` must be numbers of the shape (N,), at least one. "
            f"Received: shape={levels.shape}, dtype={levels.dtype}."
        )
    if right.shape != levels.shape or right.dtype != np.bool_:
        raise DataError(
            f"`correct` must be {len(levels)} times True or False, one a confidence. "
            f"Received: shape={right.shape}, dtype={right.dtype}."
        )
    if not (levels.min() >= 0 and levels.max() <= 1):  # NaN is neither
        raise DataError(
            "`confidences` must be from 0 to 1. "
            f"Received: values from {levels.min():g} to {levels.max():g}."
        )
    return levels.astype(np.float64), right


def calibration_gaps(
    confidences: ArrayLike, correct: ArrayLike, *, bins: int = _BINS
) -> np.ndarray:
    """Computes what each prediction adds to the distance of its range.

    Args:
        confidences: (N,) probability of the class that was predicted, 0 to 1.
        correct: (N,) whether that class was the true one.
        bins: how many ranges of equal width 0 to 1 is cut into.

    Returns:
        (N, bins): in the column of its range 1 - confidence if it is right, - confidence if not.
        The absolute means of the columns add up to `expected_calibration_error`.

    Example:
        >>> gaps = calibration_gaps([0.9, 0.9, 0.9, 0.9], [True, True, True, False])
        >>> round(float(abs(gaps.mean(axis=0)).sum()), 3)
        0.15
    """
    confidences, correct = check_confidences(confidences, correct)
    gaps = np.zeros((len(confidences), bins))
    gaps[np.arange(len(confidences)), _ranges(confidences, bins)] = correct - confidences
    return gaps


def _ranges(confidences: np.ndarray, bins: int) -> np.ndarray:
    """The number of the range of each: a value on an edge belongs below it, ((m-1)/M, m/M]."""
    return np.digitize(confidences, np.linspace(0, 1, bins + 1)[1:-1], right=True)
