"""The single figures of an evaluation by name, each with its 95% interval.

| figure | interval |
|---|---|
| accuracy, top-k, weighted recall (which is the accuracy) | Wilson |
| balanced accuracy; macro and weighted precision, recall, F1 | Wilson, by the delta method |
| loss, Brier score | bootstrap, BCa |
| calibration error | bootstrap, inverted test |
| areas under ROC and precision-recall curves | Wilson, by the infinitesimal jackknife |
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from imgclf.evaluation.intervals import by_resampling as resampling
from imgclf.evaluation.intervals.by_formula import (
    f1_intervals,
    interval_by_variance,
    wilson_interval,
    wilson_intervals,
)

if TYPE_CHECKING:
    from imgclf.evaluation.evaluation import Evaluation

__all__ = ["TOP_K", "class_intervals", "figure_names", "find_interval", "mean_score"]


# The k for which reports give the top-k accuracy, as far as there are more than k classes.
TOP_K = (2, 3, 5)


def figure_names(evaluation: Evaluation) -> list[str]:
    """The names of all single figures, in the order of reports."""
    tops = [f"top_{k}" for k in TOP_K if k < len(evaluation.class_names)]
    return [*_INTERVALS, *tops]


def find_interval(evaluation: Evaluation, name: str) -> tuple[float, float]:
    """The 95% interval of a figure that `figure_names` has, or of top_k for any k."""
    if name.startswith("top_"):
        count = len(evaluation)
        return wilson_interval(round(evaluation.top_k(int(name[4:])) * count), count)
    low, high = _INTERVALS[name](evaluation)
    return max(low, 0.0), min(high, _MOST.get(name, 1.0))


def class_intervals(matrix: np.ndarray) -> dict[str, np.ndarray]:
    """95% intervals of each class's precision, recall and F1, (classes, 2), by its counts.

    Args:
        matrix: (classes, classes) counts, a row a true class, a column a predicted one.
    """
    right, there, said = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    return {
        "precision": wilson_intervals(right, said),
        "recall": wilson_intervals(right, there),
        "f1": f1_intervals(right, there + said - 2 * right),
    }


# A score is a × right / (b × images of the class + c × images taken for it): a, b and c.
_SCORES = {"precision": (1, 0, 1), "recall": (1, 1, 0), "f1": (2, 1, 1)}


def _of_classes(score: str, average: str) -> Callable[[Evaluation], tuple[float, float]]:
    """The interval of a mean of the classes' scores."""

    def interval(evaluation: Evaluation) -> tuple[float, float]:
        matrix = evaluation.confusion_matrix
        value, influence = mean_score(matrix, score, average)
        variance = float(np.sum(matrix * influence**2))
        there = matrix.sum(axis=1)
        weights = _weights(there, average)[there > 0]
        worth = 1 / np.sum(weights**2 / there[there > 0])
        return interval_by_variance(value, variance, at_the_ends=float(worth))

    return interval


def mean_score(matrix: np.ndarray, score: str, average: str) -> tuple[float, np.ndarray]:
    """A mean of the classes' scores, and what one more image in each cell would change.

    The influence is the derivative of the scores, and of their weights, by the count of the cell
    (the delta method).

    Args:
        matrix: (classes, classes) counts, a row a true class, a column a predicted one.
        score: "precision", "recall" or "f1".
        average: "macro"; "weighted" by the images of the classes; "balanced", the mean of the
            classes that have images.

    Returns:
        (value, influence): a float and (classes, classes).

    Example:
        >>> value, influence = mean_score(np.array([[8, 2], [1, 9]]), "recall", "macro")
        >>> round(value, 3), influence.round(3).tolist()
        (0.85, [[0.01, -0.04], [-0.045, 0.005]])
    """
    factor, by_row, by_column = _SCORES[score]
    right, there, said = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    sizes = by_row * there + by_column * said
    scores = factor * right / np.maximum(sizes, 1)
    weights = _weights(there, average)
    value = float(weights @ scores)
    slopes = weights / np.maximum(sizes, 1)
    influence = np.diag(factor * slopes)
    influence = influence - by_row * (slopes * scores)[:, None] - by_column * slopes * scores
    if average == "weighted":
        influence += (scores - value)[:, None] / there.sum()
    return value, influence


def _weights(there: np.ndarray, average: str) -> np.ndarray:
    counted = {"macro": np.ones(len(there)), "weighted": there, "balanced": there > 0}[average]
    return counted / counted.sum()


def _of_losses(name: str) -> Callable[[Evaluation], tuple[float, float]]:
    def interval(evaluation: Evaluation) -> tuple[float, float]:
        columns, means = evaluation._resampled
        place = {"loss": 0, "brier_score": 1}[name]
        return resampling.interval_of_resampled_mean(columns[:, place], means[:, place])

    return interval


def _of_calibration(evaluation: Evaluation) -> tuple[float, float]:
    columns, means = evaluation._resampled
    if len(columns) == 1:
        return 0.0, 1.0
    return resampling.interval_of_length(columns[:, 2:].mean(axis=0), means[:, 2:])


_INTERVALS: dict[str, Callable[[Any], tuple[float, float]]] = {
    "accuracy": lambda evaluation: evaluation.accuracy_interval,
    "balanced_accuracy": _of_classes("recall", "balanced"),
    "macro_precision": _of_classes("precision", "macro"),
    "macro_recall": _of_classes("recall", "macro"),
    "macro_f1": _of_classes("f1", "macro"),
    "weighted_precision": _of_classes("precision", "weighted"),
    "weighted_recall": lambda evaluation: evaluation.accuracy_interval,
    "weighted_f1": _of_classes("f1", "weighted"),
    "loss": _of_losses("loss"),
    "brier_score": _of_losses("brier_score"),
    "calibration_error": _of_calibration,
    "roc_auc": lambda evaluation: evaluation._areas["roc_auc"][1],
    "average_precision": lambda evaluation: evaluation._areas["average_precision"][1],
}

# The largest value of each that can be above 1.
_MOST = {"loss": float(-np.log(np.finfo(np.float64).eps)), "brier_score": 2.0}
