"""Compares classifiers on the same images: which is better, and whether that is significant."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from imgclf import plots
from imgclf.data.image_files import ImageFiles
from imgclf.data.split import Split
from imgclf.errors import ArgumentError, DataError
from imgclf.evaluation.evaluation import Evaluation
from imgclf.evaluation.intervals.by_formula import wilson_interval
from imgclf.evaluation.intervals.paired import holm, mcnemar, paired_interval, sample_size
from imgclf.formatting import shorten
from imgclf.typing import Axes

__all__ = ["Comparison", "ComparisonTable", "compare_evaluations", "what_differs"]

# The significance level: so many pairs of equally good classifiers are called different.
_LEVEL = 0.05

# The difference in accuracy to be detected, where none was: one point.
_ONE_POINT = 0.01


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Compares two classifiers on the same images; `str()` is the verdict.

    Args:
        names: of the first and of the second classifier.
        both_right: images that both get right.
        only_first: images that only the first gets right.
        only_second: images that only the second gets right.
        both_wrong: images that both get wrong.
        corrected_p_value: the p-value with Holm's correction, as one of several comparisons; None
            for a single one.

    Example:
        >>> print(Comparison(("runs/a", "runs/b"), 1700, 40, 64, 196))
        runs/b is better by 1.2 points (0.2 to 2.2)
          runs/a  87.0%
          runs/b  88.2%
          on 2,000 images: 40 only runs/a gets right, 64 only runs/b; p = 0.024
        >>> print(Comparison(("A", "B"), 170, 4, 6, 20))
        A and B cannot be distinguished; detecting a difference of 1 point takes about 4,000 images
          A  87.0%
          B  88.0%
          on 200 images: 4 only A gets right, 6 only B; p = 0.75
          B − A: 1.0 points (-2.5 to 4.7)
    """

    names: tuple[str, str]
    both_right: int
    only_first: int
    only_second: int
    both_wrong: int
    corrected_p_value: float | None = None

    def __len__(self) -> int:
        return self.both_right + self.only_first + self.only_second + self.both_wrong

    @property
    def accuracies(self) -> tuple[float, float]:
        """Of the first and of the second, 0 to 1."""
        total = len(self)
        return (
            (self.both_right + self.only_first) / total,
            (self.both_right + self.only_second) / total,
        )

    @property
    def difference(self) -> float:
        """The second accuracy minus the first, -1 to 1."""
        return (self.only_second - self.only_first) / len(self)

    @functools.cached_property
    def interval(self) -> tuple[float, float]:
        """95% interval of `difference` by Tango's score method: (low, high)."""
        return paired_interval(self.only_first, self.only_second, len(self))

    @functools.cached_property
    def p_value(self) -> float:
        """Of McNemar's exact test: how likely such counts are if both are equally good."""
        return mcnemar(self.only_first, self.only_second)

    @property
    def better(self) -> str | None:
        """The name of the better one; None if they cannot be distinguished.

        They can if the p-value, corrected if there are several comparisons, is below 0.05.
        """
        p_value = self.p_value if self.corrected_p_value is None else self.corrected_p_value
        if p_value >= _LEVEL:
            return None
        return self.names[1] if self.difference > 0 else self.names[0]

    def sample_size(self, difference: float = _ONE_POINT, *, power: float = 0.8) -> int:
        """Computes how many images it takes to detect a difference between classifiers like these.

        Args:
            difference: of the accuracies; 0.01 is one point.
            power: how likely it is then detected, 0 to 1.

        Returns:
            The number, from the share of the images on which one is right and the other wrong.
        """
        share = (self.only_first + self.only_second) / len(self)
        return sample_size(difference, share, power=power)

    @property
    def verdict(self) -> str:
        """One sentence: which is better and by how much, or how many images it would take."""
        first, second = (shorten(name, cut="start") for name in self.names)
        if self.better is None:
            needed = _about(self.sample_size())
            return (
                f"{first} and {second} cannot be distinguished; detecting a difference of 1 point "
                f"takes about {needed:,} images"
            )
        return f"{shorten(self.better, cut='start')} is better by {self._lead}"

    @property
    def better_than(self) -> str | None:
        """As `verdict`, but with the name of the other; None if they cannot be distinguished."""
        if self.better is None:
            return None
        other = self.names[self.better == self.names[0]]
        better, other = (shorten(name, cut="start") for name in (self.better, other))
        return f"{better} is better than {other} by {self._lead}"

    @property
    def _lead(self) -> str:
        """By how much the better one is better."""
        low, high = sorted(abs(end) for end in self.interval)
        if self.interval[0] * self.interval[1] < 0:  # the test and the interval differ by a hair
            low = 0.0
        return _points(abs(self.difference), low, high)

    def __str__(self) -> str:
        first, second = (shorten(name, cut="start") for name in self.names)
        width = max(len(first), len(second))
        lines = [
            self.verdict,
            *(
                f"{name:<{width}}  {accuracy:.1%}"
                for name, accuracy in zip((first, second), self.accuracies, strict=True)
            ),
            f"on {len(self):,} images: {self.only_first:,} only {first} gets right, "
            f"{self.only_second:,} only {second}; p = {self.p_value:.2g}",
        ]
        if self.better is None:
            lines.append(f"{second} − {first}: {_points(self.difference, *self.interval)}")
        return "\n  ".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            **dataclasses.asdict(self),
            "names": list(self.names),
            "num_images": len(self),
            "accuracies": list(self.accuracies),
            "difference": self.difference,
            "interval": list(self.interval),
            "p_value": self.p_value,
            "better": self.better,
            "sample_size_for_1_point": self.sample_size(),
            "verdict": self.verdict,
        }

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draws the difference with its 95% interval, beside the line of no difference.

        Args:
            ax: where to draw; a new figure if left out.

        Returns:
            The axes.
        """
        return _forest([self], ax)


@dataclasses.dataclass(frozen=True)
class ComparisonTable:
    """Compares several classifiers on the same images, each with each.

    Args:
        names: of the classifiers.
        accuracies: one a classifier.
        accuracy_intervals: 95% Wilson intervals of these.
        comparisons: of each pair, p-values with Holm's correction.
    """

    names: tuple[str, ...]
    accuracies: tuple[float, ...]
    accuracy_intervals: tuple[tuple[float, float], ...]
    comparisons: tuple[Comparison, ...]

    def __str__(self) -> str:
        width = max(len(shorten(name, cut="start")) for name in self.names)
        order = sorted(range(len(self.names)), key=lambda i: -self.accuracies[i])
        lines = [f"{len(self.names)} classifiers on {len(self.comparisons[0]):,} images"]
        for index in order:
            low, high = self.accuracy_intervals[index]
            name = shorten(self.names[index], cut="start")
            lines.append(
                f"  {name:<{width}}  {self.accuracies[index]:6.1%}  ({low:.1%} to {high:.1%})"
            )
        lines += ["", "pairs (95% intervals; p-values with Holm's correction)"]
        lines += [
            f"  {one.better_than}; p = {one.corrected_p_value:.2g}"
            for one in self.comparisons
            if one.better is not None
        ]
        alike = [one for one in self.comparisons if one.better is None]
        for one in alike:
            first, second = (shorten(name, cut="start") for name in one.names)
            lines.append(
                f"  {first} and {second} cannot be distinguished: "
                f"{_points(one.difference, *one.interval)}; p = {one.corrected_p_value:.2g}"
            )
        if alike:
            needed = _about(max(one.sample_size() for one in alike))
            lines.append(f"  detecting a difference of 1 point takes about {needed:,} images")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "names": list(self.names),
            "accuracies": list(self.accuracies),
            "accuracy_intervals": [list(interval) for interval in self.accuracy_intervals],
            "comparisons": [one.to_dict() for one in self.comparisons],
        }

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draws the difference of each pair with its 95% interval: a forest plot.

        Args:
            ax: where to draw; a new figure if left out.

        Returns:
            The axes.
        """
        return _forest(self.comparisons, ax)


