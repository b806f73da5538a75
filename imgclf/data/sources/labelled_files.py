"""`LabelledFile`: what folders and tables say of each image file."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

__all__ = ["SPLIT_NAMES", "LabelledFile", "sort_names"]

# What people call the splits, and what imgclf calls them.
SPLIT_NAMES = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}


@dataclasses.dataclass(frozen=True, slots=True)
class LabelledFile:
    """One image file with its class.

    Args:
        name: its path, as a text, since there may be very many.
        class_name: the name of its class.
        split: its split; None where none is given.
        group: the group whose images stay in one split; None where none is given.
    """

    name: str
    class_name: str
    split: str | None = None
    group: str | None = None

    @property
    def path(self) -> Path:
        """The path as `pathlib.Path`."""
        return Path(self.name)


def sort_names(names: Iterable[str]) -> list[str]:
    """Sorts class names in the order of their labels: numbers by value, all else by character."""
    different = set(names)
    if all(name.isascii() and name.isdigit() for name in different):
        return sorted(different, key=lambda name: (int(name), name))
    return sorted(different)
