"""Files with the very same content, found by SHA-256, and which of them may be used.

An image that is in training and in testing makes the accuracy look better than it is, and one
under two labels teaches nothing. So copies in one class stay together when splits are cut; where
the splits are given, test comes before validation, and validation before train; and of an image
with two labels no copy is used, since nobody but the user knows which label is right.
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

__all__ = ["SPLIT_RANKS", "Copies", "find_copies", "judge_copies", "tie"]

# A copy in a later split keeps one in an earlier split out of it.
SPLIT_RANKS = {"train": 0, None: 0, "validation": 1, "test": 2}

_CHUNK = 256


class Copies(NamedTuple):
    """What is to be done about files with the same content.

    Args:
        groups: positions of files that are copies of each other and all used, in one class.
        left_out: positions of files that must not be used, each with the reason.
        two_labels: positions of files that share an image, but not the label.
    """

    groups: list[list[int]]
    left_out: dict[int, str]
    two_labels: list[list[int]]


def find_copies(paths: Sequence[str], marks: Sequence[Hashable] | None = None) -> list[list[int]]:
    """Groups of positions of files with equal content.

    Args:
        paths: the files.
        marks: what is known of each file and the same for copies, so that only files with equal
            ones are read; None for a file to leave alone. If left out, their sizes.
    """
    if marks is None:
        marks = [_size(path) for path in paths]
    counts = collections.Counter(marks)
    chosen = [place for place, mark in enumerate(marks) if mark is not None and counts[mark] > 1]
    groups: dict[bytes, list[int]] = {}
    digests = in_threads(_digest, [paths[place] for place in chosen], _CHUNK)
    for place, digest in zip(chosen, digests, strict=True):
        if digest is not None:
            groups.setdefault(digest, []).append(place)
    return [group for group in groups.values() if len(group) > 1]


def _size(path: str) -> int | None:
    try:
        return os.stat(path).st_size
    except OSError:  # it was readable a moment ago
        return None


def _digest(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:  # noqa: PTH123  100,000 paths are held as plain strings
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return None


def judge_copies(
    groups: Iterable[Sequence[int]],
    class_names: Sequence[str],
    splits: Sequence[str | None],
    names: Sequence[str],
) -> Copies:
    """Decides which copies are used.

    Args:
        groups: positions of files with equal content.
        class_names: the class of each file.
        splits: the split of each file, where it is given.
        names: what each file is called in messages.
    """
    found = Copies([], {}, [])
    for group in groups:
        if len({class_names[place] for place in group}) > 1:
            found.two_labels.append(list(group))
        top = max(SPLIT_RANKS[splits[place]] for place in group)
        highest = [place for place in group if SPLIT_RANKS[splits[place]] == top]
        for place in group:
            twin = _other(place, highest, class_names)
            if twin is None or (top == SPLIT_RANKS["test"] and place in highest):
                continue  # the test split is the user's yardstick, and never changed
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
    """A copy that speaks against using this one: one with another label, or of a later split."""
    for twin in highest:
        if class_names[twin] != class_names[place]:
            return twin
    return next((twin for twin in highest if twin != place), None)


def tie(groups: Sequence[str | None], copies: Iterable[Sequence[int]]) -> np.ndarray:
    """One number for all files that must stay together: in one group, or copies of each other.

    Args:
        groups: the group of each file, or None for a file that is alone.
        copies: positions of files that are copies of each other.

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