def compare_evaluations(evaluations: Mapping[str, Evaluation]) -> Comparison | ComparisonTable:
    """Compares evaluations of the same images.

    Args:
        evaluations: by name, two or more.

    Returns:
        A `Comparison` of two, a `ComparisonTable` of more.

    Raises:
        ArgumentError: if there are fewer than two.
        DataError: if they are of different classes or images.

    Example:
        >>> from imgclf import Evaluation
        >>> good = [[0.9, 0.1]] * 10 + [[0.2, 0.8]] * 10
        >>> poor = [[0.9, 0.1]] * 20
        >>> labels = [0] * 10 + [1] * 10
        >>> one, other = (Evaluation(labels, rows, ["cat", "dog"]) for rows in (poor, good))
        >>> compare_evaluations({"poor": one, "good": other}).verdict
        'good is better by 50.0 points (25.8 to 70.1)'
    """
    if len(evaluations) < 2:
        raise ArgumentError(
            f"There must be two classifiers to compare, or more. Received: {len(evaluations)}."
        )
    names = list(evaluations)
    for name in names[1:]:
        _check_same(names[0], evaluations[names[0]], name, evaluations[name])
    pairs = [
        _compare_two(names, evaluations[names[0]], evaluations[names[1]])
        for names in itertools.combinations(evaluations, 2)
    ]
    if len(pairs) == 1:
        return pairs[0]
    corrected = holm([pair.p_value for pair in pairs])
    return ComparisonTable(
        names=tuple(names),
        accuracies=tuple(one.accuracy for one in evaluations.values()),
        accuracy_intervals=tuple(
            wilson_interval(int(np.sum(one.correct)), len(one)) for one in evaluations.values()
        ),
        comparisons=tuple(
            dataclasses.replace(pair, corrected_p_value=float(p_value))
            for pair, p_value in zip(pairs, corrected, strict=True)
        ),
    )


