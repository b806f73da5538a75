"""Measures many files on all cores, with a bounded number of them on the way."""

from __future__ import annotations

import collections
import os
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from imgclf.inspection.photo import Photo, measure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from imgclf.data.sources.labelled_files import LabelledFile

__all__ = ["measure_all"]

# Files a thread takes at a time: handing over each one alone costs as much as a tiny image, and
# after Ctrl-C those at hand are still finished.
_CHUNK = 16


def measure_all(
    files: Sequence[LabelledFile],
    root: Path,
    progress: Callable[[int, int], None] | None = None,
) -> list[Photo]:
    """Measures every file, in the given order.

    Threads serve here: Pillow gives up the interpreter lock while it decodes, and processes would
    start the user's script anew.

    Args:
        files: the files.
        root: the folder that names start from.
        progress: called with the number of files that are done and of all.
    """
    workers = os.cpu_count() or 1
    size = min(_CHUNK, max(1, len(files) // (8 * workers)))
    photos: list[Photo] = []

    def take(done: Future[list[Photo]]) -> None:
        photos.extend(done.result())
        if progress is not None:
            progress(len(photos), len(files))

    waiting: collections.deque[Future[list[Photo]]] = collections.deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for start in range(0, len(files), size):
                waiting.append(pool.submit(_measure_some, files[start : start + size], root))
                if len(waiting) > 4 * workers:
                    take(waiting.popleft())
            while waiting:
                take(waiting.popleft())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return photos


def _measure_some(files: Sequence[LabelledFile], root: Path) -> list[Photo]:
    return [measure(file, root) for file in files]
