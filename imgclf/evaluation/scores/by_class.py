"""Precision, recall and F1 of each class and their averages, from the confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict

import numpy as np

from imgclf.evaluation.intervals.by_formula import f1_intervals, wilson_intervals
from imgclf.evaluation.intervals.of_class_means import interval_of_class_mean

__all__ = [
    "Average",
    "ClassRecord",
    "Score",
    "are_imbalanced",
    "class_records",
    "confused_pairs",
    "mean_score",
    "mean_score_interval",
]

Score = Literal["precision", "recall", "f1"]
Average = Literal["macro", "weighted", "balanced"]

# A score is a × right / (b × images of the class + c × images predicted as it): a, b and c.
_SCORES = {"precision": (1, 0, 1), "recall": (1, 1, 0), "f1": (2, 1, 1)}

# The largest class has more than so many times the images of the smallest. Below that, always
# naming the largest of two classes is right in 60% at most, and accuracy says little else than the
# metrics that weight all classes equally.
_IMBALANCE = 1.5

# In place of a standard error of 0.
_TINY = 1e-300


class ClassRecord(TypedDict):
    """The metrics of one class; intervals are 95% intervals (low, high)."""

    class_name: str
    precision: float
    recall: float
    f1: float
    support: int
    precision_interval: tuple[float, float]
    recall_interval: tuple[float, float]
    f1_interval: tuple[float, float]


def class_records(matrix: np.ndarray, class_names: Sequence[str]) -> list[ClassRecord]:
    """Computes the metrics of each class; those without any image or prediction are 0.

    Args:
        matrix: (classes, classes) numbers of images, a row a true class, a column a predicted one.
        class_names: one name a class.

    Example:
        >>> first, second = class_records(np.array([[8, 2], [0, 9]]), ["cat", "dog"])
        >>> first["recall"], second["recall"], second["support"]
        (0.8, 1.0, 9)
    """
    right, true, predicted = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    precisions, recalls, f1s = (_scores(matrix, score)[0] for score in _SCORES)
    precision_ends = wilson_intervals(right, predicted)
    recall_ends = wilson_intervals(right, true)
    f1_ends = f1_intervals(right, true + predicted - 2 * right)
    return [
        ClassRecord(
            class_name=name,
            precision=float(precisions[number]),
            recall=float(recalls[number]),
            f1=float(f1s[number]),
            support=int(true[number]),
            precision_interval=_pair(precision_ends[number]),
            recall_interval=_pair(recall_ends[number]),
            f1_interval=_pair(f1_ends[number]),
        )
        for number, name in enumerate(class_names)
    ]


def confused_pairs(
    matrix: np.ndarray, class_names: Sequence[str], n: int
) -> list[tuple[str, str, int]]:
    """Finds the most frequent confusions: (true class, predicted class, number of images)."""
    wrong = matrix - np.diag(np.diag(matrix))
    true, predicted = np.nonzero(wrong)
    counts = wrong[true, predicted]
    order = np.argsort(-counts, kind="stable")[:n]
    return [(class_names[true[i]], class_names[predicted[i]], int(counts[i])) for i in order]


def are_imbalanced(labels: np.ndarray) -> bool:
    """Tells whether the largest class has over 1.5 times the images of the smallest with any.

    Args:
        labels: (N,) integers from 0.

    Example:
        >>> are_imbalanced(np.array([0, 0, 0, 1, 1])), are_imbalanced(np.array([0, 0, 1, 3]))
        (False, True)
    """
    counts = np.bincount(labels)
    counts = counts[counts > 0]
    return bool(counts.max() > _IMBALANCE * counts.min())


def mean_score(matrix: np.ndarray, score: Score, average: Average) -> tuple[float, np.ndarray]:
    """Averages a score over the classes, with the influence of each cell.

    The influence is the derivative of the mean, weights included, by the number of images in the
    cell (the delta method).

    Args:
        matrix: (classes, classes) numbers of images, a row a true class, a column a predicted one.
        score: "precision", "recall" or "f1".
        average: "macro" weights all classes that occur equally, be it as predictions only;
            "weighted" by their images; "balanced" weights those that have images equally.

    Returns:
        (value, influence): a float and (classes, classes).

    Example:
        >>> value, influence = mean_score(np.array([[8, 2], [1, 9]]), "recall", "macro")
        >>> round(value, 3), influence.round(3).tolist()
        (0.85, [[0.01, -0.04], [-0.045, 0.005]])
    """
    factor, by_row, by_column = _SCORES[score]
    scores, sizes = _scores(matrix, score)
    weights = _weights(matrix, average)
    value = min(float(weights @ scores), 1.0)  # rounding may put the mean of ones above it
    slopes = weights / sizes
    influence = np.diag(factor * slopes)
    influence = influence - by_row * (slopes * scores)[:, None] - by_column * slopes * scores
    if average == "weighted":
        influence += (scores - value)[:, None] / matrix.sum()
    return value, influence


def mean_score_interval(matrix: np.ndarray, score: Score, average: Average) -> tuple[float, float]:
    """The 95% interval of `mean_score`: (low, high), from the intervals of the classes."""
    weights = _weights(matrix, average)
    scores, sizes = _scores(matrix, score)
    right, true, predicted = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    by_row, by_column = _SCORES[score][1:]
    wrong = np.maximum(by_row * (true - right) + by_column * (predicted - right), right == 0)
    # The numbers of images that a class has are as random as the images are.
    of_weights = 0.0
    if average == "weighted":
        of_weights = float(true @ (scores - weights @ scores) ** 2) / true.sum() ** 2
    unlike = np.zeros(matrix.shape) if score != "f1" else matrix - np.diag(right)
    slopes = scores / sizes / np.maximum(_standard_errors(matrix, score), _TINY)

    def bounds_at(z: float) -> np.ndarray:
        return (f1_intervals if score == "f1" else _share_intervals)(right, wrong, z=z)

    def spread_of(errors: np.ndarray) -> float:
        # An image of one class that is taken for another lowers the F1 of both.
        together = slopes * errors
        return float(np.sqrt(errors @ errors + 2 * together @ unlike @ together + of_weights))

    return interval_of_class_mean(weights, bounds_at, spread_of)


def _share_intervals(right: np.ndarray, wrong: np.ndarray, z: float) -> np.ndarray:
    return wilson_intervals(right, right + wrong, z=z)


def _standard_errors(matrix: np.ndarray, score: Score) -> np.ndarray:
    """(classes,) by the delta method; 0 where all images of a class are alike."""
    factor, by_row, by_column = _SCORES[score]
    scores, sizes = _scores(matrix, score)
    right, true, predicted = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    of_right = right * (factor - (by_row + by_column) * scores) ** 2
    of_wrong = (by_row * (true - right) + by_column * (predicted - right)) * scores**2
    return np.sqrt(of_right + of_wrong) / sizes


def _scores(matrix: np.ndarray, score: str) -> tuple[np.ndarray, np.ndarray]:
    """The score of each class and what it is divided by, at least 1."""
    factor, by_row, by_column = _SCORES[score]
    sizes = np.maximum(by_row * matrix.sum(axis=1) + by_column * matrix.sum(axis=0), 1)
    return factor * np.diag(matrix) / sizes, sizes


def _weights(matrix: np.ndarray, average: Average) -> np.ndarray:
    true, predicted = matrix.sum(axis=1), matrix.sum(axis=0)
    weights = {"macro": (true > 0) | (predicted > 0), "weighted": true, "balanced": true > 0}
    return weights[average] / weights[average].sum()


def _pair(ends: np.ndarray) -> tuple[float, float]:
    return float(ends[0]), float(ends[1])
