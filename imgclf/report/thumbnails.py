"""Shows small images within a page, encoded anew: no location and no camera model remain."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from imgclf.markup import data_url
from imgclf.plots.style import as_pixels

if TYPE_CHECKING:
    from imgclf.typing import ArrayLike

__all__ = ["SIDE", "thumbnail"]

# Pixels of the longer side: sharp at the size at which pages show them, some 2 kB each.
SIDE = 112

# Up to the first size, images are kept lossless; up to the second, their pixels are shown square.
_LOSSLESS, _PIXELATED = 16, 64

_QUALITY = 78


def thumbnail(image: ArrayLike, alt: str, *, side: int = SIDE) -> Markup:
    """Returns an image of a page.

    Args:
        image: (height, width, channels) of 1, 3 or more channels, values 0 to 255.
        alt: what it shows.
        side: maximum length of its longer side, pixels.

    Example:
        >>> str(thumbnail(np.zeros((8, 8, 1), np.uint8), "a <digit>"))[-42:]
        ' alt="a &lt;digit&gt;" class="thumb tiny">'
    """
    from PIL import Image

    small = Image.fromarray(np.ascontiguousarray(as_pixels(image)))
    longest = max(small.size)
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, "WEBP", lossless=longest <= _LOSSLESS, quality=_QUALITY, method=4)
    kind = "thumb tiny" if longest <= _PIXELATED else "thumb"
    return Markup('<img src="{}" alt="{}" class="{}">').format(
        data_url(file.getvalue(), "image/webp"), alt, kind
    )