def _compare_two(names: tuple[str, str], first: Evaluation, second: Evaluation) -> Comparison:
    one, other = np.asarray(first.correct, bool), np.asarray(second.correct, bool)
    return Comparison(
        names=names,
        both_right=int(np.sum(one & other)),
        only_first=int(np.sum(one & ~other)),
        only_second=int(np.sum(~one & other)),
        both_wrong=int(np.sum(~one & ~other)),
    )


def _check_same(first_name: str, first: Evaluation, second_name: str, second: Evaluation) -> None:
    if first.class_names != second.class_names:
        raise DataError(
            "Only classifiers of the same classes, in the same order, can be compared. Received: "
            f"{list(first.class_names)} ({first_name}) and {list(second.class_names)} "
            f"({second_name})."
        )
    why = what_differs(first, second)
    if why is not None:
        raise DataError(
            "Classifiers can be compared only on the same images, in the same order. "
            f"Those of {first_name} and {second_name} differ {why}."
        )


def what_differs(first: Evaluation | Split, second: Evaluation | Split) -> str | None:
    """How the images differ; None if they do not, as far as can be seen."""
    if len(first) != len(second):
        return f"in number: {len(first):,} and {len(second):,}"
    if not np.array_equal(first.labels, second.labels):
        return "in their labels"
    one, other = first.images, second.images
    if one is other or one is None or other is None:
        return None
    if isinstance(one, ImageFiles) and isinstance(other, ImageFiles):
        # Each may be read at the size that its network takes.
        return None if np.array_equal(one.paths, other.paths) else "in their files"
    if isinstance(one, ImageFiles) or isinstance(other, ImageFiles) or one.shape != other.shape:
        return None
    return None if np.array_equal(one, other) else "in their pixels"


def _forest(comparisons: Sequence[Comparison], ax: Axes | None) -> Axes:
    return plots.differences(
        [
            f"{shorten(one.names[1], cut='start')} − {shorten(one.names[0], cut='start')}"
            for one in comparisons
        ],
        [one.difference for one in comparisons],
        [one.interval for one in comparisons],
        [one.better is not None for one in comparisons],
        ax=ax,
    )


def _points(size: float, low: float, high: float) -> str:
    """1.2 points (0.4 to 2.0)."""
    return f"{100 * size:.1f} points ({100 * low:.1f} to {100 * high:.1f})"


def _about(number: int) -> int:
    """Rounded up to two digits: what is known of the disagreement gives no more."""
    step = 10 ** max(0, len(str(number)) - 2)
    return -(-number // step) * step
