"""Makes a `Dataset` of labelled image files, as folders and tables give them.

Every file is checked, size and colour are chosen where the user left them open, and the splits are
cut. The ledger accounts for each file: it is in one split, or there is a reason why not.
"""

from __future__ import annotations

import dataclasses
import os
import statistics
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from imgclf.data.cache import CacheLocation, CacheSettings
from imgclf.data.dataset import Dataset, cut
from imgclf.data.decoding.modes import range_fault, white_level_of
from imgclf.data.image_files import ImageFiles
from imgclf.data.images import (
    GREY_MODES,
    Header,
    ImageSpec,
    check_image,
    reason_of,
)
from imgclf.data.labels import sort_names
from imgclf.data.ledger import Ledger, LedgerRow, relative_path
from imgclf.data.sources.exclusion import Exclusion
from imgclf.data.sources.image_notes import (
    list_skipped,
    note_copies,
    note_formats,
    note_shapes,
    note_skipped,
    note_transparent,
    note_twins,
)
from imgclf.data.sources.image_options import ImageOptions
from imgclf.data.sources.labelled_files import LabelledFile
from imgclf.data.split import Split
from imgclf.duplicates.exact import ResolvedCopies, find_exact_copies, resolve_copies, tie
from imgclf.errors import DataError, ImgclfError
from imgclf.files.in_threads import in_threads
from imgclf.formatting import list_names, show_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgclf.typing import StrPath

__all__ = ["make_dataset"]

# The image size that is chosen if the user names none: a multiple of 8, which can be halved three
# times, and no larger than a CPU can train on.
_SIDE_STEP = 8
_MIN_SIDE, _MAX_SIDE = 16, 96

# Files that a thread checks at a time.
_CHUNK = 256


def make_dataset(
    files: Sequence[LabelledFile],
    options: ImageOptions,
    *,
    name: str,
    origin: str,
    root: StrPath,
    notes: Sequence[str] = (),
    unreadable: Sequence[tuple[Path, str]] = (),
    passed_over: Sequence[tuple[str, str]] = (),
) -> Dataset:
    """Checks the files and makes a data set of those that can be used.

    Args:
        files: the files; either all or none have a split.
        options: how to read and split them.
        name: a short name of the data set.
        origin: the folder or table, for messages.
        root: the folder that the paths of `exclude` and of the ledger are relative to.
        notes: notes of the caller for `Dataset.notes`.
        unreadable: folders that could not be listed, with the reasons.
        passed_over: files that are no images, with the reasons.

    Raises:
        DataError: if there are too few classes or images, or too many files cannot be read.
    """
    exclusion = Exclusion(options.exclude, root)
    try:
        return _make(files, options, exclusion, name, root, notes, unreadable, passed_over)
    except DataError as error:
        raise DataError(f"{origin}: {error}") from error


def _make(
    files: Sequence[LabelledFile],
    options: ImageOptions,
    exclusion: Exclusion,
    name: str,
    root: StrPath,
    notes: Sequence[str],
    unreadable: Sequence[tuple[Path, str]],
    passed_over: Sequence[tuple[str, str]],
) -> Dataset:
    class_names = _choose_class_names(files, options)
    reasons = [exclusion.reason(file.name) for file in files]
    excluded = [(file, why) for file, why in zip(files, reasons, strict=True) if why is not None]
    files = [file for file, why in zip(files, reasons, strict=True) if why is None]
    readable, headers, broken, white_level = _check_files(files, options)
    skipped = [*unreadable, *((file.path, reason) for file, reason in broken)]
    _check_skipped(skipped, len(files) + len(unreadable), options.max_skipped)
    _check_classes_remain(readable, [*files, *(file for file, _ in excluded)], class_names)
    copies = resolve_copies(
        find_exact_copies([file.name for file in readable]),
        [file.class_name for file in readable],
        [file.split for file in readable],
        [relative_path(file.name, root) for file in readable],
    )
    used = [file for place, file in enumerate(readable) if place not in copies.left_out]
    _check_copies(used, readable, class_names)
    _check_groups(used)
    spec, chosen_notes = _choose_spec(headers, options, white_level)
    all_notes = (
        *notes,
        *exclusion.notes(),
        *chosen_notes,
        *note_twins(class_names),
        *note_formats(readable, headers),
        *note_shapes(readable, headers),
        *note_transparent(readable, headers, str(options.background)),
        *note_copies(copies, readable),
        *note_skipped(skipped, len(files) + len(unreadable)),
    )
    parts, ties = _to_splits(used, readable, copies, class_names, spec, options.cache)
    data = cut(
        parts["train"],
        validation=parts.get("validation", options.validation),
        test=parts.get("test", options.test),
        seed=options.seed,
        name=name,
        notes=all_notes,
        groups=ties,
        split_like=options.split_like,
    )
    rows = _to_rows(data, root, readable, copies, broken, excluded)
    rows += [LedgerRow(path, "ignored", "", "", reason) for path, reason in passed_over]
    rows += [
        LedgerRow(os.path.join(path, ""), "skipped", "", "", reason) for path, reason in unreadable
    ]
    return dataclasses.replace(data, skipped=tuple(skipped), ledger=Ledger(root, rows))


