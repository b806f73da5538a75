"""Loads images from folders: a folder for each class, or folders of splits that hold those.

Only the names of files and folders are read here; `from_files` reads the images. The user's files
are never changed.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from imgclf import checks
from imgclf.data.cache import CacheLocation, CacheSettings
from imgclf.data.dataset import Dataset
from imgclf.data.image_formats import has_image_suffix
from imgclf.data.images import MAX_PIXELS, WHITE
from imgclf.data.known_images import SplitLikeChoice
from imgclf.data.ledger import relative_path
from imgclf.data.loading_code import records_code
from imgclf.data.sources.from_files import make_dataset
from imgclf.data.sources.image_options import Color, Exclude, ImageOptions, Resize, WhiteLevel
from imgclf.data.sources.labelled_files import LabelledFile
from imgclf.data.sources.split_folders import find_splits
from imgclf.errors import ArgumentError, ArgumentTypeError, DataError
from imgclf.formatting import show_path
from imgclf.typing import ImageSize, RgbColor, StrPath

__all__ = ["FolderScan", "images_at", "load_folder", "names_test_images", "scan_folder"]

# Files of systems and programs; hidden files and folders are ignored as well.
_JUNK = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin"})

_NO_IMAGE = "is no image by its name."
_IN_NO_CLASS = "is in no folder of a class."
_BESIDE_SPLITS = "is beside the folders of splits."
_BLANK = "would be an image by its name without the blank at its end."


@dataclasses.dataclass(frozen=True)
class FolderScan:
    """The contents of a folder.

    Args:
        files: the files that may be images, sorted.
        passed_over: all other files, and the folders that were not entered (they end in "/"), each
            with the reason.
        unreadable: folders that could not be listed, each with the reason.
        empty: the names of classes without a file.
        splits: the folders of splits by their titles; empty if there are none.
        notes: sentences on how the folders were understood.
    """

    files: tuple[LabelledFile, ...]
    passed_over: tuple[tuple[str, str], ...] = ()
    unreadable: tuple[tuple[Path, str], ...] = ()
    empty: tuple[str, ...] = ()
    splits: Mapping[str, Path] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def loose(self) -> list[str]:
        """The images that are in no folder of a class."""
        return [name for name, reason in self.passed_over if reason == _IN_NO_CLASS]

    @property
    def with_blank(self) -> list[str]:
        """The files that a blank at the end of their names makes no images."""
        return [name for name, reason in self.passed_over if reason == _BLANK]

    @property
    def ignored(self) -> int:
        """The number of files that are no images by their names."""
        return sum(reason == _NO_IMAGE for _, reason in self.passed_over)


@records_code
def load_folder(
    path: StrPath,
    *,
    image_size: ImageSize | None = None,
    color: Color | None = None,
    resize: Resize = "crop",
    validation: float | None = 0.15,
    test: float | None = 0.15,
    class_names: Sequence[str] | None = None,
    seed: int = 0,
    max_skipped: float = 0.05,
    exclude: Exclude | None = None,
    groups: str | Callable[[str], object] | None = None,
    max_pixels: int = MAX_PIXELS,
    background: RgbColor = WHITE,
    white_level: WhiteLevel = "auto",
    cache: CacheLocation | CacheSettings = "auto",
    split_like: SplitLikeChoice = None,
) -> Dataset:
    """Loads images from a folder that has a folder for each class.

    Either `path` holds the folders of the classes (`photos/cat`, `photos/dog`), or it holds `train`
    and optionally `val` and `test`, and each of these the folders of the classes. Other usual names
    of splits are known, such as `Training`, `dev` or `seg_test`; folders beside the splits are left
    out with a note. Folders that may be splits or classes are an error that asks. Folders inside a
    class belong to it. Hidden and system files are ignored. Images stay where they are and are
    decoded when needed. Copies of one image stay in one split. If folders of splits hold the same
    image, it stays in test, or else in validation. An image with two labels is left out.
    `Dataset.ledger` accounts for every file.

    Args:
        path: the folder.
        image_size: (height, width) in pixels, or one int for both, to which images are resized. If
            left out, a square is chosen from the median shorter side of the images, a multiple of
            8 from 16 to 96; `Dataset.notes` says which.
        color: "rgb" or "gray"; if left out, "gray" if all images are grey, else "rgb".
        resize: "crop" fills the size and crops the rest, "pad" adds black bars, "stretch" ignores
            the aspect ratio.
        validation: the fraction of the images (0 to below 1) for validation, stratified by class;
            or None. A folder for validation takes precedence.
        test: the same for the test split.
        class_names: the class names in the order of their labels; if left out, the sorted names of
            the folders. Folders with other names are refused; a class may have no folder. If all
            folders in `path` are named here, they are classes, even one called `test`.
        seed: decides which images are in which split.
        max_skipped: the fraction of the files that may be unusable. They are skipped and listed in
            `Dataset.skipped`.
        exclude: files to leave out: the path of a CSV file with a column `path`, such as
            `imgclf inspect --out` writes, or a list of paths, relative to `path`.
        groups: images that must stay in one split, such as those of one patient: a regular
            expression with one group in brackets, which is searched for in the path below `path`
            (with "/"), or a function of that path. Images without a match, or for which the
            function returns None, belong to no group.
        max_pixels: images with more pixels are skipped unread.
        background: the colour that transparent images are laid on: a name such as "black",
            "#rrggbb", or (red, green, blue). White drawings vanish on white; `Dataset.notes` says
            how many.
        white_level: the value of white in grey images of more than 8 bits, such as 4095 for 12-bit
            values. "auto" takes the range of the file (65535; 1.0 of floats), unless no image of
            the data set exceeds that of 8, 10, 12 or 14 bits; None always takes it.
        cache: where decoded images are kept from the first epoch on: "auto" (memory up to a
            quarter of what is free, at most 2 GiB, else the disk), "memory", "disk", None
            (nowhere), or `CacheSettings` with other limits.
        split_like: the run folder of a training. Images that it knows are in the same split as
            there, whatever their files are called now; only new ones are divided.

    Returns:
        The data set; `Dataset.train.images` is an `ImageFiles` of (N, height, width, channels).

    Raises:
        MissingFileError: if there is no such folder.
        ArgumentError: if an argument is not as above.
        DataError: if there are no folders of classes, fewer than two classes, a class without
            images, or too many unusable files, or if folders may be splits or classes.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> temporary = tempfile.TemporaryDirectory()
        >>> folder = Path(temporary.name)
        >>> for name in ["night", "snow"]:
        ...     (folder / name).mkdir()
        ...     for number in range(10):
        ...         image = Image.new("L", (40, 30), number if name == "night" else 255 - number)
        ...         image.save(folder / name / f"{number}.png")
        >>> data = load_folder(folder)
        >>> data.class_names, data.image_shape, len(data.train)
        (('night', 'snow'), (32, 32, 1), 12)
        >>> temporary.cleanup()
    """
    options = ImageOptions(
        image_size=image_size,
        color=color,
        resize=resize,
        validation=validation,
        test=test,
        class_names=class_names,
        seed=seed,
        max_skipped=max_skipped,
        exclude=exclude,
        max_pixels=max_pixels,
        background=background,
        white_level=white_level,
        cache=cache,
        split_like=split_like,
    )
    root = checks.existing_path("path", path)
    group_of = _grouping(groups)
    scan = scan_folder(root, options.class_names, may_lack_classes=class_names is not None)
    notes = list(scan.notes)
    if scan.ignored:
        notes.append(f"Files that are no images by their names, passed over: {scan.ignored}.")
    for some, what in (
        (scan.loose, "Images in no folder of a class"),
        (scan.with_blank, "Files with a blank at the end of their names"),
    ):
        if some:
            notes.append(f"{what}, passed over: {len(some)}, such as {show_path(some[0])!r}.")
    return make_dataset(
        scan.files if group_of is None else _grouped(scan.files, root, group_of, notes),
        options,
        name=show_path(root.resolve().name),
        origin=show_path(root),
        root=root,
        notes=notes,
        unreadable=scan.unreadable,
        passed_over=scan.passed_over,
    )


def _grouping(
    groups: str | Callable[[str], object] | None,
) -> Callable[[str], object] | None:
    if groups is None or callable(groups):
        return groups
    if not isinstance(groups, str):
        raise ArgumentTypeError(
            "`groups` must be a regular expression or a function of the path. "
            + checks.received("groups", groups)
        )
    try:
        pattern = re.compile(groups)
    except re.error as error:
        raise ArgumentError(
            f"`groups` is not a regular expression ({error}). {checks.received('groups', groups)}"
        ) from error
    if pattern.groups != 1:
        raise ArgumentError(
            "`groups` must have one group in brackets, such as r'patient(\\d+)'. "
            + checks.received("groups", groups)
        )

    def search(path: str) -> str | None:
        found = pattern.search(path)
        return found and found[1]

    return search


def _grouped(
    files: Sequence[LabelledFile], root: Path, group_of: Callable[[str], object], notes: list[str]
) -> list[LabelledFile]:
    """Adds the groups to the files, and a note on how many there are."""
    names: dict[str, str] = {}
    grouped: list[LabelledFile] = []
    for file in files:
        group = group_of(relative_path(file.name, root))
        text = None if group is None else names.setdefault(str(group), str(group))
        grouped.append(dataclasses.replace(file, group=text))
    alone = sum(file.group is None for file in grouped)
    if files and alone == len(files):
        raise ArgumentError(
            f"`groups` matches none of the {alone} images, the first of which is "
            f"{show_path(relative_path(files[0].name, root))!r}."
        )
    rest = f"; {alone:,} images match none and are alone" if alone else ""
    notes.append(f"Groups that stay on one side of a cut: {len(names):,}{rest}.")
    return grouped


def scan_folder(
    root: Path, class_names: Sequence[str] | None = None, *, may_lack_classes: bool = False
) -> FolderScan:
    """Finds the classes of a folder and their files by their names.

    Args:
        root: the folder.
        class_names: the names of the classes if the user has said them: they tell a class from a
            split of that name.
        may_lack_classes: accept a single class, and folders without images.

    Raises:
        DataError: if there are no folders of classes, or one has no images, or if folders may be
            splits or classes.
    """
    if not root.is_dir():
        raise ArgumentError(
            f"`path` must be a folder. {checks.received('path', str(root))} A table of paths and "
            "labels is read by load_csv()."
        )
    found = find_splits(root, _folders_in(root), _folders_in, class_names)
    scans = [
        _scan_classes(folder, split, may_lack_classes or split in ("validation", "test"))
        for split, folder in (found.splits or {"": root}).items()
    ]
    beside = _beside(root, [folder.name for folder in found.left_out]) if found.splits else []
    return FolderScan(
        tuple(file for scan in scans for file in scan.files),
        (*beside, *(entry for scan in scans for entry in scan.passed_over)),
        tuple(entry for scan in scans for entry in scan.unreadable),
        tuple(name for scan in scans for name in scan.empty),
        found.splits,
        found.notes,
    )


def names_test_images(root: Path, class_names: Sequence[str] | None = None) -> bool:
    """Whether a folder has a folder of test images."""
    return "test" in find_splits(root, _folders_in(root), _folders_in, class_names).splits


def images_at(place: Path, skipped: list[tuple[Path, str]] | None) -> list[Path]:
    """Lists the files below a folder that may be images by their names; a file lists itself.

    Args:
        place: a folder or a file.
        skipped: receives folders that cannot be listed, each with the reason; without it, the first
            of them is an error.

    Raises:
        DataError: if there are no images in the folder.
    """
    if not place.is_dir():
        return [place]
    found = _walk(place)
    if skipped is not None:
        skipped += found.unreadable
    elif found.unreadable:
        folder, reason = found.unreadable[0]
        raise DataError(f"{show_path(folder)}: {reason}")
    if not found.images:
        raise DataError(f"{show_path(place)}: there are no images in this folder.")
    return [Path(path) for path in found.images]


def _scan_classes(root: Path, split: str, may_be_empty: bool) -> FolderScan:
    files: list[LabelledFile] = []
    unreadable: list[tuple[Path, str]] = []
    empty: list[str] = []
    folders = _folders_in(root)
    if not folders:
        raise DataError(_no_classes(root, split))
    passed_over = _beside(root)
    for folder in folders:
        found = _walk(folder)
        if not found.images and not found.unreadable and not may_be_empty:
            raise DataError(
                f"{show_path(folder)}: this class has no images. Add some, or remove the folder."
            )
        class_name = show_path(folder.name)
        if not found.images:
            empty.append(class_name)
        files += [LabelledFile(image, class_name, split or None) for image in found.images]
        passed_over += found.passed_over
        unreadable += found.unreadable
    return FolderScan(tuple(files), tuple(passed_over), tuple(unreadable), tuple(empty))


def _no_classes(root: Path, split: str) -> str:
    here = sum(entry.is_file() and has_image_suffix(entry.name) for entry in root.iterdir())
    found = f"{here} images directly inside, but" if here else "no images and"
    elsewhere = " Move images whose class is not known elsewhere." if here and split else ""
    return (
        f"{show_path(root)}: has {found} no folders of classes. Put the images of each class in "
        f"a folder with its name, such as cat/ and dog/.{elsewhere}"
    )


def _folders_in(root: Path) -> list[Path]:
    try:
        entries = sorted(root.iterdir())
    except OSError as error:
        raise DataError(f"{show_path(root)}: cannot be read ({error.strerror}).") from error
    return [entry for entry in entries if not _is_junk(entry.name) and entry.is_dir()]


def _beside(root: Path, left_out: Collection[str] = ()) -> list[tuple[str, str]]:
    """Lists what is beside the folders of classes or splits, with the reason to ignore it."""
    return [
        (
            _shown(entry),
            _BESIDE_SPLITS if entry.name in left_out else _why_not(entry.name) or _IN_NO_CLASS,
        )
        for entry in _listed(root)
        if entry.name in left_out or _is_junk(entry.name) or not _is_folder(entry)
    ]


class _Found(NamedTuple):
    """The files below one folder."""

    images: list[str]
    passed_over: list[tuple[str, str]]
    unreadable: list[tuple[Path, str]]


def _walk(top: Path) -> _Found:
    """Lists all files below a folder, sorted.

    A folder with several links to it is entered once, so that a loop of links ends.
    """
    found = _Found([], [], [])
    seen: set[tuple[int, int]] = set()
    waiting: list[str | os.DirEntry[str]] = [os.fspath(top)]
    while waiting:
        place = waiting.pop()
        if not isinstance(place, str):
            reason = _why_not(place.name)
            is_folder = _is_folder(place)
            if reason is None or (is_folder and not _is_junk(place.name)):
                if not is_folder:
                    found.images.append(place.path)
                    continue
            else:
                found.passed_over.append((_shown(place), reason))
                continue
        folder = os.fspath(place)
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in seen:
                reason = "is a link to a folder that was read already."
                found.passed_over.append((os.path.join(folder, ""), reason))
                continue
            seen.add((status.st_dev, status.st_ino))
            # Reversed, since the last entry is the next to be processed.
            waiting += reversed(_listed(folder))
        except OSError as error:
            found.unreadable.append((Path(folder), f"cannot be read ({error.strerror})."))
    return found


def _listed(folder: StrPath) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _shown(entry: os.DirEntry[str]) -> str:
    return os.path.join(entry.path, "") if _is_folder(entry) else entry.path


def _why_not(name: str) -> str | None:
    """Why a file with this name is ignored; None if it may be an image."""
    if name.startswith("."):
        return "is hidden."
    if name.lower() in _JUNK:
        return "is left behind by a system."
    if has_image_suffix(name):
        return None
    return _BLANK if name != name.rstrip() and has_image_suffix(name.rstrip()) else _NO_IMAGE


def _is_junk(name: str) -> bool:
    return name.startswith(".") or name.lower() in _JUNK
