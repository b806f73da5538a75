"""Small images within a page: encoded anew, so that no place or camera comes along."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from markupsafe import Markup

from imgclf.markup import data_url

__all__ = ["SIDE", "pixels", "thumbnail"]

# Pixels of the longer side: sharp at the size at which pages show them, some 2 kB each.
SIDE = 112

# Up to here images are shown as the squares that they are, and kept without loss.
_TINY = 16
_SQUARES = 64

_QUALITY = 78


def thumbnail(pixel_array: Any, alt: str, *, side: int = SIDE) -> Markup:
    """An image of a page.

    Args:
        pixel_array: (height, width, channels) of 1, 3 or more channels, values 0 to 255.
        alt: what it shows.
        side: pixels that its longer side has at most.

    Example:
        >>> str(thumbnail(np.zeros((8, 8, 1), np.uint8), "a <digit>"))[-42:]
        ' alt="a &lt;digit&gt;" class="thumb tiny">'
    """
    from PIL import Image

    image = Image.fromarray(pixels(pixel_array))
    longest = max(image.size)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "WEBP", lossless=longest <= _TINY, quality=_QUALITY, method=4)
    kind = "thumb tiny" if longest <= _SQUARES else "thumb"
    return Markup('<img src="{}" alt="{}" class="{}">').format(
        data_url(file.getvalue(), "image/webp"), alt, kind
    )


def pixels(image: Any) -> np.ndarray:
    """One image as uint8: (height, width) of one or two channels, else (height, width, 3)."""
    array = np.asarray(image)
    if array.ndim == 3:
        array = array[..., 0] if array.shape[2] < 3 else array[..., :3]
    if array.dtype != np.uint8:
        array = np.clip(np.rint(np.nan_to_num(array)), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(array)