def _choose_class_names(files: Sequence[LabelledFile], options: ImageOptions) -> tuple[str, ...]:
    """The given names, or those of the training files; no file may have another."""
    found = sort_names(file.class_name for file in files)
    learned = sort_names(file.class_name for file in files if file.split in (None, "train"))
    if options.class_names is not None:
        unknown = [name for name in found if name not in options.class_names]
        if unknown:
            raise DataError(
                f"there are classes that `class_names` lacks: {list_names(unknown)}. "
                f"`class_names` has {list_names(options.class_names)}."
            )
        return tuple(options.class_names)
    for split in ("validation", "test"):
        names = {file.class_name for file in files if file.split == split}
        unknown = sort_names(names.difference(learned))
        if unknown:
            raise DataError(
                f"the {split} split has classes that the train split lacks: {list_names(unknown)}. "
                f"The train split has {list_names(learned)}."
            )
    if len(learned) < 2:
        raise DataError(
            f"there must be images of at least 2 classes. Found: {list_names(learned)}."
        )
    return tuple(learned)


def _check_files(
    files: Sequence[LabelledFile], options: ImageOptions
) -> tuple[list[LabelledFile], list[Header], list[tuple[LabelledFile, str]], float | None]:
    """Returns the usable files, their headers, the others with the reason, and what is white."""
    results = list(in_threads(lambda file: _check_one(file.name, options), files, _CHUNK))
    deep = [(one.mode, one.value_range) for one in results if isinstance(one, Header)]
    given = options.white_level
    white_level = white_level_of(deep) if given == "auto" else given
    used, headers, broken = [], [], []
    for file, result in zip(files, results, strict=True):
        fault = result if isinstance(result, str) else None
        if isinstance(result, Header) and result.value_range is not None:
            fault = range_fault(result.mode, result.value_range, white_level)
        if isinstance(result, Header) and fault is None:
            used.append(file)
            headers.append(result)
        else:
            broken.append((file, str(fault)))
    return used, headers, broken, white_level


def _check_one(path: str, options: ImageOptions) -> Header | str:
    try:
        return check_image(path, options.max_pixels, str(options.background))
    except (ImgclfError, OSError) as error:
        return reason_of(path, error)


def _check_skipped(skipped: Sequence[tuple[Path, str]], total: int, allowed: float) -> None:
    if len(skipped) > allowed * total:
        part = len(skipped) / total
        raise DataError(
            f"{len(skipped)} of {total} files ({part:.1%}) cannot be used, more than "
            f"max_skipped={allowed:g} allows. {list_skipped(skipped)} Fix or remove them, or "
            "raise `max_skipped`."
        )


def _check_classes_remain(
    used: Sequence[LabelledFile], files: Sequence[LabelledFile], class_names: Sequence[str]
) -> None:
    if not used:
        raise DataError("there is no image that can be used.")
    lost = {file.class_name for file in files} - {file.class_name for file in used}
    for name in class_names:
        if name in lost:
            raise DataError(
                f"no image of class {name!r} can be read: all its files are damaged or excluded."
            )
    if not any(file.split in (None, "train") for file in used):
        raise DataError("there is no image to train on: all belong to validation or test.")


def _check_copies(
    used: Sequence[LabelledFile], readable: Sequence[LabelledFile], class_names: Sequence[str]
) -> None:
    """Refuses a class whose training images are all left out as copies."""
    lost = _learned(readable) - _learned(used)
    for name in class_names:
        if name in lost:
            raise DataError(
                f"no image of class {name!r} is left to train on: each of them is in another "
                "class, or in a split of its own for validation or test, too. `imgclf inspect` "
                "lists them."
            )


