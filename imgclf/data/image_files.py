"""`ImageFiles`: picture files that behave like one array, decoded only when they are asked for."""

from __future__ import annotations

import functools
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from imgclf.data.images import ImageSpec, decode_image
from imgclf.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["ImageFiles"]


class ImageFiles:
    """Picture files as a lazy (N, height, width, channels) uint8 array.

    An int decodes one picture; a slice or an index array gives fewer files and decodes nothing;
    `numpy.asarray` decodes all that are left, on every core.

    Args:
        paths: the files.
        spec: the size and channels that every picture is given; `spec.image_size` must be set.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, paths: Sequence[str | Path], spec: ImageSpec) -> None:
        if spec.image_size is None:
            raise ArgumentError(
                "`spec` must have an image_size: pictures in a batch need one size. "
                f"Received: spec={spec!r}."
            )
        self.paths = np.asarray([os.fspath(path) for path in paths], dtype=object)
        self.spec = spec

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, height, width, channels)."""
        height, width = self.spec.image_size
        return len(self), height, width, self.spec.channels

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, (int, np.integer)):
            return decode_image(self.paths[index], self.spec)
        return ImageFiles(self.paths[index], self.spec)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        pixels = np.empty(self.shape, np.uint8)
        if len(self) == 1:
            pixels[0] = self[0]
        elif len(self):
            # Pillow gives up the interpreter lock while it decodes, so threads use every core.
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                for _ in pool.map(functools.partial(self._decode_into, pixels), range(len(self))):
                    pass  # asking for each result raises what went wrong in its thread
        return pixels if dtype is None else pixels.astype(dtype)

    def _decode_into(self, pixels: np.ndarray, position: int) -> None:
        pixels[position] = self[position]

    def fingerprint(self) -> str:
        """SHA-256 over the files' names, sizes and times of change, and over the settings."""
        digest = hashlib.sha256(repr(self.spec).encode())
        for path in self.paths:
            status = os.stat(path)
            line = f"{os.path.basename(path)!r} {status.st_size} {status.st_mtime_ns}\n"
            digest.update(line.encode())
        return digest.hexdigest()

    def __repr__(self) -> str:
        return f"ImageFiles({len(self):,} files, {self.spec!r})"
