"""Giving up hopeless trials: the median rule, with doubt.

After each epoch a trial is compared with what the trials before it had reached at the same point
of their training. If the upper end of its accuracy's 95% interval is below their median, it is
given up. The rule is that of Google Vizier (Golovin et al. 2017, "Google Vizier: A Service for
Black-Box Optimization", section 3.2.2), the interval is added so that few validation images give
up little. It assumes no shape of the curves, so it also holds where a learning rate that falls to
0 lets them rise at the end. It waits while a training sees smaller images (`progressive_size`): the
validation images keep their size, so that accuracy is low until the training's do, too, and by
how much depends on the network.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence

from imgclf.evaluation.intervals.by_formula import wilson_interval
from imgclf.search.results.result import Trial
from imgclf.training.recipe.recipe import Recipe

__all__ = ["floors", "is_hopeless"]

# Fewer trials than these say too little of what is usual.
_FEWEST_TRIALS = 4


def floors(trials: Iterable[Trial], recipe: Recipe, part: float) -> tuple[float, ...]:
    """The median of what trials had reached by each epoch of a training.

    Args:
        trials: those before.
        recipe: of the training; trials of other lengths are compared at the same part of theirs.
        part: of the training images; trials on other parts do not count.

    Returns:
        An accuracy for each epoch but the last, after which nothing is left to be saved: 0.0 where
        the training, or all but a few of the trials, still sees smaller images; empty if too few
        trials have a whole curve.
    """
    whole = [
        trial
        for trial in trials
        if trial.status == "completed" and trial.train_fraction == part and trial.curve
    ]
    if len(whole) < _FEWEST_TRIALS:
        return ()
    points = [epoch / recipe.epochs for epoch in range(1, recipe.epochs)]
    return tuple(0.0 if point <= _small_until(recipe) else _floor(whole, point) for point in points)


def _floor(trials: Iterable[Trial], point: float) -> float:
    reached = [_reached(t.curve, point) for t in trials if point > _small_until(t.recipe)]
    return statistics.median(reached) if len(reached) >= _FEWEST_TRIALS else 0.0


def _small_until(recipe: Recipe) -> float:
    """The part of a training in which its images are smaller."""
    return recipe.progressive_fraction if recipe.progressive_size < 1 else 0.0


def _reached(curve: Sequence[float], part: float) -> float:
    """The best accuracy within the first part of a training."""
    return max(curve[: max(1, math.ceil(part * len(curve)))])


def is_hopeless(curve: Sequence[float], floors: Sequence[float], num_validation: int) -> bool:
    """Whether a training that has come so far is to be given up.

    Args:
        curve: validation accuracy after each epoch so far.
        floors: as `floors` gives them.
        num_validation: images behind each accuracy.

    Example:
        >>> is_hopeless([0.2, 0.3], [0.5, 0.6, 0.7], num_validation=500)
        True
        >>> is_hopeless([0.2, 0.3], [0.5, 0.6, 0.7], num_validation=5)
        False
    """
    if not curve or len(curve) > len(floors):
        return False
    best = max(curve)
    high = wilson_interval(round(best * num_validation), num_validation)[1]
    return high < floors[len(curve) - 1]
