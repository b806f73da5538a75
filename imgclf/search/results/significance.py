"""Whether one network is better than another, by the accuracies of several seeds each.

Two kinds of luck are in a difference: that of the seeds, and that of the images which happened to
be judged. A difference counts only if it holds against both, each tested by itself:

- seeds: Welch's t test of the accuracies of the trainings, which lets the two networks spread
  differently. Not a paired one: the same seed means nothing to two different networks.
- images: a paired t test of how often each image was named right, by the same images.

The larger of both p-values counts (an intersection–union test, R. L. Berger 1982), and the wider
reach of both intervals is reported. Several comparisons with the first are corrected by Holm's
method (`imgclf.evaluation.intervals.paired.holm`); each interval has the confidence level that it
asks for, so it holds 0 exactly where the two networks cannot be told apart. The tests are scipy's.
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
    """One network compared with another.

    Args:
        points: the difference of the mean accuracies, 0 to 1; above 0 if the one is better.
        low: of its interval.
        high: of its interval.
        p_value: after correction for the number of comparisons.
        told_apart: whether it holds against the luck of seeds and of images.
    """

    points: float
    low: float
    high: float
    p_value: float
    told_apart: bool

    def text(self, other: str, seeds: int) -> str:
        """What it says, in words.

        Args:
            other: the name of the other network.
            seeds: how often each was trained.

        Example:
            >>> Difference(0.012, 0.004, 0.02, 0.01, True).text("trial 4", 3)
            'better than trial 4 by 1.2 points (0.4 to 2.0)'
            >>> Difference(0.012, -0.004, 0.028, 0.2, False).text("trial 4", 3)
            'cannot be told apart from trial 4 with 3 seeds (-0.4 to 2.8 points)'
        """
        low, high = self.low * 100, self.high * 100
        if not self.told_apart:
            return (
                f"cannot be told apart from {other} with {seeds} seeds "
                f"({low:.1f} to {high:.1f} points)"
            )
        if self.points > 0:
            return (
                f"better than {other} by {self.points * 100:.1f} points ({low:.1f} to {high:.1f})"
            )
        return f"worse than {other} by {-self.points * 100:.1f} points ({-high:.1f} to {-low:.1f})"


def mean_interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float]:
    """The interval of a mean by Student's t over the seeds: mean ± t · s / √n.

    Few trainings tell their spread badly; t allows for that, where 1.96 standard errors would not.

    Args:
        values: one a seed, at least two.
        level: the part of such intervals that hold the true mean.

    Example:
        >>> low, high = mean_interval([0.90, 0.91, 0.92])
        >>> f"{low:.3f} to {high:.3f}"
        '0.885 to 0.935'
    """
    from scipy import stats

    mean = float(np.mean(values))
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    reach = float(stats.t.ppf((1 + level) / 2, len(values) - 1)) * error
    return mean - reach, mean + reach


def compare_all(first: np.ndarray, others: Sequence[np.ndarray]) -> list[Difference]:
    """One network compared with each of others.

    Args:
        first: (seeds, images) booleans: which images each training named right.
        others: the same of each other network; by the same images, perhaps with other seeds.

    Returns:
        A `Difference` for each, in the same order.
    """
    tests = [_Pair(first, other) for other in others]
    p_values = holm([test.p_value for test in tests])
    order = sorted(range(len(tests)), key=lambda place: tests[place].p_value)
    held = int((p_values <= _ALPHA).sum())
    found: dict[int, Difference] = {}
    for rank, place in enumerate(order):
        # The level that the step asks for; behind the first that does not hold it stays.
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
        with warnings.catch_warnings():  # values that do not spread are dealt with below
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
