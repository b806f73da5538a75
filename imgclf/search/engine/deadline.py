"""`Clock`: the time of a search, and whether a trial still fits into it."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterable

from imgclf.search.engine.job import Job
from imgclf.search.results.result import Trial

__all__ = ["Clock", "planned_seconds"]

# A trial of fewer epochs than this part of what its recipe says would say little of it.
_LEAST_PART = 0.5


@dataclasses.dataclass(frozen=True)
class Clock:
    """So many minutes from a moment on.

    Args:
        minutes: None for no limit.
        started: by `time.monotonic`.
    """

    minutes: float | None = None
    started: float = dataclasses.field(default_factory=time.monotonic)

    @property
    def deadline(self) -> float | None:
        """By `time.monotonic`; None if there is none."""
        return None if self.minutes is None else self.started + 60 * self.minutes

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self.started

    @property
    def left(self) -> float:
        """Seconds to the end."""
        return math.inf if self.deadline is None else self.deadline - time.monotonic()

    def fitted(self, job: Job, macs: int | None, trials: Iterable[Trial]) -> Job | None:
        """The job with as many epochs as there is time for; None if they would be too few.

        Args:
            job: with the epochs of its recipe.
            macs: multiply-adds of its network.
            trials: by which the time is told; without any nothing is known, and the job stays.
        """
        left, epochs = self.left, job.recipe.epochs
        needed = planned_seconds(job, macs, trials)
        if needed is None or needed <= left:
            return job
        fitting = math.floor(epochs * left / needed)
        if fitting < 1 or fitting < _LEAST_PART * epochs:
            return None
        return dataclasses.replace(job, recipe=job.recipe.replace(epochs=fitting))


def planned_seconds(job: Job, macs: int | None, trials: Iterable[Trial]) -> float | None:
    """What a job will take, told by the trials before: a constant, and a time for its work.

    A trial's work is its multiply-adds times the images that it sees. That is not exact: layers
    that cost few multiply-adds cost time, too.
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


def _work(macs: int | None, part: float, epochs: int) -> float:
    return (macs or 1_000_000) / 1e6 * part * epochs
