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
from imgclf.files.stored_json import (
    Check,
    check_record,
    list_of,
    number,
    one_of,
    optional,
    read_object,
    show_error,
    text,
    whole,
)
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

_TEXT = text(10_000)
_NEEDED = ("source",)
_IS_SIDE = whole(1, 100_000)[1]

# What a stored option must be; a newer one is checked by the function that takes it.
_STORED: dict[str, Check] = {
    "source": _TEXT,
    "archive": optional(_TEXT),
    "image_size": (
        "a size in pixels, two of them, or null",
        lambda value: value is None or all(map(_IS_SIDE, value if _is_pair(value) else [value])),
    ),
    "color": optional(one_of("rgb", "gray")),
    "resize": optional(one_of("crop", "pad", "stretch")),
    "background": optional(_TEXT),
    "white_level": optional(number(0, 1e12)),
    "validation": optional(number(0, 1)),
    "exclude": optional(_TEXT),
    "groups": optional(_TEXT),
    "max_pixels": optional(whole(1, 178_956_970)),
    "cache": optional(one_of("auto", "memory", "disk", "off")),
    "cache_size": optional(whole(0, 2**63)),
    "test": optional(number(0, 1)),
    "class_names": optional(list_of(_TEXT)),
    "path_column": optional(_TEXT),
    "label_column": (
        "a text, a list of texts, or null",
        lambda value: value is None or _TEXT[1](value) or list_of(_TEXT)[1](value),
    ),
    "split_column": optional(_TEXT),
    "delimiter": optional(_TEXT),
    "encoding": optional(_TEXT),
    "root": optional(_TEXT),
    "max_skipped": optional(number(0, 1)),
    "split_like": optional(_TEXT),
}


def _is_pair(value: object) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2


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
    remedy = (
        "Delete it; `imgclf evaluate` then treats every source as images that the run was not "
        "trained on."
    )
    record = read_object(path, remedy)
    try:
        check_record({name: record[name] for name in _STORED if name in record}, _STORED, _NEEDED)
        source = record.pop("source")
        return source, DataOptions(**record)
    except (ValueError, TypeError, KeyError) as error:
        raise RunFolderError(
            f"{show_path(path)}: is damaged ({show_error(error)}). {remedy}"
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
