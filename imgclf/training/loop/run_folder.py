"""The folder of a run: what was asked for, the log, checkpoints, curves, and the model.

runs/cifar10/
  config.json     recipe, network, fingerprints of the data, versions
  files.csv       what happened to every file of the data, if it came from files
  log.csv         a row an epoch
  curves.png      loss and accuracy by epoch
  time.json       how long it took, over all sessions
  checkpoints/    the last two, to resume from
  model.keras     the trained network
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import importlib.metadata
import io
import itertools
import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from imgclf import checks, plots
from imgclf.data.ledger import Ledger
from imgclf.errors import RunFolderError
from imgclf.files import atomic
from imgclf.files.migrations import migrate_run_config
from imgclf.files.output_paths import output_file
from imgclf.formatting import shorten, show_bytes
from imgclf.training.loop.checkpoint import Checkpoints
from imgclf.training.loop.failed_write import naming_failed_write
from imgclf.typing import StrPath

__all__ = ["RunFolder"]

_CONFIG, _LOCK, _OWNER = "config.json", "lock", "lock.owner"
_WRITTEN = (_CONFIG, "files.csv", "log.csv", "curves.png", "time.json", "model.keras")


class RunFolder:
    """The folder of one run.

    Args:
        path: the folder. Nothing is made or written before `lock` and `begin`.
    """

    def __init__(self, path: StrPath) -> None:
        self.path = checks.path("run_dir", path)
        self.checkpoints = Checkpoints(self.path / "checkpoints")
        self._begun = False

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Within it the folder belongs to this process; the system frees it when the process ends.

        Unless the run begins within it, the folder is left as it was found, byte by byte.

        Raises:
            RunFolderError: if another process holds the folder, with its name; if there is a file
                in its place, or it cannot be written to.
        """
        import filelock

        found = _Found.at(self.path)
        self._make(found)
        lock, self._begun = filelock.FileLock(self.path / _LOCK), False
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            name = "another process" if found.owner is None else found.owner.decode()
            raise RunFolderError(f"Run folder {str(self.path)!r} is in use by {name}.") from None
        try:
            owner = f"process {os.getpid()} on {socket.gethostname()}"
            (self.path / _OWNER).write_text(owner)
            yield
        finally:
            if not self._begun:
                found.restore()
            lock.release()

    def check(self, config: Mapping[str, Any], *, force: bool | None = None) -> None:
        """Checks that the folder is free, or holds a run that was asked for the same.

        Args:
            config: what identifies this run; the versions of Keras and TensorFlow are added.
            force: whether a run that differs is accepted, too; None if there is no such choice.

        Raises:
            RunFolderError: if the run in the folder differs, with the differences; or a file in it
                cannot be replaced.
        """
        with naming_failed_write(
            f"Run folder {str(self.path)!r} cannot take what a run writes", "Nothing was changed."
        ):
            for name in _WRITTEN:
                output_file(self.path / name)
        stored = self._stored_config()
        differences = [] if stored is None or force else _differences(stored, _storable(config))
        if differences:
            way_out = "Use another run_dir, or remove this one."
            if force is not None:
                way_out += ' To resume from its checkpoint nevertheless: resume="force".'
            raise RunFolderError(
                f"Run folder {str(self.path)!r} holds another run. It differs in: "
                f"{'; '.join(differences)}. {way_out}"
            )

    def begin(self, config: Mapping[str, Any]) -> None:
        """Writes down what identifies the run: from here on the folder is changed.

        Args:
            config: as `check` accepted it.
        """
        for place in (self.path, self.checkpoints.folder):
            atomic.remove_leftovers(place)
        storable = _storable(config)
        if self._stored_config() != storable:
            self._write(_CONFIG, (json.dumps(storable, indent=2) + "\n").encode())
        self._begun = True

    def claim(self, config: Mapping[str, Any]) -> None:
        """`check`, then `begin`."""
        self.check(config)
        self.begin(config)

    def epochs_of(self, minutes: float) -> int | None:
        """The epochs that the run in the folder was fitted to; None if not to so many minutes."""
        stored = self._stored_config() or {}
        return self.stored_epochs() if stored.get("minutes") == minutes else None

    def stored_epochs(self) -> int | None:
        """The epochs of the run in the folder; None if there is none."""
        epochs = ((self._stored_config() or {}).get("recipe") or {}).get("epochs")
        return epochs if isinstance(epochs, int) else None

    def check_space(self, needed: int) -> None:
        """Checks that the file system has space for a run.

        Args:
            needed: bytes.

        Raises:
            RunFolderError: if there is less.
        """
        free = shutil.disk_usage(self.path).free
        if free < needed:
            raise RunFolderError(
                f"Run folder {str(self.path)!r} needs {show_bytes(needed)} for checkpoints, but "
                f"there are {show_bytes(free)} left. Free some space, or use another run_dir."
            )

    def _stored_config(self) -> dict[str, Any] | None:
        path = self.path / _CONFIG
        if not path.exists():
            return None
        try:
            stored = json.loads(path.read_text())
        except ValueError as error:
            raise RunFolderError(f"{path}: is damaged ({error}). Use another run_dir.") from error
        return migrate_run_config(stored) if isinstance(stored, dict) else {}

    def write_log(self, history: Mapping[str, Sequence[float]]) -> None:
        """Writes the history as `log.csv`."""
        names = list(history)
        table = io.StringIO()
        writer = csv.writer(table)
        writer.writerow(["epoch", *names])
        for epoch, values in enumerate(itertools.zip_longest(*history.values()), start=1):
            writer.writerow([epoch, *values])
        self._write("log.csv", table.getvalue().encode())

    def write_curves(self, history: dict[str, list[float]]) -> None:
        """Draws loss and accuracy by epoch."""
        if history:
            self._write("curves.png", plots.figure_png(plots.training_curves(history)))

    def write_ledger(self, ledger: Ledger | None) -> None:
        """Writes what happened to every file of the data, if it came from files."""
        if ledger is None:
            return
        with naming_failed_write(
            f"files.csv cannot be written to run folder {str(self.path)!r}",
            "Once this is fixed, the same call begins the training.",
        ):
            ledger.save(self.path / "files.csv")

    def _make(self, found: _Found) -> None:
        try:
            found.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            found.remove_folders()
            raise RunFolderError(
                f"Run folder {str(self.path)!r} cannot be made ({error.strerror})."
            ) from error
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise RunFolderError(f"Run folder {str(self.path)!r} cannot be written to.")

    def _write(self, name: str, data: bytes) -> None:
        with naming_failed_write(
            f"{name} cannot be written to run folder {str(self.path)!r}",
            "What was there is whole: once this is fixed, the same call resumes.",
        ):
            atomic.write_bytes(self.path / name, data)


