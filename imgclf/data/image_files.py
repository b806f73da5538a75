"""`ImageFiles`: image files that behave like one array and are decoded when needed."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from imgclf.data.cache import CacheLocation, CacheSettings, DiskPixels, MemoryPixels, open_pixels
from imgclf.data.images import ImageSpec, decode_image
from imgclf.errors import ArgumentError, ImageError, MissingFileError
from imgclf.files.in_threads import in_threads
from imgclf.formatting import show_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgclf.typing import StrPath

__all__ = ["ImageFiles"]

# Images that a thread decodes at a time.
_CHUNK = 16

# Size and time of change of a file that is not there.
_NO_STATE = (-1, -1)


class ImageFiles:
    """Image files as a lazy (N, height, width, channels) uint8 array.

    An int decodes one image. A slice or an index array selects files and decodes nothing.
    `numpy.asarray` decodes all selected files, on every core.

    Training keeps decoded images as `cache` says, and slices share them. The pixels are the same
    with and without a cache.

    Args:
        paths: the files.
        spec: the size and channels to decode to; `spec.image_size` must be set.
        cache: "auto", "memory", "disk", None, or `CacheSettings`.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(
        self,
        paths: Sequence[StrPath],
        spec: ImageSpec,
        cache: CacheLocation | CacheSettings = "auto",
    ) -> None:
        if spec.image_size is None:
            raise ArgumentError(
                "`spec` must have an image_size: images in a batch need one size. "
                f"Received: spec={spec!r}."
            )
        self.paths = np.asarray([os.fspath(path) for path in paths], dtype=object)
        self.spec = spec
        self._rows = np.arange(len(self.paths))
        self._files = _Files(self.paths, spec, CacheSettings.of(cache))

    def _part(self, index: Any) -> ImageFiles:
        part = object.__new__(ImageFiles)
        part.paths, part.spec = self.paths[index], self.spec
        part._rows, part._files = self._rows[index], self._files
        return part

    @property
    def cache(self) -> CacheSettings:
        """Where decoded images are kept during training."""
        return self._files.settings

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, height, width, channels)."""
        height, width = self.spec.size
        return len(self), height, width, self.spec.channels

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, (int, np.integer)):
            return decode_image(self.paths[index], self.spec)
        return self._part(index)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        pixels = np.empty(self.shape, np.uint8)
        self._files.read_into(pixels, self._rows)
        return pixels if dtype is None else pixels.astype(dtype)

    def begin_training(self) -> str:
        """Keeps decoded images from now on, and refuses files that change.

        Returns:
            A sentence that says where they are kept; "" if nowhere.

        Raises:
            MissingFileError: if a file is gone.
        """
        return self._files.begin_training(self._rows)

    def fingerprint(self) -> str:
        """Returns the SHA-256 of the names, sizes and times of change of the files, and of `spec`.

        Raises:
            MissingFileError: if a file is gone.
        """
        digest = hashlib.sha256(repr(self.spec).encode())
        for path in self.paths:
            size, changed = state = _state_of(path)
            if state == _NO_STATE:
                raise _gone(path)
            line = f"{os.path.basename(path)!r} {size} {changed}\n"
            digest.update(line.encode())
        return digest.hexdigest()

    def __repr__(self) -> str:
        return f"ImageFiles({len(self):,} files, {self.spec!r})"


class _Files:
    """The files that an `ImageFiles` and all its slices share, and their kept pixels.

    Only training files are kept and watched. An image that is evaluated later is read as it is
    then.
    """

    def __init__(self, paths: np.ndarray, spec: ImageSpec, settings: CacheSettings) -> None:
        self.paths = paths
        self.spec = spec
        self.settings = settings
        self._states = np.full((len(paths), 2), -1, np.int64)
        self._watched = np.zeros(len(paths), np.bool_)
        self._kept: MemoryPixels | DiskPixels | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process keeps its own.
        return _Files, (self.paths, self.spec, self.settings)

    def begin_training(self, rows: np.ndarray) -> str:
        if not len(rows):
            return self._in_words()
        first = not self._watched.any()
        # The key of what is kept is made of all files.
        looked_at = np.arange(len(self.paths)) if first else rows
        states = self._states.copy()
        states[looked_at] = [_state_of(path) for path in self.paths[looked_at]]
        gone = rows[(states[rows] == _NO_STATE).all(axis=1)]
        if len(gone):
            raise _gone(self.paths[gone[0]])
        changed = np.flatnonzero((states != self._states).any(axis=1))
        self._states = states
        self._watched[rows] = True
        if isinstance(self._kept, MemoryPixels):
            self._kept.forget(changed[changed < len(self._kept)])
        elif first or len(changed):
            self._kept = open_pixels(self.settings, self.paths, self._states, self.spec)
        return self._in_words()

    def _in_words(self) -> str:
        if self._kept is None:
            return ""
        total, kept = len(self.paths), len(self._kept)
        count = f"all {total:,}" if kept == total else f"{kept:,} of {total:,}"
        size = max(1, round(self._kept.nbytes / 1e6))
        return f"Decoded images are kept {self._kept.place}: {count}, up to {size:,} MB."

    def read_into(self, pixels: np.ndarray, rows: np.ndarray) -> None:
        """Fills (M, height, width, channels) with the images of these rows."""
        kept = self._kept
        missing = np.arange(len(rows))
        if kept is None:
            self._decode(pixels, rows, missing)
            return
        may_be_kept = self._watched[rows] & (rows < len(kept))
        there = kept.read_into(pixels, rows, may_be_kept)
        missing = missing[~there]
        self._decode(pixels, rows, missing)
        fresh = missing[may_be_kept[missing]]
        kept.keep(pixels[fresh], rows[fresh])

    def _decode(self, pixels: np.ndarray, rows: np.ndarray, missing: np.ndarray) -> None:
        def decode(place: int) -> None:
            pixels[place] = self._decode_one(rows[place])

        if len(missing) <= 1:  # no threads for one
            for place in missing:
                decode(place)
            return
        for _ in in_threads(decode, missing, _CHUNK):
            pass  # asking for each result raises what went wrong in its thread

    def _decode_one(self, row: int) -> np.ndarray:
        path = self.paths[row]
        if not self._watched[row]:
            return decode_image(path, self.spec)
        try:
            image = decode_image(path, self.spec)
        except (ImageError, MissingFileError):
            _check_unchanged(path, self._states[row])
            raise
        # After decoding: whatever was read before the change, the file is not what it was.
        _check_unchanged(path, self._states[row])
        return image


def _state_of(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return _NO_STATE
    return status.st_size, status.st_mtime_ns


def _check_unchanged(path: str, state: np.ndarray) -> None:
    now = np.asarray(_state_of(path))
    if (now == state).all():
        return
    if (now == _NO_STATE).all():
        raise _gone(path)
    raise ImageError(
        f"{show_path(path)}: has changed since the training began, so that this is another "
        "training. Load the images anew and train in a run folder of its own, or put the file "
        "back as it was, its time of change too: then the same call resumes."
    )


def _gone(path: str) -> MissingFileError:
    return MissingFileError(
        f"{show_path(path)}: is gone since the images were loaded. Put it back, and the same "
        "call resumes; or load the images anew and train in a run folder of its own."
    )
