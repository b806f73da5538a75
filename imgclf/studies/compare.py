"""`compare`: which of several classifiers is better, from classifiers, evaluations or run folders.

The statistics are in `imgclf.evaluation.comparison`; here whatever is given becomes evaluations of
the same images.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from imgclf import checks
from imgclf.classifier.classifier import Classifier
from imgclf.classifier.loading import load
from imgclf.data.split import Split
from imgclf.errors import ArgumentError, ArgumentTypeError
from imgclf.evaluation.comparison import Comparison, ComparisonTable, compare_evaluations
from imgclf.evaluation.evaluation import Evaluation

__all__ = ["compare"]

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def compare(a: Any, b: Any = None, split: Split | None = None) -> Comparison | ComparisonTable:
    """Says which of two or more classifiers is better on the same images, if it can be said.

    Args:
        a: a `Classifier`, an `Evaluation`, or the path of a run folder or `.keras` file; or a list
            of two or more of them, and then the split comes second.
        b: the other one.
        split: the images that all of them look at; not needed for evaluations. The validation
            images serve to choose by, the test images only for a last word.

    Returns:
        A `Comparison` of two: McNemar's exact test and the interval of the difference. A
        `ComparisonTable` of more, with Holm's correction. `str()` says it in words.

    Raises:
        ArgumentError: if there is nothing to compare, or no split for classifiers to look at.
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
        several, images = list(a), b if split is None else split
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
            "`split` must be given: the images that all classifiers look at, such as "
            "data.validation. Received: split=None."
        )
    return one.evaluate(split)
