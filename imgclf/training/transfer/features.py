"""The features of images by the frozen body of a network: computed once, kept in a run folder."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import numpy as np

from imgclf.data.split import Split, unchecked_split
from imgclf.files import atomic
from imgclf.formatting import show_bytes
from imgclf.training.loop.failed_write import naming_failed_write
from imgclf.training.loop.progress import announce
from imgclf.training.speed.retracing import no_retracing_advice
from imgclf.typing import KerasModel, Verbose

__all__ = ["Features"]

_BATCH = 64

# Seconds of computing that are timed, after a batch that is traced.
_TIMED = 2.0


class Features:
    """The features of images by one body.

    Args:
        body: a `keras.Model` from images to (batch, features).
        folder: a run folder that `keep` writes them to; None keeps them in memory only.
        verbose: as in `fit`.
    """

    def __init__(self, body: KerasModel, folder: Path | None, verbose: Verbose) -> None:
        self.body = body
        self.folder = folder and folder / "features"
        self.verbose = verbose
        self._key = _digest(body) if folder else ""
        self._computed: dict[Path, np.ndarray] = {}

    def of(self, split: Split, name: str) -> Split:
        """Features in place of the images, (N, 1, 1, features) float32.

        Args:
            split: the images.
            name: of the split, for the file and for progress.
        """
        values = self._stored(split, name)
        if values is None:
            values = self._compute(split, name)
            if self.folder:
                self._computed[self._path(split, name)] = values
        return _split_of(values, split)

    def keep(self) -> None:
        """Writes what was computed to the folder.

        Raises:
            RunFolderError: if it cannot be written.
        """
        for path, values in self._computed.items():
            with naming_failed_write(
                f"The features cannot be written to {str(path.parent)!r}",
                "Once this is fixed, the same call computes them again.",
            ):
                path.parent.mkdir(exist_ok=True)
                with atomic.replacing(path) as temporary, temporary.open("wb") as file:
                    np.save(file, values)
        self._computed.clear()

    def nbytes(self, split: Split) -> int:
        """Size of the features in bytes."""
        return int(4 * len(split) * self.body.output_shape[-1])

    def stand_in(self, split: Split) -> Split:
        """Zeros in place of the features, which take no memory until they are read."""
        return _split_of(np.zeros((len(split), self.body.output_shape[-1]), np.float32), split)

    def seconds(self, splits: dict[str, Split]) -> tuple[float, float]:
        """Estimates by a few batches how long computing the features that are not kept will take.

        Args:
            splits: by name, as for `of`.

        Returns:
            Seconds of tracing, which are over after this call, and of the computing.
        """
        missing = [split for name, split in splits.items() if self._stored(split, name) is None]
        if not missing:
            return 0.0, 0.0
        tracing, each = self._pace(missing[0])
        return tracing, each * sum(map(len, missing))

    def _pace(self, split: Split) -> tuple[float, float]:
        """Seconds of tracing, and of an image."""
        first = self._time_batch(split, 0)
        images, seconds = 0, 0.0
        for start in range(0, len(split), _BATCH):
            seconds += self._time_batch(split, start)
            images += min(_BATCH, len(split) - start)
            if seconds >= _TIMED:
                break
        each = seconds / images
        return max(0.0, first - each * min(_BATCH, len(split))), each

    def _time_batch(self, split: Split, start: int) -> float:
        started = time.monotonic()
        self._compute_batch(split, start)
        return time.monotonic() - started

    def _compute_batch(self, split: Split, start: int) -> np.ndarray:
        images = np.asarray(split.images[start : start + _BATCH])
        with no_retracing_advice():
            return np.asarray(self.body.predict_on_batch(images))

    def _compute(self, split: Split, name: str) -> np.ndarray:
        values = np.empty((len(split), self.body.output_shape[-1]), np.float32)
        started = shown = time.monotonic()
        for start in range(0, len(split), _BATCH):
            done = min(start + _BATCH, len(split))
            values[start:done] = self._compute_batch(split, start)
            if time.monotonic() - shown >= 10 and done < len(split):
                shown = time.monotonic()
                left = (shown - started) * (len(split) - done) / done
                announce(
                    self.verbose,
                    f"features of {done:,} of {len(split):,} {name} images, {left:,.0f} s left",
                )
        announce(
            self.verbose,
            f"features of {len(split):,} {name} images in {time.monotonic() - started:.1f} s, "
            f"{show_bytes(values.nbytes)}",
        )
        return values

    def _path(self, split: Split, name: str) -> Path:
        assert self.folder is not None  # noqa: S101
        stem = hashlib.sha256((self._key + split.fingerprint()).encode()).hexdigest()[:16]
        return self.folder / f"{name}-{stem}.npy"

    def _stored(self, split: Split, name: str) -> np.ndarray | None:
        """What an earlier call left; mapped, so that it takes no memory until it is used."""
        if self.folder is None:
            return None
        try:
            values = np.load(self._path(split, name), mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        shape = (len(split), self.body.output_shape[-1])
        return values if values.shape == shape and values.dtype == np.float32 else None


def _digest(body: KerasModel) -> str:
    digest = hashlib.sha256()
    for value in body.get_weights():
        digest.update(np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()


def _split_of(features: np.ndarray, split: Split) -> Split:
    """Features in the place of images."""
    return unchecked_split(
        features.reshape(len(features), 1, 1, -1), split.labels, split.class_names
    )
