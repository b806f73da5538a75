"""The temperature of a classifier: one layer before the softmax, made of standard Keras layers.

`logits → Rescaling(1 / temperature) → softmax`. Where the softmax is not a layer of its own, such
as in `Dense(…, activation="softmax")`, the logarithms of the probabilities replace the logits: they
differ by the same number for all classes, which the softmax removes again. So the layers of the
model stay as they are, with shared weights, and each class keeps its rank.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from imgclf.backend.keras_internals import inputs_of, maker
from imgclf.typing import KerasModel

__all__ = ["logits_model", "temperature_of", "with_temperature", "without_temperature"]

_NAME = "temperature"

# The smallest normal float32: a probability of 0 has no logarithm.
_TINY = float(np.finfo(np.float32).tiny)


def temperature_of(model: KerasModel) -> float:
    """Returns the divisor of the logits; 1.0 for a model without such a layer.

    Args:
        model: a `keras.Model`.
    """
    layer = _layer_of(model)
    return 1.0 if layer is None else 1 / float(layer.scale)


def with_temperature(model: KerasModel, temperature: float) -> KerasModel:
    """Returns the same network with this temperature, which replaces an earlier one.

    Args:
        model: a `keras.Model` from images to probabilities.
        temperature: above 0. Values above 1 make predictions less confident, below 1 more.

    Returns:
        A `keras.Model` of the same layers and weights, not compiled.

    Source:
        C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On Calibration of Modern Neural Networks",
        ICML 2017, section 4.2.

    Example:
        >>> from imgclf import build_classifier, flatten
        >>> model = build_classifier((8, 8, 1), 10, [flatten()])
        >>> [layer.name for layer in with_temperature(model, 1.25).layers][3:]
        ['logits', 'temperature', 'probabilities']
    """
    import keras

    model = without_temperature(model)
    inputs, outputs = _ends(model)
    rescaling = keras.layers.Rescaling(1 / float(temperature), dtype="float32", name=_NAME)
    scaled = rescaling(_logits(outputs))
    return keras.Model(inputs, _last_layer(outputs)(scaled), name=model.name)


def without_temperature(model: KerasModel) -> KerasModel:
    """Returns the network as it was trained; `model` itself if it has no temperature."""
    import keras

    layer = _layer_of(model)
    if layer is None:
        return model
    inputs, outputs = _ends(model)
    logits = layer.input
    before = _probabilities_before(logits)
    if before is None:
        before = _last_layer(outputs)(logits)
    return keras.Model(inputs, before, name=model.name)


def logits_model(model: KerasModel) -> KerasModel:
    """Returns the network up to the logits, which the temperature divides.

    Args:
        model: a `keras.Model` from images to probabilities.

    Returns:
        A `keras.Model` from images to (batch, classes) logits; of a model with one output, to
        (batch, 1), the logit of the second class.
    """
    import keras

    inputs, outputs = _ends(without_temperature(model))
    return keras.Model(inputs, _logits(outputs), name=f"{model.name}_logits")


def _layer_of(model: Any) -> Any:
    """The temperature's layer: the `Rescaling` of that name that feeds the last layer."""
    import keras

    if not getattr(model, "outputs", None):
        return None
    sources = inputs_of(model.outputs[0])
    layer = maker(sources[0]) if len(sources) == 1 else None
    if isinstance(layer, keras.layers.Rescaling) and layer.name == _NAME:
        return layer
    return None


def _ends(model: Any) -> tuple[Any, Any]:
    """Input and output tensor; a model that is no graph is called as one layer."""
    import keras

    if getattr(model, "inputs", None) and getattr(model, "outputs", None):
        return model.inputs[0], model.outputs[0]
    inputs = keras.Input(model.input_shape[1:])
    return inputs, model(inputs)


def _logits(outputs: Any) -> Any:
    """The tensor before the last softmax (or sigmoid), or one that does the same in its place."""
    import keras

    if _is_bare_activation(maker(outputs), outputs.shape[-1]):
        return inputs_of(outputs)[0]
    ops = keras.ops
    if outputs.dtype != "float32":
        outputs = keras.layers.Activation("linear", dtype="float32", name="as_float32")(outputs)
    logarithm = ops.log(ops.maximum(outputs, _TINY))
    if outputs.shape[-1] > 1:
        return logarithm
    return logarithm - ops.log(ops.maximum(1.0 - outputs, _TINY))


def _probabilities_before(logits: Any) -> Any:
    """The probabilities that `_logits` took the logarithm of; None if it took none."""
    path = ("Log", "Maximum") if logits.shape[-1] > 1 else ("Subtract", "Log", "Maximum")
    tensor = logits
    for name in path:
        if type(maker(tensor)).__name__ != name:
            return None
        tensor = inputs_of(tensor)[0]
    return tensor


def _is_bare_activation(layer: Any, outputs: int) -> bool:
    """Whether a layer is the softmax of the classes, or the sigmoid of one output, and no more."""
    import keras

    wanted = "softmax" if outputs > 1 else "sigmoid"
    if isinstance(layer, keras.layers.Softmax):
        return wanted == "softmax" and layer.axis == -1
    activation = getattr(layer, "activation", None)
    is_layer = isinstance(layer, keras.layers.Activation)
    return is_layer and getattr(activation, "__name__", "") == wanted


def _last_layer(outputs: Any) -> Any:
    """A softmax (or sigmoid) like the one that the model ends in, under the same name."""
    import keras

    layer = maker(outputs)
    if _is_bare_activation(layer, outputs.shape[-1]):
        return type(layer).from_config(layer.get_config())
    if outputs.shape[-1] == 1:
        return keras.layers.Activation("sigmoid", dtype="float32", name="calibrated")
    return keras.layers.Softmax(dtype="float32", name="calibrated")
