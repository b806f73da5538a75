"""The folder of a run: what was asked for, the log, checkpoints, curves, and the model.

runs/cifar10/
  config.json     recipe, network, fingerprints of the data, versions
  images.csv      the images by content, and the split of each
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
from imgclf.data.image_files import ImageFiles
from imgclf.data.known_images import KnownImages, image_digests
from imgclf.errors import OtherImagesError, RunFolderError
from imgclf.files import atomic
from imgclf.files.migrations import migrate_run_config
from imgclf.files.output_paths import output_file
from imgclf.files.stored_json import read_bytes, read_object, whole
from imgclf.formatting import shorten, show_bytes, show_path
from imgclf.training.loop.checkpoint import Checkpoints
from imgclf.training.loop.failed_write import naming_failed_write
from imgclf.training.loop.options import TrainingData
from imgclf.training.loop.run_config import IMAGE_KEYS
from imgclf.typing import StrPath

__all__ = ["UPDATE", "RunFolder"]

# What trains a run further on more images, as messages call it.
UPDATE = "imgclf.update_run(run_dir, data)"

_CONFIG, _LOCK, _OWNER = "config.json", "lock", "lock.owner"
_WRITTEN = (_CONFIG, "images.csv", "files.csv", "log.csv", "curves.png", "time.json", "model.keras")

# Keys that earlier versions did not write: runs without them can be resumed.
_LATER = frozenset({"images"})

# More epochs than these nobody has trained, whatever a stranger's run folder says.
_MOST_EPOCHS = 10**9

# Differences from another run that are listed.
_LISTED = 20


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

        for name in (_LOCK, _OWNER):
            if (self.path / name).is_symlink():  # somebody else's file would be written over
                raise RunFolderError(f"{show_path(self.path / name)}: is a link. Remove it.")
        found = _Found.at(self.path)
        self._make(found)
        lock, self._begun = filelock.FileLock(self.path / _LOCK), False
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            name = (
                "another process"
                if found.owner is None
                else shorten(found.owner.decode(errors="replace"), 100)
            )
            raise RunFolderError(f"Run folder {str(self.path)!r} is in use by {name}.") from None
        try:
            owner = f"process {os.getpid()} on {socket.gethostname()}"
            (self.path / _OWNER).write_text(owner)
            yield
        finally:
            if not self._begun:
                found.restore()
            lock.release()

    def check(
        self,
        config: Mapping[str, Any],
        data: TrainingData | None = None,
        *,
        force: bool | None = None,
    ) -> None:
        """Checks that the folder is free, or holds a run that was asked for the same.

        Args:
            config: what identifies this run; the versions of Keras and TensorFlow are added.
            data: the images of this run. Where their files were moved, copied or touched since, it
                is the same run; None compares fingerprints alone.
            force: whether a run that differs is accepted, too; None if there is no such choice.

        Raises:
            RunFolderError: if the run in the folder differs, with the differences; or a file in it
                cannot be replaced.
            OtherImagesError: if its images differ.
        """
        with naming_failed_write(
            f"Run folder {str(self.path)!r} cannot take what a run writes", "Nothing was changed."
        ):
            for name in _WRITTEN:
                output_file(self.path / name)
        stored = self._stored_config()
        differences = {} if stored is None or force else _differences(stored, _storable(config))
        named = [(key.rpartition(".")[2], text) for key, text in differences.items()]
        is_other = any(name in IMAGE_KEYS for name, _ in named)
        images = self._image_differences(data) if is_other else []
        # The output layer follows from the classes.
        silent = IMAGE_KEYS | ({"class_names", "layers"} if images else set())
        others = [text for name, text in named if name not in silent]
        if not images and not others:
            return
        way_out = "another run_dir, or remove this one."
        if force is not None:
            way_out += ' To resume from its checkpoint nevertheless: resume="force".'
        start = f"Run folder {str(self.path)!r} holds another run"
        if not images:
            raise RunFolderError(
                f"{start}. It differs in: {'; '.join(_first(others))}. Use {way_out}"
            )
        way_out = f"Use {way_out}"
        if self.model.is_file():
            way_out = f"To train its model further on these images: {UPDATE}. Or else: {way_out}"
        also = f" It also differs in: {'; '.join(_first(others))}." if others else ""
        raise OtherImagesError(f"{start}, of other images: {'; '.join(images)}.{also} {way_out}")

    @property
    def model(self) -> Path:
        """The trained model, which is there when the training is over."""
        return self.path / "model.keras"

    def _image_differences(self, data: TrainingData | None) -> list[str]:
        """What is new, gone or otherwise, in words; nothing if the images are the same."""
        known = None if data is None or not data.are_images else KnownImages.read(self.path)
        if known is None or data is None:
            return ["which ones cannot be said, since the run does not know them by content"]
        now = KnownImages.of(data.splits)
        if known.trains_like(now):
            return []
        return known.difference(now).sentences() or ["they have another order"]

    def begin(self, config: Mapping[str, Any], data: TrainingData | None = None) -> None:
        """Writes down what identifies the run: from here on the folder is changed.

        Args:
            config: as `check` accepted it.
            data: the images, which are remembered by content.
        """
        for place in (self.path, self.checkpoints.folder):
            atomic.remove_leftovers(place)
        storable = _storable(config)
        is_new = self._stored_config() != storable
        self._begun = True
        # The configuration comes last: if the images cannot be recorded, the run is still what it
        # was, and the next call records them.
        if data is not None and data.are_images:
            self._write_images(data, is_new=is_new)
        if is_new:
            self._write(_CONFIG, (json.dumps(storable, indent=2) + "\n").encode())

    def claim(self, config: Mapping[str, Any], data: TrainingData | None = None) -> None:
        """`check`, then `begin`."""
        self.check(config, data)
        self.begin(config, data)

    def epochs_of(self, minutes: float) -> int | None:
        """The epochs that the run in the folder was fitted to; None if not to so many minutes."""
        stored = self._stored_config() or {}
        return self.stored_epochs() if stored.get("minutes") == minutes else None

    def stored_epochs(self) -> int | None:
        """The epochs of the run in the folder; None if there is none."""
        recipe = (self._stored_config() or {}).get("recipe")
        epochs = recipe.get("epochs") if isinstance(recipe, dict) else None
        return epochs if whole(1, _MOST_EPOCHS)[1](epochs) else None

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
        if not os.path.lexists(path):
            return None
        return migrate_run_config(read_object(path, "Use another run_dir."))

    def write_log(self, history: Mapping[str, Sequence[float]]) -> None:
        """Writes the history as `log.csv`."""
        names = list(history)
        table = io.StringIO()
        writer = csv.writer(table)
        writer.writerow(["epoch", *names])
        for epoch, values in enumerate(itertools.zip_longest(*history.values()), start=1):
            writer.writerow([epoch, *values])
        self._write("log.csv", table.getvalue().encode())

    def write_curves(
        self,
        history: Mapping[str, Sequence[float]],
        by_step: Mapping[str, Sequence[tuple[float, float]]] | None = None,
    ) -> None:
        """Draws loss and accuracy by epoch; of few epochs by step."""
        if history:
            figure = plots.training_curves(history, by_step=by_step)
            self._write("curves.png", plots.figure_png(figure))

    def _write_images(self, data: TrainingData, *, is_new: bool) -> None:
        """Remembers which images are in which split, and what happened to every file."""
        before = KnownImages.read(self.path)
        if before is not None and not is_new:
            return
        digests = {title: image_digests(split.images) for title, split in data.splits.items()}
        known = KnownImages.of(data.splits, data.earlier, digests)
        if before is not None:
            known = KnownImages.of(data.splits, before, digests)
        with naming_failed_write(
            f"images.csv and files.csv cannot be written to run folder {str(self.path)!r}",
            "Once this is fixed, the same call begins the training.",
        ):
            if data.ledger is not None:
                by_path = {
                    path: digest
                    for title, split in data.splits.items()
                    if isinstance(split.images, ImageFiles)
                    for path, digest in zip(split.images.paths, digests[title], strict=True)
                }
                data.ledger.save(self.path / "files.csv", by_path)
            known.save(self.path)

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
            read_bytes(owner) if owner.is_file() else None,
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


def _differences(stored: Any, wanted: Any, name: str = "") -> dict[str, str]:
    """What differs, in words, by the name of the setting."""
    if isinstance(stored, dict) and isinstance(wanted, dict):
        found: dict[str, str] = {}
        for key in sorted({*stored, *wanted}):
            if key in _LATER and key not in stored:
                continue
            place = f"{name}.{key}" if name else key
            found |= _differences(stored.get(key), wanted.get(key), place)
        return found
    if stored == wanted:
        return {}
    was, now = (shorten(json.dumps(value), 60, "end") for value in (stored, wanted))
    return {name: f"{shorten(name, 100)} ({was} there, {now} now)"}


def _first(differences: Sequence[str]) -> list[str]:
    more = len(differences) - _LISTED
    return [*differences[:_LISTED], *([f"and {more} more"] if more > 0 else [])]
