"""`Coordinator`: which trial is next, what is written down of it, and when the search is over.

It trains nothing itself. Whoever trains, in this process or in others, asks it for jobs and gives
it what came of them.
"""

from __future__ import annotations

import dataclasses
import threading
from typing import Any

from imgclf.search.engine.deadline import Clock
from imgclf.search.engine.early_stopping import floors
from imgclf.search.engine.fractions import part_of_round, promotion
from imgclf.search.engine.job import Job
from imgclf.search.engine.live_table import Display
from imgclf.search.engine.oracle import Proposer
from imgclf.search.engine.search_folder import SearchFolder
from imgclf.search.results.result import Trial

__all__ = ["Coordinator"]

# A trial under which so many processes died is to blame for it.
_MOST_DEATHS = 2


@dataclasses.dataclass
class Coordinator:
    """The state of a search.

    Args:
        proposer: of the candidates.
        folder: None to keep nothing.
        clock: of this call.
        max_trials: None if only the time ends the search.
        train_fractions: of the training images, rising to 1.
        early_stopping: whether hopeless trials are given up.
        display: shows the trials.
    """

    proposer: Proposer
    folder: SearchFolder | None
    clock: Clock
    max_trials: int | None
    train_fractions: tuple[float, ...]
    early_stopping: bool
    display: Display

    def __post_init__(self) -> None:
        self.trials: list[Trial] = []  # over, in the order of their end
        self.cut: list[Trial] = []  # those that the time has cut, which go on in the next call
        self.ongoing: dict[int, Job] = {}
        self.waiting: list[Job] = []  # given back, or found on the disk
        self.deaths: dict[int, int] = {}
        self.began = 0  # in this call
        self.stopped_by: str | None = None
        self.lock = threading.RLock()
        if self.folder is not None:
            self._go_on(self.folder)

    def _go_on(self, folder: SearchFolder) -> None:
        """Brings everything to where it was behind the last recorded trial."""
        for record in folder.journal.read():
            trial = Trial.from_dict(record)
            if trial.promoted_from is None:
                self.proposer.replay(trial)
            self.trials.append(trial)
        over = {trial.number for trial in self.trials}
        for job in folder.running():
            if job.number not in over:
                if job.promoted_from is None:
                    self.proposer.propose(job.number, job.hyperparameters)
                self.waiting.append(job)
        folder.settle(self.trials)

    def next_job(self) -> Job | None:
        """The next trial; None if none can be begun now.

        Then `stopped_by` says why, or it is None while trials that are running decide.
        """
        with self.lock:
            if self.began and self.clock.left <= 0:
                self.stopped_by = "minutes"
                return None
            job = self._waiting_job() or self._new_job()
            if job is None:
                return None
            self.began += 1
            self.ongoing[job.number] = job
            if self.folder is not None:
                self.folder.begin(job)
            self.display.begin(job, self.left())
            return job

    def can_go_on(self) -> bool:
        """Whether a trial waits that would be begun."""
        full = self.max_trials is not None and len(self.trials) >= self.max_trials
        return bool(self.waiting) and not full and self.clock.left > 0

    def _waiting_job(self) -> Job | None:
        full = self.max_trials is not None and len(self.trials) >= self.max_trials
        return self.waiting.pop(0) if self.waiting and not full else None

    def _count(self) -> int:
        return len(self.trials) + len(self.ongoing) + len(self.waiting)

    def _new_job(self) -> Job | None:
        if self.stopped_by is not None:
            return None
        if self.max_trials is not None and self._count() >= self.max_trials:
            # Those that are running may come back.
            self.stopped_by = None if self.ongoing else "max_trials"
            return None
        job = self._promoted() or self._proposed()
        if job is None:
            return None
        costs = self._costs(job)
        over = [trial for trial in self.trials if trial.status == "completed"]
        fitted = self.clock.fitted(job, costs.macs, over) if self.began else job
        if fitted is None:
            self.stopped_by = "minutes"
            return None
        limits = floors(over, fitted.recipe, fitted.train_fraction) if self.early_stopping else ()
        room = self.folder is None or self.folder.has_room(costs.parameters, self.trials)
        return dataclasses.replace(fitted, floors=limits, resumable=room)

    def _costs(self, job: Job) -> Any:
        return self.proposer.space.costs(job.blocks, job.hyperparameters)

    def _promoted(self) -> Job | None:
        everyone: list[Any] = [*self.trials, *self.ongoing.values(), *self.waiting]
        found = promotion(
            self.trials, self.train_fractions, [each.promoted_from for each in everyone]
        )
        if found is None or any("tuner/round" in trial.hyperparameters for trial in self.trials):
            return None  # Hyperband promotes by itself
        trial, part = found
        blocks, recipe = self.proposer.candidate(trial.hyperparameters)
        return Job(self._number(), trial.hyperparameters, blocks, recipe, part, trial.number)

    def _proposed(self) -> Job | None:
        number = self._number()
        status, values = self.proposer.propose(number)
        if status != "RUNNING":
            if not self.ongoing:
                self.stopped_by = "space"
            return None
        blocks, recipe = self.proposer.candidate(values)
        rounds = "tuner/round" in values
        part = part_of_round(self.train_fractions, values) if rounds else self.train_fractions[0]
        return Job(number, values, blocks, recipe, part)

    def _number(self) -> int:
        everyone: list[Any] = [*self.trials, *self.ongoing.values(), *self.waiting]
        return max((each.number for each in everyone), default=0) + 1

    def finish(self, trial: Trial) -> None:
        """Writes down what came of a trial.

        What comes of one that is over already, since it was taken for lost, is left out.
        """
        with self.lock:
            job = self.ongoing.pop(trial.number, None)
            if job is None:
                return
            if trial.status == "cut":
                self.stopped_by = "minutes"
                self.cut.append(trial)
                self.display.end(trial, self.left())
                return
            if trial.promoted_from is None:
                self.proposer.tell(trial)
            self.trials.append(trial)
            if self.folder is not None:
                self.folder.journal.append(trial.to_dict())
                self.folder.settle(self.trials)
            self.display.end(trial, self.left())

    def give_back(self, number: int, reason: str) -> None:
        """Hands a trial whose process has died to the next that asks, or ends it as failed."""
        with self.lock:
            job = self.ongoing.get(number)
            if job is None:
                return
            self.deaths[number] = self.deaths.get(number, 0) + 1
            if self.deaths[number] < _MOST_DEATHS:
                self.waiting.append(self.ongoing.pop(number))
                return
            costs = self._costs(job)
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
                    reason=reason,
                    hyperparameters=dict(job.hyperparameters),
                    train_fraction=job.train_fraction,
                    promoted_from=job.promoted_from,
                )
            )

    def worth(self) -> float:
        """What a trial must reach more than, for its model to be kept."""
        return -1.0 if self.folder is None else self.folder.worth(self.trials)

    def has_score(self) -> bool:
        """Whether any trial that is over has one."""
        return any(trial.score is not None for trial in self.trials)

    def left(self) -> float | None:
        """About as many seconds as the whole search still takes; None if nobody can tell."""
        times = [trial.seconds for trial in self.trials]
        ends = [self.clock.left] if self.clock.minutes is not None else []
        if times and self.max_trials is not None:
            ends.append((self.max_trials - len(self.trials)) * sum(times) / len(times))
        return max(0.0, min(ends)) if ends else None
