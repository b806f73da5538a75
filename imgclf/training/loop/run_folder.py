"""The folder of one run: what was asked for, the log, checkpoints, curves, and the model.

runs/cifar10/
  config.json     recipe, network, fingerprints of the data, versions
  files.csv       what became of every file of the data, if it came from files
  log.csv         a row an epoch
  curves.png      loss and accuracy by epoch
  time.json       how long it took, over all sessions
  checkpoints/    the last two, to go on from
  model.keras     the trained network
"""

from __future__ import annotations

import contextlib
import csv
import importlib.metadata
import io
import itertools
import json
import os
import shutil
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from imgclf import checks, plots
from imgclf.errors import RunFolderError
from imgclf.files import atomic
from imgclf.files.migrations import migrate_run_config
from imgclf.formatting import shorten, show_bytes
from imgclf.training.loop.checkpoint import Checkpoints
from imgclf.training.loop.failed_write import naming_failed_write

if TYPE_CHECKING:
    from imgclf.data.dataset import Dataset
    from imgclf.data.split import Split

__all__ = ["RunFolder"]


class RunFolder:
    """One run's folder.

    Args:
        path: the folder; made if need be.

    Raises:
        RunFolderError: if there is a file of that name, or it cannot be written to.
    """

    def __init__(self, path: Any) -> None:
        self.path = checks.path("run_dir", path)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunFolderError(
                f"Run folder {str(self.path)!r} cannot be made ({error.strerror})."
            ) from error
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise RunFolderError(f"Run folder {str(self.path)!r} cannot be written to.")
        self.checkpoints = Checkpoints(self.path / "checkpoints")

    def claim(self, config: dict[str, Any], *, force: bool | None = None) -> None:
        """Begins a run, or goes on with the one that is here if it was asked for the same.

        Args:
            config: what makes this run this run; the versions of Keras and TensorFlow are added.
            force: go on with a run that differs, too; None if there is no such choice.

        Raises:
            RunFolderError: if the run that is here differs, with the differences.
        """
        versions = {name: importlib.metadata.version(name) for name in ("keras", "tensorflow")}
        config = json.loads(json.dumps({**config, "versions": versions}, default=repr))
        for place in (self.path, self.checkpoints.folder):
            atomic.remove_leftovers(place)
        stored = self._stored_config()
        differences = [] if stored is None or force else _differences(stored, config)
        if differences:
            way_out = "Use another run_dir, or remove this one."
            if force is not None:
                way_out += ' To go on from its checkpoint nevertheless: resume="force".'
            raise RunFolderError(
                f"Run folder {str(self.path)!r} holds another run. It differs in: "
                f"{'; '.join(differences)}. {way_out}"
            )
        if stored != config:
            text = json.dumps(config, indent=2) + "\n"
            self._write("config.json", text.encode())

    def epochs_of(self, minutes: float) -> int | None:
        """The epochs that were fitted to so many minutes when the run here began; None if not."""
        stored = self._stored_config()
        if stored is None or stored.get("minutes") != minutes:
            return None
        epochs = (stored.get("recipe") or {}).get("epochs")
        return epochs if isinstance(epochs, int) else None

    def give_up(self) -> None:
        """Removes the folder if it holds nothing but its lock."""
        if {path.name for path in self.path.iterdir()} <= {"lock", "lock.owner"}:
            shutil.rmtree(self.path, ignore_errors=True)

    def check_space(self, needed: int) -> None:
        """Sees to it that a run need not end for want of space.

        Args:
            needed: bytes.

        Raises:
            RunFolderError: if the file system has fewer left.
        """
        free = shutil.disk_usage(self.path).free
        if free < needed:
            raise RunFolderError(
                f"Run folder {str(self.path)!r} needs {show_bytes(needed)} for checkpoints, but "
                f"there are {show_bytes(free)} left. Free some space, or use another run_dir."
            )

    def _stored_config(self) -> dict[str, Any] | None:
        path = self.path / "config.json"
        if not path.exists():
            return None
        try:
            stored = json.loads(path.read_text())
        except ValueError as error:
            raise RunFolderError(f"{path}: is damaged ({error}). Use another run_dir.") from error
        return migrate_run_config(stored) if isinstance(stored, dict) else {}

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Within it the folder belongs to this process; the system frees it when the process ends.

        Raises:
            RunFolderError: if another process holds it; the message names it.
        """
        import filelock

        lock, owner = filelock.FileLock(self.path / "lock"), self.path / "lock.owner"
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            name = owner.read_text() if owner.exists() else "another process"
            raise RunFolderError(f"Run folder {str(self.path)!r} is in use by {name}.") from None
        try:
            owner.write_text(f"process {os.getpid()} on {socket.gethostname()}")
            yield
        finally:
            lock.release()

    def write_log(self, history: dict[str, list[float]]) -> None:
        """The history as `log.csv` and as an image of its curves."""
        names = list(history)
        table = io.StringIO()
        writer = csv.writer(table)
        writer.writerow(["epoch", *names])
        for epoch, values in enumerate(itertools.zip_longest(*history.values()), start=1):
            writer.writerow([epoch, *values])
        self._write("log.csv", table.getvalue().encode())

    def write_curves(self, history: dict[str, list[float]]) -> None:
        """The image of loss and accuracy by epoch."""
        if history:
            self._write("curves.png", plots.figure_png(plots.training_curves(history)))

    def keep_ledger(self, data: Dataset | Split) -> None:
        """Writes down what became of every file of the data, if it came from files."""
        ledger = getattr(data, "ledger", None)
        if ledger is None:
            return
        with naming_failed_write(
            f"files.csv cannot be written to run folder {str(self.path)!r}",
            "Once this is mended, the same call begins the training.",
        ):
            ledger.save(self.path / "files.csv")

    def _write(self, name: str, data: bytes) -> None:
        with naming_failed_write(
            f"{name} cannot be written to run folder {str(self.path)!r}",
            "What was there is whole: once this is mended, the same call goes on.",
        ):
            atomic.write_bytes(self.path / name, data)


def _differences(stored: Any, wanted: Any, name: str = "") -> list[str]:
    if isinstance(stored, dict) and isinstance(wanted, dict):
        found = []
        for key in sorted({*stored, *wanted}):
            place = f"{name}.{key}" if name else key
            found += _differences(stored.get(key), wanted.get(key), place)
        return found
    if stored == wanted:
        return []
    was, now = (shorten(json.dumps(value), 60, "end") for value in (stored, wanted))
    return [f"{name} ({was} there, {now} now)"]
