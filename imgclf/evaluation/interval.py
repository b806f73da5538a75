"""The doubt of a proportion: the interval that goes with every accuracy and recall."""

from __future__ import annotations

from imgclf import checks

__all__ = ["wilson_interval"]


def wilson_interval(
    successes: int, total: int, *, confidence_level: float = 0.95
) -> tuple[float, float]:
    """Wilson's score interval of a proportion.

    Unlike the textbook interval (proportion ± 1.96 standard errors) it stays within 0 to 1 and
    keeps its promise near both ends and for few samples.

    Args:
        successes: how many of the samples counted, 0 to `total`.
        total: how many samples there were. Without any the interval is (0, 1): nothing is known.
        confidence_level: the part of such intervals that hold the true proportion.

    Returns:
        (low, high), both from 0 to 1.

    Raises:
        ArgumentError: if a number is out of its range.

    Source:
        E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
        Journal of the American Statistical Association 22 (1927). The computing is scipy's.

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
