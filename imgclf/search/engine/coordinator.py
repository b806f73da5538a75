"""`Coordinator`: decides which trial is next, records results, and ends the search.

It trains nothing itself. Whoever trains, in this process or in others, asks it for jobs and returns
their trials.
"""

from __future__ import annotations

import dataclasses
import threading
from typing import TypeAlias

from imgclf.architecture.describe import Description
from imgclf.search.engine.deadline import Deadline
from imgclf.search.engine.early_stopping import early_stopping_thresholds
from imgclf.search.engine.fractions import next_promotion
from imgclf.search.engine.job import Job
from imgclf.search.engine.live_table import TrialDisplay
from imgclf.search.engine.oracle import Proposer
from imgclf.search.engine.search_folder import SearchFolder
from imgclf.search.results.trial import Trial
from imgclf.search.space.hypermodel_space import Costs

__all__ = ["PROCESS_ENDED", "WORKER_SILENT", "Coordinator"]

# A trial whose process died is tried again, twice.
_MAX_DEATHS = 3

# How the reason of a trial begins that failed because its process died.
PROCESS_ENDED, WORKER_SILENT = "its process ended", "its worker fell silent"

_AnyTrial: TypeAlias = Trial | Job


@dataclasses.dataclass
class Coordinator:
    """The state of a search.

    Args:
        proposer: of the candidates.
        folder: None to keep nothing.
        deadline: of this call.
        max_trials: None if only the time limits the search.
        train_fractions: of the training images, rising to 1.
        early_stopping: whether bad trials are stopped.
        display: shows the trials.
    """

    proposer: Proposer
    folder: SearchFolder | None
    deadline: Deadline
    max_trials: int | None
    train_fractions: tuple[float, ...]
    early_stopping: bool
    display: TrialDisplay

    def __post_init__(self) -> None:
        self.trials: list[Trial] = []  # ended, in the order of their end
        self.timed_out: list[Trial] = []  # resumed by the next call
        self.running: dict[int, Job] = {}
        self.queue: list[Job] = []  # of lost processes, or of an earlier call
        self.deaths: dict[int, int] = {}
        self.num_begun = 0  # in this call
        self.stopped_by: str | None = None
        self.lock = threading.RLock()
        if self.folder is not None:
            self._resume(self.folder)

    def _resume(self, folder: SearchFolder) -> None:
        """Replays the trials of the journal, and queues those that were running."""
        folder.check_no_links()
        recorded = folder.recorded_trials()
        died = [trial for trial in recorded if _has_died(trial)]
        # If the processes of all trials died, the reason was not in the trials: they run again.
        for trial in [] if len(died) == len(recorded) else recorded:
            if trial.promoted_from is None:
                self.proposer.replay(trial)
            self.trials.append(trial)
        jobs = {job.number: self._checked(job) for job in folder.running_jobs()}
        if not self.trials:
            jobs = {trial.number: _job_again(trial) for trial in died} | jobs
        ended = {trial.number for trial in self.trials}
        for job in jobs.values():
            if job.number not in ended:
                if job.promoted_from is None:
                    self.proposer.propose(job.number, job.hyperparameters)
                self.queue.append(job)
        folder.prune(self.trials)

    def _checked(self, job: Job) -> Job:
        """Returns a stored job with the network and recipe that its hyperparameters stand for."""
        blocks, recipe = self.proposer.stored_candidate(job)
        epochs = min(recipe.epochs, job.recipe.epochs)
        return dataclasses.replace(job, blocks=blocks, recipe=recipe.replace(epochs=epochs))

    def next_job(self) -> Job | None:
        """Returns the next trial; None if none can begin now.

        `stopped_by` then says why, or is None while running trials may still change that.
        """
        with self.lock:
            if self.num_begun and self.deadline.seconds_left <= 0:
                self.stopped_by = "minutes"
                return None
            job = self.queue.pop(0) if self.queue and not self._is_full() else self._new_job()
            if job is None:
                return None
            self.num_begun += 1
            self.running[job.number] = job
            if self.folder is not None:
                self.folder.begin(job)
            self.display.begin(job, self.seconds_left())
            return job

    def begin_epoch(self, number: int, epoch: int) -> None:
        """Shows that a running trial begins an epoch.

        Args:
            number: of the trial.
            epoch: counted from 1.
        """
        self.display.epoch(number, epoch)

    def can_resume(self) -> bool:
        """Whether a queued trial would begin."""
        return bool(self.queue) and not self._is_full() and self.deadline.seconds_left > 0

    def _is_full(self) -> bool:
        return self.max_trials is not None and len(self.trials) >= self.max_trials

    def _everyone(self) -> list[_AnyTrial]:
        return [*self.trials, *self.running.values(), *self.queue]

    def _new_job(self) -> Job | None:
        if self.stopped_by is not None:
            return None
        if self.max_trials is not None and len(self._everyone()) >= self.max_trials:
            # Running trials may come back to the queue.
            self.stopped_by = None if self.running else "max_trials"
            return None
        job = self._promoted_job() or self._proposed_job()
        if job is None:
            return None
        costs = self._costs(job)
        completed = [trial for trial in self.trials if trial.status == "completed"]
        fitted = self.deadline.fit_epochs(job, costs.macs, completed) if self.num_begun else job
        if fitted is None:
            self.stopped_by = "minutes"
            return None
        thresholds: tuple[float, ...] = ()
        if self.early_stopping:
            thresholds = early_stopping_thresholds(completed, fitted.recipe, fitted.train_fraction)
        has_room = self.folder is None or self.folder.has_room(costs.parameters, self.trials)
        return dataclasses.replace(fitted, stopping_thresholds=thresholds, resumable=has_room)

    def _costs(self, job: Job) -> Description | Costs:
        return self.proposer.space.costs(job.blocks, job.hyperparameters)

    def _promoted_job(self) -> Job | None:
        if self.proposer.promotes:
            return None
        promoted = [each.promoted_from for each in self._everyone()]
        found = next_promotion(self.trials, self.train_fractions, promoted)
        if found is None:
            return None
        trial, fraction = found
        blocks, recipe = self.proposer.candidate(trial.hyperparameters)
        return Job(
            self._next_number(), trial.hyperparameters, blocks, recipe, fraction, trial.number
        )

    def _proposed_job(self) -> Job | None:
        number = self._next_number()
        status, values = self.proposer.propose(number)
        if status != "RUNNING":
            if not self.running:
                self.stopped_by = "space"
            return None
        blocks, recipe = self.proposer.candidate(values)
        fraction = self.proposer.train_fraction(self.train_fractions, values)
        return Job(number, values, blocks, recipe, fraction)

    def _next_number(self) -> int:
        return max((each.number for each in self._everyone()), default=0) + 1

    def finish(self, trial: Trial) -> None:
        """Records the result of a trial.

        It is ignored if the trial is not running: it was given to another process meanwhile.
        """
        with self.lock:
            job = self.running.pop(trial.number, None)
            if job is None:
                return
            if trial.status == "timed_out":
                self.stopped_by = "minutes"
                self.timed_out.append(trial)
                self.display.end(trial, self.seconds_left())
                return
            if trial.promoted_from is None:
                self.proposer.record(trial)
            self.trials.append(trial)
            if self.folder is not None:
                self.folder.journal.append(trial.to_dict())
                self.folder.prune(self.trials)
            self.display.end(trial, self.seconds_left())

    def requeue(self, number: int, reason: str) -> None:
        """Queues a trial whose process has died, or ends it as failed.

        Args:
            number: of the trial.
            reason: of the failure.
        """
        with self.lock:
            job = self.running.get(number)
            if job is None:
                return
            self.deaths[number] = self.deaths.get(number, 0) + 1
            if self.deaths[number] < _MAX_DEATHS:
                self.queue.append(self.running.pop(number))
                return
            costs = self._costs(job)
            times = f"also when the trial was tried again {_MAX_DEATHS - 1} times"
            self.finish(
                Trial(
                    number=number,
                    blocks=job.blocks,
                    recipe=job.recipe,
                    score=None,
                    seconds=0.0,
                    parameters=costs.parameters,
                    macs=costs.macs,
                    status="failed",
                    reason=f"{reason}, {times}",
                    hyperparameters=dict(job.hyperparameters),
                    train_fraction=job.train_fraction,
                    promoted_from=job.promoted_from,
                )
            )

    def keep_above(self) -> float:
        """Returns the score that a trial must exceed for its model to be kept."""
        return -1.0 if self.folder is None else self.folder.keep_above(self.trials)

    def has_score(self) -> bool:
        """Whether any ended trial has a score."""
        return any(trial.score is not None for trial in self.trials)

    def seconds_left(self) -> float | None:
        """Estimates the seconds that the search still takes; None if that is unknown."""
        times = [trial.seconds for trial in self.trials]
        ends = [self.deadline.seconds_left] if self.deadline.minutes is not None else []
        if times and self.max_trials is not None:
            ends.append((self.max_trials - len(self.trials)) * sum(times) / len(times))
        return max(0.0, min(ends)) if ends else None


def _has_died(trial: Trial) -> bool:
    reason = trial.reason or ""
    return trial.status == "failed" and reason.startswith((PROCESS_ENDED, WORKER_SILENT))


def _job_again(trial: Trial) -> Job:
    return Job(
        trial.number,
        dict(trial.hyperparameters),
        trial.blocks,
        trial.recipe,
        trial.train_fraction,
        trial.promoted_from,
    )
