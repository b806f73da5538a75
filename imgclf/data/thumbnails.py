"""Makes small copies of images, for measures that need no detail."""

from __future__ import annotations

import dataclasses

import numpy as np

from imgclf.data.image_files import ImageFiles
from imgclf.plots.style import as_uint8

__all__ = ["thumbnails"]


def thumbnails(images: np.ndarray | ImageFiles, side: int) -> np.ndarray:
    """Shrinks images to at most `side` pixels in height and width.

    Args:
        images: (N, height, width, channels) of 0 to 255, or an `ImageFiles`, whose JPEGs are
            decoded at a fraction of their size where that suffices.
        side: pixels; larger images are squeezed into a square.

    Returns:
        (N, height, width, channels) uint8.

    Example:
        >>> thumbnails(np.full((2, 32, 48, 3), 200, np.uint8), 8)[0, 0, 0]
        array([200, 200, 200], dtype=uint8)
    """
    height, width = (min(side, there) for there in images.shape[1:3])
    if isinstance(images, ImageFiles):
        spec = dataclasses.replace(images.spec, image_size=(height, width))
        return np.asarray(ImageFiles(list(images.paths), spec, None))
    if images.shape[1:3] == (height, width):
        return as_uint8(images)
    return np.stack([_shrink(image, height, width) for image in images])


def _shrink(image: np.ndarray, height: int, width: int) -> np.ndarray:
    from PIL import Image

    pixels = as_uint8(image)
    channels = [
        np.asarray(Image.fromarray(one).resize((width, height), Image.Resampling.BOX))
        for one in np.moveaxis(pixels, -1, 0)
    ]
    return np.stack(channels, axis=-1)
