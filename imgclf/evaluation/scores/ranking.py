"""Areas under ROC and precision-recall curves of one class, and their mean.

Their intervals come from each image's influence (the infinitesimal jackknife): the derivative of
the area by the image's weight. For the area under the ROC curve this is DeLong's method. It takes
no resampling, only the sort that the area takes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from imgclf.evaluation.intervals.by_formula import effective_size, wilson_intervals
from imgclf.evaluation.intervals.of_class_means import interval_of_class_mean

__all__ = ["Area", "average_precision", "macro_area", "roc_auc"]


class Area(NamedTuple):
    """An area under a curve of one class.

    Args:
        value: 0 to 1.
        influence: (N,) the derivative of the value by the weight of each image.
        pairs: the smallest effective sample size: the area is like a proportion of so many samples.
    """

    value: float
    influence: np.ndarray
    pairs: int


def roc_auc(scores: np.ndarray, positive: np.ndarray) -> Area:
    """Computes the probability that an image of the class scores above another: the ROC area.

    Args:
        scores: (N,) what ranks the images.
        positive: (N,) whether each is of the class; some must be, and some not.

    Source:
        E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson, "Comparing the areas under two or more
        correlated receiver operating characteristic curves", Biometrics 44 (1988).

    Example:
        >>> roc_auc(np.array([0.9, 0.4, 0.6, 0.1]), np.array([True, True, False, False])).value
        0.75
    """
    inside, outside = np.sort(scores[positive]), np.sort(scores[~positive])
    # Of an image of the class: the share of others that it beats. Of another: by how many it is
    # beaten. Equal scores count half.
    share = np.where(
        positive,
        _share_below(outside, scores),
        1 - _share_below(inside, scores),
    )
    value = float(share[positive].mean())
    members = np.where(positive, len(inside), len(outside))
    return Area(value, (share - value) / members, min(len(inside), len(outside)))


def _share_below(ordered: np.ndarray, scores: np.ndarray) -> np.ndarray:
    below = np.searchsorted(ordered, scores, side="left")
    up_to = np.searchsorted(ordered, scores, side="right")
    return (below + up_to) / (2 * len(ordered))


def average_precision(scores: np.ndarray, positive: np.ndarray) -> Area:
    """Computes the average precision, as scikit-learn does: the mean precision at a hit.

    Args:
        scores: (N,) what ranks the images.
        positive: (N,) whether each is of the class; some must be.

    Example:
        >>> scores, positive = np.array([0.9, 0.4, 0.6, 0.1]), np.array([True, True, False, False])
        >>> round(average_precision(scores, positive).value, 4)
        0.8333
    """
    levels, level = np.unique(-scores, return_inverse=True)
    hits = np.bincount(level[positive], minlength=len(levels)).astype(np.float64)
    everything = np.bincount(level, minlength=len(levels)).astype(np.float64)
    true, all_above = np.cumsum(hits), np.cumsum(everything)
    precision, total = true / all_above, true[-1]
    value = float(hits @ precision / total)
    # An image changes the precision of every hit at its score and below it.
    of_others = -np.cumsum((hits * true / all_above**2)[::-1])[::-1]
    of_hits = np.cumsum((hits / all_above)[::-1])[::-1] + of_others
    influence = np.where(positive, of_hits[level] + precision[level] - value, of_others[level])
    return Area(value, influence / total, int(total))


def macro_area(areas: list[Area]) -> tuple[float, tuple[float, float]]:
    """Computes the mean of the classes' areas and its 95% interval.

    Args:
        areas: one a class, over the same images.

    Returns:
        (value, (low, high)); NaN and (0, 1) without any class.

    Example:
        >>> area = roc_auc(np.array([0.9, 0.4, 0.6, 0.1]), np.array([True, True, False, False]))
        >>> value, (low, high) = macro_area([area])
        >>> value, low < 0.75 < high
        (0.75, True)
    """
    if not areas:
        return float("nan"), (0.0, 1.0)
    values = np.array([area.value for area in areas])
    influences = np.stack([area.influence for area in areas])
    errors = np.linalg.norm(influences, axis=1)
    sizes = np.array([effective_size(*area[:2], at_the_ends=area.pairs) for area in areas])

    def spread_of(weighted: np.ndarray) -> float:
        # One image is ranked for all classes, so that their errors are correlated. That errors
        # cancel each other, as they may in a few images, is not relied on.
        together = np.divide(weighted, errors, out=np.zeros_like(errors), where=errors > 0)
        alone = np.where(errors > 0, 0, weighted)
        correlated = np.hypot(np.linalg.norm(together @ influences), np.linalg.norm(alone))
        return float(max(correlated, np.linalg.norm(weighted)))

    weights = np.full(len(areas), 1 / len(areas))
    interval = interval_of_class_mean(
        weights, lambda z: wilson_intervals(values * sizes, sizes, z=z), spread_of
    )
    return float(values.mean()), interval
