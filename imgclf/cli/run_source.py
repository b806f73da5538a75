"""Remembers in a run folder which source a run was trained on, and how it was read.

The source is known by its path; its images are known by content, see `imgclf.data.known_images`.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

from imgclf.cli.data_options import DataOptions
from imgclf.errors import MissingFileError, RunFolderError
from imgclf.formatting import show_path

if TYPE_CHECKING:
    from imgclf.data.known_images import KnownImages

__all__ = [
    "check_source",
    "known_images",
    "recall",
    "remember",
    "remembered",
    "split_as_before",
]

_FILE = "data.json"


def remember(run: Path, source: str, options: DataOptions) -> None:
    """Writes the source and its options to a run folder; later commands read the same images."""
    from imgclf.files import atomic

    record = {"source": _identity(source), **vars(options)}
    atomic.write_text(run / _FILE, json.dumps(record, indent=2) + "\n")


def recall(run: Path, source: str) -> DataOptions | None:
    """Returns how the run read this source; None if it was trained on another or unknown one."""
    known = remembered(run)
    return known[1] if known is not None and known[0] == _identity(source) else None


def remembered(run: Path) -> tuple[str, DataOptions] | None:
    """Returns the source that a run was trained on, and how it was read; None if unknown."""
    path = run / _FILE
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        source = record.pop("source")
        return source, DataOptions(**record)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RunFolderError(
            f"{path}: is damaged ({error}). Delete it; `imgclf evaluate` then treats every source "
            "as images that the run was not trained on."
        ) from error


def check_source(source: str) -> None:
    """Refuses what a run was trained on if it is there no more.

    Raises:
        MissingFileError: with the remedy.
    """
    from imgclf.data.sources.registry import source_at

    if source_at(source) is None:
        raise MissingFileError(
            f"The run was trained on {show_path(source)}, which is not there any more: give a "
            "SOURCE."
        )


def known_images(run: Path) -> KnownImages | None:
    """The images that a run knows by content; None if there is no run, or an earlier version's."""
    from imgclf.data.known_images import KnownImages

    return KnownImages.read(run)


def split_as_before(run: Path, options: DataOptions) -> DataOptions:
    """The options, with the split of a run that is there already.

    So the same command resumes a run after its images were moved or renamed, and one whose images
    are more now is told so. Another --validation, --test or --split-like than before asks for
    another split.
    """
    known = remembered(run)
    before = DataOptions() if known is None else known[1]
    names = ("validation", "test", "split_like")
    asks_otherwise = any(getattr(options, name) != getattr(before, name) for name in names)
    if asks_otherwise or known_images(run) is None:
        return options
    return dataclasses.replace(options, split_like=str(run))


def _identity(source: str) -> str:
    from imgclf.data.sources.registry import NAMES

    return source if source in NAMES else str(Path(source).expanduser().resolve())