@dataclasses.dataclass(frozen=True)
class _Found:
    """What `lock` changes in a folder, as it was before.

    Args:
        path: of the folder.
        missing: the folder and those above it that were not there, the innermost first.
        locked: whether there was a file to lock.
        owner: the content of the file that names the last owner.
    """

    path: Path
    missing: Sequence[Path]
    locked: bool
    owner: bytes | None

    @classmethod
    def at(cls, path: Path) -> _Found:
        path = Path(os.path.realpath(path))  # a link to a folder that is to be made is followed
        owner = path / _OWNER
        return cls(
            path,
            [each for each in (path, *path.parents) if not each.exists()],
            (path / _LOCK).exists(),
            owner.read_bytes() if owner.is_file() else None,
        )

    def restore(self) -> None:
        with contextlib.suppress(OSError):
            if self.owner is None:
                (self.path / _OWNER).unlink()
            else:
                (self.path / _OWNER).write_bytes(self.owner)
        with contextlib.suppress(OSError):
            if not self.locked:
                # Whoever waits for it sees that it is gone, and makes another one.
                (self.path / _LOCK).unlink()
        self.remove_folders()

    def remove_folders(self) -> None:
        for folder in self.missing:
            with contextlib.suppress(OSError):
                folder.rmdir()


def _storable(config: Mapping[str, Any]) -> dict[str, Any]:
    """With the versions, as it is read back from JSON."""
    versions = {name: importlib.metadata.version(name) for name in ("keras", "tensorflow")}
    storable: dict[str, Any] = json.loads(
        json.dumps({**config, "versions": versions}, default=repr)
    )
    return storable


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
