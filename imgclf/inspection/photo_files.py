"""Saves an inspection of photos into a folder: JSON, CSV files and contact sheets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from imgclf import plots
from imgclf.files import atomic
from imgclf.files.csv_file import cell, write_csv
from imgclf.inspection import contact_sheet

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from imgclf.inspection.finding import Finding
    from imgclf.inspection.photo import Photo

__all__ = ["save"]

_COLUMNS = (
    *("path", "class", "split", "reason", "findings", "bytes", "width", "height", "format"),
    *("mode", "orientation", "animated", "camera", "brightness", "contrast", "blur", "hash"),
)


def save(
    folder: Path,
    record: Mapping[str, Any],
    photos: Sequence[Photo],
    findings: Sequence[Finding],
    excluded: Iterable[tuple[str, str]],
) -> list[Path]:
    """Writes all files and returns their paths.

    Args:
        folder: is made if need be.
        record: for `findings.json`.
        photos: for `files.csv`.
        findings: for the contact sheets.
        excluded: names and reasons for `exclude.csv`.
    """
    atomic.write_text(folder / "findings.json", json.dumps(record, indent=2) + "\n")
    exclude_rows = [(_as_path(name), reason) for name, reason in sorted(excluded)]
    write_csv(folder / "exclude.csv", ("path", "reason"), exclude_rows)
    write_csv(folder / "files.csv", _COLUMNS, _file_rows(photos, findings))
    written = ["findings.json", "exclude.csv", "files.csv"]
    sheets = [finding for finding in findings if contact_sheet.has_images(finding)]
    for finding in sheets:
        figure = contact_sheet.draw(finding)
        atomic.write_bytes(folder / f"{finding.kind}.png", plots.figure_png(figure))
    return [folder / name for name in (*written, *(f"{one.kind}.png" for one in sheets))]


def _as_path(name: str) -> str:
    """A path to the same file that no spreadsheet takes for a formula."""
    return name if cell(name) == name else f"./{name}"


def _file_rows(photos: Sequence[Photo], findings: Sequence[Finding]) -> Iterable[list[Any]]:
    kinds: dict[str, list[str]] = {}
    for finding in findings:
        if finding.kind in ("shortcut", "time-shortcut"):
            continue  # its examples are no worse than the others
        for group in finding.groups:
            for example in group:
                kinds.setdefault(example.photo.path, []).append(finding.kind)
    for photo in photos:
        yield [_as_path(photo.name), *_row(photo, kinds.get(photo.path, []))]


def _row(photo: Photo, kinds: list[str]) -> list[Any]:
    row = [photo.class_name, photo.split or "", photo.reason or "", " ".join(kinds), photo.size]
    if photo.facts is not None and photo.measures is not None:
        facts, pixels = photo.facts, photo.measures
        row += [facts.width, facts.height, facts.format, facts.mode, facts.orientation]
        row += [int(facts.is_animated), facts.camera, pixels.brightness, pixels.contrast]
        row += [pixels.blur, f"{pixels.perceptual_hash:016x}"]
    return row + [""] * (len(_COLUMNS) - 1 - len(row))
