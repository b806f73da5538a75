"""CIFAR-10: 60,000 colour images of 32×32 pixels in ten classes.

This module finds the archive and assigns its batches to splits. `download` brings the archive,
`cifar10_archive` reads it, and `cifar10_cache` keeps the decoded images.

Source: Alex Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009,
https://www.cs.toronto.edu/~kriz/cifar.html.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from imgclf import checks
from imgclf.data.dataset import Dataset, cut
from imgclf.data.known_images import SplitLikeChoice
from imgclf.data.loading_code import records_code
from imgclf.data.sources.cifar10_archive import ARCHIVE_NAME, CLASS_NAMES, MAX_ROWS
from imgclf.data.sources.cifar10_cache import CachedBatches
from imgclf.data.sources.download import download
from imgclf.data.split import Split
from imgclf.errors import ArgumentError, ArgumentTypeError
from imgclf.files.cache_folder import cache_folder
from imgclf.typing import StrPath

__all__ = ["CLASS_NAMES", "OFFICIAL_SHA256", "OFFICIAL_URL", "load_cifar10", "load_cifar10_batch"]

OFFICIAL_URL = f"https://www.cs.toronto.edu/~kriz/{ARCHIVE_NAME}"
OFFICIAL_SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"

_TRAINING_BATCHES = (1, 2, 3, 4, 5)
_TAIL = "per-batch-tail"


@records_code
def load_cifar10(
    path: StrPath | None = None,
    archive: StrPath | None = None,
    batches: Iterable[int] = _TRAINING_BATCHES,
    validation: str | float | None = _TAIL,
    seed: int = 0,
    split_like: SplitLikeChoice = None,
) -> Dataset:
    """Loads CIFAR-10, and downloads it (170 MB) if it is missing.

    Environment variables set another address of the archive (`IMGCLF_CIFAR10_URL`), its SHA-256
    (`IMGCLF_CIFAR10_SHA256`), and the folder to keep it in (`IMGCLF_CACHE`).

    The decoded images (185 MB) are kept in `cifar10-decoded`, beside the downloaded archive, or in
    the cache folder for your own archive, so that the next start needs no unzipping. They are used
    only as long as the archive does not change, and may be deleted at any time.

    Args:
        path: the folder in which the archive is kept; the user's cache folder if left out. The
            archive in it must have the official checksum.
        archive: your own archive, or the folder it was unpacked to. Its checksum is not checked,
            and nothing is downloaded.
        batches: the official training batches to read, 1 to 5. The others are not decoded.
        validation: "per-batch-tail" takes the last 10% of each training batch for validation; a
            fraction from 0 to below 1 takes that much, stratified by class; None takes nothing.
        seed: decides which images a fraction takes.
        split_like: the run folder of a training whose splits are taken, as in
            `Dataset.from_arrays`.

    Returns:
        The data set: images (N, 32, 32, 3) uint8; with all batches and the default validation
        45,000 to train, 5,000 to validate, 10,000 to test.

    Raises:
        ArgumentError: if `batches` or `validation` is not as above.
        DownloadError: if the archive cannot be downloaded; the message says what to do by hand.
        DataError: if the archive is not the official one, or its content is not CIFAR-10.

    Example:
        >>> load_cifar10(batches=(0, 1))
        Traceback (most recent call last):
        ...
        imgclf.errors.ArgumentError: `batches` must be different numbers from 1 to 5, at least one.
            Received: batches=(0, 1).
    """
    chosen = _check_batches(batches)
    part = _check_validation(validation)
    checks.integer("seed", seed, low=0)
    source, sha256, notes = _locate(path, archive)

    by_tail = validation == _TAIL
    tail_rows = MAX_ROWS // 10 if by_tail else 0
    training = _Room(chosen, MAX_ROWS - tail_rows)
    tails = _Room(chosen, tail_rows)
    testing = _Room(["test"], MAX_ROWS)
    reader = _reader(source, sha256)
    for batch, images, labels in reader.read([*chosen, "test"]):
        if batch == "test":
            testing.put(batch, images, labels)
            continue
        head = len(labels) - (max(1, len(labels) // 10) if by_tail else 0)
        training.put(batch, images[:head], labels[:head])
        if by_tail:
            tails.put(batch, images[head:], labels[head:])
    return cut(
        training.split(),
        validation=tails.split() if by_tail else part,
        test=testing.split(),
        seed=seed,
        name="cifar10",
        notes=(*notes, *reader.notes),
        split_like=split_like,
    )


def load_cifar10_batch(
    batch: int | str,
    path: StrPath | None = None,
    archive: StrPath | None = None,
) -> Split:
    """Loads one official batch of CIFAR-10 whole, in its official order.

    Args:
        batch: 1 to 5, or "test".
        path: as in `load_cifar10`.
        archive: as in `load_cifar10`.

    Returns:
        10,000 images (N, 32, 32, 3) uint8 with their labels.

    Raises:
        ArgumentError: if there is no such batch.
        DownloadError: if the archive cannot be downloaded.
        DataError: if the archive is not the official one, or its content is not CIFAR-10.

    Example:
        >>> load_cifar10_batch(6)
        Traceback (most recent call last):
        ...
        imgclf.errors.ArgumentError: `batch` must be a number from 1 to 5, or "test".
            Received: batch=6.
    """
    if not _is_batch(batch) and batch != "test":
        raise ArgumentError(
            f'`batch` must be a number from 1 to 5, or "test". {checks.received("batch", batch)}'
        )
    source, sha256, _ = _locate(path, archive)
    room = _Room([batch], MAX_ROWS)
    for number, images, labels in _reader(source, sha256).read([batch]):
        room.put(number, images, labels)
    return room.split()


class _Room:
    """One array with room for each batch, whatever the order of the archive.

    Memory that no batch is written to is never allocated by the system.
    """

    def __init__(self, batches: Sequence[int | str], rows: int) -> None:
        self._starts = {batch: position * rows for position, batch in enumerate(batches)}
        self._images = np.empty((rows * len(batches), 32, 32, 3), np.uint8)
        self._labels: dict[int | str, np.ndarray] = {}

    def put(self, batch: int | str, images: np.ndarray, labels: np.ndarray) -> None:
        start = self._starts[batch]
        self._images[start : start + len(images)] = images
        self._labels[batch] = labels

    def split(self) -> Split:
        labels = np.concatenate([self._labels[batch] for batch in self._starts])
        images = self._images
        if len(labels) < len(images):  # batches smaller than the official ones: close the gaps
            images = np.concatenate(
                [
                    images[start : start + len(self._labels[batch])]
                    for batch, start in self._starts.items()
                ]
            )
        return Split(images, labels, CLASS_NAMES)


def _is_batch(value: object) -> bool:
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    return whole and value in _TRAINING_BATCHES


def _check_batches(batches: Iterable[int]) -> list[int]:
    needs = "`batches` must be different numbers from 1 to 5, at least one. "
    if isinstance(batches, str) or not isinstance(batches, Iterable):
        raise ArgumentTypeError(needs + checks.received("batches", batches))
    chosen = list(batches)
    if not chosen or not all(map(_is_batch, chosen)) or len(set(chosen)) < len(chosen):
        raise ArgumentError(needs + checks.received("batches", batches))
    return [int(batch) for batch in chosen]


def _check_validation(validation: str | float | None) -> float | None:
    """The fraction for validation; None for "per-batch-tail" and None."""
    if validation is None or (isinstance(validation, str) and validation == _TAIL):
        return None
    try:
        return checks.number("validation", validation, low=0, high=1, below=True)
    except ArgumentError as error:
        raise type(error)(
            f'`validation` must be "{_TAIL}", a fraction from 0 to below 1, or None. '
            + checks.received("validation", validation)
        ) from None


def _locate(
    path: StrPath | None, archive: StrPath | None
) -> tuple[Path, str | None, tuple[str, ...]]:
    """The file or folder to read, the checksum it must have, and notes."""
    if archive is not None:
        if path is not None:
            raise ArgumentError(
                "`path` and `archive` cannot both be given: `archive` is read where it is. "
                f"Received: path={path!r}, archive={archive!r}."
            )
        given = checks.existing_path("archive", archive)
        return given, None, (f"Read from {given}; its checksum was not checked.",)
    folder = cache_folder() if path is None else checks.path("path", path)
    if folder.exists() and not folder.is_dir():
        raise ArgumentError(
            "`path` must be a folder to keep the archive in; an archive of your own is passed as "
            f"`archive`. {checks.received('path', str(folder))}"
        )
    url, sha256 = _address()
    target = folder / ARCHIVE_NAME
    if not target.exists():
        download(
            url,
            target,
            sha256=sha256,
            advice=f"By hand: fetch that file, put it at {target}, and run this again; or pass the "
            "path of a copy you trust as `archive`. load_digits() and `imgclf demo` need no "
            "network.",
        )
    return target, sha256, ()


def _reader(source: Path, sha256: str | None) -> CachedBatches:
    """Keeps decoded images beside a downloaded archive, but not beside the user's own."""
    return CachedBatches(source, sha256, cache_folder() if sha256 is None else source.parent)


def _address() -> tuple[str, str]:
    url = os.environ.get("IMGCLF_CIFAR10_URL") or OFFICIAL_URL
    if not url.startswith(("http://", "https://")):
        raise ArgumentError(
            "The environment's IMGCLF_CIFAR10_URL must be an http or https address of the archive; "
            f"a file is passed as `archive`. {checks.received('IMGCLF_CIFAR10_URL', url)}"
        )
    sha256 = (os.environ.get("IMGCLF_CIFAR10_SHA256") or OFFICIAL_SHA256).lower()
    if not re.fullmatch("[0-9a-f]{64}", sha256):
        raise ArgumentError(
            "The environment's IMGCLF_CIFAR10_SHA256 must be 64 hexadecimal digits. "
            + checks.received("IMGCLF_CIFAR10_SHA256", sha256)
        )
    return url, sha256
