"""Keeps decoded batches of CIFAR-10 on the disk, which saves 2 seconds of unzipping 170 MB.

Kept arrays are used only as long as the archive is the file that they came from: same path, size,
time of change and of status change, and the same checksum if one is required. They are written
after the whole archive was read without error, so a damaged archive is reported each time. They are
plain arrays with a CRC, never pickles. Whatever is wrong with them, or with their folder, only
costs the seconds that they would have saved.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from imgclf.data.sources.cifar10_archive import CLASS_NAMES, MAX_ROWS, read_batches
from imgclf.files import atomic

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from imgclf.data.sources.cifar10_archive import Batch

__all__ = ["FOLDER", "CachedBatches"]

# May be deleted at any time.
FOLDER = "cifar10-decoded"

# Archives whose images are kept, 185 MB each if whole: the official one and one of one's own.
_MOST_ARCHIVES = 2


class CachedBatches:
    """Batches of one archive, from the disk where they are kept, else from the archive.

    Args:
        source: the archive, or the folder with its files, of which nothing is kept.
        sha256: the checksum that the archive must have; None accepts any.
        folder: where `FOLDER` is made.

    Attributes:
        notes: after reading, notes for the user.
    """

    def __init__(self, source: Path, sha256: str | None, folder: Path) -> None:
        self.notes: list[str] = []
        self._source = source
        self._sha256 = sha256
        self._folder = folder / FOLDER
        self._origin = _origin(source)
        name = hashlib.sha256(str(source.resolve()).encode(errors="surrogateescape")).hexdigest()
        self._prefix = name[:16]

    def read(self, batches: Sequence[int | str]) -> Iterator[Batch]:
        """Reads batches in any order; arguments, results and errors as in `read_batches`.

        A kept batch is contiguous, one of the archive is not.
        """
        missing = []
        for batch in batches:
            kept = self._load(batch)
            if kept is None:
                missing.append(batch)
            else:
                yield batch, *kept
        if missing:
            yield from self._read_archive(missing)

    def _read_archive(self, batches: Sequence[int | str]) -> Iterator[Batch]:
        with contextlib.ExitStack() as writing:
            for batch, images, labels in read_batches(self._source, batches, sha256=self._sha256):
                self._write(writing, batch, images, labels)
                yield batch, images, labels
            # Only now has the whole archive been seen: had it failed, nothing would be kept.
            whole = writing.pop_all()
        self._keep(whole)

    def _keep(self, written: contextlib.ExitStack) -> None:
        """Gives the written files their names."""
        try:
            with written:
                if self._origin is not None and _origin(self._source) != self._origin:
                    raise OSError("the archive changed while it was read")
            self._make_room()
        except OSError as error:
            self._note_failure(error)

    def _path(self, batch: int | str) -> Path:
        return self._folder / f"{self._prefix}-{batch}.npz"

    def _load(self, batch: int | str) -> tuple[np.ndarray, np.ndarray] | None:
        """A kept batch; None if there is none that stands for the archive."""
        path = self._path(batch)
        if self._origin is None or not path.is_file():
            return None
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                record = json.loads(str(stored["record"]))
                if record["archive"] != self._origin:
                    return None
                if self._sha256 not in (None, record["sha256"]):
                    return None
                # To the end of each member, where its CRC is compared.
                return _checked(stored["images"], stored["labels"])
        except Exception as error:  # a damaged file fails in every way there is
            self.notes.append(f"{path} was damaged ({_first_line(error)}) and is made again.")
            return None

    def _write(
        self, writing: contextlib.ExitStack, batch: int | str, images: np.ndarray, labels: Any
    ) -> None:
        """Writes a batch beside its place; it gets its name when `writing` is closed."""
        if self._origin is None:
            return
        record = json.dumps({"archive": self._origin, "sha256": self._sha256})
        try:
            with contextlib.ExitStack() as own:
                temporary = own.enter_context(atomic.replacing(self._path(batch)))
                np.savez(temporary, images=images, labels=labels, record=np.array(record))
                writing.push(own.pop_all())
        except OSError as error:
            self._note_failure(error)

    def _note_failure(self, error: OSError) -> None:
        self._origin = None
        self.notes.append(
            f"The decoded images could not be kept in {self._folder} "
            f"({error.strerror or error}): each start reads the archive again."
        )

    def _make_room(self) -> None:
        """Deletes what belongs to more than the latest archives, or to killed processes."""
        atomic.remove_leftovers(self._folder, atomic.STALE_AFTER)
        files = {path: path.stat().st_mtime for path in self._folder.glob("[!.]*.npz")}
        latest: dict[str, float] = {}
        for path, changed in files.items():
            prefix = path.name.partition("-")[0]
            latest[prefix] = max(changed, latest.get(prefix, 0.0))
        keep = sorted(latest, key=lambda prefix: latest[prefix])[-_MOST_ARCHIVES:]
        for path in files:
            if path.name.partition("-")[0] not in keep:
                path.unlink(missing_ok=True)


def _origin(source: Path) -> dict[str, Any] | None:
    """What tells this state of the archive's file from any other; None if it is no file."""
    try:
        status = source.stat()
    except OSError:
        return None
    if not source.is_file():
        return None
    return {
        "path": str(source.resolve()),
        "size": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "ctime_ns": status.st_ctime_ns,
    }


def _checked(images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows = len(labels)
    fits = 1 <= rows <= MAX_ROWS and images.shape == (rows, 32, 32, 3) and labels.shape == (rows,)
    if not fits or images.dtype != np.uint8 or labels.dtype != np.int64:
        raise ValueError(f"holds {images.shape} {images.dtype} and {labels.shape} {labels.dtype}")
    if labels.min() < 0 or labels.max() >= len(CLASS_NAMES):
        raise ValueError(f"holds labels from {labels.min()} to {labels.max()}")
    return images, labels


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
