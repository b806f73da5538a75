"""What the Bayesian search is told of a trial, so that its model sees what matters.

Accuracies crowd together at the top: between 87 and 88% lies more than between 40 and 50%, and a
regression over the accuracies would spend itself on the bad ones. It is told the logarithm of the
error instead. And a trial that was given up early is told as what it would have reached, as far as
the others tell; its accuracy of the first epoch would be a lie about the candidate.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection

from imgclf.search.engine.early_stopping import floors
from imgclf.search.results.result import Trial

__all__ = ["expected_accuracy", "told"]

# Fewer than half a wrong image cannot be told from none.
_LEAST_WRONG = 0.5

# Validation images of a trial that does not say how many it had.
_MANY = 10_000


def told(trial: Trial, before: Collection[Trial]) -> float:
    """The higher the better: minus the natural logarithm of the error.

    Args:
        trial: with a score.
        before: the trials that were over before it.
    """
    least = _LEAST_WRONG / (trial.num_validation or _MANY)
    return -math.log(max(least, 1 - expected_accuracy(trial, before)))


def expected_accuracy(trial: Trial, before: Collection[Trial]) -> float:
    """A trial's score; of one that was given up, what it would have come to.

    It keeps the distance from the median, in log odds, that it had when it was given up. Log odds
    are the scale on which accuracies of 40 to 60% and of 90 to 95% are about as far apart.

    Args:
        trial: with a score.
        before: the trials that were over before it.

    Returns:
        An accuracy between the trial's score and the median of those that ended.
    """
    score = float(trial.score or 0.0)
    medians = (
        floors(before, trial.recipe, trial.train_fraction) if trial.status == "stopped" else ()
    )
    epoch = len(trial.curve)
    median = medians[epoch - 1] if 0 < epoch <= len(medians) else 0.0
    if not 0 < score < median < 1:
        return score
    ends = [
        t.score
        for t in before
        if t.status == "completed" and t.train_fraction == trial.train_fraction and t.score
    ]
    odds = _odds(statistics.median(ends)) * _odds(score) / _odds(median)
    return max(score, odds / (1 + odds))


def _odds(accuracy: float) -> float:
    """To one, of being right; kept finite."""
    return accuracy / max(1 - accuracy, 1 / _MANY)
