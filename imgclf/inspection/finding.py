"""`Finding`: one thing that is wrong, or worth to know, with examples and what to do."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imgclf.inspection.photo import Photo

__all__ = ["SEVERITIES", "Example", "Finding"]

# The gravest first.
SEVERITIES = ("problem", "warning", "note")

# Groups that a record lists; the table of files has all.
_LISTED = 20


@dataclasses.dataclass(frozen=True)
class Example:
    """One file of a finding, and what there is to say about it."""

    photo: Photo
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.photo.name}: {self.detail}" if self.detail else self.photo.name

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON takes them."""
        return {
            "path": self.photo.name,
            "class": self.photo.class_name,
            "split": self.photo.split,
            "detail": self.detail,
        }


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Args:
        kind: a short name, such as "broken" or "two-labels".
        severity: "problem" (the data is wrong), "warning" (likely to mislead) or "note".
        count: how many files or classes it is about.
        message: what was found.
        advice: what to do.
        groups: the files; copies of one image are in one group, others in a group of their own.
    """

    kind: str
    severity: str
    count: int
    message: str
    advice: str
    groups: tuple[tuple[Example, ...], ...] = ()

    @property
    def is_near(self) -> bool:
        """Whether the images of a group are alike, and not the very same."""
        return self.kind.startswith("near-")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON takes them, with the first 20 groups."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "count": self.count,
            "message": self.message,
            "advice": self.advice,
            "examples": [[one.to_dict() for one in group] for group in self.groups[:_LISTED]],
        }
