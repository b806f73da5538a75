"""Gives a trained classifier more classes: its output layer gets new rows, all else stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from imgclf.architecture.temperature import without_temperature
from imgclf.classifier.classifier import Classifier
from imgclf.errors import ArgumentError
from imgclf.formatting import list_names
from imgclf.typing import KerasLayer, KerasModel

__all__ = ["grown"]


def grown(classifier: Classifier, class_names: Sequence[str]) -> Classifier:
    """Returns a classifier of these classes with the weights of another one.

    Args:
        classifier: the trained one; it is not changed, unless the classes are its own: then it is
            returned itself.
        class_names: its classes, in any order, and new ones.

    Returns:
        A classifier whose temperature and threshold are dropped. Images of the new classes are
        not recognised before it is trained.

    Raises:
        ArgumentError: if a class of the classifier is missing, or its model does not end in a
            `Dense` layer.

    Example:
        >>> import imgclf
        >>> data = imgclf.load_digits()
        >>> clf = imgclf.Classifier.from_preset("quick", data)
        >>> grown(clf, [*clf.class_names, "ten"]).num_classes
        11
    """
    old, new = list(classifier.class_names), list(class_names)
    if old == new:
        return classifier
    missing = [name for name in old if name not in new]
    if missing:
        raise ArgumentError(
            "`class_names` must hold all classes of the classifier. "
            f"Missing: {list_names(missing)}."
        )
    recipe = classifier.trained_recipe or classifier.recipe
    model = _with_outputs(without_temperature(classifier.model), old, new, recipe.seed)
    more = Classifier(
        model,
        new,
        recipe=recipe,
        blocks=classifier.blocks,
        resize=classifier.resize,
        max_pixels=classifier.max_pixels,
        background=classifier.background,
        white_level=classifier.white_level,
        strategy=classifier.strategy,
    )
    more.run_dir = classifier.run_dir
    return more


def _with_outputs(
    model: KerasModel, old: Sequence[str], new: Sequence[str], seed: int
) -> KerasModel:
    import keras

    last = _output_layer(model)
    is_single = last.units == 1  # the probability of the second of two classes

    def clone(layer: KerasLayer) -> KerasLayer:
        config: dict[str, Any] = layer.get_config()
        if layer is last:
            config["units"] = len(new)
        if is_single and config.get("activation") == "sigmoid" and layer in model.layers[-2:]:
            config["activation"] = "softmax"
        return type(layer).from_config(config)

    copy: KerasModel = keras.models.clone_model(model, clone_function=clone)
    for source, target in zip(model.layers, copy.layers, strict=True):
        if source is not last:
            target.set_weights(source.get_weights())
    head = copy.layers[model.layers.index(last)]
    head.set_weights(_rows(last, [new.index(name) for name in old], len(new), seed))
    return copy


def _output_layer(model: KerasModel) -> KerasLayer:
    import keras

    layers = keras.layers
    for layer in reversed(model.layers):
        if isinstance(layer, (layers.Activation, layers.Softmax)):
            continue
        is_plain = isinstance(layer, layers.Dense) and len(layer.get_weights()) in (1, 2)
        if is_plain and getattr(layer, "quantization_mode", None) is None:
            return layer
        raise ArgumentError(
            "The model must end in a Dense layer to get new classes. "
            f"Received: {type(layer).__name__} {layer.name!r}."
        )
    raise ArgumentError("The model must end in a Dense layer to get new classes. It has no layers.")


def _rows(
    layer: KerasLayer, places: Sequence[int], num_classes: int, seed: int
) -> list[np.ndarray]:
    """The weights of the output layer: those of the old classes where they belong."""
    kernel, *bias = layer.get_weights()
    if kernel.shape[1] == 1:  # its logit is that of the second class, where the first has 0
        kernel = np.concatenate([np.zeros_like(kernel), kernel], axis=1)
        bias = [np.concatenate([np.zeros_like(one), one]) for one in bias]
    limit = np.sqrt(6 / (kernel.shape[0] + num_classes))  # as Glorot and Bengio draw them
    drawn = np.random.default_rng(seed).uniform(-limit, limit, (kernel.shape[0], num_classes))
    rows = drawn.astype(kernel.dtype)
    rows[:, places] = kernel
    found = [rows]
    for one in bias:
        biases = np.zeros(num_classes, one.dtype)
        biases[places] = one
        found.append(biases)
    return found
