"""Decodes images batch by batch on every core; an image that cannot be read becomes its error.

Memory holds three batches at most, however many images there are.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from imgclf import checks
from imgclf.data.images import ImageSpec, decode_image, reason_of
from imgclf.errors import ImageError, ImgclfError
from imgclf.files.in_threads import in_threads
from imgclf.formatting import show_path

if TYPE_CHECKING:
    from PIL import Image

    from imgclf.typing import StrPath

__all__ = ["decode_batches", "inference_batch_size", "prediction_batch_size"]

# Batches that are decoded while the network evaluates the one before.
_AHEAD = 2

# Images in a batch of inference: 256 of 64×64 pixels, fewer of larger ones, so that the maps of the
# first layers take a few hundred megabytes at most.
_MAX_BATCH, _MAX_PIXELS = 256, 256 * 64 * 64


def inference_batch_size(image_shape: Sequence[int | None]) -> int:
    """Chooses how many images of a shape are evaluated at once.

    Example:
        >>> inference_batch_size((32, 32, 3)), inference_batch_size((None, None, 3))
        (256, 20)
    """
    height, width, _ = image_shape
    return min(_MAX_BATCH, max(1, _MAX_PIXELS // ((height or 224) * (width or 224))))


def prediction_batch_size(batch_size: int | None, image_shape: Sequence[int | None]) -> int:
    """The `batch_size` that was asked for, checked; or one that fits the shape."""
    if batch_size is None:
        return inference_batch_size(image_shape)
    return checks.integer("batch_size", batch_size, low=1)


def decode_batches(
    images: Sequence[StrPath | Image.Image], spec: ImageSpec, batch_size: int
) -> Iterator[list[np.ndarray | ImgclfError]]:
    """Decodes images, the next batches while the caller uses one.

    Args:
        images: paths or PIL images.
        spec: the size and channels to decode to.
        batch_size: images in a batch.

    Yields:
        For each image of a batch, its pixels or the error that decoding raised.
    """
    if len(images) == 1:  # no threads for one
        yield [_decode(images[0], spec)]
        return
    decoded = in_threads(
        lambda image: _decode(image, spec), images, chunk=1, max_waiting=_AHEAD * batch_size
    )
    while batch := list(itertools.islice(decoded, batch_size)):
        yield batch


def _decode(image: StrPath | Image.Image, spec: ImageSpec) -> np.ndarray | ImgclfError:
    try:
        return decode_image(image, spec)
    except ImgclfError as error:
        return error
    except OSError as error:
        if not isinstance(image, (str, os.PathLike)):
            raise
        return ImageError(f"{show_path(image)}: {reason_of(image, error)}")
