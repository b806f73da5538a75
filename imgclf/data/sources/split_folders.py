"""Tells folders of splits from folders of classes, by their names and by what is in them.

What may be either is an error that asks: a split that is taken for a class, or a class for a split,
makes every later metric wrong.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from imgclf.data.image_formats import has_image_suffix
from imgclf.data.sources.labelled_files import find_split_names, is_wrapper
from imgclf.errors import DataError
from imgclf.formatting import list_names, show_path

__all__ = ["SplitFolders", "find_splits"]

# Words for a split that are names of classes as well: the vehicle, and the opposite of invalid.
_COMMON_WORDS = frozenset({"train", "valid"})
_PLAIN_NAMES = frozenset({"train", "val", "valid", "validation", "test"})

_IF_CLASSES = "If all of them are classes, name them by `class_names` (--class-names)."

# The folders in a folder, without those of systems and programs.
Lister = Callable[[Path], list[Path]]


@dataclasses.dataclass(frozen=True)
class SplitFolders:
    """The folders of splits in a folder.

    Args:
        splits: the folder that holds the classes of each split; empty if the folders are classes.
        left_out: folders beside them, which are not read.
        notes: sentences on what may surprise.
    """

    splits: Mapping[str, Path] = dataclasses.field(default_factory=dict)
    left_out: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()


def find_splits(
    root: Path, folders: Sequence[Path], folders_in: Lister, class_names: Sequence[str] | None
) -> SplitFolders:
    """Decides whether folders are splits or classes.

    Args:
        root: the folder that they are in.
        folders: the folders.
        folders_in: lists the folders in one of them.
        class_names: the names of the classes if the user has said them.

    Raises:
        DataError: if it is doubtful, or there is no split to train on.
    """
    if class_names is not None and all(show_path(one.name) in class_names for one in folders):
        return SplitFolders()
    roles = find_split_names([folder.name for folder in folders])
    named = [folder for folder in folders if folder.name in roles]
    others = [folder for folder in folders if folder.name not in roles]
    if not named:
        if class_names is None:
            _check_are_classes(root, folders, folders_in)
        return SplitFolders()
    if others and not any(folders_in(folder) for folder in named):
        _check_flat(root, named, others, roles)
        return SplitFolders()
    splits = _by_split(root, named, roles)
    if others:
        _check_others(root, splits, others, folders_in)
    inner = {title: _inner(folder, folders_in) for title, folder in splits.items()}
    return SplitFolders(inner, tuple(others), _notes(root, splits, inner, others))


def _by_split(root: Path, named: Sequence[Path], roles: Mapping[str, str]) -> dict[str, Path]:
    splits: dict[str, Path] = {}
    for folder in named:
        title = roles[folder.name]
        if title in splits:
            raise DataError(
                f"{show_path(root)}: the folders {splits[title].name!r} and {folder.name!r} both "
                f"mean the {title} split. Keep one of them."
            )
        splits[title] = folder
    if "train" not in splits:
        raise DataError(
            f"{show_path(root)}: has {' and '.join(repr(folder.name) for folder in named)}, but "
            "no folder 'train' to learn from."
        )
    return {title: splits[title] for title in ("train", "validation", "test") if title in splits}


def _check_flat(
    root: Path, named: Sequence[Path], others: Sequence[Path], roles: Mapping[str, str]
) -> None:
    """Refuses folders of images without classes, some of which have the names of splits."""
    titles = {roles[folder.name] for folder in named}
    if len(titles) == 1 and all(folder.name.lower() in _COMMON_WORDS for folder in named):
        return
    shown = list_names([show_path(folder.name) for folder in named])
    beside = list_names([show_path(folder.name) for folder in others])
    raise DataError(
        f"{show_path(root)}: {shown} {'mean splits' if len(named) > 1 else 'means a split'}, but "
        f"without folders of classes inside; beside: {beside}. Put folders of classes into each "
        f"split, such as train/cat/ and test/cat/, and move what is no class elsewhere. "
        f"{_IF_CLASSES}"
    )


def _check_others(
    root: Path, splits: Mapping[str, Path], others: Sequence[Path], folders_in: Lister
) -> None:
    """Refuses folders beside the splits that may be splits or classes as well."""
    classes = {one.name for one in folders_in(_inner(splits["train"], folders_in))}
    alike = [
        folder
        for folder in others
        if folder.name in classes
        or classes & {one.name for one in folders_in(_inner(folder, folders_in))}
    ]
    if alike:
        shown = list_names([show_path(folder.name) for folder in alike])
        raise DataError(
            f"{show_path(root)}: {shown} beside the folders of splits "
            f"{'hold' if len(alike) > 1 else 'holds'} classes of {splits['train'].name!r} as well. "
            "Rename what is a split to train, val or test, and move the rest elsewhere."
        )
    if len(splits) == 1 and any(map(_holds_images, others)):
        beside = list_names([show_path(folder.name) for folder in others])
        raise DataError(
            f"{show_path(root)}: {splits['train'].name!r} is the training split or a class of that "
            f"name: beside it {'are' if len(others) > 1 else 'is'} {beside}. If it is the split, "
            f"move the others elsewhere, or load {show_path(splits['train'])}. {_IF_CLASSES}"
        )


def _check_are_classes(root: Path, folders: Sequence[Path], folders_in: Lister) -> None:
    """Refuses folders that have the structure of splits, whatever their names."""
    inside = [{one.name for one in folders_in(folder)} for folder in folders]
    if not inside or not all(inside) or any(map(_holds_images_itself, folders)):
        return
    if len(folders) == 1:
        raise DataError(
            f"{show_path(root)}: has one folder only, {show_path(folders[0].name)!r}, which holds "
            f"{list_names(sorted(map(show_path, inside[0])))}. Load that one: "
            f"{show_path(folders[0])}."
        )
    common = set.intersection(*inside)
    if len(common) < 2 or any(2 * len(common) < len(one) for one in inside):
        return
    shown = list_names([show_path(folder.name) for folder in folders])
    same = list_names(sorted(map(show_path, common)))
    if len(find_split_names(common)) > 1:
        raise DataError(
            f"{show_path(root)}: {shown} each hold {same}, which mean splits. Put the classes into "
            f"the splits, such as train/cat/ and test/cat/. {_IF_CLASSES}"
        )
    raise DataError(
        f"{show_path(root)}: {shown} each hold the same folders, {same}, as splits do, but their "
        "names mean no split. Rename them to train, val and test, or load one of them. "
        f"{_IF_CLASSES}"
    )


def _inner(folder: Path, folders_in: Lister) -> Path:
    """The folder that holds the classes: the only one in a folder, as archives unpack it."""
    inside = folders_in(folder)
    if len(inside) != 1 or not is_wrapper(inside[0].name, folder.name):
        return folder
    if _holds_images_itself(folder) or not folders_in(inside[0]):
        return folder
    return _inner(inside[0], folders_in)


def _notes(
    root: Path, splits: Mapping[str, Path], inner: Mapping[str, Path], others: Sequence[Path]
) -> tuple[str, ...]:
    notes = []
    unusual = [
        f"{show_path(os.path.relpath(inner[title], root))!r} is the {title} split"
        for title, folder in splits.items()
        if folder.name.lower() not in _PLAIN_NAMES or inner[title] != folder
    ]
    if unusual:
        notes.append(f"Folders of splits: {', '.join(unusual)}.")
    if others:
        shown = list_names([show_path(folder.name) for folder in others])
        notes.append(f"Folders beside those of the splits, left out: {shown}.")
    return tuple(notes)


def _holds_images_itself(folder: Path) -> bool:
    return any(_is_image(entry) for entry in _entries(folder))


def _holds_images(folder: Path) -> bool:
    """Whether there is an image at any depth; links to folders are not followed."""
    return any(
        has_image_suffix(name) and "." in name and not name.startswith(".")
        for _, _, names in os.walk(folder)
        for name in names
    )


def _is_image(entry: os.DirEntry[str]) -> bool:
    # Without a suffix, a file beside folders is rather a licence or a script.
    name = entry.name
    return not name.startswith(".") and "." in name and has_image_suffix(name)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []
