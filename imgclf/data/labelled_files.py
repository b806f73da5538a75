"""From picture files with class names to a `Dataset`: what folders and tables have in common.

`folder` and `table` say which file belongs to which class, and maybe to which split. Here every
file is checked, the size and the colour are chosen where the user left them open, and the splits
are cut. Each file is accounted for: it is in one split, or in `Dataset.skipped` with the reason.
"""

from __future__ import annotations

import dataclasses
import os
import statistics
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from imgclf import checks
from imgclf.data.dataset import Dataset, cut
from imgclf.data.image_files import ImageFiles
from imgclf.data.images import Header, ImageSpec, check_image, show_path
from imgclf.data.pixel_cache import CacheSettings
from imgclf.data.split import Split, check_class_names
from imgclf.errors import DataError, ImgclfError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

__all__ = ["SPLIT_NAMES", "LabelledFile", "PictureOptions", "make_dataset", "sort_names"]

# What people call the splits, and what imgclf calls them.
SPLIT_NAMES = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}

# The side that is chosen for the pictures when the user names none: a multiple of 8, which can be
# halved three times, and no more than a processor without a graphics card can cope with.
_SIDE_STEP = 8
_SMALLEST_SIDE, _LARGEST_SIDE = 16, 96

_GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N"})

# Examples in one message or note.
_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class LabelledFile:
    """One picture file: its path, the name of its class, and its split where that is given."""

    path: Path
    class_name: str
    split: str | None = None


@dataclasses.dataclass(frozen=True)
class PictureOptions:
    """How picture files become a data set; the arguments of `load_folder` and `load_csv`."""

    image_size: Any = None
    color: str | None = None
    resize: str = "crop"
    validation: Any = 0.15
    test: Any = 0.15
    class_names: Any = None
    seed: int = 0
    max_skipped: float = 0.05
    cache: Any = "auto"

    def __post_init__(self) -> None:
        checks.one_of("color", self.color, [None, "rgb", "gray"])
        ImageSpec(self.image_size, resize=self.resize)
        CacheSettings.of(self.cache)
        for name in ("validation", "test"):
            value = getattr(self, name)
            if value is not None:
                checks.number(name, value, low=0, high=1, below=True)
        checks.integer("seed", self.seed, low=0)
        checks.number("max_skipped", self.max_skipped, low=0, high=1)
        if self.class_names is not None:
            object.__setattr__(self, "class_names", check_class_names(self.class_names))


def make_dataset(
    files: Sequence[LabelledFile],
    options: PictureOptions,
    *,
    name: str,
    origin: str,
    notes: Sequence[str] = (),
    unreadable: Sequence[tuple[Path, str]] = (),
) -> Dataset:
    """Checks the files and makes a data set of those that can be used.

    Args:
        files: the files; either all or none have a split.
        options: sizes, colour, parts, and how many files may be skipped.
        name: a short name of the data set.
        origin: the folder or table, for messages.
        notes: what the caller has to tell the user.
        unreadable: what the caller could not read, with the reasons.

    Raises:
        DataError: if there are too few classes or pictures, or too many files cannot be read.
    """
    try:
        return _make(files, options, name, notes, unreadable)
    except DataError as error:
        raise DataError(f"{origin}: {error}") from error


def _make(
    files: Sequence[LabelledFile],
    options: PictureOptions,
    name: str,
    notes: Sequence[str],
    unreadable: Sequence[tuple[Path, str]],
) -> Dataset:
    class_names = _choose_class_names(files, options)
    used, headers, skipped = _check_files(files)
    skipped = [*unreadable, *skipped]
    _check_skipped(skipped, len(files) + len(unreadable), options.max_skipped)
    _check_classes_remain(used, files, class_names)
    spec, chosen_notes = _choose_spec(headers, options)
    all_notes = (
        *notes,
        *chosen_notes,
        *_note_twins(class_names),
        *_note_formats(used, headers),
        *_note_skipped(skipped, len(files) + len(unreadable)),
    )
    parts = _to_splits(used, class_names, spec, options.cache)
    data = cut(
        parts["train"],
        validation=parts.get("validation", options.validation),
        test=parts.get("test", options.test),
        seed=options.seed,
        name=name,
        notes=all_notes,
    )
    return dataclasses.replace(data, skipped=tuple(skipped))


def sort_names(names: Iterable[str]) -> list[str]:
    """Class names in the order of their labels: numbers by value, all else by character."""
    different = set(names)
    if all(name.isascii() and name.isdigit() for name in different):
        return sorted(different, key=lambda name: (int(name), name))
    return sorted(different)


def _choose_class_names(files: Sequence[LabelledFile], options: PictureOptions) -> tuple[str, ...]:
    """The given names, or those of the files to train on; no file may have another."""
    found = sort_names(file.class_name for file in files)
    learned = sort_names(file.class_name for file in files if file.split in (None, "train"))
    if options.class_names is not None:
        unknown = [name for name in found if name not in options.class_names]
        if unknown:
            raise DataError(
                f"there are classes that `class_names` lacks: {_list(unknown)}. "
                f"`class_names` has {_list(options.class_names)}."
            )
        return options.class_names
    for split in ("validation", "test"):
        names = {file.class_name for file in files if file.split == split}
        unknown = sort_names(names.difference(learned))
        if unknown:
            raise DataError(
                f"the {split} split has classes that the train split lacks: {_list(unknown)}. "
                f"The train split has {_list(learned)}."
            )
    if len(learned) < 2:
        raise DataError(
            f"there must be pictures of at least 2 classes to tell apart. Found: {_list(learned)}."
        )
    return tuple(learned)


