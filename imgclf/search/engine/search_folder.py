"""The folder of a search: the journal, the running trials, and the best models.

runs/search/
  config.json     what identifies the search: space, data, algorithm and seed
  machine.json    what was measured of the machine when the search began
  journal.jsonl   a line for each ended trial: the record of the search
  trials/0007/    plan.json of a running trial, and the run folder that it resumes from;
                  later model.keras, if it is among the best
  best.keras      the best model
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from imgclf.errors import RunFolderError
from imgclf.files import atomic
from imgclf.files.journal import Journal
from imgclf.files.stored_json import (
    Check,
    check_record,
    number,
    optional,
    read_object,
    show_error,
    whole,
)
from imgclf.formatting import show_path
from imgclf.search.engine.job import Job
from imgclf.search.results.trial import Trial, best_trial

__all__ = ["SearchFolder"]

# Bytes for each parameter: three checkpoints, each with the weights, two averages of the optimiser
# and the weights of the best epoch; and the model's file.
_CHECKPOINT_BYTES = 3 * 4 * 4
_MODEL_BYTES = 4

# Bytes of a run folder or of a model's file beside the parameters.
_OTHER_BYTES = 100_000

_REMOVE_PLAN = "Remove it, and its trial starts again."
_REMOVE_MACHINE = "Remove it, and the machine is measured again."

# What machine.json may hold: bytes, and the coefficients of a `LatencyModel`.
_MACHINE: dict[str, Check] = {
    "available_memory": optional(whole(0, 2**63)),
    "milliseconds": (
        "an object of three numbers",
        lambda value: (
            isinstance(value, dict)
            and value.keys() == {"call", "layer", "macs"}
            and all(number(0, 1e9)[1](each) for each in value.values())
        ),
    ),
}

_Measured = TypeVar("_Measured")


class SearchFolder:
    """The files of one search.

    Args:
        path: of the folder, which exists.
        keep: number of best models to keep.
        max_disk: bytes that the folder may take; None for no limit.
    """

    def __init__(self, path: Path, keep: int, max_disk: int | None = None) -> None:
        self.path = path
        self.keep = keep
        self.max_disk = max_disk
        self.journal = Journal(path / "journal.jsonl")

    @property
    def best(self) -> Path:
        """The file of the best model."""
        return self.path / "best.keras"

    def trial_folder(self, number: int) -> Path:
        """Returns the folder of a trial."""
        return self.path / "trials" / f"{number:04}"

    def training_folder(self, number: int) -> Path:
        """Returns the run folder of a trial's training."""
        return self.trial_folder(number) / "training"

    def model_path(self, number: int) -> Path:
        """Returns the file of a trial's model."""
        return self.trial_folder(number) / "model.keras"

    def begin(self, job: Job) -> None:
        """Records that a trial is running, so that it resumes after a kill."""
        atomic.write_text(self.trial_folder(job.number) / "plan.json", json.dumps(job.to_dict()))

    def recorded_trials(self) -> list[Trial]:
        """Returns the trials of the journal; of several with one number, the last."""
        trials = (Trial.from_dict(record) for record in self.journal.read())
        return list({trial.number: trial for trial in trials}.values())

    def running_jobs(self) -> list[Job]:
        """Returns the trials that were begun and have not ended, in their order."""
        jobs = []
        for path in sorted((self.path / "trials").glob("*/plan.json")):
            job = Job.from_dict(read_object(path, _REMOVE_PLAN))
            if path.parent != self.trial_folder(job.number):
                raise RunFolderError(
                    f"{show_path(path)}: is the plan of trial {job.number}, which belongs "
                    f"elsewhere. {_REMOVE_PLAN}"
                )
            jobs.append(job)
        return jobs

    def check_no_links(self) -> None:
        """Checks that the folders of trials are here, since files in them are deleted.

        Raises:
            RunFolderError: if one is a link.
        """
        trials = self.path / "trials"
        for folder in (trials, *(trials.glob("*") if trials.is_dir() else ())):
            if folder.is_symlink():
                raise RunFolderError(
                    f"{show_path(folder)}: is a link, and a search deletes files in there. Replace "
                    "it by the folder."
                )

    def measured_once(self, name: str, measure: Callable[[], _Measured]) -> _Measured:
        """Returns a measurement of the machine, which a resumed search takes from the folder.

        Args:
            name: of the measurement.
            measure: called if there is none yet.
        """
        path = self.path / "machine.json"
        known = read_object(path, _REMOVE_MACHINE) if os.path.lexists(path) else {}
        try:
            check_record(known, _MACHINE)
        except ValueError as error:
            raise RunFolderError(
                f"{show_path(path)}: is damaged ({show_error(error)}). {_REMOVE_MACHINE}"
            ) from error
        if name not in known:
            known[name] = measure()
            atomic.write_text(path, json.dumps(known, indent=2) + "\n")
        measured: _Measured = known[name]
        return measured

    def prune(self, trials: Iterable[Trial]) -> None:
        """Keeps the best models, and removes all other files of ended trials.

        It may be killed at any time: the next call removes the rest.

        Args:
            trials: that have ended.
        """
        trials = list(trials)
        kept = {trial.number for trial in self._ranked(trials)[: self.keep]}
        for trial in trials:
            folder = self.trial_folder(trial.number)
            if not folder.exists() or trial.status == "timed_out":
                continue
            if trial.number in kept and self.model_path(trial.number).exists():
                (folder / "plan.json").unlink(missing_ok=True)
                shutil.rmtree(folder / "training", ignore_errors=True)
                atomic.remove_leftovers(folder)
            else:
                self._remove(folder)
        if any(trial.score is not None for trial in trials):
            self._link_best(best_trial(trials))

    def _remove(self, folder: Path) -> None:
        # The plan first: without one, what is left of the folder belongs to no trial.
        (folder / "plan.json").unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)

    def keep_above(self, trials: Iterable[Trial]) -> float:
        """Returns the score that a trial must exceed for its model to be kept."""
        ranked = self._ranked(trials)
        return ranked[self.keep - 1].score or 0.0 if len(ranked) >= self.keep else -1.0

    def kept_model(self, number: int) -> str | None:
        """Returns the path of a trial's model relative to this folder; None if it was not kept."""
        path = self.model_path(number)
        return str(path.relative_to(self.path).as_posix()) if path.exists() else None

    def has_room(self, parameters: int, trials: Iterable[Trial]) -> bool:
        """Whether checkpoints of a network fit; removes models for them, but never the best.

        Args:
            parameters: of the network.
            trials: that have ended.
        """
        if self.max_disk is None:
            return True
        needed = (_CHECKPOINT_BYTES + _MODEL_BYTES) * parameters + 2 * _OTHER_BYTES
        for trial in reversed(self._ranked(trials)[1:]):
            if self.size() + needed <= self.max_disk:
                break
            if self.model_path(trial.number).exists():
                self._remove(self.trial_folder(trial.number))
        return self.size() + needed <= self.max_disk

    def size(self) -> int:
        """Returns the bytes of all files; a file with several names counts once."""
        sizes = {}
        for path in self.path.rglob("*"):
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                sizes[status.st_ino] = 0 if path.is_dir() else status.st_size
        return sum(sizes.values())

    def _ranked(self, trials: Iterable[Trial]) -> list[Trial]:
        ended = [t for t in trials if t.score is not None and t.status != "timed_out"]
        return sorted(ended, key=lambda trial: (-(trial.score or 0.0), trial.number))

    def _link_best(self, best: Trial) -> None:
        """Gives the best trial's file a second name, which takes no space."""
        model = self.model_path(best.number)
        if not model.exists() or (self.best.exists() and self.best.samefile(model)):
            return
        temporary = self.path / f"{atomic.LEFTOVER}best.keras"
        temporary.unlink(missing_ok=True)
        try:
            os.link(model, temporary)
        except OSError:  # a file system without hard links
            shutil.copyfile(model, temporary)
        temporary.replace(self.best)
