"""Grad-CAM: feature maps of a network, weighted by their gradients of a class's logit."""

from __future__ import annotations

import numpy as np

from imgclf.explanation.graph import Tap
from imgclf.typing import KerasTensor

__all__ = ["grad_cam"]


def grad_cam(tap: Tap, images: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Computes the heat maps of one batch.

    Args:
        tap: as `graph.tap` gives it.
        images: (batch, height, width, channels), 0 to 255.
        targets: (batch,) label numbers.

    Returns:
        (batch, height, width) float32, 0 to 1; all 0 if no region supports the class.

    Source:
        R. Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
        Localization", ICCV 2017, equations 1 and 2.
    """
    import tensorflow as tf

    pixels = tf.constant(images, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        maps, logits = tap.run(pixels)
        chosen = _of_class(tf.cast(logits, tf.float32), targets)
    slopes = tf.cast(tape.gradient(chosen, maps), tf.float32)
    weights = tf.reduce_mean(slopes, axis=(1, 2), keepdims=True)
    heat = tf.nn.relu(tf.reduce_sum(weights * tf.cast(maps, tf.float32), axis=-1, keepdims=True))
    heat = tf.image.resize(heat, images.shape[1:3], "bilinear")[..., 0]
    return to_one(np.asarray(heat))


def to_one(heat: np.ndarray) -> np.ndarray:
    """Scales heat of at least 0 so that the maximum of each image is 1."""
    highest = heat.max(axis=(1, 2), keepdims=True)
    return np.divide(heat, highest, out=np.zeros_like(heat), where=highest > 0)


def _of_class(logits: KerasTensor, targets: np.ndarray) -> KerasTensor:
    """(batch,) the logit of each target; a single output is that of the second class."""
    import tensorflow as tf

    if logits.shape[-1] == 1:
        return logits[:, 0] * tf.constant(np.where(targets == 1, 1.0, -1.0), tf.float32)
    return tf.gather(logits, targets, batch_dims=1)
