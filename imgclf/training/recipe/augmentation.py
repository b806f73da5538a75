"""`Augmentation`: random changes of the training images that keep their meaning.

It belongs to the flow of images, not to the model: a saved model with augmentation would predict
differently at each call. The randomness of a batch follows from (seed, epoch, batch), so a resumed
run sees exactly the same images as an unbroken one.
"""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

from imgclf.architecture.settings import check_settings
from imgclf.checks import Constraint, Integer
from imgclf.typing import Tensor

__all__ = ["Augmentation"]


@dataclasses.dataclass(frozen=True)
class _Flip(Constraint):
    allowed = 'True, False or "alternate"'

    def accept(self, value: object) -> bool | str:
        if isinstance(value, bool) or value == "alternate":
            return value
        raise ValueError if isinstance(value, str) else TypeError


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """Random changes of each training image.

    Args:
        flip: mirror half of the images left to right: True chooses at random each time,
            "alternate" mirrors each image in every other epoch, half of them in the even ones, so
            that two epochs show both views of each image (Jordan 2024, arXiv:2404.00498). Leave
            it off where a mirrored image means something else, as with digits and letters.
        shift: move by up to this many pixels in each direction; the edge is reflected.
        cutout: side in pixels of a square that turns grey (DeVries and Taylor 2017).

    Example:
        >>> Augmentation(flip=True, shift=2)
        Augmentation(flip=True, shift=2, cutout=0)
    """

    flip: Annotated[bool | str, _Flip()] = False
    shift: Annotated[int, Integer(low=0)] = 0
    cutout: Annotated[int, Integer(low=0)] = 0

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def active(self) -> bool:
        """Whether it changes anything."""
        return bool(self.flip or self.shift or self.cutout)

    def apply(
        self, images: Tensor, seed: Tensor | tuple[int, int], mirrored: Tensor | None = None
    ) -> Tensor:
        """Changes a batch, inside or outside of a TensorFlow graph.

        Args:
            images: (batch, height, width, channels) tensor of any numeric dtype.
            seed: two integers; the same seed gives the same changes.
            mirrored: (batch,) booleans, the images to mirror; random if left out.

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
