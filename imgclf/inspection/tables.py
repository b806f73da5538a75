"""Writes an inspection of photos into a folder: JSON, CSV and contact sheets."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from imgclf import plots
from imgclf.files import atomic
from imgclf.inspection import contact_sheet

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from imgclf.inspection.photo import Photo
    from imgclf.inspection.photos import PhotoInspection

__all__ = ["save"]

# What makes a spreadsheet take a cell for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

_COLUMNS = (
    *("path", "class", "split", "reason", "findings", "bytes", "width", "height", "format"),
    *("mode", "orientation", "animated", "camera", "brightness", "contrast", "blur", "hash"),
)


def save(found: PhotoInspection, folder: Path) -> list[Path]:
    """Writes all files and returns their paths."""
    written = {
        "findings.json": (json.dumps(found.to_dict(), indent=2) + "\n").encode(),
        "exclude.csv": _csv(("path", "reason"), _exclude_rows(found)),
        "files.csv": _csv(_COLUMNS, _file_rows(found)),
    }
    for name, data in written.items():
        atomic.write_bytes(folder / name, data)
    sheets = [finding for finding in found.findings if contact_sheet.has_pictures(finding)]
    for finding in sheets:
        figure = contact_sheet.draw(finding)
        atomic.write_bytes(folder / f"{finding.kind}.png", plots.figure_png(figure))
    return [folder / name for name in (*written, *(f"{one.kind}.png" for one in sheets))]


def _csv(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def _exclude_rows(found: PhotoInspection) -> Iterable[tuple[str, str]]:
    return ((_as_path(photo.name), reason) for photo, reason in found.excluded)


def _as_path(name: str) -> str:
    """A path that no spreadsheet takes for a formula, and that still leads to the file."""
    return f"./{name}" if name.startswith(_FORMULA) else name


def _as_cell(value: Any) -> Any:
    """Texts that look like formulas get a quote before them; numbers stay numbers."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _file_rows(found: PhotoInspection) -> Iterable[list[Any]]:
    kinds: dict[str, list[str]] = {}
    for finding in found.findings:
        if finding.kind in ("shortcut", "time-shortcut"):
            continue  # its examples are no worse than the others
        for group in finding.groups:
            for example in group:
                kinds.setdefault(example.photo.path, []).append(finding.kind)
    for photo in found.photos:
        yield [_as_path(photo.name), *map(_as_cell, _row(photo, kinds.get(photo.path, [])))]


def _row(photo: Photo, kinds: list[str]) -> list[Any]:
    row = [photo.class_name, photo.split or "", photo.reason or "", " ".join(kinds), photo.size]
    if photo.facts is not None and photo.measures is not None:
        facts, pixels = photo.facts, photo.measures
        row += [facts.width, facts.height, facts.format, facts.mode, facts.orientation]
        row += [int(facts.is_animated), facts.camera, pixels.brightness, pixels.contrast]
        row += [pixels.blur, f"{pixels.perceptual_hash:016x}"]
    return row + [""] * (len(_COLUMNS) - 1 - len(row))
