"""Splits labels, stratified by class, with the images of a group in one split.

Groups are placed first, the largest before the others, each in the split with most room left for
its classes. Single images are then drawn class by class. A class that is too small for all splits,
or whose images form one group, is in train.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from imgclf.errors import DataError
from imgclf.typing import ArrayLike

__all__ = ["check_groups", "cut_labels"]


def cut_labels(
    labels: np.ndarray,
    class_names: Sequence[str],
    fractions: Mapping[str, float],
    seed: int,
    groups: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Returns the sorted indices of each split; "train" gets what no other split takes.

    Args:
        labels: (N,) integers.
        class_names: the class names.
        fractions: the fraction of each class for "test", "validation".
        seed: decides which image is in which split.
        groups: (N,) integers; images with equal ones stay together.
    """
    rng = np.random.default_rng(seed)
    quotas = {title: _quota(labels, len(class_names), part) for title, part in fractions.items()}
    parts = np.full(len(labels), -1, np.int8)  # the index of the split in `fractions`, or train
    alone = np.ones(len(labels), np.bool_)
    if groups is not None:
        _, numbers, sizes = np.unique(groups, return_inverse=True, return_counts=True)
        alone = sizes[numbers] == 1
        _place_groups(labels, numbers, sizes, quotas, parts, alone, np.random.default_rng(seed))
    train = len(fractions)
    for label in range(len(class_names)):
        members = np.flatnonzero(labels == label)
        if len(members) == 0:
            continue
        free = rng.permutation(members[alone[members]])
        _place_alone(free, parts, members, [quota[label] for quota in quotas.values()])
        if groups is not None and train not in parts[members]:
            # Its groups all went elsewhere for the sake of other classes: one of them comes back.
            parts[groups == groups[members[0]]] = train
    titles = [*fractions, "train"]
    return {title: np.flatnonzero(parts == number) for number, title in enumerate(titles)}


def _quota(labels: np.ndarray, classes: int, part: float) -> np.ndarray:
    counts = np.bincount(labels, minlength=classes)
    return np.array([max(1, round(int(count) * part)) if count else 0 for count in counts])


def _place_alone(
    free: np.ndarray, parts: np.ndarray, members: np.ndarray, quotas: Sequence[int]
) -> None:
    last = len(quotas)
    # One is kept for train, if no group brought it any.
    left = len(free) - (last not in parts[members])
    start = 0
    for number, quota in enumerate(quotas):
        # As few as one for each part that follows, so that none of them goes without.
        room = max(1, left - (last - 1 - number))
        missing = quota - int((parts[members] == number).sum())
        size = max(0, min(missing, room, left))
        parts[free[start : start + size]] = number
        start, left = start + size, left - size
    parts[free[start:]] = last


def _place_groups(
    labels: np.ndarray,
    numbers: np.ndarray,
    sizes: np.ndarray,
    quotas: Mapping[str, np.ndarray],
    parts: np.ndarray,
    alone: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Puts each group of two or more images into one split."""
    classes = len(next(iter(quotas.values())))
    wanted = np.array([*quotas.values()])
    counts = np.bincount(labels, minlength=classes)
    wanted = np.vstack([wanted, counts - wanted.sum(axis=0)])  # the last row is train's
    room = wanted.astype(np.float64)
    # How many groups and single images of a class are still to be placed.
    waiting = np.bincount(labels[alone], minlength=classes)
    order = np.argsort(numbers, kind="stable")
    members = np.split(order, np.cumsum(sizes)[:-1])
    tied = [number for number in rng.permutation(len(sizes)) if sizes[number] > 1]
    contents = {number: np.bincount(labels[members[number]], minlength=classes) for number in tied}
    for content in contents.values():
        waiting = waiting + (content > 0)
    for number in sorted(tied, key=lambda number: -sizes[number]):
        content = contents[number]
        inside = np.flatnonzero(content)
        lacking = room[:, inside] == wanted[:, inside]
        short = waiting[inside] <= lacking.sum(axis=0)
        left = (room[:, inside] - content[inside]) / np.maximum(wanted[:, inside], 1)
        score = left.min(axis=1)
        if short.any():  # every part must get one of this class
            score = np.where(lacking[:, short].any(axis=1), score, -np.inf)
        if (waiting[inside] < lacking.sum(axis=0))[lacking[-1]].any():  # or train, if not all can
            score[:-1] = -np.inf
        # Of equals the last: train.
        best = len(score) - 1 - int(np.argmax(score[::-1]))
        room[best] -= content
        waiting[inside] -= 1
        parts[members[number]] = best


def check_groups(groups: ArrayLike | None, num_images: int) -> np.ndarray | None:
    """Numbers the groups: (N,) integers, equal where `groups` is equal; None stays None."""
    if groups is None:
        return None
    values = np.asarray(groups)
    if values.shape != (num_images,):
        raise DataError(
            "`groups` must have one entry an image. "
            f"Received: shape={values.shape} for {num_images} images."
        )
    try:
        _, numbers = np.unique(values, return_inverse=True)
    except TypeError as error:
        raise DataError("`groups` must hold texts or numbers, not both or others.") from error
    return numbers
