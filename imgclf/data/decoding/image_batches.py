"""Decodes images batch by batch on every core; an image that cannot be read becomes its error.

Memory holds three batches at most, however many images there are. Decoded images are small; of
large arrays that an iterator makes, a few for each core.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from imgclf import checks
from imgclf.data.decoding.given_images import GivenImage
from imgclf.data.images import ImageSpec, decode_image, reason_of
from imgclf.errors import ImageError, ImgclfError
from imgclf.files.in_threads import in_threads

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
    images: Iterable[GivenImage], spec: ImageSpec, batch_size: int
) -> Iterator[list[tuple[GivenImage, np.ndarray | ImgclfError]]]:
    """Decodes images, the next batches while the caller uses one.

    Args:
        images: a list, or an iterator, of which few are taken ahead.
        spec: the size and channels to decode to.
        batch_size: images in a batch.

    Yields:
        Each image of a batch, with its pixels or the error that decoding raised.
    """
    if isinstance(images, list) and len(images) == 1:  # no threads for one
        yield [_decode(images[0], spec)]
        return
    # Of an iterator, which may make large arrays, no more are held than the cores need.
    ahead = _AHEAD * batch_size if isinstance(images, list) else None
    decoded = in_threads(lambda image: _decode(image, spec), images, chunk=1, max_waiting=ahead)
    while batch := list(itertools.islice(decoded, batch_size)):
        yield batch


def _decode(image: GivenImage, spec: ImageSpec) -> tuple[GivenImage, np.ndarray | ImgclfError]:
    try:
        return image, decode_image(image.content, spec, image.shown)
    except ImgclfError as error:
        return image, error
    except OSError as error:
        return image, ImageError(f"{image.shown}: {reason_of(image.name, error)}")
