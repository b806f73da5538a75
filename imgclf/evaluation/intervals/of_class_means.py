"""95% intervals of means over classes, such as macro F1, that hold for classes of one image, too.

A class whose few images are all right has no variance in the sample, though much is unknown about
it. So each class gets an interval of its own, and these are averaged.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["Z", "interval_of_class_mean"]

# The normal distribution leaves 2.5% beyond it on each side.
Z = 1.959963984540054

_ITERATIONS = 50
_CLOSE = 1e-10


def interval_of_class_mean(
    weights: np.ndarray,
    bounds_at: Callable[[float], np.ndarray],
    spread_of: Callable[[np.ndarray], float],
) -> tuple[float, float]:
    """Averages the intervals of classes to the 95% interval of the weighted mean of their scores.

    The classes do not all err in the same direction, so the mean of their 95% intervals would be
    too long. They are taken at a lower level: with the standard errors s, the z that makes
    z · Σ weight · s equal to 1.96 times the standard error of the mean. The standard errors are
    half the length of the intervals by z, which is above 0 also where all images of a class are
    right. As each interval contains the score of its class, the average contains the mean.

    Args:
        weights: (classes,) at least 0, with the sum 1.
        bounds_at: takes z, gives (classes, 2): low and high ends of the score of each class.
        spread_of: takes (classes,) standard errors, each multiplied by its weight; gives the
            standard error of their sum, by the correlations. Without any it is the root of the sum
            of the squares.

    Returns:
        (low, high).

    Source:
        X. Yan, X. G. Su, "Stratified Wilson and Newcombe confidence intervals for multiple binomial
        proportions", Statistics in Biopharmaceutical Research 2 (2010), with correlations.

    Example:
        >>> from imgclf.evaluation.intervals.by_formula import wilson_intervals
        >>> low, high = interval_of_class_mean(
        ...     np.array([0.5, 0.5]),
        ...     lambda z: wilson_intervals([10, 10], [10, 10], z=z),
        ...     lambda errors: float(np.linalg.norm(errors)),
        ... )
        >>> wilson_intervals([20], [20])[0].round(3).tolist(), round(low, 3), high
        ([0.839, 1.0], 0.839, 1.0)
    """
    level = Z / np.sqrt(np.count_nonzero(weights))
    for _ in range(_ITERATIONS):
        bounds = bounds_at(level)
        errors = weights * (bounds[:, 1] - bounds[:, 0]) / (2 * level)
        total = float(errors.sum())
        following = Z * spread_of(errors) / total if total > 0 else level
        if abs(following - level) <= _CLOSE * level:
            break
        level = following
    low, high = weights @ bounds_at(level)
    return float(low), float(high)
