"""The data flow of training images: order, decoding, augmentation, batches.

The order of an epoch is `default_rng([seed, epoch]).permutation(n)`, and the randomness of each
batch follows from (seed, epoch, batch). So the flow can start at any batch and give exactly what an
uninterrupted run would have seen.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from imgclf.data.split import Split
from imgclf.errors import ImgclfError
from imgclf.training.recipe.augmentation import Augmentation

__all__ = ["Faults", "ordered", "shuffled", "steps_per_epoch"]


class Faults:
    """Carries errors of reading past TensorFlow, which would replace them by its own.

    Example:
        >>> faults = Faults()
        >>> with faults.raised():
        ...     pass  # iterate over a flow that was made with `faults`
    """

    def __init__(self) -> None:
        self._first: ImgclfError | None = None

    def noting(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wraps a function so that errors of imgclf that it raises are noted."""

        @functools.wraps(function)
        def noting(*arguments: Any) -> Any:
            try:
                return function(*arguments)
            except ImgclfError as error:
                self._first = self._first or error
                raise

        return noting

    @contextlib.contextmanager
    def raised(self) -> Iterator[None]:
        """Within it, an error of TensorFlow is replaced by the one that was noted, if any."""
        import tensorflow as tf

        try:
            yield
        except tf.errors.OpError:
            if self._first is None:
                raise
            raise self._first from None


