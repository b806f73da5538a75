"""Measures image files: the metadata and the pixels of each, from one decoding."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from imgclf.data.decoding.modes import white_level_of
from imgclf.data.images import Facts, decode_with_facts, reason_of
from imgclf.errors import ImgclfError
from imgclf.files.in_threads import in_threads
from imgclf.formatting import show_path

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from PIL import Image

    from imgclf.data.sources.labelled_files import LabelledFile

__all__ = ["THUMBNAIL_SIDE", "Measures", "Photo", "measure_all"]

# Larger images are measured at this longer side, in pixels. The networks of the presets see at most
# 224 pixels, so blur that is gone at 256 does not matter.
_SIDE = 256

# Enough to distinguish images with similar hashes; 192 bytes a file.
THUMBNAIL_SIDE = 8

# Pixels of the second blur. Source: F. Crété et al., "The Blur Effect: Perception and Estimation
# with a New No-Reference Perceptual Blur Metric", Proc. SPIE 6492 (2007).
_BLUR_WINDOW = 11

# Files that a thread takes at a time; after Ctrl-C those at hand are still finished.
_CHUNK = 16

_GREY_TOLERANCE = 4
_GREY_VALUES = np.arange(256)
_GREY_SQUARES = _GREY_VALUES**2


class Measures(NamedTuple):
    """Measures of the pixels of one image.

    Args:
        brightness: the mean grey value, 0 to 255.
        contrast: the standard deviation of the grey values.
        darkest: the grey value that 1% of the pixels do not exceed.
        brightest: the grey value that 99% of the pixels do not exceed.
        blur: 0 (sharp) to 1 (no edge at all).
        is_grey: whether the image has no colours, whatever its mode.
        perceptual_hash: 64 bits; similar images differ in few of them.
        thumbnail: 8 × 8 RGB pixels.
    """

    brightness: float
    contrast: float
    darkest: int
    brightest: int
    blur: float
    is_grey: bool
    perceptual_hash: int
    thumbnail: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Photo:
    """One file of an inspected folder or table.

    Args:
        path: where it is.
        name: the path below the inspected folder, with "/" and control characters escaped.
        class_name: its class.
        split: "train", "validation" or "test", if the folders or the table give it.
        size: bytes.
        changed: the time of the last change, seconds since 1970.
        reason: why it cannot be used; None if it can.
        facts: the metadata of the file; None if it cannot be used.
        measures: of the pixels; None if it cannot be used.
    """

    path: str
    name: str
    class_name: str
    split: str | None
    size: int
    changed: float
    reason: str | None
    facts: Facts | None
    measures: Measures | None


def measure_all(
    files: Sequence[LabelledFile],
    root: Path,
    progress: Callable[[int, int], None] | None = None,
) -> list[Photo]:
    """Decodes and measures every file on all cores, in the given order.

    Args:
        files: the files.
        root: the folder that the shown names are relative to.
        progress: called with the number of files measured so far and the number of all.
    """
    chunk = min(_CHUNK, max(1, len(files) // (8 * (os.cpu_count() or 1))))
    photos: list[Photo] = []
    for photo in in_threads(lambda file: _measure(file, root), files, chunk):
        photos.append(photo)
        if progress is not None and (len(photos) % chunk == 0 or len(photos) == len(files)):
            progress(len(photos), len(files))
    return _with_common_white(photos, files, root)


def _with_common_white(
    photos: list[Photo], files: Sequence[LabelledFile], root: Path
) -> list[Photo]:
    """Measures grey images of more than 8 bits again, if not all of them have the same white."""
    ranges = [
        (one.facts.mode, one.facts.value_range) if one.facts is not None else ("", None)
        for one in photos
    ]
    common = white_level_of(ranges)
    for place, (mode, values) in enumerate(ranges):
        if values is not None and white_level_of([(mode, values)]) != common:
            white = common or (1.0 if mode == "F" else 65_535.0)
            photos[place] = _measure(files[place], root, white)
    return photos


def _measure(file: LabelledFile, root: Path, white_level: float | None = None) -> Photo:
    """Decodes one file, once and small, and measures it; an error becomes the reason."""
    size, changed, reason, facts, measures = 0, 0.0, None, None, None
    with contextlib.suppress(OSError):  # the reason is what the decoder says
        status = os.stat(file.path)
        size, changed = status.st_size, status.st_mtime
    try:
        facts, image = decode_with_facts(file.path, _SIDE, white_level=white_level)
        measures = _measure_pixels(image)
    except (ImgclfError, OSError) as error:
        reason = reason_of(file.path, error)
    return Photo(
        path=os.fspath(file.path),
        name=show_path(_below(root, file.path)),
        class_name=file.class_name,
        split=file.split,
        size=size,
        changed=changed,
        reason=reason,
        facts=facts,
        measures=measures,
    )


def _below(root: Path, path: Path) -> str:
    """The path from `root`, with "/"; the whole one if it lies elsewhere."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _measure_pixels(image: Image.Image) -> Measures:
    import imagehash
    from PIL import Image

    if max(image.size) > _SIDE:
        image.thumbnail((_SIDE, _SIDE), Image.Resampling.BILINEAR)
    grey = image if image.mode == "L" else image.convert("L")
    values = np.asarray(grey, np.float32)
    brightness, contrast, darkest, brightest = _spread(np.array(grey.histogram()))
    small = image.resize((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.BOX).convert("RGB")
    return Measures(
        brightness=brightness,
        contrast=contrast,
        darkest=darkest,
        brightest=brightest,
        blur=round(_blur(values), 4),
        is_grey=image.mode == "L" or _is_grey(np.asarray(small, np.int16)),
        perceptual_hash=int.from_bytes(np.packbits(imagehash.phash(grey).hash).tobytes(), "big"),
        thumbnail=small.tobytes(),
    )


def _spread(counts: np.ndarray) -> tuple[float, float, int, int]:
    """Mean, standard deviation and the 1st and 99th percentile of a histogram of grey values."""
    total = counts.sum()
    mean = float(counts @ _GREY_VALUES / total)
    variance = float(counts @ _GREY_SQUARES / total) - mean**2
    darkest, brightest = np.searchsorted(counts.cumsum(), (0.01 * total, 0.99 * total))
    return round(mean, 2), round(max(0.0, variance) ** 0.5, 2), int(darkest), int(brightest)


def _is_grey(pixels: np.ndarray) -> bool:
    # JPEG stores colours coarsely: a grey image may come back a few levels off.
    return int(np.abs(pixels - pixels[..., 1:2]).max()) <= _GREY_TOLERANCE


def _blur(values: np.ndarray) -> float:
    """How little another blur reduces the edges, in the worse of the two directions."""
    from scipy.ndimage import uniform_filter1d

    results = []
    for axis in (0, 1):
        blurred = uniform_filter1d(values, _BLUR_WINDOW, axis=axis, mode="nearest")
        edges = _steps(values, axis)
        total = edges.sum()
        lost = np.maximum(edges - _steps(blurred, axis), 0).sum()
        results.append(1 - lost / total if total > 0 else 1.0)
    return float(max(results))


def _steps(values: np.ndarray, axis: int) -> np.ndarray:
    """How much each value differs from the one before."""
    along = values if axis == 0 else values.T
    return np.abs(along[1:] - along[:-1])
