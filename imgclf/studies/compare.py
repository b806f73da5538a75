"""`compare`: compares classifiers, evaluations or run folders.

The statistics are in `imgclf.evaluation.comparison`; here all that is given becomes evaluations of
the same images.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, TypeAlias

from imgclf import checks
from imgclf.classifier.classifier import Classifier
from imgclf.classifier.loading import load
from imgclf.data.split import Split
from imgclf.errors import ArgumentError, ArgumentTypeError
from imgclf.evaluation.comparison import Comparison, ComparisonTable, compare_evaluations
from imgclf.evaluation.evaluation import Evaluation
from imgclf.typing import StrPath

__all__ = ["compare"]

Compared: TypeAlias = Classifier | Evaluation | StrPath

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def compare(
    a: Compared | Sequence[Compared],
    b: Compared | Split | None = None,
    split: Split | None = None,
) -> Comparison | ComparisonTable:
    """Compares two or more classifiers on the same images.

    Args:
        a: a `Classifier`, an `Evaluation`, or the path of a run folder or `.keras` file; or a list
            of two or more of them, and then the split comes second.
        b: the other one.
        split: the images to evaluate all of them on; not needed for evaluations. Use validation
            images to choose, and test images only for the final comparison.

    Returns:
        A `Comparison` of two: McNemar's exact test and the interval of the difference. A
        `ComparisonTable` of more, with Holm's correction. `str()` is a summary.

    Raises:
        ArgumentError: if there is nothing to compare, or no split for classifiers.
        DataError: if classes or images differ.
        ModelFileError: if a file cannot be loaded.

    Example:
        >>> import imgclf
        >>> labels, names = [0, 0, 1, 1], ["cat", "dog"]
        >>> one = imgclf.Evaluation(labels, [[0.9, 0.1]] * 4, names)
        >>> other = imgclf.Evaluation(labels, [[0.8, 0.2]] * 3 + [[0.3, 0.7]], names)
        >>> comparison = imgclf.compare(one, other)
        >>> comparison.difference, comparison.better
        (0.25, None)
    """
    if isinstance(a, (list, tuple)):
        if b is not None and split is not None:
            raise ArgumentError(
                "A list of classifiers goes with a split only: compare([a, b, c], split). "
                "Received: three arguments."
            )
        several: list[Any] = list(a)
        images: Any = b if split is None else split
    else:
        several, images = [a, b], split
    if images is not None and not isinstance(images, Split):
        raise ArgumentTypeError(
            "`split` must be a Split, such as data.validation. "
            + checks.received("split", type(images).__name__)
        )
    if len(several) < 2 or any(one is None for one in several):
        raise ArgumentError(
            "There must be two classifiers to compare, or more: compare(a, b, split). "
            f"Received: {sum(one is not None for one in several)}."
        )
    return compare_evaluations(
        {name: _evaluate(one, images) for name, one in zip(_names(several), several, strict=True)}
    )


def _names(several: Sequence[Any]) -> list[str]:
    """The paths of those that have one; A, B, … for the others, and where two are the same."""
    paths = [os.fspath(one) if isinstance(one, (str, os.PathLike)) else None for one in several]
    return [
        path
        if path is not None and paths.count(path) == 1
        else _LETTERS[place]
        if place < len(_LETTERS)
        else f"classifier {place + 1}"
        for place, path in enumerate(paths)
    ]


def _evaluate(one: Any, split: Split | None) -> Evaluation:
    if isinstance(one, Evaluation):
        return one
    if isinstance(one, (str, os.PathLike)):
        one = load(os.fspath(one))
    if not isinstance(one, Classifier):
        raise ArgumentTypeError(
            "Only classifiers, evaluations and paths of runs or models can be compared. "
            f"Received: {type(one).__name__}."
        )
    if split is None:
        raise ArgumentError(
            "`split` must be given: the images to evaluate all classifiers on, such as "
            "data.validation. Received: split=None."
        )
    return one.evaluate(split)
