"""Code that builds a given Keras model: layers, names and settings, without weights.

The code comes from the model's configuration, so it works for any functional or sequential model of
Keras's layers. Defaults are left out: a setting is dropped if the layer without it has the same
configuration.

Names of layers may come from strangers. In the code they are quoted, or reduced to letters, digits
and underscores.
"""

from __future__ import annotations

import inspect
import json
import keyword
import math
import re
from collections.abc import Iterator
from typing import Any

from imgclf import checks
from imgclf.architecture.build import layers_computing_in
from imgclf.errors import ArgumentError, ArgumentTypeError
from imgclf.typing import KerasModel

__all__ = ["model_code"]

_WIDTH = 100

# Where the classes of a configuration may come from.
_MODULES = ("keras.layers", "keras.initializers", "keras.regularizers", "keras.constraints")


def model_code(model: KerasModel, function: str = "build_model") -> str:
    """Writes a Python function that returns the same network with new weights.

    It needs `import keras` and `from keras import layers` above it.

    Args:
        model: a functional or sequential `keras.Model` of Keras's own layers.
        function: the name of the function.

    Raises:
        ArgumentTypeError: if it is not a Keras model.
        ArgumentError: if it is a subclass with code of its own, or has layers that are not
            Keras's; the message names the first.

    Example:
        >>> import keras
        >>> images = keras.Input((8, 8, 1), name="images")
        >>> flat = keras.layers.Flatten(name="flat")(images)
        >>> print(model_code(keras.Model(images, flat, name="tiny")))
        def build_model():
            images = keras.Input((8, 8, 1), name="images")
            x = layers.Flatten(name="flat")(images)
            return keras.Model(images, x, name="tiny")
    """
    import keras

    if not isinstance(model, keras.Model):
        raise ArgumentTypeError(f"`model` must be a keras.Model. {checks.received('model', model)}")
    with layers_computing_in("float32"):
        return "\n\n\n".join(_Writer().functions(model, function))


class _Writer:
    """Writes a function for a model, and one for each model inside of it."""

    def __init__(self) -> None:
        self.taken: set[str] = set()

    def functions(self, model: Any, name: str) -> list[str]:
        import keras

        self.taken.add(name)
        inner: list[str] = []
        self.makers: dict[str, str] = {}
        makers: dict[str, str] = {}
        for layer in model.layers:
            if isinstance(layer, keras.Model):
                maker = self._fresh(f"build_{_identifier(layer.name)}")
                makers[layer.name] = f"{maker}()"
                inner += self.functions(layer, maker)
        self.makers = makers
        lines = self._sequential(model) if _is_sequential(model) else self._functional(model)
        if not model.trainable:
            lines[-1] = lines[-1].replace("return ", "model = ", 1)
            lines += ["model.trainable = False", "return model"]
        body = "\n".join(f"    {line}" for text in lines for line in text.split("\n"))
        return [*inner, f"def {name}():\n{body}"]

    def _fresh(self, wanted: str) -> str:
        name, number = wanted, 1
        while name in self.taken:
            number += 1
            name = f"{wanted}_{number}"
        return name

    def _sequential(self, model: Any) -> list[str]:
        config = model.get_config()
        calls = [self._layer(layer, _WIDTH - 10) for layer in config["layers"]]
        inside = "".join(f"{_indented(call)},\n" for call in calls)
        return [f"return keras.Sequential([\n{inside}], name={json.dumps(config['name'])})"]

    def _functional(self, model: Any) -> list[str]:
        config = _functional_config(model)
        nodes = list(_in_order(config))
        names = _variables(nodes, config)
        lines: list[str] = []
        for layer, number, arguments in nodes:
            name = names[layer["name"], number]
            if layer["class_name"] == "InputLayer":
                lines.append(f"{name} = {_input(layer['config'])}")
                continue
            call = f"({_call(layer, arguments, names)})"
            if len(layer["inbound_nodes"]) > 1:
                shared = names[layer["name"], None]
                if number == 0:
                    lines.append(f"{shared} = {self._layer(layer, _WIDTH - 7 - len(shared))}")
                lines.append(f"{name} = {shared}{call}")
            else:
                made = self._layer(layer, _WIDTH - 7 - len(name) - len(call))
                lines.append(f"{name} = {made}{call}")
        inputs, outputs = (_ends(config[key], names) for key in ("input_layers", "output_layers"))
        return [
            *lines,
            f"return keras.Model({inputs}, {outputs}, name={json.dumps(config['name'])})",
        ]

    def _layer(self, layer: dict[str, Any], width: int) -> str:
        name = layer["config"].get("name")
        if name in self.makers:
            return self.makers[name]
        if layer["class_name"] == "InputLayer":
            return _input(layer["config"])
        return _made(layer, f"The layer {name!r}", width)


