"""`LabelledFile`: what folders and tables say of each image file, and the names of splits."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from pathlib import Path

__all__ = ["SPLIT_NAMES", "LabelledFile", "find_split_names", "is_wrapper"]

# What people call the splits, and what imgclf calls them.
SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "trainset": "train",
    "trainval": "train",
    "trn": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "validate": "validation",
    "valset": "validation",
    "dev": "validation",
    "development": "validation",
    "test": "test",
    "testing": "test",
    "testset": "test",
    "tst": "test",
}

# For some these are validation images, for others test images.
_EVALUATION = frozenset({"eval", "evaluation"})

# Words that say nothing of the split: "train_images", "Test Set".
_FILLERS = frozenset(
    {
        *("set", "sets", "data", "dataset", "split", "folder", "image", "images", "img", "imgs"),
        *("photo", "photos", "pic", "pics", "jpg", "png"),
    }
)


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


def find_split_names(names: Iterable[str]) -> dict[str, str]:
    """Finds the names that mean a split, and which.

    Besides a word for a split, a name has words that say nothing, or the same as that of another
    split: `seg_train` beside `seg_test`. The word "evaluation" means the one of validation and test
    that no other name means.

    Example:
        >>> find_split_names(["Training", "seg_val", "seg_test", "predict", "test_tube"])
        {'Training': 'train', 'seg_val': 'validation', 'seg_test': 'test'}
        >>> find_split_names(["train", "test", "eval"])["eval"]
        'validation'
    """
    parts = {name: found for name in names if (found := _words(name)) is not None}
    homes: dict[tuple[str, ...], set[str]] = {}
    for word, rest in parts.values():
        homes.setdefault(rest, set()).add(SPLIT_NAMES.get(word, word))
    kept = {
        name: SPLIT_NAMES.get(word, "")
        for name, (word, rest) in parts.items()
        if not rest or len(homes[rest]) > 1
    }
    there = set(kept.values())
    if "" in there:
        free = [title for title in ("validation", "test") if title not in there]
        meant = free[0] if len(free) == 1 and "train" in there else None
        kept = {name: title or meant for name, title in kept.items() if title or meant}  # type: ignore[misc]
    return kept


def is_wrapper(name: str, outer: str) -> bool:
    """Whether a folder may hold the classes of the folder around it: of its name, or `images`.

    Example:
        >>> is_wrapper("seg_train", "seg_train"), is_wrapper("images", "train")
        (True, True)
        >>> is_wrapper("cat", "train")
        False
    """
    words = re.findall(r"[^\W\d_]+|\d+", name.lower())
    return name.lower() == outer.lower() or all(word in _FILLERS for word in words)


def _words(name: str) -> tuple[str, tuple[str, ...]] | None:
    """The word of a name that means a split, and the words that mean something else."""
    spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", name)
    words = re.findall(r"[^\W\d_]+|\d+", spaced.lower())
    found = [word for word in words if word in SPLIT_NAMES or word in _EVALUATION]
    if len(found) != 1:
        return None
    return found[0], tuple(word for word in words if word != found[0] and word not in _FILLERS)
