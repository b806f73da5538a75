"""The objective of the Bayesian search: the number by which its model compares trials.

Accuracies crowd together at the top: the step from 87 to 88% matters more than that from 40 to 41%,
and a regression over accuracies would fit the bad trials most of all. So the objective is the
negative logarithm of the error. A trial that was stopped early counts as the accuracy that it would
have reached, estimated from the other trials: its accuracy after the first epoch says too little of
the candidate.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection

from imgclf.search.engine.early_stopping import early_stopping_thresholds
from imgclf.search.engine.fractions import trials_at_fraction
from imgclf.search.results.trial import Trial

__all__ = ["expected_accuracy", "objective_value"]

# An error below half a validation image cannot be distinguished from none.
_MIN_ERRORS = 0.5

# Validation images of a trial that does not say how many it had.
_DEFAULT_NUM_VALIDATION = 10_000


def objective_value(trial: Trial, before: Collection[Trial]) -> float:
    """Returns the negative natural logarithm of the error; higher is better.

    Args:
        trial: with a score.
        before: the trials that ended before it.
    """
    least = _MIN_ERRORS / (trial.num_validation or _DEFAULT_NUM_VALIDATION)
    return -math.log(max(least, 1 - expected_accuracy(trial, before)))


def expected_accuracy(trial: Trial, before: Collection[Trial]) -> float:
    """Returns a trial's score; for a stopped trial, an estimate of its score after all epochs.

    The estimate is as far from the median, in log odds, as the trial was when it was stopped. On
    that scale, accuracies of 40 and 60% are about as far apart as those of 90 and 95%.

    Args:
        trial: with a score.
        before: the trials that ended before it.

    Returns:
        An accuracy between the trial's score and the median of the completed trials.
    """
    score = float(trial.score or 0.0)
    if trial.status != "stopped":
        return score
    thresholds = early_stopping_thresholds(before, trial.recipe, trial.train_fraction)
    epoch = len(trial.curve)
    median = thresholds[epoch - 1] if 0 < epoch <= len(thresholds) else 0.0
    if not 0 < score < median < 1:
        return score
    completed = trials_at_fraction(before, trial.train_fraction, completed=True)
    final = statistics.median(other.score for other in completed if other.score)
    odds = _odds(final) * _odds(score) / _odds(median)
    return max(score, odds / (1 + odds))


def _odds(accuracy: float) -> float:
    """Returns accuracy : error, kept finite."""
    return accuracy / max(1 - accuracy, 1 / _DEFAULT_NUM_VALIDATION)
