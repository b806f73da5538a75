"""Model files made by hand: archives of three members, and descriptions of networks."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import h5py

METADATA, CONFIG, WEIGHTS = "metadata.json", "config.json", "model.weights.h5"
IMAGE = (None, 8, 8, 3)


def members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(contents: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in contents.items():
            archive.writestr(zipfile.ZipInfo(name), content, compression)
    return file.getvalue()


def with_member(data: bytes, name: str, content: bytes) -> bytes:
    return pack(members(data) | {name: content})


def with_config(data: bytes, change: Callable[[dict[str, Any]], Any]) -> bytes:
    """The file with another network: `change` edits the description, or returns a new one."""
    config = json.loads(members(data)[CONFIG])
    changed = change(config)
    return with_member(data, CONFIG, json.dumps(config if changed is None else changed).encode())


def with_entry(data: bytes, entry: Any) -> bytes:
    metadata = json.loads(members(data)[METADATA])
    return with_member(data, METADATA, json.dumps(metadata | {"imgclf": entry}).encode())


def with_weights(data: bytes, change: Callable[[h5py.File], None]) -> bytes:
    """The file with other weights: `change` edits the HDF5 file."""
    file = io.BytesIO(members(data)[WEIGHTS])
    with h5py.File(file, "r+") as weights:
        change(weights)
    return with_member(data, WEIGHTS, file.getvalue())


# Networks


def an_object(module: Any, class_name: str, config: Any = None, **more: Any) -> dict[str, Any]:
    return {"module": module, "class_name": class_name, "config": config or {}} | more


def layer(class_name: str, **config: Any) -> dict[str, Any]:
    return an_object("keras.layers", class_name, {"name": class_name.lower()} | config)


def sequential(
    *inner: dict[str, Any], shape: tuple[int | None, ...] = (None, 8), name: str = "s"
) -> dict[str, Any]:
    start = layer("InputLayer", batch_shape=list(shape))
    config = {"name": name, "layers": [start, *inner], "build_input_shape": list(shape)}
    return an_object("keras", "Sequential", config)


def tensor(name: str, call: int = 0, shape: tuple[int | None, ...] = (None, 8)) -> dict[str, Any]:
    settings = {"shape": list(shape), "dtype": "float32", "keras_history": [name, call, 0]}
    return {"class_name": "__keras_tensor__", "config": settings}


def constant(*values: float, kind: str = "__numpy__") -> dict[str, Any]:
    return {"class_name": kind, "config": {"value": list(values), "dtype": "float32"}}


def call(*arguments: Any, **named: Any) -> dict[str, Any]:
    return {"args": list(arguments), "kwargs": named}


def functional(
    layers: list[dict[str, Any]], last: str, name: str = "f", **more: Any
) -> dict[str, Any]:
    config = {
        "name": name,
        "layers": layers,
        "input_layers": ["input", 0, 0],
        "output_layers": [last, 0, 0],
    }
    return an_object("keras.src.models.functional", "Functional", config | more)


def input_layer(shape: tuple[int | None, ...] = (None, 8)) -> dict[str, Any]:
    start = layer("InputLayer", batch_shape=list(shape), name="input")
    return start | {"name": "input", "inbound_nodes": []}


def called(one: dict[str, Any], *nodes: dict[str, Any]) -> dict[str, Any]:
    """A layer with its calls, as it stands in a functional model."""
    return one | {"name": one["config"]["name"], "inbound_nodes": list(nodes)}