def _check_files(
    files: Sequence[LabelledFile],
) -> tuple[list[LabelledFile], list[Header], list[tuple[Path, str]]]:
    """The usable files, their headers, and the others with the reason, all in the given order."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(_check_one, (file.path for file in files)))
    used, headers, skipped = [], [], []
    for file, result in zip(files, results, strict=True):
        if isinstance(result, Header):
            used.append(file)
            headers.append(result)
        else:
            skipped.append((file.path, result))
    return used, headers, skipped


def _check_one(path: Path) -> Header | str:
    try:
        return check_image(path)
    except ImgclfError as error:
        return str(error).removeprefix(f"{show_path(path)}: ")
    except OSError as error:
        return f"cannot be read ({error.strerror or error})."


def _check_skipped(skipped: Sequence[tuple[Path, str]], total: int, allowed: float) -> None:
    if len(skipped) > allowed * total:
        part = len(skipped) / total
        raise DataError(
            f"{len(skipped)} of {total} files ({part:.1%}) cannot be used, more than "
            f"max_skipped={allowed:g} allows. {_list_skipped(skipped)} Mend or remove them, or "
            "raise `max_skipped`."
        )


def _check_classes_remain(
    used: Sequence[LabelledFile], files: Sequence[LabelledFile], class_names: Sequence[str]
) -> None:
    if not used:
        raise DataError("there is no picture that can be used.")
    lost = {file.class_name for file in files} - {file.class_name for file in used}
    for name in class_names:
        if name in lost:
            raise DataError(f"no picture of class {name!r} can be read: all its files are damaged.")
    if not any(file.split in (None, "train") for file in used):
        raise DataError("there is no picture to train on: all belong to validation or test.")


def _choose_spec(
    headers: Sequence[Header], options: PictureOptions
) -> tuple[ImageSpec, tuple[str, ...]]:
    """The size and colour to decode to, and a sentence about each that was not asked for."""
    notes = []
    image_size = options.image_size
    if image_size is None:
        median = statistics.median(min(header.height, header.width) for header in headers)
        nearest = int(median / _SIDE_STEP + 0.5) * _SIDE_STEP
        image_size = min(max(nearest, _SMALLEST_SIDE), _LARGEST_SIDE)
        notes.append(
            f"Pictures are resized to {image_size}×{image_size} pixels, chosen from their median "
            f"shorter side of {median:g}; `image_size` sets another size."
        )
    color = options.color
    if color is None:
        grey = all(header.mode in _GREY_MODES for header in headers)
        color = "gray" if grey else "rgb"
        notes.append(
            "Pictures are read as grey, since all of them are; color='rgb' reads three channels."
            if grey
            else "Pictures are read in colour; color='gray' reads one channel."
        )
    return ImageSpec(image_size, 1 if color == "gray" else 3, options.resize), tuple(notes)


def _to_splits(
    used: Sequence[LabelledFile], class_names: Sequence[str], spec: ImageSpec, cache: Any
) -> dict[str, Split]:
    """A `Split` for each name of a split that files have; files without one are to train on."""
    numbers = {name: number for number, name in enumerate(class_names)}
    members: dict[str, list[LabelledFile]] = {}
    for file in used:
        members.setdefault(file.split or "train", []).append(file)
    return {
        title: Split(
            ImageFiles([file.path for file in some], spec, cache),
            np.array([numbers[file.class_name] for file in some], np.int64),
            class_names,
        )
        for title, some in members.items()
    }


def _note_twins(class_names: Sequence[str]) -> tuple[str, ...]:
    """Names that a person would take for one: `Cat` and `cat`."""
    alike: dict[str, list[str]] = {}
    for name in class_names:
        alike.setdefault("".join(name.casefold().split()), []).append(name)
    return tuple(
        f"Classes {' and '.join(map(repr, names))} differ only in case or blanks: if they are one, "
        "put their pictures together."
        for names in alike.values()
        if len(names) > 1
    )


def _note_formats(used: Sequence[LabelledFile], headers: Sequence[Header]) -> tuple[str, ...]:
    other = [
        file.path
        for file, header in zip(used, headers, strict=True)
        if file.path.suffix.lower() not in _SUFFIXES[header.format]
    ]
    if not other:
        return ()
    return (
        f"Files that hold another format than their name says, read by their content: {len(other)},"
        f" such as {show_path(other[0])}.",
    )


_SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ""),
    "PNG": (".png", ""),
    "WEBP": (".webp", ""),
    "GIF": (".gif", ""),
    "BMP": (".bmp", ""),
}


def _note_skipped(skipped: Sequence[tuple[Path, str]], total: int) -> tuple[str, ...]:
    if not skipped:
        return ()
    return (
        f"{len(skipped)} of {total} files cannot be used and were skipped. "
        f"{_list_skipped(skipped)}",
    )


def _list_skipped(skipped: Sequence[tuple[Path, str]]) -> str:
    first = " ".join(f"{show_path(path)}: {reason}" for path, reason in skipped[:_SHOWN])
    more = len(skipped) - _SHOWN
    return f"{first} And {more} more." if more > 0 else first


def _list(names: Sequence[str]) -> str:
    if not names:
        return "none"
    first = ", ".join(map(repr, names[:_SHOWN]))
    return f"{first} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else first
