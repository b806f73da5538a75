"""Writes the text of an inspection of photos: first the findings, then the contents."""

from __future__ import annotations

import collections
import statistics
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from imgclf.formatting import plural, shorten, show_bytes
from imgclf.inspection.finding import SEVERITIES, Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from imgclf.inspection.photo import Photo

__all__ = ["summary", "write"]

_WIDTH = 80
_INDENT = 9
_MARGIN = " " * (_INDENT + 2)
_TITLE = 16
_MAX_GROUPS = 3
_MAX_CLASSES = 30


Counts = Mapping[str, Mapping[str, int]]


def write(
    name: str,
    photos: Sequence[Photo],
    findings: Sequence[Finding],
    counts: Counts,
    *,
    num_left_out: int,
    num_ignored: int,
) -> str:
    """Writes the report.

    Args:
        name: the name of the folder or table.
        photos: a record of each file.
        findings: in the order to show them.
        counts: the number of usable images, by class and split.
        num_left_out: files that `exclude` named.
        num_ignored: files that are no images by their names.
    """
    parts = [_heading(name, len(photos), len(counts), findings, num_left_out)]
    parts += [_finding(finding) for finding in findings]
    usable = [photo for photo in photos if photo.reason is None]
    parts += ["\n".join(_table(counts)), "\n".join(_facts(usable, num_ignored))]
    return "\n\n".join(part for part in parts if part)


def summary(photos: Sequence[Photo]) -> dict[str, Any]:
    """Summarizes usable files as plain values."""
    facts = [photo.facts for photo in photos if photo.facts is not None]
    turned = (str(one.orientation) for one in facts if one.orientation != 1)
    return {
        "width": _range([one.width for one in facts]),
        "height": _range([one.height for one in facts]),
        "bytes": _range([photo.size for photo in photos]),
        "total_bytes": sum(photo.size for photo in photos),
        "formats": _tally(one.format for one in facts),
        "modes": _tally(one.mode for one in facts),
        "orientations": _tally(turned),
        "animated": sum(one.is_animated for one in facts),
    }


def _heading(
    name: str, num_files: int, num_classes: int, findings: Sequence[Finding], num_left_out: int
) -> str:
    counts = collections.Counter(finding.severity for finding in findings)
    found = [plural(counts[severity], severity) for severity in SEVERITIES if counts[severity]]
    what = f"{num_files:,} files, {plural(num_classes, 'class')}"
    if num_left_out:
        what += f", {num_left_out:,} more left out"
    return f"{name}: {what}; {', '.join(found) or 'no findings'}"


def _finding(finding: Finding) -> str:
    label = finding.severity.upper() if finding.severity == "problem" else finding.severity
    lines = _wrapped(finding.message, label.ljust(_INDENT), " " * _INDENT)
    for group in finding.groups[:_MAX_GROUPS]:
        lines += _group(list(map(str, group)), " ~ " if finding.is_near else " = ")
    if len(finding.groups) > _MAX_GROUPS:
        lines.append(f"{_MARGIN}… and {len(finding.groups) - _MAX_GROUPS:,} more")
    return "\n".join(lines + _wrapped(finding.advice, " " * _INDENT, " " * _INDENT))


def _group(names: list[str], sign: str) -> list[str]:
    """Lists the files of a group without breaking a name."""
    shown = sign.join(names[:2])
    if len(names) > 2:
        shown += f" and {len(names) - 2:,} more"
    return _wrapped(shown, _MARGIN, f"{_MARGIN}  ")


def _wrapped(text: str, first: str, others: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _table(counts: Counts) -> list[str]:
    """A table of classes and splits."""
    splits = list(next(iter(counts.values()), {}))
    if not splits:
        return []
    titles = ["images" if split == "all" else split for split in splits]
    shown = list(counts.items())[:_MAX_CLASSES]
    width = max(len("class"), *(len(name) for name, _ in shown))
    width = min(width, _WIDTH - 12 * len(splits))
    lines = [f"{'class':<{width}}" + "".join(f"{title:>12}" for title in titles)]
    for name, row in shown:
        lines.append(
            f"{shorten(name, width, 'end'):<{width}}"
            + "".join(f"{row[split]:>12,}" for split in splits)
        )
    if len(counts) > len(shown):
        lines.append(f"… and {len(counts) - len(shown):,} classes more")
    totals = [sum(row[split] for row in counts.values()) for split in splits]
    lines.append(f"{'all':<{width}}" + "".join(f"{total:>12,}" for total in totals))
    return lines


def _facts(usable: Sequence[Photo], num_ignored: int) -> list[str]:
    if not usable:
        return []
    facts = summary(usable)
    small, middle, large = (
        f"{facts['width'][key]:,}×{facts['height'][key]:,}" for key in ("min", "median", "max")
    )
    lines = [
        ("width×height", f"{small} to {large}, median {middle}"),
        ("file sizes", _bytes_text(facts)),
        ("formats", _listed(facts["formats"])),
        ("modes", _listed(facts["modes"])),
        ("turned by EXIF", _turned(facts["orientations"])),
        ("no images", f"{num_ignored:,} by their names, ignored" if num_ignored else ""),
    ]
    return [
        line
        for title, text in lines
        if text
        for line in _wrapped(text, title.ljust(_TITLE), " " * _TITLE)
    ]


def _bytes_text(facts: dict[str, Any]) -> str:
    sizes = facts["bytes"]
    low, middle, high = (show_bytes(sizes[key]) for key in ("min", "median", "max"))
    return f"{low} to {high}, median {middle}; {show_bytes(facts['total_bytes'])} in all"


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def _turned(counts: dict[str, int]) -> str:
    if not counts:
        return ""
    listed = ", ".join(f"{name}: {count:,}" for name, count in sorted(counts.items()))
    return f"{sum(counts.values()):,} (orientation {listed})"


def _tally(values: Iterable[str]) -> dict[str, int]:
    return dict(collections.Counter(values).most_common())


def _range(values: Sequence[int]) -> dict[str, float] | None:
    if not values:
        return None
    return {"min": min(values), "median": statistics.median_low(values), "max": max(values)}
