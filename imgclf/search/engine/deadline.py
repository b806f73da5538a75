"""`Deadline`: the end of a search, and whether a trial can still be trained before it."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterable

from imgclf.search.engine.job import Job
from imgclf.search.results.trial import Trial

__all__ = ["Deadline", "estimate_seconds"]

# A trial with less than this fraction of its recipe's epochs would say little of the recipe.
_MIN_FRACTION = 0.5


@dataclasses.dataclass(frozen=True)
class Deadline:
    """A number of minutes from a start.

    Args:
        minutes: None for no limit.
        started: by `time.monotonic`.
    """

    minutes: float | None = None
    started: float = dataclasses.field(default_factory=time.monotonic)

    @property
    def end(self) -> float | None:
        """The end by `time.monotonic`; None if there is none."""
        return None if self.minutes is None else self.started + 60 * self.minutes

    @property
    def seconds_left(self) -> float:
        """Seconds to the end; infinite if there is none."""
        return math.inf if self.end is None else self.end - time.monotonic()

    def fit_epochs(self, job: Job, macs: int | None, trials: Iterable[Trial]) -> Job | None:
        """Returns the job with as many epochs as there is time for; None if they are too few.

        Args:
            job: with the epochs of its recipe.
            macs: multiply-adds of its network.
            trials: by which the time is estimated; without any, the job stays as it is.
        """
        left, epochs = self.seconds_left, job.recipe.epochs
        needed = estimate_seconds(job, macs, trials)
        if needed is None or needed <= left:
            return job
        fitting = math.floor(epochs * left / needed)
        if fitting < 1 or fitting < _MIN_FRACTION * epochs:
            return None
        return dataclasses.replace(job, recipe=job.recipe.replace(epochs=fitting))


def estimate_seconds(job: Job, macs: int | None, trials: Iterable[Trial]) -> float | None:
    """Estimates the time of a job from earlier trials: a constant, and a rate for its work.

    The work of a trial is its multiply-adds times the number of images it sees. That is not exact:
    layers of few multiply-adds take time, too.

    Args:
        job: to be run.
        macs: multiply-adds of its network.
        trials: that have ended.

    Returns:
        Seconds; None if no trial has ended.
    """
    import numpy as np
    import scipy.optimize

    known = [trial for trial in trials if trial.score is not None and trial.epochs_run]
    if not known:
        return None
    work = [_work(trial.macs, trial.train_fraction, trial.epochs_run or 0) for trial in known]
    seconds = np.array([trial.seconds for trial in known])
    rows = np.column_stack([np.ones(len(known)), work]) / seconds[:, None]
    (constant, rate), _ = scipy.optimize.nnls(rows, np.ones(len(known)))
    return float(constant + rate * _work(macs, job.train_fraction, job.recipe.epochs))


def _work(macs: int | None, train_fraction: float, epochs: int) -> float:
    return (macs or 1_000_000) / 1e6 * train_fraction * epochs
