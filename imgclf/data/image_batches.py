"""Decodes images batch by batch on every core, and tells those that cannot be read from the rest.

Memory holds three batches at most, however many images there are.
"""

from __future__ import annotations

import collections
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from imgclf.data.images import ImageSpec, decode_image, reason_of
from imgclf.errors import ImageError, ImgclfError
from imgclf.formatting import show_path

__all__ = ["decode_batches", "looking_batch"]

# Batches that are decoded while the network looks at the one before.
_AHEAD = 2

# Images that a network looks at in one step without training: 256 of 64×64 pixels, of larger ones
# fewer, so that the maps of its first layers take a few hundred megabytes at most.
_MOST, _MOST_PIXELS = 256, 256 * 64 * 64


def looking_batch(image_shape: Sequence[int | None]) -> int:
    """How many images of this shape are looked at in one step.

    Example:
        >>> looking_batch((32, 32, 3)), looking_batch((224, 224, 3)), looking_batch((None, None, 3))
        (256, 20, 20)
    """
    height, width, _ = image_shape
    return min(_MOST, max(1, _MOST_PIXELS // ((height or 224) * (width or 224))))


def decode_batches(
    images: Sequence[Any], spec: ImageSpec, batch_size: int
) -> Iterator[list[np.ndarray | ImgclfError]]:
    """Decodes images, and the next ones while the caller works.

    Args:
        images: paths or PIL images.
        spec: what each is turned into.
        batch_size: images in a batch.

    Yields:
        For each image of a batch its pixels, or the error that says why there are none.
    """
    if len(images) == 1:  # no threads for one
        yield [_decode(images[0], spec)]
        return
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        waiting: collections.deque[list[Future[Any]]] = collections.deque()
        for start in range(0, len(images), batch_size):
            some = images[start : start + batch_size]
            waiting.append([pool.submit(_decode, image, spec) for image in some])
            if len(waiting) > _AHEAD:
                yield [future.result() for future in waiting.popleft()]
        while waiting:
            yield [future.result() for future in waiting.popleft()]


def _decode(image: Any, spec: ImageSpec) -> np.ndarray | ImgclfError:
    try:
        return decode_image(image, spec)
    except ImgclfError as error:
        return error
    except OSError as error:
        if not isinstance(image, (str, Path)):
            raise
        return ImageError(f"{show_path(image)}: {reason_of(image, error)}")
