"""The new output layer of transfer learning, and the body before it."""

from __future__ import annotations

from imgclf.architecture.temperature import without_temperature
from imgclf.errors import ArgumentError
from imgclf.typing import KerasLayer, KerasModel

__all__ = ["HEAD", "body_before_head", "body_of", "check_head", "head_alone", "with_new_head"]

# The name of the output layer that takes the place of the old one. Saved models are known by it.
HEAD = "new_head"


def body_of(model: KerasModel) -> KerasModel:
    """Copies what stands before the output layer of a classifier.

    Args:
        model: a functional `keras.Model` that ends in a `Dense` layer, which softmax or another
            activation may follow.

    Returns:
        A `keras.Model` with weights of its own that gives what the output layer took.

    Raises:
        ArgumentError: if the model ends otherwise.
    """
    import keras

    layers = keras.layers
    if isinstance(model, keras.Sequential) or not hasattr(model, "operations"):
        raise ArgumentError(
            "The model must be a functional keras.Model for transfer learning. "
            f"Received: {type(model).__name__}."
        )
    model = without_temperature(model)
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    layer = next(
        layer
        for layer in reversed(copy.layers)
        if not isinstance(layer, (layers.Activation, layers.Softmax))
    )
    if not isinstance(layer, layers.Dense) or len(layer.input.shape) != 2:
        raise ArgumentError(
            "The model must end in a Dense layer, which a new one replaces. "
            f"Received: {type(layer).__name__} {layer.name!r}."
        )
    return keras.Model(copy.inputs[0], layer.input, name=f"{model.name}_body")


def with_new_head(body: KerasModel, num_classes: int, seed: int) -> KerasModel:
    """Builds the body with a new output layer, as one plain functional model."""
    import keras

    head = keras.layers.Dense(
        num_classes,
        activation="softmax",
        dtype="float32",
        kernel_initializer=keras.initializers.GlorotUniform(seed=seed),
        name=HEAD,
    )
    return keras.Model(body.inputs[0], head(body.outputs[0]), name=body.name)


def check_head(model: KerasModel) -> KerasLayer:
    """Returns the output layer of a model that `with_new_head` made, be it from a file.

    Raises:
        ArgumentError: if the model has no such layer.
    """
    import keras

    last: KerasLayer = model.layers[-1] if hasattr(model, "operations") and model.layers else None
    fits = isinstance(last, keras.layers.Dense) and last.name == HEAD
    if not fits or len(last.input.shape) != 2:
        raise ArgumentError(
            f"Training in phases needs a functional keras.Model that ends in the Dense layer "
            f"{HEAD!r}, as Classifier.from_model makes it. "
            f"Received: one that ends in {getattr(last, 'name', None)!r}."
        )
    return last


def body_before_head(model: KerasModel) -> KerasModel:
    """The layers before the output layer, shared with the model."""
    import keras

    return keras.Model(model.inputs[0], check_head(model).input)


def head_alone(model: KerasModel) -> KerasModel:
    """The output layer as a model of features (batch, 1, 1, features), with the same weights."""
    import keras

    layer = check_head(model)
    inputs = keras.Input((1, 1, layer.input.shape[-1]))
    copy = keras.layers.Dense.from_config(layer.get_config())
    head = keras.Model(inputs, copy(keras.layers.Flatten("channels_last")(inputs)))
    copy.set_weights(layer.get_weights())
    return head
