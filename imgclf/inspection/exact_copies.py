"""Files with the very same content."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgclf.inspection.photo import Measures, Photo

__all__ = ["find_exact_copies"]


def find_exact_copies(photos: Sequence[Photo]) -> list[list[int]]:
    """Groups of indices of usable files with equal SHA-256.

    Only files of one size whose pixels have the same measures are read once more for it: small
    pictures have few sizes, and nearly all would be read.
    """
    twins: dict[tuple[int, Measures], list[int]] = {}
    for index, photo in enumerate(photos):
        if photo.measures is not None:
            twins.setdefault((photo.size, photo.measures), []).append(index)
    chosen = sorted(index for some in twins.values() if len(some) > 1 for index in some)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        digests = pool.map(_digest, (photos[index].path for index in chosen))
        groups: dict[bytes, list[int]] = {}
        for index, digest in zip(chosen, digests, strict=True):
            if digest is not None:
                groups.setdefault(digest, []).append(index)
    return [group for group in groups.values() if len(group) > 1]


def _digest(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:  # noqa: PTH123  100,000 paths are held as plain strings
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:  # it was readable a moment ago
        return None