def _learned(files: Sequence[LabelledFile]) -> set[str]:
    return {file.class_name for file in files if file.split in (None, "train")}


def _check_groups(used: Sequence[LabelledFile]) -> None:
    """Refuses a group that is in two of the given splits."""
    homes: dict[str, LabelledFile] = {}
    for file in used:
        if file.group is not None and file.split is not None:
            first = homes.setdefault(file.group, file)
            if first.split != file.split:
                raise DataError(
                    f"the group {file.group!r} is in the {first.split} split "
                    f"({show_path(first.name)}) and in the {file.split} split "
                    f"({show_path(file.name)}). Move its images to one of them, or `exclude` "
                    "those of one side."
                )


def _choose_spec(
    headers: Sequence[Header], options: ImageOptions, white_level: float | None
) -> tuple[ImageSpec, tuple[str, ...]]:
    """Chooses the size and colour to decode to, with a note on each that was not given."""
    notes = []
    image_size = options.image_size
    if image_size is None:
        median = statistics.median(min(header.height, header.width) for header in headers)
        nearest = int(median / _SIDE_STEP + 0.5) * _SIDE_STEP
        image_size = min(max(nearest, _MIN_SIDE), _MAX_SIDE)
        notes.append(
            f"Images are resized to {image_size}×{image_size} pixels, chosen from their median "
            f"shorter side of {median:g}; `image_size` sets another size."
        )
    color = options.color
    if color is None:
        grey = all(header.mode in GREY_MODES for header in headers)
        color = "gray" if grey else "rgb"
        notes.append(
            "Images are read as grey, since all of them are; color='rgb' reads three channels."
            if grey
            else "Images are read in colour; color='gray' reads one channel."
        )
    if white_level is not None and options.white_level == "auto":
        notes.append(
            "No image of more than 8 bits has a value above "
            f"{max(one.value_range[1] for one in headers if one.value_range):g}, so white is "
            f"{white_level:g}; `white_level` sets another value."
        )
    spec = dataclasses.replace(
        options.spec(1 if color == "gray" else 3, white_level), image_size=image_size
    )
    return spec, tuple(notes)


def _to_splits(
    used: Sequence[LabelledFile],
    readable: Sequence[LabelledFile],
    copies: ResolvedCopies,
    class_names: Sequence[str],
    spec: ImageSpec,
    cache: CacheLocation | CacheSettings,
) -> tuple[dict[str, Split], np.ndarray | None]:
    """Makes the given splits, and numbers the training files that must stay together.

    Files without a split are training files.
    """
    numbers = {name: number for number, name in enumerate(class_names)}
    members: dict[str, list[LabelledFile]] = {}
    for file in used:
        members.setdefault(file.split or "train", []).append(file)
    splits = {
        title: Split(
            ImageFiles([file.name for file in some], spec, cache),
            np.array([numbers[file.class_name] for file in some], np.int64),
            class_names,
        )
        for title, some in members.items()
    }
    if not copies.groups and all(file.group is None for file in used):
        return splits, None
    ties = tie([file.group for file in readable], copies.groups)
    chosen = [
        place
        for place, file in enumerate(readable)
        if place not in copies.left_out and file.split in (None, "train")
    ]
    return splits, ties[chosen]


def _to_rows(
    data: Dataset,
    root: StrPath,
    readable: Sequence[LabelledFile],
    copies: ResolvedCopies,
    broken: Sequence[tuple[LabelledFile, str]],
    excluded: Sequence[tuple[LabelledFile, str]],
) -> list[LedgerRow]:
    homes = {path: title for title, split in data.splits().items() for path in split.images.paths}
    originals = {
        place: f"is the same image as {show_path(relative_path(readable[group[0]].name, root))}."
        for group in copies.groups
        for place in group[1:]
    }
    rows = [
        LedgerRow(file.name, "duplicate", "", file.class_name, copies.left_out[place])
        if place in copies.left_out
        else LedgerRow(
            file.name, "used", homes[file.name], file.class_name, originals.get(place, "")
        )
        for place, file in enumerate(readable)
    ]
    for fate, some in (("skipped", broken), ("excluded", excluded)):
        rows += [LedgerRow(file.name, fate, "", file.class_name, reason) for file, reason in some]
    return rows
