"""Writes an inspection of photos into a folder: JSON, CSV and contact sheets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from imgclf import plots
from imgclf.files import atomic
from imgclf.files.csv_file import cell, write_csv
from imgclf.inspection import contact_sheet

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from imgclf.inspection.photo import Photo
    from imgclf.inspection.photos import PhotoInspection

__all__ = ["save"]

_COLUMNS = (
    *("path", "class", "split", "reason", "findings", "bytes", "width", "height", "format"),
    *("mode", "orientation", "animated", "camera", "brightness", "contrast", "blur", "hash"),
)


def save(found: PhotoInspection, folder: Path) -> list[Path]:
    """Writes all files and returns their paths."""
    record = json.dumps(found.to_dict(), indent=2) + "\n"
    atomic.write_text(folder / "findings.json", record)
    write_csv(folder / "exclude.csv", ("path", "reason"), _exclude_rows(found))
    write_csv(folder / "files.csv", _COLUMNS, _file_rows(found))
    written = ["findings.json", "exclude.csv", "files.csv"]
    sheets = [finding for finding in found.findings if contact_sheet.has_images(finding)]
    for finding in sheets:
        figure = contact_sheet.draw(finding)
        atomic.write_bytes(folder / f"{finding.kind}.png", plots.figure_png(figure))
    return [folder / name for name in (*written, *(f"{one.kind}.png" for one in sheets))]


def _exclude_rows(found: PhotoInspection) -> Iterable[tuple[str, str]]:
    now = [(photo.name, reason) for photo, reason in found.excluded]
    return [(_as_path(name), reason) for name, reason in sorted([*found.left_out, *now])]


def _as_path(name: str) -> str:
    """A path that no spreadsheet takes for a formula, and that still leads to the file."""
    return name if cell(name) == name else f"./{name}"


def _file_rows(found: PhotoInspection) -> Iterable[list[Any]]:
    kinds: dict[str, list[str]] = {}
    for finding in found.findings:
        if finding.kind in ("shortcut", "time-shortcut"):
            continue  # its examples are no worse than the others
        for group in finding.groups:
            for example in group:
                kinds.setdefault(example.photo.path, []).append(finding.kind)
    for photo in found.photos:
        yield [_as_path(photo.name), *_row(photo, kinds.get(photo.path, []))]


def _row(photo: Photo, kinds: list[str]) -> list[Any]:
    row = [photo.class_name, photo.split or "", photo.reason or "", " ".join(kinds), photo.size]
    if photo.facts is not None and photo.measures is not None:
        facts, pixels = photo.facts, photo.measures
        row += [facts.width, facts.height, facts.format, facts.mode, facts.orientation]
        row += [int(facts.is_animated), facts.camera, pixels.brightness, pixels.contrast]
        row += [pixels.blur, f"{pixels.perceptual_hash:016x}"]
    return row + [""] * (len(_COLUMNS) - 1 - len(row))
