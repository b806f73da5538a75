"""`Finding`: one problem with the data or one noteworthy fact, with examples and advice."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from imgclf.inspection.photo import Photo

__all__ = ["SEVERITIES", "Example", "Finding", "Severity"]

# The most severe first.
Severity = Literal["problem", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("problem", "warning", "note")

# Groups in a record; the table of files has all.
_MAX_GROUPS = 20


@dataclasses.dataclass(frozen=True)
class Example:
    """One file of a finding, with what was found in it."""

    photo: Photo
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.photo.name}: {self.detail}" if self.detail else self.photo.name

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON."""
        return {
            "path": self.photo.name,
            "class": self.photo.class_name,
            "split": self.photo.split,
            "detail": self.detail,
        }


@dataclasses.dataclass(frozen=True)
class Finding:
    """One problem or noteworthy fact.

    Args:
        kind: a short name, such as "broken" or "two-labels".
        severity: "problem" (the data is wrong), "warning" (likely to mislead) or "note".
        num_affected: the number of files or classes concerned.
        message: what was found.
        advice: what to do.
        groups: the files; copies of one image form a group, other files a group each.
        sections: of the contact sheet, each a heading and its files, where it shows several things;
            of others it shows the groups.
    """

    kind: str
    severity: Severity
    num_affected: int
    message: str
    advice: str
    groups: tuple[tuple[Example, ...], ...] = ()
    sections: tuple[tuple[str, tuple[Example, ...]], ...] = ()

    @property
    def is_near(self) -> bool:
        """Whether the images of a group are similar, but not identical."""
        return self.kind.startswith("near-")

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON, with the first 20 groups."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "num_affected": self.num_affected,
            "message": self.message,
            "advice": self.advice,
            "examples": [[one.to_dict() for one in group] for group in self.groups[:_MAX_GROUPS]],
        }
