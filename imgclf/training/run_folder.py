"""The folder of one run: what was asked for, the log, checkpoints, curves, and the model.

runs/cifar10/
  config.json     recipe, network, fingerprints of the data, versions
  log.csv         a row an epoch
  curves.png      loss and accuracy by epoch
  checkpoints/    the last two epochs, to go on from
  model.keras     the trained network
"""

from __future__ import annotations

import csv
import importlib.metadata
import io
import json
import os
import socket
from typing import Any

from imgclf import checks, plots
from imgclf.errors import RunFolderError
from imgclf.files import atomic
from imgclf.training.checkpoint import Checkpoints

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

    def claim(self, config: dict[str, Any]) -> None:
        """Begins a run, or goes on with the one that is here if it was asked for the same.

        Raises:
            RunFolderError: if the run that is here differs, with the differences.
        """
        versions = {name: importlib.metadata.version(name) for name in ("keras", "tensorflow")}
        config = json.loads(json.dumps({**config, "versions": versions}))
        stored = self._stored_config()
        if stored is None:
            atomic.write_text(self.path / "config.json", json.dumps(config, indent=2) + "\n")
            return
        differences = _differences(stored, config)
        if differences:
            raise RunFolderError(
                f"Run folder {str(self.path)!r} holds another run. It differs in: "
                f"{'; '.join(differences)}. Use another run_dir, or remove this one."
            )

    def _stored_config(self) -> dict[str, Any] | None:
        path = self.path / "config.json"
        if not path.exists():
            return None
        try:
            stored = json.loads(path.read_text())
        except ValueError as error:
            raise RunFolderError(f"{path}: is damaged ({error}). Use another run_dir.") from error
        return stored if isinstance(stored, dict) else {}

    def lock(self) -> Any:
        """Holds the folder for this process until the returned file is closed.

        Raises:
            RunFolderError: if another process holds it; the message names it.
        """
        import fcntl

        handle = (self.path / "lock").open("a+")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.seek(0)
            owner = handle.read().strip() or "another process"
            handle.close()
            raise RunFolderError(f"Run folder {str(self.path)!r} is in use by {owner}.") from None
        handle.seek(0)
        handle.truncate()
        handle.write(f"process {os.getpid()} on {socket.gethostname()}")
        handle.flush()
        return handle

    def write_log(self, history: dict[str, list[float]]) -> None:
        """The history as `log.csv` and as a picture of its curves."""
        names = list(history)
        table = io.StringIO()
        writer = csv.writer(table)
        writer.writerow(["epoch", *names])
        for epoch, values in enumerate(zip(*history.values(), strict=True), start=1):
            writer.writerow([epoch, *values])
        atomic.write_text(self.path / "log.csv", table.getvalue())

    def write_curves(self, history: dict[str, list[float]]) -> None:
        """The picture of loss and accuracy by epoch."""
        if history:
            picture = plots.figure_png(plots.training_curves(history))
            atomic.write_bytes(self.path / "curves.png", picture)


def _differences(stored: Any, wanted: Any, name: str = "") -> list[str]:
    if isinstance(stored, dict) and isinstance(wanted, dict):
        found = []
        for key in sorted({*stored, *wanted}):
            place = f"{name}.{key}" if name else key
            found += _differences(stored.get(key), wanted.get(key), place)
        return found
    if stored == wanted:
        return []
    return [f"{name} ({_short(stored)} there, {_short(wanted)} now)"]


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
