"""`LabelledFile`: what folders and tables say of each image file."""

from __future__ import annotations

import dataclasses
from pathlib import Path

__all__ = ["SPLIT_NAMES", "LabelledFile"]

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
