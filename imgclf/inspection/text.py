"""The text that an inspection of photos prints: what is wrong first, then what is there."""

from __future__ import annotations

import collections
import statistics
import textwrap
from typing import TYPE_CHECKING, Any

from imgclf.formatting import plural, shorten, show_bytes
from imgclf.inspection.finding import SEVERITIES, Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from imgclf.inspection.photo import Photo
    from imgclf.inspection.photos import PhotoInspection

__all__ = ["summary", "write"]

_WIDTH = 80
_INDENT = 9
_MARGIN = " " * (_INDENT + 2)
_TITLE = 16
_SHOWN_GROUPS = 3
_SHOWN_CLASSES = 30


def write(found: PhotoInspection) -> str:
    """The report."""
    parts = [_heading(found)]
    parts += [_finding(finding) for finding in found.findings]
    parts += ["\n".join(_counts(found)), "\n".join(_facts(found))]
    return "\n\n".join(part for part in parts if part)


def summary(photos: Sequence[Photo]) -> dict[str, Any]:
    """What usable files are like, as plain values."""
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


def _heading(found: PhotoInspection) -> str:
    counts = collections.Counter(finding.severity for finding in found.findings)
    told = [plural(counts[severity], severity) for severity in SEVERITIES if counts[severity]]
    files, classes = len(found.photos), len(found.class_names)
    what = f"{files:,} files, {plural(classes, 'class')}"
    if found.left_out:
        what += f", {len(found.left_out):,} more left out"
    return f"{found.name}: {what}; {', '.join(told) or 'nothing to complain about'}"


def _finding(finding: Finding) -> str:
    label = finding.severity.upper() if finding.severity == "problem" else finding.severity
    lines = _wrapped(finding.message, label.ljust(_INDENT), " " * _INDENT)
    for group in finding.groups[:_SHOWN_GROUPS]:
        lines += _group(list(map(str, group)), " ~ " if finding.is_near else " = ")
    if len(finding.groups) > _SHOWN_GROUPS:
        lines.append(f"{_MARGIN}… and {len(finding.groups) - _SHOWN_GROUPS:,} more")
    return "\n".join(lines + _wrapped(finding.advice, " " * _INDENT, " " * _INDENT))


def _group(names: list[str], sign: str) -> list[str]:
    """The files of a group; no name is broken, however long it is."""
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


def _counts(found: PhotoInspection) -> list[str]:
    """A table of classes and splits."""
    counts = found.counts()
    splits = list(next(iter(counts.values()), {}))
    if not splits:
        return []
    titles = ["images" if split == "all" else split for split in splits]
    shown = list(counts.items())[:_SHOWN_CLASSES]
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


def _facts(found: PhotoInspection) -> list[str]:
    usable = found.usable
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
        ("no images", f"{found.ignored:,} by their names, passed over" if found.ignored else ""),
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
