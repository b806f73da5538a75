"""Batch normalisation in one kernel while training.

Keras computes batch normalisation of bfloat16 maps from a dozen operations, each of which reads
and writes the whole map as float32. TensorFlow has one kernel for it. The layers stay Keras's own:
only their `call` is replaced, and only during training, so models, files and callbacks do not
notice. `benchmarks/throughput.py` measures the gain.
"""

from __future__ import annotations

import contextlib
import functools
from typing import Any

from imgclf.backend.keras_internals import replaced_methods
from imgclf.typing import KerasLayer, KerasModel

__all__ = ["fused_batch_norm"]


def fused_batch_norm(model: KerasModel) -> contextlib.AbstractContextManager[None]:
    """Within it, batch normalisation of maps runs in TensorFlow's fused kernel.

    Layers with settings that the kernel does not support (another axis, renormalisation,
    synchronisation) stay as they are.

    Args:
        model: a `keras.Model`.
    """
    layers = filter(_is_plain, model.layers)
    return replaced_methods(layers, "call", lambda layer: functools.partial(_call, layer))


def _is_plain(layer: KerasLayer) -> bool:
    import keras

    return (
        type(layer) is keras.layers.BatchNormalization
        and len(layer.input.shape) == 4
        and layer.axis in (-1, 3)
        and not (layer.renorm or layer.synchronized)
    )


def _call(layer: Any, inputs: Any, training: Any = None, mask: Any = None) -> Any:
    if not training or not layer.trainable or mask is not None:
        return type(layer).call(layer, inputs, training=training, mask=mask)

    import tensorflow as tf

    ones = tf.ones_like(tf.convert_to_tensor(layer.moving_variance))
    outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=inputs,
        scale=tf.convert_to_tensor(layer.gamma) if layer.scale else ones,
        offset=tf.convert_to_tensor(layer.beta) if layer.center else tf.zeros_like(ones),
        mean=tf.zeros([0]),
        variance=tf.zeros([0]),
        epsilon=layer.epsilon,
        is_training=True,
    )
    # The kernel divides by n - 1 for the running variance, Keras by n.
    count = tf.cast(tf.size(inputs) / tf.shape(inputs)[-1], tf.float32)
    variance *= (count - 1) / count
    for running, new in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        running.assign(running * layer.momentum + new * (1 - layer.momentum))
    return outputs
