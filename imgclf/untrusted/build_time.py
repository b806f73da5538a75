"""How long Keras takes to build a network, estimated from its description alone.

A file of a few megabytes can describe so many layers, or call them so often, that building them
takes minutes. The estimate refuses it before Keras is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from imgclf.untrusted.allowed_layers import MODELS

__all__ = ["estimate_seconds", "is_model"]

# Seconds of one processor (2 GHz, Keras 3.15): for an initialiser or another small object, for a
# layer, for one with weights, and for those that are made of several.
_OBJECT, _LAYER, _WITH_WEIGHTS = 1e-4, 3e-3, 8e-3
_TRY = 5e-4  # to see that a layer cannot be called yet
_SLOWER = {
    "AugMix": 40e-3,
    "Bidirectional": 10e-3,
    "GroupQueryAttention": 40e-3,
    "MultiHeadAttention": 40e-3,
    "RandAugment": 40e-3,
}
_NO_WEIGHTS = (
    "Activation", "Add", "Average", "Center", "Concatenate", "Cropping", "Dropout", "ELU",
    "Flatten", "Gaussian", "Global", "Identity", "InputLayer", "Max", "Min", "Multiply", "Permute",
    "Random", "ReLU", "Repeat", "Rescaling", "Reshape", "Resizing", "Softmax", "Subtract",
    "UpSampling", "ZeroPadding",
)  # fmt: skip
# Objects that Keras makes again from their description, however they were made.
_COPIED = {"Bidirectional": 3}


def is_model(value: Any) -> bool:
    """Whether it describes a model that Keras can build."""
    if not isinstance(value, dict):
        return False
    inner = value.get("config")
    return (
        (value.get("module"), value.get("class_name")) in MODELS
        and isinstance(inner, dict)
        and isinstance(inner.get("layers"), list)
        and all(map(_is_layer, inner["layers"]))
    )


def _is_layer(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("class_name"), str)
        and isinstance(value.get("config"), dict)
        and isinstance(value.get("inbound_nodes", []), list)
        and all(isinstance(node, dict) for node in value.get("inbound_nodes", []))
        and isinstance(value.get("name"), str | None)
    )


def estimate_seconds(model: Mapping[str, Any]) -> float:
    """Estimates the seconds of processor time to build a model (see `is_model`)."""
    layers = model["config"]["layers"]
    seconds = sum(
        _seconds(layer, _LAYER) * max(1, len(layer.get("inbound_nodes", []))) for layer in layers
    )
    # Keras goes through the layers again for each that comes before one that it builds on, as those
    # do that are called in turns.
    return seconds + _TRY * len(layers) * _forward_references(layers)


def _seconds(value: Any, least: float = 0) -> float:
    """Of any part of a description, in which objects may be made of others."""
    if is_model(value):
        return least + estimate_seconds(value)
    if isinstance(value, dict):
        inner = sum(map(_seconds, value.values()))
        name = value.get("class_name")
        if not isinstance(name, str):
            return inner
        return max(least, _own_seconds(value, name)) + inner * _COPIED.get(name, 1)
    return sum(map(_seconds, value)) if isinstance(value, list) else 0


def _own_seconds(value: Mapping[str, Any], name: str) -> float:
    if name in _SLOWER:
        return _SLOWER[name]
    if value.get("module") != "keras.layers":
        return _OBJECT
    return _LAYER if name.startswith(_NO_WEIGHTS) else _WITH_WEIGHTS


def _forward_references(layers: list[dict[str, Any]]) -> int:
    # A name is text if Keras wrote it.
    places = {str(layer.get("name")): place for place, layer in enumerate(layers)}
    return sum(
        isinstance(source, str) and places.get(source, -1) > place
        for place, layer in enumerate(layers)
        for node in layer.get("inbound_nodes", [])
        for source in _sources(node)
    )


def _sources(value: Any) -> Iterator[Any]:
    """The names of the layers whose tensors stand in the arguments of a call."""
    if isinstance(value, dict):
        config = value.get("config")
        if value.get("class_name") == "__keras_tensor__" and isinstance(config, dict):
            history = config.get("keras_history")
            yield history[0] if isinstance(history, list) and history else None
        for part in value.values():
            yield from _sources(part)
    elif isinstance(value, list):
        for part in value:
            yield from _sources(part)
