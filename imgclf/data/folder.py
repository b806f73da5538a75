"""Pictures in folders: a folder for each class, or folders of the splits that hold those.

Only the names of files and folders are looked at here; reading the pictures is the work of
`labelled_files`. The user's files are never changed.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgclf import checks
from imgclf.data.images import IMAGE_SUFFIXES, show_path
from imgclf.data.labelled_files import SPLIT_NAMES, LabelledFile, PictureOptions, make_dataset
from imgclf.errors import ArgumentError, DataError

if TYPE_CHECKING:
    from imgclf.data.dataset import Dataset

__all__ = ["FolderScan", "load_folder", "scan_folder"]

# What systems and programs leave behind; hidden files and folders are left out as well.
_JUNK = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin"})

# Names of pictures that imgclf does not read: they are skipped with a reason, not passed over.
_FOREIGN_SUFFIXES = frozenset(
    {".avif", ".cr2", ".dng", ".eps", ".heic", ".heif", ".jp2", ".jxl", ".nef", ".psd", ".tif"}
    | {".tiff"}
)


@dataclasses.dataclass(frozen=True)
class FolderScan:
    """What a folder holds.

    Args:
        files: the files that should be pictures, sorted.
        ignored: how many files are no pictures by their names.
        unreadable: folders that could not be listed, each with the reason.
    """

    files: tuple[LabelledFile, ...]
    ignored: int = 0
    unreadable: tuple[tuple[Path, str], ...] = ()


def load_folder(
    path: str | os.PathLike[str],
    *,
    image_size: Any = None,
    color: str | None = None,
    resize: str = "crop",
    validation: float | None = 0.15,
    test: float | None = 0.15,
    class_names: Any = None,
    seed: int = 0,
    max_skipped: float = 0.05,
    cache: Any = "auto",
) -> Dataset:
    """Loads pictures from a folder that has a folder for each class.

    Either `path` holds the folders of the classes (`photos/cat`, `photos/dog`), or it holds `train`
    and maybe `val` (or `valid`, `validation`) and `test`, and each of these the folders of the
    classes. Folders inside a class belong to it. Hidden files and what systems leave behind are
    passed over. Pictures stay where they are and are decoded as they are needed.

    Args:
        path: the folder.
        image_size: (height, width) in pixels, or one int for both, that every picture is given. If
            left out, a square is chosen from the pictures' median shorter side, a multiple of 8
            from 16 to 96; `Dataset.notes` says which.
        color: "rgb" or "gray"; if left out, "gray" where all pictures are grey, else "rgb".
        resize: "crop" fills the size and cuts what hangs over, "pad" shows all between black bars,
            "stretch" ignores the proportions.
        validation: the part of the pictures (0 to below 1) that is set aside for validation, drawn
            by `seed`, each class alike; or None. A folder for validation takes its place.
        test: the same for testing.
        class_names: the names of the classes in the order of their labels; if left out, the sorted
            names of the folders. Folders with other names are refused; a name may have no folder.
        seed: decides which pictures are set aside.
        max_skipped: the part of the files that may be unusable. They are skipped and listed in
            `Dataset.skipped`.
        cache: where decoded pictures are kept from the first epoch on: "auto" (memory up to a
            quarter of what is free, at most 2 GiB, else the disk), "memory", "disk", None
            (nowhere), or `CacheSettings` with bounds of your own.

    Returns:
        The data set; `Dataset.train.images` is an `ImageFiles` of (N, height, width, channels).

    Raises:
        MissingFileError: if there is no such folder.
        ArgumentError: if an argument is not as above.
        DataError: if there are no folders of classes, fewer than two classes, a class without
            pictures, or too many unusable files.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> temporary = tempfile.TemporaryDirectory()
        >>> folder = Path(temporary.name)
        >>> for name in ["night", "snow"]:
        ...     (folder / name).mkdir()
        ...     for number in range(10):
        ...         picture = Image.new("L", (40, 30), "black" if name == "night" else "white")
        ...         picture.save(folder / name / f"{number}.png")
        >>> data = load_folder(folder)
        >>> data.class_names, data.image_shape, len(data.train)
        (('night', 'snow'), (32, 32, 1), 12)
        >>> temporary.cleanup()
    """
    options = PictureOptions(
        image_size, color, resize, validation, test, class_names, seed, max_skipped, cache
    )
    root = checks.existing_path("path", path)
    scan = scan_folder(root, may_lack_classes=class_names is not None)
    notes: tuple[str, ...] = ()
    if scan.ignored:
        notes = (f"Files that are no pictures by their names, passed over: {scan.ignored}.",)
    return make_dataset(
        scan.files,
        options,
        name=show_path(root.resolve().name),
        origin=show_path(root),
        notes=notes,
        unreadable=scan.unreadable,
    )


def scan_folder(root: Path, *, may_lack_classes: bool = False) -> FolderScan:
    """Finds the classes of a folder and their files, by names alone.

    Args:
        root: the folder.
        may_lack_classes: accept a single class, and folders without pictures.

    Raises:
        DataError: if there are no folders of classes, or one has no pictures.
    """
    if not root.is_dir():
        raise ArgumentError(
            f"`path` must be a folder. {checks.received('path', str(root))} A table of paths and "
            "labels is read by load_csv()."
        )
    folders = _folders_in(root)
    splits: dict[str, Path] = {}
    if folders and all(folder.name.lower() in SPLIT_NAMES for folder in folders):
        splits = _split_folders(root, folders)
    scans = [
        _scan_classes(folder, split, may_lack_classes or split in ("validation", "test"))
        for split, folder in (splits or {"": root}).items()
    ]
    return FolderScan(
        tuple(file for scan in scans for file in scan.files),
        sum(scan.ignored for scan in scans),
        tuple(entry for scan in scans for entry in scan.unreadable),
    )


def _split_folders(root: Path, folders: list[Path]) -> dict[str, Path]:
    splits: dict[str, Path] = {}
    for folder in folders:
        title = SPLIT_NAMES[folder.name.lower()]
        if title in splits:
            raise DataError(
                f"{show_path(root)}: the folders {splits[title].name!r} and {folder.name!r} both "
                f"mean the {title} split. Keep one of them."
            )
        splits[title] = folder
    if "train" not in splits:
        raise DataError(
            f"{show_path(root)}: has {' and '.join(repr(folder.name) for folder in folders)}, but "
            "no folder 'train' to learn from."
        )
    return {title: splits[title] for title in ("train", "validation", "test") if title in splits}


def _scan_classes(root: Path, split: str, may_be_empty: bool) -> FolderScan:
    files: list[LabelledFile] = []
    ignored = 0
    unreadable: list[tuple[Path, str]] = []
    folders = _folders_in(root)
    if not folders:
        raise DataError(_no_classes(root))
    for folder in folders:
        pictures, others, failed = _walk(folder)
        if not pictures and not failed and not may_be_empty:
            raise DataError(
                f"{show_path(folder)}: this class has no pictures. Add some, or remove the folder."
            )
        class_name = show_path(folder.name)
        files += [LabelledFile(picture, class_name, split or None) for picture in pictures]
        ignored += others
        unreadable += failed
    return FolderScan(tuple(files), ignored, tuple(unreadable))


def _no_classes(root: Path) -> str:
    here = sum(entry.is_file() and _is_picture(entry.name) for entry in root.iterdir())
    found = f"{here} pictures directly inside, but" if here else "no pictures and"
    return (
        f"{show_path(root)}: has {found} no folders of classes. Put the pictures of each class in "
        "a folder with its name, such as cat/ and dog/."
    )


def _folders_in(root: Path) -> list[Path]:
    try:
        entries = sorted(root.iterdir())
    except OSError as error:
        raise DataError(f"{show_path(root)}: cannot be read ({error.strerror}).") from error
    return [entry for entry in entries if not _is_junk(entry.name) and entry.is_dir()]


def _walk(top: Path) -> tuple[list[Path], int, list[tuple[Path, str]]]:
    """All pictures below a folder, sorted; how many other files; what could not be listed.

    A folder that links lead to twice is entered once, so that a loop of links ends.
    """
    pictures: list[Path] = []
    others = 0
    failed: list[tuple[Path, str]] = []
    seen: set[tuple[int, int]] = set()
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            entries = [entry for entry in folder.iterdir() if not _is_junk(entry.name)]
        except OSError as error:
            failed.append((folder, f"cannot be read ({error.strerror})."))
            continue
        for entry in entries:
            if entry.is_dir():
                waiting.append(entry)
            elif _is_picture(entry.name):
                pictures.append(entry)
            else:
                others += 1
    return sorted(pictures), others, failed


def _is_junk(name: str) -> bool:
    return name.startswith(".") or name.lower() in _JUNK


def _is_picture(name: str) -> bool:
    """Whether the name promises a picture; a name without an ending may."""
    suffix = Path(name).suffix.lower()
    return not suffix or suffix in IMAGE_SUFFIXES or suffix in _FOREIGN_SUFFIXES
