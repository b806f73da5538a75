"""`inspect_photos` checks a folder or table of photos; `PhotoInspection` is its result."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from imgclf import checks
from imgclf.data.labels import sort_names
from imgclf.data.ledger import relative_path
from imgclf.data.sources.exclusion import Exclusion
from imgclf.data.sources.folder import FolderScan, scan_folder
from imgclf.data.sources.image_options import Exclude
from imgclf.data.sources.table import scan_table
from imgclf.data.sources.table_columns import TableOptions
from imgclf.data.split import check_class_names
from imgclf.duplicates.exact import SPLIT_RANKS, find_exact_copies
from imgclf.duplicates.near import NearCopies, find_near_copies
from imgclf.errors import ArgumentError
from imgclf.formatting import show_path
from imgclf.inspection import contact_sheet, copy_rules, photo_files, photo_report
from imgclf.inspection.class_rules import find_in_classes, find_in_structure
from imgclf.inspection.file_rules import find_in_files, is_blank
from imgclf.inspection.finding import SEVERITIES, Finding, Severity
from imgclf.inspection.photo import THUMBNAIL_SIDE, Photo, measure_all
from imgclf.inspection.shortcuts import find_shortcuts
from imgclf.typing import Figure, StrPath

__all__ = ["PhotoInspection", "inspect_photos"]

# In a report, what prevents training or falsifies metrics comes before what costs images.
_ORDER = (
    *("unreadable-folder", "one-class", "empty-class", "two-labels", "across-splits", "broken"),
    *("shortcut", "near-across-splits", "near-two-labels", "imbalanced", "small-class"),
    *("twin-classes", "loose-images", "blank-names", "structure"),
    *("copies", "near-copies", "blank", "transparent", "sliver", "tiny"),
)


@dataclasses.dataclass(frozen=True, eq=False)
class PhotoInspection:
    """What the inspection of a folder or table of photos found; `str()` of it is a report.

    Args:
        name: the name of the folder or table.
        class_names: all classes, including those without a usable image.
        photos: a record of each file, in the order of the paths.
        findings: what was found, the most severe first.
        excluded: files to leave out, each with the reason: broken and blank ones, surplus copies,
            and images with two labels.
        ignored: the number of files that are no images by their names.
        left_out: the files that `exclude` named, which were not checked, each with the reason.
    """

    name: str
    class_names: tuple[str, ...]
    photos: tuple[Photo, ...]
    findings: tuple[Finding, ...]
    excluded: tuple[tuple[Photo, str], ...]
    ignored: int = 0
    left_out: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return photo_report.write(
            self.name,
            self.photos,
            self.findings,
            self.counts(),
            num_left_out=len(self.left_out),
            num_ignored=self.ignored,
        )

    def __repr__(self) -> str:
        return (
            f"PhotoInspection({self.name!r}, {len(self.photos)} files, "
            f"{len(self.findings)} findings)"
        )

    @property
    def usable(self) -> list[Photo]:
        """The records of files that can be used."""
        return [photo for photo in self.photos if photo.reason is None]

    def counts(self) -> dict[str, dict[str, int]]:
        """Counts the usable images of each class, by split ("all" if there are no splits)."""
        pairs = collections.Counter(
            (photo.class_name, photo.split or "all") for photo in self.usable
        )
        splits = [
            split
            for split in ("all", "train", "validation", "test")
            if any(split == (photo.split or "all") for photo in self.photos)
        ]
        return {name: {split: pairs[name, split] for split in splits} for name in self.class_names}

    def reaches(self, severity: Severity) -> bool:
        """Whether there is a finding of this severity or a higher one.

        Args:
            severity: "problem", "warning" or "note".
        """
        checks.one_of("severity", severity, SEVERITIES)
        bad = SEVERITIES[: SEVERITIES.index(severity) + 1]
        return any(finding.severity in bad for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON; `save` writes the single files."""
        return {
            "name": self.name,
            "files": len(self.photos),
            "left_out": len(self.left_out),
            "usable": len(self.usable),
            "ignored": self.ignored,
            "excluded": len(self.excluded),
            "counts": self.counts(),
            **photo_report.summary(self.usable),
            "findings": [finding.to_dict() for finding in self.findings],
        }

    def plot(self, kind: str | None = None) -> Figure:
        """Draws the contact sheet of one finding.

        Args:
            kind: the kind of the finding, such as "blurred"; the first with images if left out.

        Returns:
            A matplotlib figure.

        Raises:
            ArgumentError: if there is no such finding with images to show.
        """
        sheets = [one.kind for one in self.findings if contact_sheet.has_images(one)]
        chosen = sheets[0] if kind is None and sheets else kind
        checks.one_of("kind", chosen, sheets)
        return contact_sheet.draw(next(one for one in self.findings if one.kind == chosen))

    def save(self, folder: StrPath) -> list[Path]:
        """Writes the inspection into a folder, each file atomically.

        Args:
            folder: is made if need be. It gets `findings.json`; `files.csv` with a row for each
                file; `exclude.csv` with the files to leave out, including those that were left out
                already; and a contact sheet of each finding with images, such as `blurred.png`.

        Returns:
            The paths of the written files.
        """
        excluded = [(photo.name, reason) for photo, reason in self.excluded]
        return photo_files.save(
            checks.path("folder", folder),
            self.to_dict(),
            self.photos,
            self.findings,
            [*self.left_out, *excluded],
        )


