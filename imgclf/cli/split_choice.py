"""Loads the split of SOURCE that a command uses, read as the model needs it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imgclf.cli import data_options as sources
from imgclf.errors import DataError

if TYPE_CHECKING:
    from imgclf.classifier.classifier import Classifier
    from imgclf.data.dataset import Dataset

__all__ = ["SPLITS", "load_split"]

SPLITS = ("train", "validation", "test", "all")


def load_split(
    classifier: Classifier,
    source: str,
    split: str | None,
    known: sources.DataOptions | None,
    archive: str | None,
    selection: dict[str, Any],
    default: str = "test",
) -> tuple[Dataset, str]:
    """Loads the data, read as the model needs it, and returns it with the name of the split.

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
    if source in NAMES:
        sources.check_options(source, given)
        options = dataclasses.replace(known or sources.DataOptions(), archive=archive)
        return _with_split(sources.load(source, options), split or default)
    if archive is not None:
        raise click.UsageError("--archive requires the source cifar10.")
    height, width, channels = classifier.image_shape
    reading: dict[str, Any] = {
        "image_size": None if None in (height, width) else (height, width),
        "color": "gray" if channels == 1 else "rgb",
        "resize": classifier.resize,
        "max_pixels": classifier.max_pixels,
        "class_names": classifier.class_names,
    }
    reading |= ({} if known is None else known.selection) | given
    if split is None:
        has_test = default == "test" and _names_test_images(source, reading)
        split = default if known is not None or has_test else "all"
    return _read(source, split, reading)


def _read(source: str, split: str, reading: dict[str, Any]) -> tuple[Dataset, str]:
    from imgclf.data.sources.registry import load_source

    if split == "all":
        reading = reading | {"validation": 0.0, "test": 0.0}
    data = load_source(source, **reading)
    click.echo(f"{data.name}: {split} images", err=True)
    for note in data.notes:
        click.echo(f"  {note}", err=True)
    sources.echo_ledger(data)
    if split == "all" and len(data.splits()) == 1:
        return data, "train"
    return _with_split(data, split)


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


def _with_split(data: Dataset, split: str) -> tuple[Dataset, str]:
    splits = data.splits()
    if split not in splits:
        raise DataError(
            f"{data.name} has no images for --split {split}. Available: {', '.join(splits)}."
        )
    return data, split