def steps_per_epoch(split: Split, batch_size: int) -> int:
    """Batches in an epoch; the last may be shorter."""
    return -(-len(split) // batch_size)


def shuffled(
    split: Split,
    *,
    batch_size: int,
    seed: int,
    epochs: range,
    first_step: int = 0,
    augmentation: Augmentation,
    one_hot: bool,
    size_at: Callable[[int], tuple[int, int]] | None = None,
    sampling: str | None = None,
    faults: Faults | None = None,
) -> Any:
    """A `tf.data.Dataset` of training batches, epoch after epoch.

    Args:
        split: the images.
        batch_size: images in a batch; the last of an epoch may have fewer.
        seed: of the recipe.
        epochs: to give batches of, counted from 0.
        first_step: number of batches of the first epoch that are left out.
        augmentation: random changes of the images.
        one_hot: whether labels are (batch, classes) float32 or (batch,) int64.
        size_at: (height, width) that images are scaled to, by the number of the step since the
            beginning of the run; as they are if left out.
        sampling: "balanced" draws each class equally often, as in the `Recipe`.
        faults: notes errors of images that cannot be read.

    Returns:
        Batches (images, labels); images (batch, height, width, channels), 0 to 255.
    """
    import tensorflow as tf

    height, width, channels = split.image_shape
    steps = steps_per_epoch(split, batch_size)

    @functools.lru_cache(maxsize=1)
    def plan(epoch: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng([seed, epoch])
        order = _balanced(split.labels, rng) if sampling else rng.permutation(len(split))
        return order, _mirrored(len(split), seed, epoch)

    def batch(number: np.ndarray) -> tuple[np.ndarray, ...]:
        epoch, step = divmod(int(number), steps)
        order, mirrored = plan(epoch)
        # Sorted: reading the array in order is faster, and a batch has no order.
        chosen = np.sort(order[step * batch_size : (step + 1) * batch_size])
        key = np.random.default_rng([seed, epoch, step]).integers(0, 2**31, 2)
        size = size_at(int(number)) if size_at else (height, width)
        return (
            np.asarray(split.images[chosen]),
            split.labels[chosen],
            mirrored[chosen],
            key,
            np.asarray(size, np.int32),
        )

    def finish(images: Any, labels: Any, mirrored: Any, key: Any, size: Any) -> tuple[Any, Any]:
        if augmentation.active:
            by_epoch = augmentation.flip == "alternate"
            images = augmentation.apply(images, key, mirrored if by_epoch else None)
        if size_at:
            images = _scaled(images, size)
        return images, _labels(labels, split.num_classes, one_hot)

    signature = (
        tf.TensorSpec((None, height, width, channels), split.images.dtype),
        tf.TensorSpec((None,), tf.int64),
        tf.TensorSpec((None,), tf.bool),
        tf.TensorSpec((2,), tf.int64),
        tf.TensorSpec((2,), tf.int32),
    )
    numbers = range(epochs.start * steps + first_step, epochs.stop * steps)
    function = faults.noting(batch) if faults else batch
    flow = _from_function(function, numbers, signature).map(_as_it_is(finish))
    # A flow of unknown length: of a known one Keras would count the batches that are left out as
    # taken, and stop before the end.
    return flow.take_while(_as_it_is(lambda *batch: True)).prefetch(4)  # noqa: ARG005


def _from_function(function: Any, numbers: range, signature: tuple[Any, ...]) -> Any:
    """A `tf.data.Dataset` of what a NumPy function gives for each number, in order.

    In place of `Dataset.from_generator`, which makes the C library give memory back at each step
    (seen with TensorFlow 2.21). There is nothing to tune automatically, and the thread that would
    do so holds up the end of Keras's `fit` for seconds.
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False

    def call(number: Any) -> Any:
        tensors = tf.numpy_function(function, [number], [spec.dtype for spec in signature])
        return tuple(
            tf.ensure_shape(tensor, spec.shape)
            for tensor, spec in zip(tensors, signature, strict=True)
        )

    numbered = tf.data.Dataset.range(numbers.start, numbers.stop)
    return numbered.map(_as_it_is(call)).with_options(options)


def _as_it_is(function: Any) -> Any:
    """Tells TensorFlow that a function needs no rewriting, which takes longer than the tracing."""
    import tensorflow as tf

    return tf.autograph.experimental.do_not_convert(function)


def _balanced(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The order of an epoch in which each class has as many images, give or take one.

    Of a large class other images are drawn each time; of a small one each as often, give or take
    one.
    """
    classes = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    each, more = divmod(len(labels), len(classes))
    one_more = set(rng.permutation(len(classes))[:more].tolist())
    drawn = []
    for number, members in enumerate(classes):
        count = each + (number in one_more)
        rounds = -(-count // len(members))
        drawn += [np.concatenate([rng.permutation(members) for _ in range(rounds)])[:count]]
    return rng.permutation(np.concatenate(drawn))


def _mirrored(count: int, seed: int, epoch: int) -> np.ndarray:
    """Which images "alternate" mirrors in an epoch: half of them, and the others in the next."""
    return (np.random.default_rng([seed, count]).random(count) < 0.5) ^ (epoch % 2 == 1)


def _scaled(images: Any, size: Any) -> Any:
    """Scales images, as floats; they are averaged where they become smaller."""
    import tensorflow as tf

    smaller = tf.reduce_any(tf.shape(images)[1:3] != size)
    images = tf.cast(images, tf.float32)
    return tf.cond(smaller, lambda: tf.image.resize(images, size, antialias=True), lambda: images)


def ordered(split: Split, *, batch_size: int, one_hot: bool, faults: Faults | None = None) -> Any:
    """A `tf.data.Dataset` of the images in order, once."""
    import tensorflow as tf

    height, width, channels = split.image_shape

    def batch(number: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows = slice(int(number) * batch_size, (int(number) + 1) * batch_size)
        return np.asarray(split.images[rows]), split.labels[rows]

    signature = (
        tf.TensorSpec((None, height, width, channels), split.images.dtype),
        tf.TensorSpec((None,), tf.int64),
    )

    def finish(images: Any, labels: Any) -> tuple[Any, Any]:
        return images, _labels(labels, split.num_classes, one_hot)

    function = faults.noting(batch) if faults else batch
    flow = _from_function(function, range(steps_per_epoch(split, batch_size)), signature)
    return flow.map(_as_it_is(finish)).prefetch(4)


def _labels(labels: Any, num_classes: int, one_hot: bool) -> Any:
    import tensorflow as tf

    return tf.one_hot(labels, num_classes) if one_hot else labels