def inspect_photos(
    path: StrPath,
    progress: Callable[[int, int], None] | None = None,
    exclude: Exclude | None = None,
    table: TableOptions | None = None,
    root: StrPath | None = None,
    class_names: Sequence[str] | None = None,
) -> PhotoInspection:
    """Checks all photos of a folder or of a CSV file.

    Args:
        path: the folder or table, as `load_folder` and `load_csv` take them.
        progress: called from time to time with the number of files checked so far and the number
            of all files.
        exclude: files to leave out, as in `load_folder`.
        table: how to read a table.
        root: the folder that the paths of a table are relative to.
        class_names: the names of the classes, which tell a class from a split of that name.

    Raises:
        MissingFileError: if there is no such folder or table.
        DataError: if it holds no classes of images.
    """
    place = checks.existing_path("data", path)
    checks.callback("progress", progress, "two ints, files checked and all files")
    if class_names is not None:
        class_names = check_class_names(class_names)
    scan, root, ordered = _scan(place, table or TableOptions(), root, class_names)
    files = scan.files
    names = sort_names([*(file.class_name for file in files), *scan.empty])
    if ordered is not None:
        names = [*ordered, *(name for name in names if name not in ordered)]
    exclusion = Exclusion(exclude, root)
    reasons = [exclusion.reason(file.name) for file in files]
    left_out = [
        (relative_path(file.name, root), reason)
        for file, reason in zip(files, reasons, strict=True)
        if reason is not None
    ]
    remaining = [file for file, reason in zip(files, reasons, strict=True) if reason is None]
    photos = measure_all(remaining, root, progress)
    found, excluded = _find(photos, names)
    found += [
        Finding("exclude", "note", 1, note, "Check that they are paths below the folder.")
        for note in exclusion.notes()
    ]
    found += find_in_structure(scan)
    if scan.unreadable:
        found.append(_unreadable(scan.unreadable))
    return PhotoInspection(
        name=show_path(place.resolve().name),
        class_names=tuple(names),
        photos=tuple(photos),
        findings=tuple(sorted(found, key=_rank)),
        excluded=tuple(sorted(excluded, key=lambda pair: pair[0].name)),
        ignored=scan.ignored,
        left_out=tuple(left_out),
    )


def _scan(
    place: Path, table: TableOptions, root: StrPath | None, class_names: Sequence[str] | None
) -> tuple[FolderScan, Path, Sequence[str] | None]:
    """What a folder or table lists, the folder of its paths, and the classes in a given order."""
    if place.is_dir():
        given = {**vars(table), "root": root}
        for name, value in given.items():
            if value is not None:
                raise ArgumentError(
                    f"`{name}` goes with a table, not a folder. {checks.received(name, value)}"
                )
        return scan_folder(place, class_names, may_lack_classes=True), place, class_names
    listed = scan_table(place, table, root, class_names=class_names)
    return (
        FolderScan(listed.files, notes=listed.notes),
        listed.root,
        class_names or listed.class_names,
    )


def _find(
    photos: Sequence[Photo], names: Sequence[str]
) -> tuple[list[Finding], list[tuple[Photo, str]]]:
    """Returns all findings, and the files to leave out with the reasons."""
    # Small images often have the same size: by size alone nearly all would be read again.
    keys = [None if one.measures is None else (one.size, one.measures) for one in photos]
    copies = find_exact_copies([photo.path for photo in photos], keys)
    compared = [photos[index] for index in _to_compare(photos, copies)]
    near = _find_near_copies(compared)
    findings = [
        *find_in_files(photos),
        *find_in_classes(photos, names),
        *copy_rules.find_in_exact_copies(photos, copies),
        *copy_rules.find_in_near_copies(compared, near),
        *find_shortcuts(photos),
    ]
    # The first reason counts.
    reasons: dict[str, tuple[Photo, str]] = {}
    for photo in photos:
        if photo.reason is not None:
            reasons[photo.path] = photo, photo.reason
        elif is_blank(photo):
            reasons[photo.path] = photo, "shows nothing but one colour"
    for photo, reason in copy_rules.surplus(photos, copies):
        reasons.setdefault(photo.path, (photo, reason))
    for photo, reason in copy_rules.surplus_near(compared, near):
        reasons.setdefault(photo.path, (photo, reason))
    return findings, list(reasons.values())


def _to_compare(photos: Sequence[Photo], copies: Sequence[Sequence[int]]) -> list[int]:
    """Returns the indices of usable images that are not blank, one of each exact copy."""
    left_out: set[int] = set()
    for group in copies:
        kept = max(group, key=lambda index: SPLIT_RANKS[photos[index].split])
        left_out.update(index for index in group if index != kept)
    return [
        index
        for index, photo in enumerate(photos)
        if photo.reason is None and index not in left_out and not is_blank(photo)
    ]


def _find_near_copies(photos: Sequence[Photo]) -> NearCopies:
    measures = [photo.measures for photo in photos if photo.measures is not None]
    pixels = np.frombuffer(b"".join(one.thumbnail for one in measures), np.uint8)
    return find_near_copies(
        np.array([one.perceptual_hash for one in measures], np.uint64),
        pixels.reshape(-1, THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3),
        np.array([one.is_grey for one in measures], bool),
        [photo.class_name for photo in photos],
        [photo.split for photo in photos],
    )


def _unreadable(folders: Sequence[tuple[Path, str]]) -> Finding:
    first = "; ".join(f"{show_path(path)} {reason}" for path, reason in folders[:3])
    return Finding(
        "unreadable-folder",
        "problem",
        len(folders),
        f"Folders that could not be listed: {len(folders)}, such as {first}",
        "Give yourself permission to read them, or remove them.",
    )


def _rank(finding: Finding) -> tuple[int, int]:
    place = _ORDER.index(finding.kind) if finding.kind in _ORDER else len(_ORDER)
    return SEVERITIES.index(finding.severity), place
