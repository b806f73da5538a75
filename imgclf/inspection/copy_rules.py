"""Findings about duplicate images, and which copies to leave out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgclf.duplicates.exact import SPLIT_RANKS
from imgclf.inspection.finding import Example, Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

    from imgclf.duplicates.near import NearCopies
    from imgclf.inspection.photo import Photo

__all__ = ["find_in_exact_copies", "find_in_near_copies", "surplus", "surplus_near"]

# A message for one group and for several; {groups} images are in {files} files.
_EXACT: dict[str, tuple[Severity, str, str]] = {
    "two-labels": (
        "problem",
        "{groups} with identical content {are} in more than one class ({files} files).",
        "Keep each in the class that is right, and delete the others.",
    ),
    "across-splits": (
        "problem",
        "{groups} with identical content {are} in more than one split ({files} files).",
        "Delete the training copies: metrics on known images are too good.",
    ),
    "copies": (
        "warning",
        "{groups} {are} duplicated, in {files} files.",
        "Keep one of each: a random split may put copies on both sides.",
    ),
}


def find_in_exact_copies(photos: Sequence[Photo], groups: Sequence[Sequence[int]]) -> list[Finding]:
    """Makes a finding for each kind of copies; a group is in the most severe one only."""
    by_kind: dict[str, list[Sequence[int]]] = {kind: [] for kind in _EXACT}
    for group in groups:
        by_kind[_kind_of([photos[index] for index in group])].append(group)
    return [_exact_finding(kind, photos, members) for kind, members in by_kind.items() if members]


def _kind_of(group: Sequence[Photo]) -> str:
    if len({photo.class_name for photo in group}) > 1:
        return "two-labels"
    return "across-splits" if len({photo.split for photo in group}) > 1 else "copies"


def _exact_finding(kind: str, photos: Sequence[Photo], groups: Sequence[Sequence[int]]) -> Finding:
    severity, text, advice = _EXACT[kind]
    files = sum(map(len, groups))
    several = len(groups) > 1
    message = text.format(
        groups=f"{len(groups):,} images" if several else "1 image",
        are="are" if several else "is",
        files=f"{files:,}",
    )
    examples = tuple(_differing_first([photos[index] for index in group]) for group in groups)
    return Finding(kind, severity, files, message, advice, examples)


def _differing_first(group: Sequence[Photo]) -> tuple[Example, ...]:
    """The copies, first two that differ in class or else in split: often only two are shown."""
    first, *others = group
    others.sort(
        key=lambda other: (other.class_name == first.class_name, other.split == first.split)
    )
    return tuple(map(Example, [first, *others]))


def find_in_near_copies(photos: Sequence[Photo], near: NearCopies) -> list[Finding]:
    """Makes findings of near copies in two classes, in two splits, and within one class."""
    by_splits = any(photo.split is not None for photo in photos)
    found = [
        _near_finding(
            "near-two-labels",
            "warning",
            "{n} images nearly repeat one of another class.",
            "Look at each pair: one of two labels may be wrong.",
            _pairs(photos, near.other_class),
        ),
        _near_finding(
            "near-across-splits",
            "warning",
            "{n} images nearly repeat one of another split.",
            "Leave out the training copies: metrics on known images are too good.",
            _pairs(photos, near.other_split),
        ),
        _near_finding(
            "near-copies",
            "note" if by_splits else "warning",
            "{n} images nearly repeat another of their class.",
            "Bursts and edited copies: keep each group in one split.",
            tuple(tuple(Example(photos[index]) for index in group) for group in near.groups),
        ),
    ]
    return [finding for finding in found if finding is not None]


def _pairs(photos: Sequence[Photo], partners: np.ndarray) -> tuple[tuple[Example, ...], ...]:
    chosen = (index for index, partner in enumerate(partners) if partner >= 0)
    pairs = sorted({tuple(sorted((index, int(partners[index])))) for index in chosen})
    return tuple((Example(photos[first]), Example(photos[second])) for first, second in pairs)


def _near_finding(
    kind: str, severity: Severity, text: str, advice: str, groups: tuple[tuple[Example, ...], ...]
) -> Finding | None:
    files = len({example.photo.path for group in groups for example in group})
    if not files:
        return None
    return Finding(kind, severity, files, text.format(n=f"{files:,}"), advice, groups)


def surplus(
    photos: Sequence[Photo], groups: Sequence[Sequence[int]]
) -> Iterator[tuple[Photo, str]]:
    """Yields the exact copies to leave out: all but one, or all if their classes differ."""
    for group in groups:
        members = [photos[index] for index in group]
        if _kind_of(members) == "two-labels":
            for photo in members:
                other = next(one for one in members if one.class_name != photo.class_name)
                yield photo, f"the same image as {other.name}, which has another class"
            continue
        # The first of the highest split stays.
        kept = max(members, key=lambda photo: SPLIT_RANKS[photo.split])
        for photo in members:
            if photo is not kept:
                yield photo, f"the same image as {kept.name}"


def surplus_near(photos: Sequence[Photo], near: NearCopies) -> Iterator[tuple[Photo, str]]:
    """Yields near copies of images in a higher split, which would make its metrics too good."""
    for index, partner in enumerate(near.other_split):
        photo, other = photos[index], photos[partner]
        if partner >= 0 and SPLIT_RANKS[other.split] > SPLIT_RANKS[photo.split]:
            yield photo, f"nearly the same image as {other.name}"
