"""Findings about classes and folders: without images, imbalanced, small, oddly named, or loose."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING

from imgclf.data.sources.image_notes import twin_names
from imgclf.formatting import list_names, show_path
from imgclf.inspection.finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgclf.data.sources.folder import FolderScan
    from imgclf.inspection.photo import Photo

__all__ = ["find_in_classes", "find_in_structure"]

# At 10:1, always predicting the larger of two classes has an accuracy of 91%.
_IMBALANCED, _VERY_IMBALANCED = 3, 10
# A test split of 15% has 3 of 20 images: too few for a metric.
_MIN_IMAGES = 20
_MAX_LISTED = 5


def find_in_classes(photos: Sequence[Photo], class_names: Sequence[str]) -> list[Finding]:
    """Checks the classes; `class_names` has those without a usable image, too."""
    usable = collections.Counter(photo.class_name for photo in photos if photo.reason is None)
    counts = {name: usable[name] for name in class_names}
    found = [_single(counts), _lost(counts), _twins(class_names), _balance(counts), _small(counts)]
    return [finding for finding in found if finding is not None]


def find_in_structure(scan: FolderScan) -> list[Finding]:
    """Reports how folders and tables were understood, and files that their names leave out."""
    found = [
        Finding("structure", "note", 1, note, "If that is not meant, rename or move it.")
        for note in scan.notes
    ]
    if scan.loose:
        count = len(scan.loose)
        message = (
            f"Images in no folder of a class, not used: {count:,}, such as "
            f"{show_path(scan.loose[0])!r}."
        )
        advice = "Move each into the folder of its class."
        found.append(Finding("loose-images", "warning", count, message, advice))
    blank = [*scan.with_blank, *_folders_with_blank(scan)]
    if blank:
        message = (
            f"Names with a blank at their end: {len(blank):,}, such as {show_path(blank[0])!r}. "
            "Such files are not used, and such folders are classes of their own."
        )
        found.append(
            Finding("blank-names", "warning", len(blank), message, "Rename them without the blank.")
        )
    return found


def _folders_with_blank(scan: FolderScan) -> list[str]:
    names = dict.fromkeys([*(file.class_name for file in scan.files), *scan.empty])
    return [name for name in names if name != name.rstrip()]


def _single(counts: dict[str, int]) -> Finding | None:
    if len(counts) >= 2:
        return None
    message = f"There is one class only: {next(iter(counts))!r}."
    return Finding("one-class", "problem", 1, message, "A classifier needs two or more.")


def _lost(counts: dict[str, int]) -> Finding | None:
    lost = [name for name, count in counts.items() if not count]
    if not lost:
        return None
    message = f"Classes without a usable image: {list_names(lost)}."
    return Finding("empty-class", "problem", len(lost), message, "Add images or remove them.")


def _twins(class_names: Sequence[str]) -> Finding | None:
    twins = [" and ".join(map(repr, names)) for names in twin_names(class_names)]
    if not twins:
        return None
    message = f"Classes that differ only in case or blanks: {'; '.join(twins[:_MAX_LISTED])}."
    return Finding(
        "twin-classes", "warning", len(twins), message, "If they are one class, merge them."
    )


def _balance(counts: dict[str, int]) -> Finding | None:
    present = {name: count for name, count in counts.items() if count}
    if len(present) < 2:
        return None
    largest, smallest = max(present, key=present.__getitem__), min(present, key=present.__getitem__)
    ratio = present[largest] / present[smallest]
    if ratio < _IMBALANCED:
        return None
    message = (
        f"Classes are imbalanced: {largest!r} has {present[largest]:,} images, {smallest!r} "
        f"{present[smallest]:,}, {ratio:.0f} times fewer."
    )
    advice = "Compare the metrics of each class, not accuracy alone; add images to the small ones."
    severity: Severity = "warning" if ratio >= _VERY_IMBALANCED else "note"
    return Finding("imbalanced", severity, len(present), message, advice)


def _small(counts: dict[str, int]) -> Finding | None:
    small = [name for name, count in counts.items() if 0 < count < _MIN_IMAGES]
    if not small:
        return None
    message = f"Classes with fewer than {_MIN_IMAGES} images: {list_names(small)}."
    advice = "Collect more: metrics of so few images have wide intervals."
    return Finding("small-class", "warning", len(small), message, advice)
