"""`Augmentation`: random changes of the training images that leave their meaning alone.

It belongs to the flow of images, not to the model: a saved model that augments would answer
differently at each call. Each batch's randomness follows from (seed, epoch, batch), so a resumed
run sees exactly the images that it would have seen.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from imgclf import checks
from imgclf.architecture.choices import Between, Choice
from imgclf.errors import ArgumentTypeError

__all__ = ["Augmentation"]


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """What is changed at random in each training image.

    Args:
        flip: mirror half of the images left to right: True draws anew each time, "alternate"
            mirrors each image in every other epoch, half of them in the even ones, so that two
            epochs show each image in both ways (Jordan 2024, arXiv:2404.00498). Leave it off
            where a mirrored image means something else, as with digits and letters.
        shift: move by up to this many pixels in each direction; the edge is mirrored in.
        cutout: grey out a square of this many pixels at a random place (DeVries and Taylor 2017).

    Example:
        >>> Augmentation(flip=True, shift=2)
        Augmentation(flip=True, shift=2, cutout=0)
    """

    flip: bool | str = False
    shift: int = 0
    cutout: int = 0

    def __post_init__(self) -> None:
        for sample in _samples(self.flip):
            if not isinstance(sample, bool) and sample != "alternate":
                raise ArgumentTypeError(
                    '`flip` must be True, False or "alternate". ' + checks.received("flip", sample)
                )
        for name in ("shift", "cutout"):
            for sample in _samples(getattr(self, name)):
                checks.integer(name, sample, low=0)

    @property
    def active(self) -> bool:
        """Whether anything is changed at all."""
        return bool(self.flip or self.shift or self.cutout)

    def apply(self, images: Any, seed: Any, mirrored: Any = None) -> Any:
        """Changes a batch, inside or outside of a TensorFlow graph.

        Args:
            images: (batch, height, width, channels) tensor of any number type.
            seed: two integers; the same seed gives the same change.
            mirrored: (batch,) booleans, the images that are mirrored; drawn if left out.

        Returns:
            A tensor of the same shape and dtype.
        """
        import tensorflow as tf

        seeds = tf.random.split(seed, 3)
        if self.flip:
            images = _flip(images, seeds[0], mirrored)
        if self.shift:
            images = _shift(images, self.shift, seeds[1])
        if self.cutout:
            images = _cutout(images, self.cutout, seeds[2])
        return images


def _samples(value: Any) -> tuple[Any, ...]:
    return value.samples() if isinstance(value, (Choice, Between)) else (value,)


def _flip(images: Any, seed: Any, mirrored: Any) -> Any:
    import tensorflow as tf

    if mirrored is None:
        mirrored = tf.random.stateless_uniform([tf.shape(images)[0]], seed) < 0.5
    return tf.where(tf.reshape(mirrored, [-1, 1, 1, 1]), tf.reverse(images, axis=[2]), images)


def _shift(images: Any, reach: Any, seed: Any) -> Any:
    """Rows and columns are gathered at moved places; what lies outside is the mirrored edge."""
    import tensorflow as tf

    batch, height, width = (tf.shape(images)[axis] for axis in range(3))
    offsets = tf.random.stateless_uniform(
        [batch, 2], seed, minval=-reach, maxval=reach + 1, dtype=tf.int32
    )
    rows = _mirror(tf.range(height)[tf.newaxis] + offsets[:, :1], height)
    columns = _mirror(tf.range(width)[tf.newaxis] + offsets[:, 1:], width)
    images = tf.gather(images, rows, axis=1, batch_dims=1)
    return tf.gather(images, columns, axis=2, batch_dims=1)


def _mirror(places: Any, size: Any) -> Any:
    import tensorflow as tf

    places = tf.abs(places)
    inside = size - 1 - tf.abs(size - 1 - places)
    return tf.clip_by_value(inside, 0, size - 1)


def _cutout(images: Any, side: Any, seed: Any) -> Any:
    import tensorflow as tf

    batch, height, width = (tf.shape(images)[axis] for axis in range(3))
    corners = tf.random.stateless_uniform([batch, 2], seed)
    top = tf.cast(corners[:, 0] * tf.cast(height, tf.float32), tf.int32) - side // 2
    left = tf.cast(corners[:, 1] * tf.cast(width, tf.float32), tf.int32) - side // 2
    rows, columns = tf.range(height)[tf.newaxis], tf.range(width)[tf.newaxis]
    in_rows = (rows >= top[:, tf.newaxis]) & (rows < top[:, tf.newaxis] + side)
    in_columns = (columns >= left[:, tf.newaxis]) & (columns < left[:, tf.newaxis] + side)
    hole = (in_rows[:, :, tf.newaxis] & in_columns[:, tf.newaxis, :])[..., tf.newaxis]
    return tf.where(hole, tf.cast(128, images.dtype), images)
