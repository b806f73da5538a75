"""95% intervals by the bootstrap: of the loss, the Brier score, the calibration error.

All of them are functions of means over the images, so one draw of weights (how often each image is
drawn) serves them all, and the means of all draws are one matrix product.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "RESAMPLES",
    "SEED",
    "interval_of_length",
    "interval_of_resampled_mean",
    "resample_means",
]

# Twice the 1,000 that are usual for 95% (Efron and Tibshirani, "An Introduction to the Bootstrap",
# 1993, chapter 14): fifty draws lie beyond each end, and 10,000 images take part of a second.
RESAMPLES = 2000
SEED = 0

# Drawn at a time; for 10,000 images that is 16 MB of weights.
_CHUNK = 200

_TAILS = (0.025, 0.975)
_BISECTIONS = 40


def resample_means(columns: np.ndarray) -> np.ndarray:
    """Computes the means of columns over images that are resampled with replacement.

    Args:
        columns: (N, C) a row an image.

    Returns:
        (RESAMPLES, C) the means of each draw; always the same ones, by SEED.

    Example:
        >>> means = resample_means(np.arange(100.0)[:, None])
        >>> means.shape, bool(abs(means.mean() - 49.5) < 0.3)
        ((2000, 1), True)
    """
    num_images = len(columns)
    rng = np.random.default_rng(SEED)
    chunk = max(1, min(_CHUNK, _CHUNK * 10_000 // num_images))
    means = []
    for start in range(0, RESAMPLES, chunk):
        size = min(chunk, RESAMPLES - start)
        drawn = rng.integers(0, num_images, (size, num_images), dtype=np.int32)
        weights = np.stack([np.bincount(row, minlength=num_images) for row in drawn])
        means.append(weights.astype(np.float64) @ columns / num_images)
    return np.concatenate(means)


def interval_of_resampled_mean(values: np.ndarray, means: np.ndarray) -> tuple[float, float]:
    """Computes the 95% BCa interval of a mean, as losses are skewed.

    Args:
        values: (N,) one an image.
        means: (RESAMPLES,) their means in each draw.

    Returns:
        (low, high); the mean twice if all values are equal, and (-inf, inf) for a single one.

    Source:
        B. Efron, "Better bootstrap confidence intervals", Journal of the American Statistical
        Association 82 (1987). For a mean, the acceleration is its skewness / (6 √N).

    Example:
        >>> values = np.random.default_rng(0).exponential(size=200)
        >>> low, high = interval_of_resampled_mean(values, resample_means(values[:, None])[:, 0])
        >>> bool(low < values.mean() < high)
        True
    """
    from scipy.stats import norm

    if len(values) == 1:
        return -np.inf, np.inf
    mean = values.mean()
    apart = values - mean
    spread = float(apart @ apart)
    if spread <= (1e-12 * abs(mean)) ** 2 * len(values):
        return float(mean), float(mean)
    below = (np.sum(means < mean) + np.sum(means == mean) / 2) / len(means)
    bias = norm.ppf(np.clip(below, 1 / len(means), 1 - 1 / len(means)))
    acceleration = float(np.sum(apart**3)) / (6 * spread**1.5)
    shifted = bias + norm.ppf(_TAILS)
    levels = norm.cdf(bias + shifted / (1 - acceleration * shifted))
    low, high = np.quantile(means, levels)
    # Of almost equal values, rounding alone may put all draws on one side of the mean.
    return min(float(low), float(mean)), max(float(high), float(mean))


def interval_of_length(vector: np.ndarray, means: np.ndarray) -> tuple[float, float]:
    """Computes the 95% interval of the sum of absolute means, by inverting a test.

    The calibration error is such a sum, and noise makes it longer: with draws around the estimate
    alone, the interval of a perfectly calibrated classifier would never contain its true error, 0.
    Here the noise of the draws is added to the vector, scaled, and the interval is of the lengths
    under which the observed one is not significantly long or short. Where noise explains most of
    the observed length, all of these are shorter; the interval then ends with the observed length,
    since an interval that is longer contains the true one at least as often.

    Args:
        vector: (C,) the observed means.
        means: (RESAMPLES, C) the same of each draw.

    Returns:
        (low, high), at least 0.

    Source:
        J. Carpenter, "Test inversion bootstrap confidence intervals", Journal of the Royal
        Statistical Society B 61 (1999).

    Example:
        >>> noise = np.random.default_rng(0).normal(size=(100, 2)) / 10
        >>> means = resample_means(noise)
        >>> low, high = interval_of_length(noise.mean(axis=0), means)
        >>> low, high < 0.1
        (0.0, True)
    """
    length = float(np.abs(vector).sum())
    noise = means - vector

    def share_beyond(factor: float) -> float:
        return float(np.mean(np.abs(factor * vector + noise).sum(axis=1) >= length - 1e-12))

    low, high = (_first_factor(share_beyond, share) * length for share in _TAILS)
    # Where noise alone is rarely so short, no factor fits: up to the median noise may be true.
    high = high if high > 0 else float(np.median(np.abs(noise).sum(axis=1)))
    return min(low, length), max(high, length)


def _first_factor(share_beyond: Callable[[float], float], wanted: float) -> float:
    """The smallest factor under which at least this share of draws reaches the observed length."""
    if share_beyond(0.0) >= wanted:
        return 0.0
    low, high = 0.0, 1.0
    while share_beyond(high) < wanted:
        high *= 2
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if share_beyond(middle) >= wanted:
            high = middle
        else:
            low = middle
    return high
