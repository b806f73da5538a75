"""Finds files with identical content by SHA-256, and decides which of them are used.

An image in both train and test inflates the accuracy, and an image with two labels teaches nothing.
So copies within a class stay together when splits are cut. Where the splits are given, test takes
precedence over validation, and validation over train. Of an image with two labels no copy is used,
since only the user knows which label is right.
"""

from __future__ import annotations

import collections
import hashlib
import os
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from imgclf.files.in_threads import in_threads
from imgclf.formatting import show_path

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

__all__ = [
    "SPLIT_RANKS",
    "ResolvedCopies",
    "file_digest",
    "find_exact_copies",
    "resolve_copies",
    "tie",
]

# A copy in a higher split rules out one in a lower split.
SPLIT_RANKS = {"train": 0, None: 0, "validation": 1, "test": 2}

_CHUNK = 256


class ResolvedCopies(NamedTuple):
    """Which files with identical content are used, as indices into the list of files.

    Args:
        groups: files that are copies of each other, all of one class and all used.
        left_out: files that are not used, each with the reason.
        two_labels: files that share an image, but not the label.
    """

    groups: list[list[int]]
    left_out: dict[int, str]
    two_labels: list[list[int]]


def find_exact_copies(
    paths: Sequence[str], keys: Sequence[Hashable] | None = None
) -> list[list[int]]:
    """Groups the indices of files with identical content.

    Args:
        paths: the files.
        keys: a value for each file that is equal for copies, so that only files with equal keys are
            read; None skips the file. The sizes of the files if left out.
    """
    if keys is None:
        keys = [_size(path) for path in paths]
    counts = collections.Counter(keys)
    chosen = [place for place, key in enumerate(keys) if key is not None and counts[key] > 1]
    groups: dict[bytes, list[int]] = {}
    digests = in_threads(file_digest, [paths[place] for place in chosen], _CHUNK)
    for place, digest in zip(chosen, digests, strict=True):
        if digest is not None:
            groups.setdefault(digest, []).append(place)
    return [group for group in groups.values() if len(group) > 1]


def _size(path: str) -> int | None:
    try:
        return os.stat(path).st_size
    except OSError:  # it was readable a moment ago
        return None


def file_digest(path: str) -> bytes | None:
    """The SHA-256 of a file's content; None if it cannot be read."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123  100,000 paths are held as plain strings
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return None


def resolve_copies(
    groups: Iterable[Sequence[int]],
    class_names: Sequence[str],
    splits: Sequence[str | None],
    names: Sequence[str],
) -> ResolvedCopies:
    """Decides which copies are used.

    Args:
        groups: indices of files with identical content.
        class_names: the class of each file.
        splits: the split of each file, None where none is given.
        names: what messages call each file.
    """
    found = ResolvedCopies([], {}, [])
    for group in groups:
        if len({class_names[place] for place in group}) > 1:
            found.two_labels.append(list(group))
        top = max(SPLIT_RANKS[splits[place]] for place in group)
        highest = [place for place in group if SPLIT_RANKS[splits[place]] == top]
        for place in group:
            twin = _other(place, highest, class_names)
            if twin is None or (top == SPLIT_RANKS["test"] and place in highest):
                continue  # a test split that the user made is never changed
            if class_names[twin] != class_names[place]:
                found.left_out[place] = (
                    f"is the same image as {show_path(names[twin])}, which has another label, "
                    f"{class_names[twin]!r}."
                )
            elif place not in highest:
                found.left_out[place] = (
                    f"is the same image as {show_path(names[twin])}, which is in the "
                    f"{splits[twin]} split."
                )
        used = [place for place in group if place not in found.left_out]
        if len(used) > 1:
            found.groups.append(used)
    return found


def _other(place: int, highest: Sequence[int], class_names: Sequence[str]) -> int | None:
    """A copy that rules this one out: one with another label, or of a higher split."""
    for twin in highest:
        if class_names[twin] != class_names[place]:
            return twin
    return next((twin for twin in highest if twin != place), None)


def tie(groups: Sequence[str | None], copies: Iterable[Sequence[int]]) -> np.ndarray:
    """Gives files that must stay together the same number: those of a group, and copies.

    Args:
        groups: the group of each file; None for a file without one.
        copies: indices of files that are copies of each other.

    Example:
        >>> tie(["a", None, "b", "a", None], [[1, 2]]).tolist()
        [0, 1, 1, 0, 4]
    """
    parents = list(range(len(groups)))

    def top(place: int) -> int:
        while parents[place] != place:
            parents[place] = parents[parents[place]]
            place = parents[place]
        return place

    def join(one: int, other: int) -> None:
        low, high = sorted((top(one), top(other)))
        parents[high] = low

    first: dict[str, int] = {}
    for place, group in enumerate(groups):
        if group is not None:
            join(first.setdefault(group, place), place)
    for some in copies:
        for place in some[1:]:
            join(some[0], place)
    return np.array([top(place) for place in range(len(groups))], np.int64)
