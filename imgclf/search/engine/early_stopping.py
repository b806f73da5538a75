"""Early stopping of bad trials: the median rule, with an interval.

After each epoch a trial is compared with the median of what earlier trials had reached at the same
point of their training. If the upper end of its accuracy's 95% interval is below, it is stopped.
The median rule is that of Google Vizier (Golovin et al. 2017, "Google Vizier: A Service for
Black-Box Optimization", section 3.2.2). The interval is added so that few validation images stop
few trials. The rule assumes no shape of the curves, so it also holds if a learning rate that falls
to 0 lets them rise at the end.

It does not apply while a training uses smaller images (`progressive_size`): validation images keep
their size, so the accuracy is low until then, by an amount that depends on the network.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence

from imgclf.evaluation.intervals.by_formula import wilson_interval
from imgclf.search.engine.fractions import trials_at_fraction
from imgclf.search.results.trial import Trial
from imgclf.training.recipe.recipe import Recipe

__all__ = ["early_stopping_thresholds", "should_stop"]

# With fewer trials, a median means too little.
_MIN_TRIALS = 4


def early_stopping_thresholds(
    trials: Iterable[Trial], recipe: Recipe, train_fraction: float
) -> tuple[float, ...]:
    """Returns the median accuracy that earlier trials had reached by each epoch of a training.

    Args:
        trials: that have ended.
        recipe: of the training. Trials of other lengths are compared at the same relative point.
        train_fraction: of the training; trials at other fractions do not count.

    Returns:
        An accuracy for each epoch but the last, after which stopping would save nothing. It is 0.0
        while the training, or all but a few of the trials, uses smaller images. Empty if too few
        trials were completed.
    """
    known = trials_at_fraction(trials, train_fraction, completed=True)
    known = [trial for trial in known if trial.curve]
    if len(known) < _MIN_TRIALS:
        return ()
    points = [epoch / recipe.epochs for epoch in range(1, recipe.epochs)]
    return tuple(
        0.0 if point <= _progressive_fraction(recipe) else _median(known, point) for point in points
    )


def _median(trials: Iterable[Trial], point: float) -> float:
    reached = [
        _best_until(trial.curve, point)
        for trial in trials
        if point > _progressive_fraction(trial.recipe)
    ]
    return statistics.median(reached) if len(reached) >= _MIN_TRIALS else 0.0


def _progressive_fraction(recipe: Recipe) -> float:
    """Returns the fraction of a training that uses smaller images."""
    return recipe.progressive_fraction if recipe.progressive_size < 1 else 0.0


def _best_until(curve: Sequence[float], point: float) -> float:
    """Returns the best accuracy up to a point of a training, from 0 to 1."""
    return max(curve[: max(1, math.ceil(point * len(curve)))])


def should_stop(curve: Sequence[float], thresholds: Sequence[float], num_validation: int) -> bool:
    """Whether to stop a training after its last epoch.

    Args:
        curve: validation accuracy after each epoch so far.
        thresholds: from `early_stopping_thresholds`.
        num_validation: number of validation images behind each accuracy.

    Example:
        >>> should_stop([0.2, 0.3], [0.5, 0.6, 0.7], num_validation=500)
        True
        >>> should_stop([0.2, 0.3], [0.5, 0.6, 0.7], num_validation=5)
        False
    """
    if not curve or len(curve) > len(thresholds):
        return False
    best = max(curve)
    high = wilson_interval(round(best * num_validation), num_validation)[1]
    return high < thresholds[len(curve) - 1]
