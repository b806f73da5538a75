"""Paired statistics: McNemar's exact test, Tango's interval, sample sizes, Holm's correction.

Two classifiers on the same images differ only where one is right and the other wrong.
"""

from __future__ import annotations

import math

import numpy as np

from imgclf import checks
from imgclf.errors import DataError
from imgclf.typing import ArrayLike

__all__ = ["holm", "mcnemar", "paired_interval", "sample_size"]

# The precision of the ends of an interval.
_TOLERANCE = 1e-10

# The widest difference there is; at ±1 itself the formula divides by zero.
_LIMIT = 1 - 1e-11


def mcnemar(only_first: int, only_second: int) -> float:
    """Tests whether two classifiers are equally good: McNemar's exact test.

    Args:
        only_first: images that only the first classifier gets right.
        only_second: images that only the second gets right.

    Returns:
        The two-sided p-value, 0 to 1: how likely such counts are if both are equally good.

    Raises:
        ArgumentError: if a count is negative.

    Source:
        Q. McNemar, "Note on the sampling error of the difference between correlated proportions or
        percentages", Psychometrika 12 (1947), with the binomial distribution itself in place of
        its approximation. The computing is scipy's.

    Example:
        >>> round(mcnemar(3, 14), 4)
        0.0127
    """
    first = checks.integer("only_first", only_first, low=0)
    second = checks.integer("only_second", only_second, low=0)
    if first + second == 0:
        return 1.0
    from scipy.stats import binomtest

    return float(binomtest(first, first + second, 0.5).pvalue)


def paired_interval(
    only_first: int, only_second: int, total: int, *, confidence_level: float = 0.95
) -> tuple[float, float]:
    """Computes Tango's score interval of the difference of two accuracies on the same images.

    Its coverage is right for few images and for rare differences too, where the Wald interval and
    the bootstrap are too short.

    Args:
        only_first: images that only the first classifier gets right.
        only_second: images that only the second gets right.
        total: all images.
        confidence_level: the share of such intervals that contain the true difference.

    Returns:
        (low, high) of the second accuracy minus the first, both from -1 to 1.

    Raises:
        ArgumentError: if a number is out of its range.

    Source:
        T. Tango, "Equivalence test and confidence interval for the difference in proportions for
        the paired-sample design", Statistics in Medicine 17 (1998).

    Example:
        >>> low, high = paired_interval(40, 64, 2000)
        >>> f"{low:.4f} to {high:.4f}"
        '0.0020 to 0.0223'
    """
    checks.integer("total", total, low=1)
    checks.integer("only_first", only_first, low=0, high=total)
    checks.integer("only_second", only_second, low=0, high=total - only_first)
    level = checks.number(
        "confidence_level", confidence_level, low=0, high=1, above=True, below=True
    )
    from scipy.optimize import brentq
    from scipy.stats import norm

    limit = norm.ppf((1 + level) / 2)
    middle = (only_second - only_first) / total

    def beyond(difference: float, sign: int) -> float:
        return sign * _score(only_first, only_second, total, difference) - limit

    # The score falls from the left to the right, and is 0 at the observed difference.
    ends = []
    for sign, edge in ((1, -_LIMIT), (-1, _LIMIT)):
        if abs(middle - edge) < _TOLERANCE or beyond(edge, sign) <= 0:
            ends.append(math.copysign(1.0, edge))
        else:
            ends.append(float(brentq(beyond, edge, middle, args=(sign,), xtol=_TOLERANCE)))
    return ends[0], ends[1]


def _score(only_first: int, only_second: int, total: int, difference: float) -> float:
    """How many standard errors the counts are above a true difference of second minus first."""
    # The likeliest rate of `only_first` if that is the difference: the root of a quadratic.
    linear = -only_first - only_second + (2 * total - only_second + only_first) * difference
    constant = -only_first * difference * (1 - difference)
    root = math.sqrt(max(0.0, linear**2 - 8 * total * constant))
    rate = (root - linear) / (4 * total)
    variance = total * (2 * rate + difference * (1 - difference))
    distance = only_second - only_first - total * difference
    if variance <= 0:
        return math.copysign(math.inf, distance) if distance else 0.0
    return distance / math.sqrt(variance)


def sample_size(difference: float, discordant: float, *, power: float = 0.8) -> int:
    """Computes how many images it takes to distinguish two classifiers at the 5% level.

    Args:
        difference: of their accuracies, such as 0.01.
        discordant: the share of the images on which one is right and the other wrong; it is at
            least the difference.
        power: how likely the difference is then detected.

    Returns:
        The number of images.

    Raises:
        ArgumentError: if a number is out of its range.

    Source:
        R. J. Connor, "Sample size for testing differences in proportions for the paired-sample
        design", Biometrics 43 (1987).

    Example:
        >>> sample_size(0.01, 0.05)
        3923
    """
    size = checks.number("difference", difference, low=0, high=1, above=True)
    share = max(size, checks.number("discordant", discordant, low=0, high=1))
    checks.number("power", power, low=0, high=1, above=True, below=True)
    from scipy.stats import norm

    under_none, under_size = norm.ppf(0.975), norm.ppf(power)
    root = under_none * math.sqrt(share) + under_size * math.sqrt(share - size**2)
    return math.ceil((root / size) ** 2)


def holm(p_values: ArrayLike) -> np.ndarray:
    """Corrects p-values by Holm's method: 5% false positives among all comparisons together.

    Args:
        p_values: (comparisons,) each 0 to 1.

    Returns:
        (comparisons,) the corrected ones, none smaller than before.

    Raises:
        DataError: if they are not as above.

    Source:
        S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
        Statistics 6 (1979).

    Example:
        >>> holm([0.01, 0.04, 0.03])
        array([0.03, 0.06, 0.06])
    """
    values = np.asarray(p_values, np.float64)
    if values.ndim != 1 or not ((values >= 0) & (values <= 1)).all():
        raise DataError(
            "`p_values` must be numbers from 0 to 1 of the shape (comparisons,). "
            + checks.received("p_values", p_values)
        )
    order = np.argsort(values, kind="stable")
    raised = values[order] * np.arange(len(values), 0, -1)
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(1, np.maximum.accumulate(raised))
    return corrected
