"""Finds label error candidates by confident learning.

An image is confidently of a class that gets at least the probability that the images labelled with
it get on average. The number of errors of each pair of classes is estimated from these; then the
images are taken whose other class is furthest ahead.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

__all__ = ["LabelError", "confident_joint", "find_label_errors", "label_error_records"]


@dataclasses.dataclass(frozen=True)
class LabelError:
    """A label error candidate: an image whose label is likely wrong.

    Args:
        index: its index in the split.
        label: the class that it is labelled with.
        suggested: the class that it likely is.
        label_probability: the predicted probability of the label, 0 to 1.
        suggested_probability: that of the suggested class.
        path: the file, or None.
    """

    index: int
    label: str
    suggested: str
    label_probability: float
    suggested_probability: float
    path: str | None = None


def confident_joint(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Estimates how many images labelled i are of class j.

    Args:
        labels: (N,) the labels as they are.
        probabilities: (N, classes) of a classifier that was not trained on these images.

    Returns:
        (classes, classes) estimated counts: a row a label, a column a true class. Rows sum up to
        the number of images with the label.

    Source:
        C. G. Northcutt, L. Jiang, I. L. Chuang, "Confident learning: estimating uncertainty in
        dataset labels", Journal of Artificial Intelligence Research 70 (2021), equations 1 to 3.

    Example:
        >>> labels = np.array([0, 0, 0, 1, 1])
        >>> likely = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.3, 0.7]])
        >>> confident_joint(labels, likely).round(2).tolist()
        [[2.0, 1.0], [0.0, 2.0]]
    """
    _, columns = probabilities.shape
    counts = np.bincount(labels, minlength=columns)
    confident = _confident(labels, probabilities)
    counted = confident.any(axis=1)
    likeliest = np.where(confident, probabilities, -1).argmax(axis=1)
    joint = np.zeros((columns, columns))
    np.add.at(joint, (labels[counted], likeliest[counted]), 1)
    # Labels of which no image is confidently of any class are taken as correct.
    empty = joint.sum(axis=1) == 0
    joint[empty, empty] = 1
    return joint / joint.sum(axis=1, keepdims=True) * counts[:, None]


def find_label_errors(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Finds the images whose labels are likely wrong, the most likely first.

    Args:
        labels: (N,) the labels as they are.
        probabilities: (N, classes) of a classifier that was not trained on these images.

    Returns:
        Indices of images: for each label i and class j the estimated number of those with the
        largest lead of j over i ("prune by noise rate"), if j is the most likely class.

    Source:
        As `confident_joint`, section 3.2.

    Example:
        >>> likely = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.3, 0.7]])
        >>> find_label_errors(np.array([0, 0, 0, 1, 1]), likely)
        array([2])
    """
    joint = np.rint(confident_joint(labels, probabilities)).astype(int)
    own = probabilities[np.arange(len(labels)), labels]
    predicted = probabilities.argmax(axis=1)
    found = np.zeros(len(labels), np.bool_)
    for label, true in zip(*np.nonzero(joint), strict=True):
        if label == true:
            continue
        members = np.flatnonzero(labels == label)
        lead = probabilities[members, true] - own[members]
        first = members[np.argsort(-lead, kind="stable")[: joint[label, true]]]
        found[first[predicted[first] == true]] = True
    chosen = np.flatnonzero(found)
    lead = probabilities.max(axis=1)[chosen] - own[chosen]
    return chosen[np.argsort(-lead, kind="stable")]


def _confident(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """(N, classes) whether each class has the probability that its own images have on average."""
    columns = probabilities.shape[1]
    counts = np.bincount(labels, minlength=columns)
    own = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    sums = np.bincount(labels, weights=own, minlength=columns)
    # No image is confidently of a class without images.
    thresholds = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)
    return probabilities >= thresholds - 1e-9


def label_error_records(
    labels: np.ndarray,
    probabilities: np.ndarray,
    names: Sequence[str],
    paths: Sequence[str] | np.ndarray | None,
) -> list[LabelError]:
    """`find_label_errors` with the names of classes and files."""
    records = []
    for index in find_label_errors(labels, probabilities):
        suggested = int(probabilities[index].argmax())
        records.append(
            LabelError(
                index=int(index),
                label=names[labels[index]],
                suggested=names[suggested],
                label_probability=float(probabilities[index, labels[index]]),
                suggested_probability=float(probabilities[index, suggested]),
                path=None if paths is None else str(paths[index]),
            )
        )
    return records
