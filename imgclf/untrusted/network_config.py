"""Checks the description of a network, `config.json`, before Keras builds it.

Some networks are never loaded, such as one too large to build; unrecognized objects are loaded
only if the caller trusts the file.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from imgclf.untrusted.allowed_layers import (
    ACTIVATIONS,
    ALLOWED,
    DTYPES,
    MODELS,
    UNUSUAL,
    VALUES,
    is_known_text,
)
from imgclf.untrusted.build_time import estimate_seconds, is_model
from imgclf.untrusted.constants import check_build_shapes, check_calls, constant_bytes
from imgclf.untrusted.errors import UnsafeFileError

__all__ = ["MAX_VALUES", "NOTHING", "Layer", "Network", "read_network"]

_MAX_SECONDS = 15  # of one processor, to build the network; the largest of keras.applications: 6
_MAX_CONSTANTS = 2**24  # bytes that are made of numbers in the description
_MAX_MODELS = 6  # models within models
_MAX_SIZE = 2**24  # any number that may become a size
_MAX_FACTOR = 2**16  # numbers by which an image grows or shrinks
_FACTORS = {
    "cropping", "dilation_rate", "height", "kernel_size", "n", "output_padding", "output_size",
    "padding", "pool_size", "size", "strides", "width",
}  # fmt: skip
MAX_VALUES = 2**28  # of one image, anywhere in the network: 1 GiB as float32
# Layers that may follow the output layer; a temperature adds the last three.
_KEEPS_COUNT = {"Softmax", "Activation", "Rescaling", "Log", "Maximum"}
_MAX_UNRECOGNIZED = 100  # listed; one is enough to refuse
_NO_SIZES = {"seed", "shared_object_id"}


@dataclasses.dataclass(frozen=True)
class Layer:
    """A layer of a network, as its file describes it.

    Args:
        name: its name.
        class_name: the class of Keras, such as "Conv2D".
        config: its settings.
        input_shape: what it was built for, (None, height, width, channels); None if not stored.
        store: the group of its weights in the weights file, "layers/conv2d".
        inner: the layers of a nested model.
    """

    name: str
    class_name: str
    config: Mapping[str, Any]
    input_shape: tuple[int | None, ...] | None
    store: str
    inner: tuple[Layer, ...] = ()


@dataclasses.dataclass(frozen=True)
class Network:
    """What `config.json` describes.

    Args:
        layers: in the order of the file.
        image_shape: (height, width, channels) of the first input; None if it is no image.
        unrecognized: what is loaded only if the file is trusted.
        compiled_within: whether a nested model holds training settings.
        outputs: the number of output values; None if only Keras can tell.
    """

    layers: tuple[Layer, ...]
    image_shape: tuple[int | None, int | None, int] | None
    unrecognized: tuple[str, ...]
    compiled_within: bool
    outputs: int | None = None


# Stands for a description that cannot be read.
NOTHING = Network((), None, (), compiled_within=False)


def read_network(config: Any) -> Network:
    """Reads the description of a network and checks it.

    Args:
        config: the parsed `config.json`, of bounded size and depth.

    Raises:
        UnsafeFileError: if it describes no network, or one beyond the bounds.
    """
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict):
        raise UnsafeFileError("config.json describes no Keras model.")
    walk = _Walk()
    # The outermost model is loaded with compile=False, which ignores its compile_config.
    walk.through({key: value for key, value in config.items() if key != "compile_config"})
    if walk.constants > _MAX_CONSTANTS:
        raise UnsafeFileError(
            f"config.json: its Normalization layers would make {walk.constants:,} bytes of given "
            f"numbers; at most {_MAX_CONSTANTS:,} are loaded."
        )
    if not is_model(config):
        unknown = f"the model is a {_class_of(config)}, of which no more is known"
        return Network((), None, (*walk.unrecognized, unknown), walk.compiled_within)
    layers = tuple(_layers(config, "layers", 1))
    if not walk.unrecognized and walk.models != 1 + sum(map(_models, layers)):
        raise UnsafeFileError("config.json describes a model where there can be none.")
    seconds = estimate_seconds(config)
    if seconds > _MAX_SECONDS:
        raise UnsafeFileError(
            f"config.json describes a network that takes about {seconds:,.0f} seconds to build; at "
            f"most {_MAX_SECONDS} are spent on a file."
        )
    return Network(
        layers,
        _image_shape(layers, config),
        tuple(walk.unrecognized),
        walk.compiled_within,
        _outputs(layers, config),
    )


class _Walk:
    """One pass over all values, which collects what is unrecognized."""

    def __init__(self) -> None:
        self.unrecognized: list[str] = []
        self.compiled_within = False
        self.models = 0
        self.constants = 0  # bytes
        self.shared: dict[int, tuple[Any, ...]] = {}

    def through(self, value: Any, key: str = "") -> None:
        if isinstance(value, dict):
            if "class_name" in value:
                self._object(value)
            for name, part in value.items():
                if name == "compile_config":
                    self.compiled_within |= bool(part)
                else:
                    self.through(part, name)
        elif isinstance(value, list):
            for part in value:
                self.through(part, key)
        else:
            self._plain(value, key)

    def _plain(self, value: Any, key: str) -> None:
        if value is True and key in UNUSUAL:
            self._note(f"{key}=True")
        elif isinstance(value, str):
            if not is_known_text(key, value):
                self._note(f"{key} {value[:80]!r}")
        elif isinstance(value, (int, float)):
            _check_number(key, value)

    def _note(self, what: str) -> None:
        if what not in self.unrecognized and len(self.unrecognized) < _MAX_UNRECOGNIZED:
            self.unrecognized.append(what)

    def _object(self, value: Mapping[str, Any]) -> None:
        module, class_name = value.get("module"), value["class_name"]
        config, registered = value.get("config"), value.get("registered_name")
        if not isinstance(class_name, str) or not isinstance(module, str | None):
            raise UnsafeFileError("config.json describes an object without the name of a class.")
        if class_name in ("__numpy__", "__tensor__"):
            known = isinstance(config, dict) and _is_in(config.get("dtype"), DTYPES)
        elif class_name == "function":
            known = module in ("builtins", "keras.activations") and _is_in(config, ACTIVATIONS)
            known = known and registered in (None, config)
        elif class_name in VALUES:
            known = module is None and registered is None
        else:
            known = (module, class_name) in ALLOWED and registered in (None, class_name)
        if not known:
            self._note(_class_of(value))
        elif isinstance(config, dict):
            check_build_shapes(value, MAX_VALUES)
        if isinstance(config, dict):
            check_calls(value)
            self.constants += constant_bytes(value)
        self.models += (module, class_name) in MODELS
        if "shared_object_id" in value:
            # Keras builds the first of them only, so the others must not say anything else.
            number, entry = value["shared_object_id"], (module, class_name, config)
            if not isinstance(number, int) or self.shared.setdefault(number, entry) != entry:
                raise UnsafeFileError("config.json describes one shared object in two ways.")


def _is_in(value: Any, names: frozenset[str]) -> bool:
    return isinstance(value, str) and value in names


def _check_number(key: str, value: float) -> None:
    bound = _MAX_FACTOR if key in _FACTORS else _MAX_SIZE
    if isinstance(value, float) and key not in _FACTORS:
        return
    if key not in _NO_SIZES and abs(value) > bound:
        raise UnsafeFileError(f"config.json: {key} is {value:,}, and at most {bound:,} is loaded.")


def _class_of(value: Mapping[str, Any]) -> str:
    """The class of an object, and the function if it is one, as text."""
    parts = [value.get("module"), value.get("class_name")]
    if value.get("class_name") == "function":
        parts.append(value.get("config"))
    name = ".".join(str(part)[:80] for part in parts if part is not None)
    registered = value.get("registered_name")
    if registered in (None, value.get("class_name"), value.get("config")):
        return repr(name)[1:-1]
    return repr(f"{name} registered as {registered}"[:200])[1:-1]


def _layers(model: Mapping[str, Any], store: str, depth: int) -> Iterator[Layer]:
    """The layers of a model, each with the group in which Keras stores its weights."""
    if depth > _MAX_MODELS:
        raise UnsafeFileError(
            f"config.json holds models within models, more than {_MAX_MODELS} deep."
        )
    used: dict[str, int] = {}
    for value in model["config"]["layers"]:
        class_name = value["class_name"]
        group = ""
        # Keras leaves operations, and the input of a Sequential, out of `model.layers`.
        silent = class_name == "InputLayer" and model["class_name"] == "Sequential"
        if not silent and not str(value.get("module")).startswith("keras.src.ops."):
            plain = _snake_case(class_name)
            number = used[plain] = used.get(plain, -1) + 1
            group = f"{store}/{plain}_{number}" if number else f"{store}/{plain}"
        config = value["config"]
        inner = _inner(value, group, depth)
        build = value.get("build_config")
        shape = build.get("input_shape") if isinstance(build, dict) else None
        if class_name == "InputLayer":
            shape = config.get("batch_shape", config.get("batch_input_shape"))
        name = str(config.get("name", value.get("name", class_name)))
        yield Layer(name, class_name, config, _shape(shape), group, inner)


def _inner(layer: Mapping[str, Any], group: str, depth: int) -> tuple[Layer, ...]:
    """The layers of a nested model, or of the model that a `TimeDistributed` calls."""
    if is_model(layer):
        return tuple(_layers(layer, f"{group}/layers", depth + 1))
    wrapped = layer["config"].get("layer")
    if layer["class_name"] == "TimeDistributed" and is_model(wrapped):
        return tuple(_layers(wrapped, f"{group}/layer/layers", depth + 1))
    return ()


def _snake_case(name: str) -> str:
    """The name that Keras gives to the group of a layer's weights."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _shape(value: Any) -> tuple[int | None, ...] | None:
    if not isinstance(value, list) or len(value) > 8:
        return None
    if not all(side is None or (isinstance(side, int) and side > 0) for side in value):
        return None
    if math.prod(side for side in value if side is not None) > MAX_VALUES:
        shown = "×".join("?" if side is None else f"{side:,}" for side in value)
        raise UnsafeFileError(
            f"config.json: a layer takes {shown} values at once, too many to load."
        )
    return tuple(value)


def _image_shape(
    layers: tuple[Layer, ...], config: Mapping[str, Any]
) -> tuple[int | None, int | None, int] | None:
    inputs = [layer.input_shape for layer in layers if layer.class_name == "InputLayer"]
    shape = inputs[0] if inputs else _shape(config["config"].get("build_input_shape"))
    if shape is None or len(shape) != 4 or shape[3] is None:
        return None
    return shape[1], shape[2], shape[3]


def _outputs(layers: tuple[Layer, ...], config: Mapping[str, Any]) -> int | None:
    """The units of the last `Dense`, if nothing but an activation follows it."""
    last: Any = config["config"].get("output_layers", [layers[-1].name] if layers else [])
    while isinstance(last, list) and last:
        last = last[0]
    if not layers or layers[-1].name != last:
        return None
    ends = [layer for layer in layers if layer.class_name not in _KEEPS_COUNT]
    units = ends[-1].config.get("units") if ends and ends[-1].class_name == "Dense" else None
    return units if isinstance(units, int) else None


def _models(layer: Layer) -> int:
    """How many models this layer is, those within it included."""
    return bool(layer.inner) + sum(map(_models, layer.inner))