def _is_sequential(model: Any) -> bool:
    import keras

    return isinstance(model, keras.Sequential)


def _functional_config(model: Any) -> dict[str, Any]:
    """The configuration of a graph of layers; with tensors as lists of their addresses."""
    try:
        config = model.get_config()
    except NotImplementedError:
        config = {}
    if "layers" not in config or "output_layers" not in config:
        raise ArgumentError(
            "`model` must be functional or sequential: what a subclass of keras.Model computes is "
            f"in its own code. Received: {type(model).__name__} {model.name!r}."
        )
    return config


Node = tuple[dict[str, Any], int, dict[str, Any]]


def _in_order(config: dict[str, Any]) -> Iterator[Node]:
    """The calls of layers, each after the calls whose results it takes."""
    known: set[tuple[str, int]] = set()
    pending: list[Node] = []
    for layer in config["layers"]:
        nodes = layer["inbound_nodes"] or [{"args": [], "kwargs": {}}]
        pending += [(layer, number, node) for number, node in enumerate(nodes)]
    while pending:
        ready = next(
            place
            for place, (_, _, node) in enumerate(pending)
            if all((name, number) in known for name, number, _ in _tensors(node))
        )
        layer, number, node = pending.pop(ready)
        known.add((layer["name"], number))
        yield layer, number, node


def _tensors(value: Any) -> Iterator[tuple[str, int, int]]:
    """The addresses (layer, call, output) of the tensors in a structure."""
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            name, node, tensor = value["config"]["keras_history"]
            yield name, node, tensor
            return
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)


def _variables(nodes: list[Node], config: dict[str, Any]) -> dict[tuple[str, int | None], str]:
    """A variable for each result: `x` where only the next line takes it, else the layer's name."""
    takers: dict[tuple[str, int], list[int]] = {}
    for place, (_, _, node) in enumerate(nodes):
        for name, number, _ in _tensors(node):
            takers.setdefault((name, number), []).append(place)
    for name, number, _ in _addresses(config["output_layers"]):
        takers.setdefault((name, number), []).append(len(nodes))
    names: dict[tuple[str, int | None], str] = {}
    taken = {"x", "keras", "layers"}
    for place, (layer, number, _) in enumerate(nodes):
        key = (layer["name"], number)
        plain = layer["class_name"] != "InputLayer" and takers.get(key, []) == [place + 1]
        names[key] = "x" if plain else _unused(_identifier(layer["name"]), taken)
        if len(layer["inbound_nodes"]) > 1 and number == 0:
            names[layer["name"], None] = _unused(f"{_identifier(layer['name'])}_layer", taken)
    return names


def _unused(wanted: str, taken: set[str]) -> str:
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    taken.add(name)
    return name


def _identifier(name: str) -> str:
    word = re.sub(r"\W", "_", name, flags=re.ASCII)
    return f"_{word}" if not word or word[0].isdigit() or keyword.iskeyword(word) else word


def _addresses(value: Any) -> list[tuple[str, int, int]]:
    """Inputs or outputs of a configuration, which writes a single one without a list around it."""
    if len(value) == 3 and isinstance(value[0], str):
        return [tuple(value)]
    if isinstance(value, dict) or not all(len(item) == 3 for item in value):
        raise ArgumentError(
            "`model` must have inputs and outputs that are tensors or lists of them. "
            + checks.received("model", value)
        )
    return [tuple(item) for item in value]


def _ends(value: Any, names: dict[tuple[str, int | None], str]) -> str:
    ends = [_tensor(address, names) for address in _addresses(value)]
    return ends[0] if len(value) == 3 and isinstance(value[0], str) else f"[{', '.join(ends)}]"


def _tensor(address: tuple[str, int, int], names: dict[tuple[str, int | None], str]) -> str:
    name, number, place = address
    return names[name, number] + (f"[{place}]" if place else "")


