"""Whether one network is better than another, by the accuracies of several seeds each.

A difference can be chance in two ways: by the seeds, and by the images that happened to be
evaluated. It counts as significant only if it holds against both, each tested alone:

- seeds: Welch's t test of the accuracies, which allows the two networks different variances. It is
  not paired, as two different networks have nothing in common under the same seed.
- images: a paired t test of how often each image was classified correctly.

The larger p-value counts (an intersection–union test, R. L. Berger 1982), and the interval that
contains both is reported. Several comparisons with the first network are corrected by Holm's method
(`imgclf.evaluation.intervals.paired.holm`). Each interval has the confidence level that this method
asks for, so it contains 0 exactly if the difference is not significant. The tests are SciPy's.
"""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from imgclf.evaluation.intervals.paired import holm

__all__ = ["Difference", "compare_all", "mean_interval"]

_ALPHA = 0.05


@dataclasses.dataclass(frozen=True)
class Difference:
    """The difference between the mean accuracies of two networks.

    Args:
        points: from 0 to 1; above 0 if the first network is better.
        low: of its interval.
        high: of its interval.
        p_value: corrected for the number of comparisons.
        significant: whether it holds over seeds and over images.
    """

    points: float
    low: float
    high: float
    p_value: float
    significant: bool

    def text(self, other: str, num_seeds: int) -> str:
        """Describes the difference, as the predicate of a sentence.

        Args:
            other: name of the second network.
            num_seeds: number of trainings of each.

        Example:
            >>> Difference(0.012, 0.004, 0.02, 0.01, True).text("trial 4", 3)
            'is better than trial 4 by 1.2 points (0.4 to 2.0)'
            >>> Difference(0.012, -0.004, 0.028, 0.2, False).text("trial 4", 3)
            'cannot be distinguished from trial 4 with 3 seeds (-0.4 to 2.8 points)'
        """
        low, high, points = 100 * self.low, 100 * self.high, 100 * self.points
        if not self.significant:
            return (
                f"cannot be distinguished from {other} with {num_seeds} seeds "
                f"({low:.1f} to {high:.1f} points)"
            )
        if points > 0:
            return f"is better than {other} by {points:.1f} points ({low:.1f} to {high:.1f})"
        return f"is worse than {other} by {-points:.1f} points ({-high:.1f} to {-low:.1f})"


def mean_interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float]:
    """Returns the interval of a mean by Student's t over the seeds: mean ± t · s / √n.

    A few trainings estimate their spread badly. Student's t allows for that; 1.96 standard errors
    would not.

    Args:
        values: one for each seed, at least two.
        level: of confidence.

    Example:
        >>> low, high = mean_interval([0.90, 0.91, 0.92])
        >>> f"{low:.3f} to {high:.3f}"
        '0.885 to 0.935'
    """
    from scipy import stats

    mean = float(np.mean(values))
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    half = float(stats.t.ppf((1 + level) / 2, len(values) - 1)) * error
    return mean - half, mean + half


def compare_all(first: np.ndarray, others: Sequence[np.ndarray]) -> list[Difference]:
    """Compares one network with each of several others.

    Args:
        first: (seeds, images) booleans: which images each training classified correctly.
        others: the same of each other network, for the same images; the seeds may differ.

    Returns:
        A `Difference` for each of the others.
    """
    tests = [_Pair(first, other) for other in others]
    p_values = holm([test.p_value for test in tests])
    order = sorted(range(len(tests)), key=lambda place: tests[place].p_value)
    held = int((p_values <= _ALPHA).sum())
    found: dict[int, Difference] = {}
    for rank, place in enumerate(order):
        # The level of Holm's step; after the first that is not significant it stays the same.
        level = _ALPHA / (len(tests) - min(rank, held))
        test, p_value = tests[place], float(p_values[place])
        low, high = test.interval(1 - level)
        found[place] = Difference(test.points, low, high, p_value, p_value <= _ALPHA)
    return [found[place] for place in range(len(tests))]


class _Pair:
    """The two tests of one comparison."""

    def __init__(self, one: np.ndarray, other: np.ndarray) -> None:
        from scipy import stats

        scores, against = one.mean(axis=1), other.mean(axis=1)
        self.points = float(scores.mean() - against.mean())
        images = one.mean(axis=0) - other.mean(axis=0)
        with warnings.catch_warnings():  # values without any spread are handled below
            warnings.simplefilter("ignore", RuntimeWarning)
            self.tests: list[Any] = [
                stats.ttest_ind(scores, against, equal_var=False),
                stats.ttest_1samp(images, 0.0),
            ]
        self.spread = [
            np.ptp(scores) > 0 or np.ptp(against) > 0,
            np.ptp(images) > 0,
        ]

    @property
    def p_value(self) -> float:
        return max(
            float(test.pvalue) if spread else float(self.points == 0)
            for test, spread in zip(self.tests, self.spread, strict=True)
        )

    def interval(self, level: float) -> tuple[float, float]:
        ends = [(self.points, self.points)]
        for test, spread in zip(self.tests, self.spread, strict=True):
            if spread:
                interval = test.confidence_interval(level)
                ends.append((float(interval.low), float(interval.high)))
        return min(low for low, _ in ends), max(high for _, high in ends)
