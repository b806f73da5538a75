"""Splits labels, stratified by class, with the images of a group in one split.

Groups are placed first, the largest before the others, each in the split with most room left for
its classes. Single images are then drawn class by class. A class that is too small for all splits,
or whose images form one group, is in train.

Where some images have a split already, as those of a data set that has grown, they keep it, the
others of their groups follow them, and only the rest is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from imgclf.errors import DataError
from imgclf.typing import ArrayLike

__all__ = ["check_groups", "cut_labels", "extend_cut", "follow_groups"]


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
    open_ = np.full(len(labels), -1, np.int8)
    parts = _fill(labels, len(class_names), fractions, seed, groups, open_)
    titles = [*fractions, "train"]
    return {title: np.flatnonzero(parts == number) for number, title in enumerate(titles)}


def extend_cut(
    labels: np.ndarray,
    class_names: Sequence[str],
    fractions: Mapping[str, float],
    seed: int,
    splits: Sequence[str | None],
    groups: np.ndarray | None = None,
) -> list[str]:
    """Returns the split of each image: the one it has, or one that is drawn.

    Each class gets as many images of a split as its fraction of all images calls for, those that
    are there already included.

    Args:
        labels: (N,) integers.
        class_names: the class names.
        fractions: the fraction of each class for "test", "validation".
        seed: decides which of the other images is in which split.
        splits: the split of each image; None where it has none yet.
        groups: (N,) integers; images with equal ones stay together.

    Example:
        >>> splits = ["test", None, None, None]
        >>> extend_cut(np.array([0, 0, 0, 0]), ["cat"], {"test": 0.5}, 0, splits)
        ['test', 'train', 'train', 'test']
    """
    titles = [*fractions, "train"]
    given = follow_groups(splits, groups)
    parts = np.array([titles.index(one) if one in titles else -1 for one in given], np.int8)
    drawn = np.flatnonzero([one is None or one in titles for one in given])
    parts[drawn] = _fill(
        labels[drawn],
        len(class_names),
        fractions,
        seed,
        None if groups is None else groups[drawn],
        parts[drawn],
    )
    return [titles[part] if one is None else one for one, part in zip(given, parts, strict=True)]


def follow_groups(splits: Sequence[str | None], groups: np.ndarray | None) -> list[str | None]:
    """Gives images without a split that of their group.

    Args:
        splits: the split of each image; None where it has none yet.
        groups: (N,) integers. Of a group in several splits, train comes before validation.

    Example:
        >>> follow_groups(["test", None, None], np.array([5, 5, 7]))
        ['test', 'test', None]
    """
    if groups is None:
        return [*splits]
    known = np.array([*splits, None], object)[:-1]  # of objects, whatever they are
    is_new, given = np.array([one is None for one in splits]), known.copy()
    for title in ("test", "validation", "train"):  # the last one wins
        given[is_new & np.isin(groups, groups[known == title])] = title
    return [*given]


def _fill(
    labels: np.ndarray,
    num_classes: int,
    fractions: Mapping[str, float],
    seed: int,
    groups: np.ndarray | None,
    parts: np.ndarray,
) -> np.ndarray:
    """Returns (N,) indices of splits in `fractions`, or of train; those not below 0 are kept."""
    rng = np.random.default_rng(seed)
    quotas = {title: _quota(labels, num_classes, part) for title, part in fractions.items()}
    is_free = parts < 0
    parts, alone = parts.copy(), is_free
    if groups is not None:
        _, numbers, sizes = np.unique(groups, return_inverse=True, return_counts=True)
        alone = is_free & (sizes[numbers] == 1)
        _place_groups(labels, numbers, sizes, quotas, parts, alone, np.random.default_rng(seed))
    train = len(fractions)
    for label in range(num_classes):
        members = np.flatnonzero(labels == label)
        if len(members) == 0:
            continue
        free = rng.permutation(members[alone[members]])
        _place_alone(free, parts, members, [quota[label] for quota in quotas.values()])
        drawn = members[is_free[members]]
        if groups is not None and len(drawn) and train not in parts[members]:
            # Its groups all went elsewhere for the sake of other classes: one of them comes back.
            parts[groups == groups[drawn[0]]] = train
    return parts


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
    """Puts each group of two or more images that has no split yet into one."""
    classes = len(next(iter(quotas.values())))
    wanted = np.array([*quotas.values()])
    counts = np.bincount(labels, minlength=classes)
    wanted = np.vstack([wanted, counts - wanted.sum(axis=0)])  # the last row is train's
    room = wanted.astype(np.float64)
    for row in range(len(wanted)):  # what is there already
        room[row] -= np.bincount(labels[parts == row], minlength=classes)
    # How many groups and single images of a class are still to be placed.
    waiting = np.bincount(labels[alone], minlength=classes)
    order = np.argsort(numbers, kind="stable")
    members = np.split(order, np.cumsum(sizes)[:-1])
    tied = [
        number
        for number in rng.permutation(len(sizes))
        if sizes[number] > 1 and parts[members[number][0]] < 0
    ]
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
