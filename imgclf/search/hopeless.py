"""Giving up hopeless trials: the median rule, with doubt.

After each epoch a trial is compared with what the trials before it had reached at the same point
of their training. If the upper end of its accuracy's 95% interval is below their median, it is
given up. The rule is that of Google Vizier (Golovin et al. 2017, "Google Vizier: A Service for
Black-Box Optimization", section 3.2.2), the interval is added so that few validation pictures give
up little. It assumes no shape of the curves, so it also holds where a learning rate that falls to
0 lets them rise at the end.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence

from imgclf.evaluation.interval import wilson_interval
from imgclf.search.result import Trial

__all__ = ["floors", "is_hopeless"]

# Fewer trials than these say too little of what is usual.
_FEWEST_TRIALS = 4


def floors(trials: Iterable[Trial], epochs: int, part: float) -> tuple[float, ...]:
    """The median of what trials had reached by each epoch of a training of so many.

    Args:
        trials: those before.
        epochs: of the training; trials of other lengths are compared at the same part of theirs.
        part: of the training pictures; trials on other parts do not count.

    Returns:
        An accuracy for each epoch but the last, after which nothing is left to be saved; empty if
        too few trials have a whole curve.
    """
    curves = [
        trial.curve
        for trial in trials
        if trial.status == "completed" and trial.part == part and trial.curve
    ]
    if len(curves) < _FEWEST_TRIALS:
        return ()
    return tuple(
        statistics.median(_reached(curve, epoch / epochs) for curve in curves)
        for epoch in range(1, epochs)
    )


def _reached(curve: Sequence[float], part: float) -> float:
    """The best accuracy within the first part of a training."""
    return max(curve[: max(1, math.ceil(part * len(curve)))])


def is_hopeless(curve: Sequence[float], floors: Sequence[float], num_validation: int) -> bool:
    """Whether a training that has come so far is to be given up.

    Args:
        curve: validation accuracy after each epoch so far.
        floors: as `floors` gives them.
        num_validation: pictures behind each accuracy.

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
