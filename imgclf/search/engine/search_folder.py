"""The folder of a search: the journal, the trials that are running, and the best models.

runs/search/
  config.json     the space, data, algorithm and seed, which make this search this search
  machine.json    what was measured of the machine when the search began
  journal.jsonl   a line for each trial that is over: the truth
  trials/0007/    plan.json of a trial that is running, and its run folder to go on from;
                  later model.keras, if it is among the best
  best.keras      the best model
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from imgclf.errors import RunFolderError
from imgclf.files import atomic
from imgclf.search.engine.job import Job
from imgclf.search.engine.journal import Journal
from imgclf.search.results.result import Trial, best_of

__all__ = ["SearchFolder"]

# Bytes for each parameter: three checkpoints, each with the weights, two averages of the optimiser
# and the weights of the best epoch; and the model's file.
_CHECKPOINT_BYTES = 3 * 4 * 4
_MODEL_BYTES = 4

# Bytes of a run folder or of a model's file beside the numbers: configuration, log and image.
_OTHER_BYTES = 100_000


class SearchFolder:
    """The files of one search.

    Args:
        path: of the folder, which exists.
        keep: how many of the best models stay.
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

    def of_trial(self, number: int) -> Path:
        """The folder of a trial."""
        return self.path / "trials" / f"{number:04}"

    def of_training(self, number: int) -> Path:
        """The run folder of its training."""
        return self.of_trial(number) / "training"

    def model_of(self, number: int) -> Path:
        """Where its model is kept."""
        return self.of_trial(number) / "model.keras"

    def begin(self, job: Job) -> None:
        """Writes down that a trial is running, so that it goes on after a kill."""
        atomic.write_text(self.of_trial(job.number) / "plan.json", json.dumps(job.to_dict()))

    def running(self) -> list[Job]:
        """Trials that were begun and not ended, in their order."""
        jobs = []
        for path in sorted((self.path / "trials").glob("*/plan.json")):
            try:
                values = json.loads(path.read_text())
            except ValueError as error:
                raise RunFolderError(
                    f"{path}: is damaged ({error}). Remove it, and its trial begins anew."
                ) from error
            jobs.append(Job.from_dict(values))
        return jobs

    def remembered(self, name: str, measure: Any) -> Any:
        """What was measured when the search began, so that a resumed one decides by the same."""
        path = self.path / "machine.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        if name not in known:
            known[name] = measure()
            atomic.write_text(path, json.dumps(known, indent=2) + "\n")
        return known[name]

    def settle(self, trials: Iterable[Trial]) -> None:
        """Keeps the best models, and removes what else trials that are over have left.

        It may be called at any time: what it did not come to, it does the next time.
        """
        trials = list(trials)
        kept = {trial.number for trial in self._ranked(trials)[: self.keep]}
        for trial in trials:
            folder = self.of_trial(trial.number)
            if not folder.exists() or trial.status == "cut":
                continue
            if trial.number in kept and self.model_of(trial.number).exists():
                (folder / "plan.json").unlink(missing_ok=True)
                shutil.rmtree(folder / "training", ignore_errors=True)
                atomic.remove_leftovers(folder)
            else:
                self._remove(folder)
        if any(trial.score is not None for trial in trials):
            self._link_best(best_of(trials))

    def _remove(self, folder: Path) -> None:
        # The plan first: what is left of a trial without one is nobody's.
        (folder / "plan.json").unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)

    def worth(self, trials: Iterable[Trial]) -> float:
        """What a trial must reach more than, for its model to be kept."""
        ranked = self._ranked(trials)
        return ranked[self.keep - 1].score or 0.0 if len(ranked) >= self.keep else -1.0

    def weights_of(self, number: int) -> str | None:
        """Where a trial's model is, below this folder."""
        path = self.model_of(number)
        return str(path.relative_to(self.path).as_posix()) if path.exists() else None

    def has_room(self, parameters: int, trials: Iterable[Trial]) -> bool:
        """Whether checkpoints of a network fit; for their sake models give way, never the best."""
        if self.max_disk is None:
            return True
        needed = (_CHECKPOINT_BYTES + _MODEL_BYTES) * parameters + 2 * _OTHER_BYTES
        for trial in reversed(self._ranked(trials)[1:]):
            if self.size() + needed <= self.max_disk:
                break
            if self.model_of(trial.number).exists():
                self._remove(self.of_trial(trial.number))
        return self.size() + needed <= self.max_disk

    def size(self) -> int:
        """Bytes of all files; of several names of one file it counts one."""
        sizes = {}
        for path in self.path.rglob("*"):
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                sizes[status.st_ino] = 0 if path.is_dir() else status.st_size
        return sum(sizes.values())

    def _ranked(self, trials: Iterable[Trial]) -> list[Trial]:
        over = [t for t in trials if t.score is not None and t.status != "cut"]
        return sorted(over, key=lambda trial: (-(trial.score or 0.0), trial.number))

    def _link_best(self, best: Trial) -> None:
        """Gives the best trial's file a second name, which takes no space."""
        model = self.model_of(best.number)
        if not model.exists() or (self.best.exists() and self.best.samefile(model)):
            return
        temporary = self.path / f"{atomic.LEFTOVER}best.keras"
        temporary.unlink(missing_ok=True)
        try:
            os.link(model, temporary)
        except OSError:  # a file system without such links
            shutil.copyfile(model, temporary)
        temporary.replace(self.best)