def _call(
    layer: dict[str, Any], node: dict[str, Any], names: dict[tuple[str, int | None], str]
) -> str:
    import keras

    words = [_argument(value, names) for value in node["args"]]
    # Keras records the arguments that nobody gave, too: those that are the layer's own defaults.
    kind = getattr(keras.layers, layer["class_name"], None)
    known = inspect.signature(kind.call).parameters if kind else {}
    for name, value in node["kwargs"].items():
        default = known[name].default if name in known else None
        if value is not None and value is not default:
            words.append(f"{name}={_argument(value, names)}")
    return ", ".join(words)


def _argument(value: Any, names: dict[tuple[str, int | None], str]) -> str:
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        return _tensor(next(_tensors(value)), names)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_argument(item, names) for item in value)}]"
    return _value(value, "an argument")


def _input(config: dict[str, Any]) -> str:
    batch, *shape = config["batch_shape"]
    words = [_value(tuple(shape), "an input")]
    if batch is not None:
        words.append(f"batch_size={batch}")
    words.append(f"name={json.dumps(config['name'])}")
    dtype = config.get("dtype")
    if isinstance(dtype, str) and dtype != "float32":
        words.append(f"dtype={json.dumps(dtype)}")
    if config.get("sparse"):
        words.append("sparse=True")
    return f"keras.Input({', '.join(words)})"


def _made(serialized: dict[str, Any], what: str, width: int | None = None) -> str:
    """The call that makes an object of Keras from its serialised form."""
    cls, path = _class(serialized, what)
    config = serialized["config"]
    settings = _needed(cls, dict(config))
    line = f"{path}({_words(settings, what, ', ', None)})"
    if width is None or len(line) <= width:
        return line
    return f"{path}(\n{_words(settings, what, '', width - 4)})"


def _words(settings: dict[str, Any], what: str, between: str, width: int | None) -> str:
    """Settings as arguments: in one line, or each in lines of its own no longer than `width`."""
    if width is None:
        return between.join(f"{name}={_value(value, what)}" for name, value in settings.items())
    lines = (
        f"{name}={_value(value, what, width - len(name) - 2)}," for name, value in settings.items()
    )
    return "".join(f"{_indented(line)}\n" for line in lines)


def _class(serialized: dict[str, Any], what: str) -> tuple[type, str]:
    import keras

    module, name = serialized.get("module"), serialized["class_name"]
    if module in _MODULES and name != "Lambda":
        folder = module.removeprefix("keras.")
        cls = getattr(getattr(keras, folder), name, None)
        if isinstance(cls, type):
            return cls, f"layers.{name}" if folder == "layers" else f"keras.{folder}.{name}"
    raise ArgumentError(
        f"{what} cannot be written as plain Keras: {name} of {module} is none of Keras's layers "
        "or holds code of its own."
    )


def _needed(cls: type, config: dict[str, Any]) -> dict[str, Any]:
    """The settings that differ from the defaults."""
    whole = _config_of(cls, config)
    settings = dict(config)
    for name in list(config):
        without = {key: value for key, value in settings.items() if key != name}
        if name != "name" and whole is not None and _config_of(cls, without) == whole:
            settings = without
    # Settings of all layers come last, where they do not distract.
    for name in ("trainable", "dtype", "name"):
        if name in settings:
            settings[name] = settings.pop(name)
    return settings


def _config_of(cls: type, settings: dict[str, Any]) -> Any:
    import keras

    given = {
        name: keras.saving.deserialize_keras_object(value)
        if isinstance(value, dict) and "class_name" in value
        else value
        for name, value in settings.items()
    }
    try:
        return cls(**given).get_config()
    except (TypeError, ValueError):
        return None


def _value(value: Any, what: str, width: int | None = None) -> str:  # noqa: PLR0911  # one line a kind
    if isinstance(value, dict):
        if value.get("class_name") == "DTypePolicy":
            return json.dumps(value["config"]["name"])
        if "class_name" in value:
            return _made(value, what, width)
        items = (f"{_value(key, what)}: {_value(item, what)}" for key, item in value.items())
        return f"{{{', '.join(items)}}}"
    if isinstance(value, (list, tuple)):
        inside = ", ".join(_value(item, what) for item in value)
        if isinstance(value, list):
            return f"[{inside}]"
        return f"({inside}{',' * (len(value) == 1)})"
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value)
    raise ArgumentError(
        f"{what} cannot be written as plain Keras: it holds {type(value).__name__}."
    )


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.split("\n"))
