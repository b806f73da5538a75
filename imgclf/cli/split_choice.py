"""Loads the split of SOURCE that a command uses, read as the model needs it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from imgclf.cli import data_options as sources
from imgclf.cli.run_source import known_images
from imgclf.errors import DataError

if TYPE_CHECKING:
    from imgclf.classifier.classifier import Classifier
    from imgclf.data.dataset import Dataset
    from imgclf.data.known_images import KnownImages
    from imgclf.data.split import Split

__all__ = ["SPLITS", "ChosenSplit", "load_split", "reading_options"]

SPLITS = ("train", "validation", "test", "all")


class ChosenSplit(NamedTuple):
    """The images that a command uses.

    Args:
        data: the data set that they are of.
        name: of the split; "all" for all images of a source that the run was not trained on.
        images: of that split.
        num_left_out: images of a source that was moved, copied or grown that are left out, since
            the run was trained or validated on them.
    """

    data: Dataset
    name: str
    images: Split
    num_left_out: int = 0


def load_split(
    classifier: Classifier,
    source: str,
    split: str | None,
    known: sources.DataOptions | None,
    archive: str | None,
    selection: dict[str, Any],
    default: str = "test",
) -> ChosenSplit:
    """Loads the data, read as the model needs it, and chooses a split.

    Images that the run knows are in the split that they were in, whatever their paths are now; all
    others are test images.

    Args:
        classifier: its classes and image shape decide how images are read.
        source: as on the command line.
        split: as on the command line; None if it was left out.
        known: how the run read this source; None if it was trained on another one.
        archive: as on the command line.
        selection: the options that say which images of folders and tables are used.
        default: the split of a source that the run was trained on.
    """
    from imgclf.data.sources.registry import NAMES

    given = {name: value for name, value in selection.items() if value is not None}
    images = None if classifier.run_dir is None else known_images(classifier.run_dir)
    if source in NAMES:
        sources.check_options(source, given)
        like = None if images is None else str(classifier.run_dir)
        options = dataclasses.replace(
            known or sources.DataOptions(), archive=archive, split_like=like
        )
        return _with_split(sources.load(source, options), split or default)
    if archive is not None:
        raise click.UsageError("--archive requires the source cifar10.")
    reading = reading_options(classifier) | ({} if known is None else known.selection) | given
    is_own = known is not None
    if images is None:
        chosen = _by_path(source, split, reading, default, is_own=is_own)
    else:
        chosen = _by_content(source, split, reading, images, default, is_own=is_own)
    click.echo(f"{chosen.data.name}: {chosen.name} images", err=True)
    for note in chosen.data.notes:
        click.echo(f"  {note}", err=True)
    sources.echo_ledger(chosen.data)
    return chosen


def reading_options(classifier: Classifier) -> dict[str, Any]:
    """How images of folders and tables are read for a model."""
    height, width, channels = classifier.image_shape
    return {
        "image_size": None if None in (height, width) else (height, width),
        "color": "gray" if channels == 1 else "rgb",
        "resize": classifier.resize,
        "max_pixels": classifier.max_pixels,
        "background": classifier.background,
        "white_level": classifier.white_level,
        "class_names": classifier.class_names,
    }


def _by_path(
    source: str, split: str | None, reading: dict[str, Any], default: str, *, is_own: bool
) -> ChosenSplit:
    """Splits a folder or table for a model that does not know the images of its training."""
    if split is None:
        has_test = default == "test" and _names_test_images(source, reading)
        split = default if is_own or has_test else "all"
    data = _read(source, reading | ({"validation": 0.0, "test": 0.0} if split == "all" else {}))
    if split == "all" and len(data.splits()) == 1:
        return _all_of(data)
    return _with_split(data, split)


def _by_content(
    source: str,
    split: str | None,
    reading: dict[str, Any],
    images: KnownImages,
    default: str,
    *,
    is_own: bool,
) -> ChosenSplit:
    """Splits a folder or table as the run split the images that it knows."""
    from imgclf.data.known_images import SplitLike, image_digests

    data = _read(source, reading | {"split_like": SplitLike(images, evaluates=True)})
    splits = data.splits()
    is_other = [*splits] == ["train"] and (
        images.splits_of(image_digests(data.train.images[:1])) != ["train"]
    )
    if is_other and split in (None, "test", "all"):
        return _all_of(data)
    name = split or default
    if name == "all" and not _names_test_images(source, reading):
        name = "test"
    if name == "test" and name not in splits and not _names_test_images(source, reading):
        raise DataError(
            f"{data.name} has no image that the model was not trained or validated on. "
            "--split train evaluates on training images."
        )
    chosen = _with_split(data, name)
    is_grown = None in images.splits_of(image_digests(chosen.images.images))
    if name != "test" or (is_own and not is_grown):
        return chosen
    others = sum(len(one) for title, one in splits.items() if title != "test")
    return chosen._replace(num_left_out=0 if _names_test_images(source, reading) else others)


def _all_of(data: Dataset) -> ChosenSplit:
    """All images of a source, which have no role in the run."""
    return ChosenSplit(data, "all", dataclasses.replace(data.train, role=None))


def _read(source: str, reading: dict[str, Any]) -> Dataset:
    from imgclf.data.sources.registry import load_source

    return load_source(source, **reading)


def _names_test_images(source: str, reading: dict[str, Any]) -> bool:
    """Returns whether a folder or table says which of its images are test images."""
    from imgclf.data.sources.folder import names_test_images
    from imgclf.data.sources.registry import source_at
    from imgclf.data.sources.table import scan_table
    from imgclf.data.sources.table_columns import TableOptions

    place, names = Path(source).expanduser(), reading["class_names"]
    if place.is_dir():
        return names_test_images(place, names)
    if source_at(source) is None:
        return False
    table = {name: reading[name] for name in sources.TABLE_OPTIONS if name in reading}
    root = table.pop("root", None)
    scan = scan_table(place, TableOptions(**table), root, class_names=names)
    return any(file.split == "test" for file in scan.files)


def _with_split(data: Dataset, split: str) -> ChosenSplit:
    splits = data.splits()
    if split not in splits:
        raise DataError(
            f"{data.name} has no images for --split {split}. Available: {', '.join(splits)}."
        )
    return ChosenSplit(data, split, splits[split])
