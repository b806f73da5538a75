"""Keeps decoded images, so that nothing is decoded again from the second epoch on.

Images are kept in memory up to a limit, else in a file of the cache folder, which later runs reuse.
A kept image is valid while path, size and time of change of its file, the `ImageSpec` and Pillow's
version are the same. The file is read and written by plain calls, not mapped into memory: it does
not count as memory of the process, and a full disk is an error that can be caught. Each image has a
checksum that is written after it, so what a killed process left half-written is decoded again.
Whatever is wrong with the file only costs the time that it would have saved.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import shutil
import threading
import time
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from imgclf import checks
from imgclf.data.free_memory import available_memory
from imgclf.data.images import DECODER_VERSION, ImageSpec
from imgclf.files import atomic
from imgclf.files.cache_folder import cache_folder
from imgclf.typing import StrPath

__all__ = ["FOLDER", "CacheLocation", "CacheSettings", "DiskPixels", "MemoryPixels", "open_pixels"]

# In the cache folder; may be deleted at any time.
FOLDER = "decoded-images"

_GIB = 2**30
_MAX_MEMORY, _MEMORY_FRACTION = 2 * _GIB, 0.25
_MAX_DISK, _DISK_FRACTION = 20 * _GIB, 0.5

# Where the system does not say how much memory is free.
_GUESSED_MEMORY = 4 * _GIB

_STALE_DAYS = 30

_HEADER = 4096
_MAGIC = b"imgclf pixels 1 "


CacheLocation = Literal["auto", "memory", "disk"] | None


@dataclasses.dataclass(frozen=True)
class CacheSettings:
    """Where decoded images are kept during training, and how many.

    Args:
        location: "memory"; "disk", a file in the cache folder that later runs reuse; "auto", memory
            if all images fit, else the disk; or None, which decodes the images in each epoch.
        memory_bytes: the limit in memory; if left out, a quarter of the free memory, at most 2 GiB.
        disk_bytes: the limit of all files on the disk; if left out, half of the free space, at most
            20 GiB. Images beyond a limit are decoded in each epoch.
        folder: for the files; `decoded-images` in the cache folder (`IMGCLF_CACHE`) if left out.

    Example:
        >>> CacheSettings("disk", disk_bytes=10**9).location
        'disk'
    """

    location: CacheLocation = "auto"
    memory_bytes: int | None = None
    disk_bytes: int | None = None
    folder: StrPath | None = None

    def __post_init__(self) -> None:
        checks.one_of("location", self.location, ["auto", "memory", "disk", None])
        for name in ("memory_bytes", "disk_bytes"):
            if getattr(self, name) is not None:
                checks.integer(name, getattr(self, name), low=0)
        if self.folder is not None:
            checks.path("folder", self.folder)

    @classmethod
    def of(cls, value: CacheLocation | CacheSettings) -> CacheSettings:
        """Returns settings as they are, and makes settings of a location."""
        return value if isinstance(value, CacheSettings) else cls(value)

    def memory_bound(self) -> int:
        """Returns the bytes that may be kept in memory now."""
        if self.memory_bytes is not None:
            return self.memory_bytes
        return int(min(_MAX_MEMORY, _MEMORY_FRACTION * _free_memory()))

    def disk_bound(self, kept: int = 0) -> int:
        """Returns the bytes that may be on the disk, of which `kept` are there already."""
        free = shutil.disk_usage(_existing(self.path())).free
        room = int(_DISK_FRACTION * free) + kept
        return min(room, _MAX_DISK if self.disk_bytes is None else self.disk_bytes)

    def path(self) -> Path:
        """The folder of the files."""
        if self.folder is None:
            return cache_folder() / FOLDER
        return checks.path("folder", self.folder)


class MemoryPixels:
    """Keeps decoded images in memory, which the system allocates as it is filled.

    Args:
        shape: (N, height, width, channels) of those that are kept.
    """

    place = "in memory"

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._pixels = np.empty(shape, np.uint8)
        self._there = np.zeros(len(self._pixels), np.bool_)

    def __len__(self) -> int:
        return len(self._pixels)

    @property
    def nbytes(self) -> int:
        """The size of all images together."""
        return self._pixels.nbytes

    def read_into(self, pixels: np.ndarray, rows: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """Fills in the images that are kept.

        Args:
            pixels: (M, height, width, channels), to be filled.
            rows: (M,) which images.
            wanted: (M,) whether to look for each; only such as are below `len(self)`.

        Returns:
            (M,) whether each was there.
        """
        there = wanted.copy()
        there[wanted] = self._there[rows[wanted]]
        if there.all():
            np.take(self._pixels, rows, axis=0, out=pixels)
        else:
            pixels[there] = self._pixels[rows[there]]
        return there

    def keep(self, pixels: np.ndarray, rows: np.ndarray) -> None:
        """Keeps these images."""
        self._pixels[rows] = pixels
        self._there[rows] = True

    def forget(self, rows: np.ndarray) -> None:
        """Forgets the images of files that have changed."""
        self._there[rows] = False


class DiskPixels:
    """Keeps decoded images in a file: a page with the key, the checksums, the images.

    Args:
        path: the file; it is made anew if its key is another one.
        key: 64 hexadecimal digits that identify files and settings.
        shape: (N, height, width, channels) of those that are kept.

    Raises:
        OSError: if the file cannot be made.
    """

    place = "on the disk"

    def __init__(self, path: Path, key: str, shape: tuple[int, ...]) -> None:
        self.path = path
        self._row = int(np.prod(shape[1:]))
        self._start = _file_size(shape[0], 0)
        self.nbytes = _file_size(shape[0], self._row)
        self._lock = threading.Lock()
        header = (_MAGIC + key.encode()).ljust(_HEADER, b"\0")
        if not _begins_with(path, header, self.nbytes):
            with atomic.replacing(path) as temporary, temporary.open("wb") as file:
                file.write(header)
                file.truncate(self.nbytes)
        os.utime(path)  # the least recently used are removed first
        self._file: Any = path.open("r+b", buffering=0)
        if self._file.read(_HEADER) != header:
            raise OSError("another process replaced the file")
        self._sums = np.frombuffer(bytearray(self._file.read(4 * shape[0])), np.uint32)
        self._seen = np.zeros(shape[0], np.bool_)
        self._writable = True

    def __len__(self) -> int:
        return len(self._seen)

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()

    def read_into(self, pixels: np.ndarray, rows: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """As in `MemoryPixels`; an image that differs from its checksum counts as not there."""
        there = wanted.copy()
        there[wanted] = self._sums[rows[wanted]] != 0
        with self._lock:
            for place in np.flatnonzero(there):
                row = rows[place]
                try:
                    self._file.seek(self._start + int(row) * self._row)
                    whole = self._file.readinto(pixels[place].reshape(-1).data) == self._row
                except OSError:
                    whole = False
                if whole and not self._seen[row]:
                    self._seen[row] = whole = _checksum(pixels[place]) == self._sums[row]
                there[place] = whole
        return there

    def keep(self, pixels: np.ndarray, rows: np.ndarray) -> None:
        """As in `MemoryPixels`; where it fails, nothing more is kept."""
        with self._lock:
            for image, row in zip(pixels, rows, strict=True):
                if self._writable:
                    self._keep_one(image, int(row))

    def _keep_one(self, image: np.ndarray, row: int) -> None:
        total = np.array(_checksum(image), np.uint32)
        try:
            self._write(self._start + row * self._row, image.tobytes())
            self._write(_HEADER + 4 * row, total.tobytes())
        except OSError as error:
            self._writable = False
            _warn(self.path, error)
        else:
            self._sums[row] = total
            self._seen[row] = True

    def _write(self, offset: int, data: bytes) -> None:
        self._file.seek(offset)
        if self._file.write(data) != len(data):
            raise OSError("the disk is full")


def open_pixels(
    settings: CacheSettings, paths: Sequence[str] | np.ndarray, states: np.ndarray, spec: ImageSpec
) -> MemoryPixels | DiskPixels | None:
    """Makes room for decoded images, for the first of them if not all fit; None if for none.

    Args:
        settings: where to keep them, and how many.
        paths: the files.
        states: (N, 2) sizes and times of change of the files.
        spec: the `ImageSpec` with a size.
    """
    row = int(np.prod(_shape(spec)))
    if settings.location is None or not len(paths):
        return None
    bound = 0 if settings.location == "disk" else settings.memory_bound()
    if settings.location == "auto" and bound < len(paths) * row:
        pixels = _open_file(settings, paths, states, spec)
        if pixels is not None and len(pixels) * row > bound:
            return pixels
    if settings.location == "disk":
        return _open_file(settings, paths, states, spec)
    fitting = min(len(paths), bound // row)
    return MemoryPixels((fitting, *_shape(spec))) if fitting else None


def _open_file(
    settings: CacheSettings, paths: Sequence[str] | np.ndarray, states: np.ndarray, spec: ImageSpec
) -> DiskPixels | None:
    row = int(np.prod(_shape(spec)))
    # Named by the files, not their state: as they are now takes the place of as they were.
    path = settings.path() / f"{_digest(_names(paths), spec)[:24]}.pixels"
    try:
        _remove_stale(path.parent)
        kept = path.stat().st_size if path.is_file() else 0
        bound = settings.disk_bound(kept)
        fitting = min(len(paths), max(0, bound - 2 * _HEADER) // (row + 4))
        if not fitting:
            return None
        pixels = DiskPixels(path, _key(paths, states, spec), (fitting, *_shape(spec)))
        _make_room(path, bound)
    except OSError as error:
        _warn(path, error)
        return None
    return pixels


def _shape(spec: ImageSpec) -> tuple[int, int, int]:
    return (*spec.size, spec.channels)


def _key(paths: Sequence[str] | np.ndarray, states: np.ndarray, spec: ImageSpec) -> str:
    """Identifies the files as they are now, and how they are decoded."""
    import PIL

    return _digest(_names(paths), states.tobytes(), spec, PIL.__version__, DECODER_VERSION)


def _names(paths: Sequence[str] | np.ndarray) -> str:
    return "\n".join(os.path.abspath(path) for path in paths)


def _digest(*values: Any) -> str:
    digest = hashlib.sha256()
    for value in values:
        data = value if isinstance(value, bytes) else str(value).encode(errors="surrogateescape")
        digest.update(hashlib.sha256(data).digest())
    return digest.hexdigest()


def _file_size(num_images: int, row: int) -> int:
    """The size of a file of images, which begin on a page of their own."""
    start = _HEADER + -(-4 * num_images // _HEADER) * _HEADER
    return start + num_images * row


def _begins_with(path: Path, header: bytes, size: int) -> bool:
    with contextlib.suppress(OSError), path.open("rb") as file:
        return file.read(_HEADER) == header and path.stat().st_size == size
    return False


def _checksum(image: np.ndarray) -> int:
    """CRC-32 with 0 as 1, since 0 stands for no image."""
    return zlib.crc32(np.ascontiguousarray(image).data) or 1


def _remove_stale(folder: Path) -> None:
    atomic.remove_leftovers(folder, atomic.STALE_AFTER)
    limit = time.time() - _STALE_DAYS * 24 * 3600
    for path in folder.glob("[!.]*.pixels"):
        with contextlib.suppress(OSError):  # another process may be cleaning up, too
            if path.stat().st_mtime < limit:
                path.unlink()


def _make_room(own: Path, bound: int) -> None:
    """Removes the least recently used files until all together are within the limit."""
    sizes = {}
    for path in own.parent.glob("[!.]*.pixels"):
        with contextlib.suppress(OSError):
            status = path.stat()
            sizes[path] = (status.st_mtime, status.st_size)
    total = sum(size for _, size in sizes.values())
    for path in sorted(sizes, key=lambda path: sizes[path][0]):
        if total <= bound:
            return
        if path != own:
            with contextlib.suppress(OSError):
                path.unlink()
                total -= sizes[path][1]


def _warn(path: Path, error: OSError) -> None:
    warnings.warn(
        f"Decoded images cannot be kept in {path.parent} ({error.strerror or error}): they are "
        "decoded in each epoch. cache=None says so from the start; IMGCLF_CACHE names another "
        "folder.",
        stacklevel=2,
    )


def _existing(path: Path) -> Path:
    """The folder, or the nearest existing one above it."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def _free_memory() -> float:
    """The bytes that this process could still use, of the system or of its container."""
    free = available_memory()
    return _GUESSED_MEMORY if free is None else free
