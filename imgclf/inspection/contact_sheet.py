"""Draws contact sheets: the images of a finding on one page."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from imgclf import plots
from imgclf.data.images import decode_with_facts
from imgclf.errors import ImgclfError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from imgclf.inspection.finding import Example, Finding

__all__ = ["draw", "has_images"]

# Pixels of the longer side of an image on the sheet.
_SIDE = 192
_COLUMNS = 6
_PAIRS, _SINGLES = 12, 24


def has_images(finding: Finding) -> bool:
    """Whether a finding has an image to show."""
    return any(example.photo.reason is None for group in finding.groups for example in group)


def draw(finding: Finding) -> Figure:
    """Draws up to 24 images: sections, or single ones, or two of each group side by side."""
    if finding.sections:
        return plots.image_sections(
            [
                (
                    heading,
                    [_read(one) for one in some[:_COLUMNS]],
                    [_title(one, "") for one in some[:_COLUMNS]],
                )
                for heading, some in finding.sections
            ],
            title=finding.kind,
        )
    pairs = any(len(group) > 1 for group in finding.groups)
    images, titles = [], []
    groups = itertools.islice(finding.groups, _PAIRS if pairs else _SINGLES)
    for number, group in enumerate(groups, start=1):
        for example in group[:2]:
            images.append(_read(example))
            titles.append(_title(example, f"{number}: " if pairs else ""))
    title = f"{finding.kind}: {finding.num_affected:,}"
    return plots.image_grid(images, titles, columns=_COLUMNS, title=title)


def _title(example: Example, mark: str) -> str:
    photo = example.photo
    place = f"{photo.class_name} ({photo.split})" if photo.split else photo.class_name
    lines = [f"{mark}{place}", photo.name.rpartition("/")[2], example.detail]
    return "\n".join(line for line in lines if line)


def _read(example: Example) -> np.ndarray:
    """Reads a small version of the image; a white one if the file is gone."""
    from PIL import Image

    try:
        _, image = decode_with_facts(Path(example.photo.path), _SIDE)
    except (ImgclfError, OSError):
        return np.full((_SIDE, _SIDE), 255, np.uint8)
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.BILINEAR)
    return np.asarray(image)
