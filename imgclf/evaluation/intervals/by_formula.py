"""95% intervals by formula: of proportions, of F1, of other metrics between 0 and 1.

Metrics that are no function of proportions have theirs from `by_resampling`.
"""

from __future__ import annotations

import numpy as np

from imgclf import checks
from imgclf.evaluation.intervals.of_class_means import Z
from imgclf.typing import ArrayLike

__all__ = [
    "effective_size",
    "f1_intervals",
    "wilson_interval",
    "wilson_intervals",
]


def wilson_interval(
    successes: int, total: int, *, confidence_level: float = 0.95
) -> tuple[float, float]:
    """Computes Wilson's score interval of a proportion.

    Unlike the Wald interval (proportion ± 1.96 standard errors) it stays within 0 to 1, and its
    coverage is right near both ends and for few samples.

    Args:
        successes: how many samples are successes, 0 to `total`.
        total: how many samples there are. Without any the interval is (0, 1).
        confidence_level: the share of such intervals that contain the true proportion.

    Returns:
        (low, high), both from 0 to 1.

    Raises:
        ArgumentError: if a number is out of its range.

    Source:
        E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
        Journal of the American Statistical Association 22 (1927). Computed by SciPy.

    Example:
        >>> low, high = wilson_interval(912, 1000)
        >>> f"{low:.3f} to {high:.3f}"
        '0.893 to 0.928'
    """
    checks.integer("total", total, low=0)
    checks.integer("successes", successes, low=0, high=total)
    level = checks.number(
        "confidence_level", confidence_level, low=0, high=1, above=True, below=True
    )
    if total == 0:
        return 0.0, 1.0
    from scipy.stats import binomtest

    interval = binomtest(int(successes), int(total)).proportion_ci(level, method="wilson")
    return float(interval.low), float(interval.high)


def wilson_intervals(successes: ArrayLike, totals: ArrayLike, *, z: float = Z) -> np.ndarray:
    """Computes the 95% `wilson_interval` of many proportions, by Wilson's closed formula.

    Args:
        successes: (N,) how many samples are successes.
        totals: (N,) how many samples there are.
        z: standard errors to each side; 1.96 makes 95%.

    Returns:
        (N, 2): low and high; 0 and 1 where there are no samples.

    Example:
        >>> wilson_intervals([8, 0], [10, 0]).round(3).tolist()
        [[0.49, 0.943], [0.0, 1.0]]
    """
    hits, there = np.asarray(successes, np.float64), np.asarray(totals, np.float64)
    some = np.where(there > 0, there, 1)
    share, part = hits / some, z**2 / some
    middle = (share + part / 2) / (1 + part)
    spread = np.sqrt(part * share * (1 - share) + part**2 / 4) / (1 + part)
    # At 0 and 1 the formula ends there exactly; rounding may not.
    low = np.where(hits <= 0, 0.0, np.maximum(middle - spread, 0))
    high = np.where(hits >= there, 1.0, np.minimum(middle + spread, 1))
    empty = there <= 0
    return np.stack([np.where(empty, 0.0, low), np.where(empty, 1.0, high)], axis=-1)


def f1_intervals(right: ArrayLike, wrong: ArrayLike, *, z: float = Z) -> np.ndarray:
    """Computes 95% intervals of F1 scores.

    F1 is 2J / (1 + J), where J is the share of right ones among the images that are of the class or
    predicted as it. J is a proportion; the ends of its Wilson interval give those of F1.

    Args:
        right: (N,) images of the class that were predicted as it.
        wrong: (N,) images of the class that were not, and others that were.
        z: as for `wilson_intervals`.

    Returns:
        (N, 2): low and high.

    Example:
        >>> f1_intervals([8], [2]).round(3).tolist()
        [[0.658, 0.971]]
    """
    hits = np.asarray(right, np.float64)
    shares = wilson_intervals(hits, hits + np.asarray(wrong, np.float64), z=z)
    return 2 * shares / (1 + shares)


def effective_size(value: float, influence: np.ndarray, *, at_the_ends: float) -> float:
    """Computes the effective sample size of a metric from 0 to 1, for Wilson's interval.

    A proportion of n samples has the variance p (1 - p) / n. So the effective sample size of a
    metric is the n that gives a proportion of this value its variance. Unlike value ± 1.96 standard
    errors, the interval stays within 0 to 1, and its coverage is right near both ends.

    The variance is the sum of the squared influences. Where a handful of images make up most of
    it, as where a class is ranked almost perfectly, it is often found too small. So Student's
    distribution takes the place of the normal one, with as many degrees of freedom as give the
    variance the uncertainty that the squares show.

    Args:
        value: 0 to 1.
        influence: (N,) what a little more weight of each image would change.
        at_the_ends: the effective sample size where the variance is 0, as all are right.

    Returns:
        The number of samples, above 0.

    Source:
        E. L. Korn, B. I. Graubard, "Confidence intervals for proportions with small expected number
        of positive counts estimated from survey data", Survey Methodology 24 (1998), for the
        effective sample size, lessened by the degrees of freedom; C. Franco et al., "Comparative
        study of confidence intervals for proportions in complex sample surveys", Journal of Survey
        Statistics and Methodology 7 (2019), for its use with Wilson's interval; F. E.
        Satterthwaite, "An approximate distribution of estimates of variance components", Biometrics
        Bulletin 2 (1946): a variance s² whose own variance is V has 2 s⁴ / V degrees of freedom.

    Example:
        >>> equal, unequal = np.full(100, 0.004), np.append(np.full(99, 0.001), 0.0388)
        >>> [round(effective_size(0.8, each, at_the_ends=100), 1) for each in (equal, unequal)]
        [100.0, 26.4]
    """
    chance = value * (1 - value)
    squares = np.square(influence)
    variance = float(squares.sum())
    if not (variance > 0 and chance > 0):
        return at_the_ends
    spread = float(np.square(squares).sum()) - variance**2 / len(squares)
    if spread <= 1e-12 * variance**2:
        return chance / variance
    from scipy.stats import t

    wider = t.ppf(0.975, 2 * variance**2 / spread) / Z
    return float(chance / (variance * wider**2))
