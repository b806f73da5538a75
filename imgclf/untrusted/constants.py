"""What a network would compute or allocate while it is loaded, other than its weights.

Keras calls each layer on symbolic tensors to connect it, which computes nothing. There are two
exceptions, and both take any amount of memory if a small file asks for it: a layer that is called
on constants alone runs at once, and `Normalization` spreads given numbers over the shape that it is
built for.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from typing import Any

from imgclf.untrusted.errors import UnsafeFileError

__all__ = ["check_build_shapes", "check_calls", "constant_bytes"]

_MAX_RANK = 8
_COPIES = 4 * 4  # bytes a value: mean and variance, each before and after it is cast


def check_calls(layer: Mapping[str, Any]) -> None:
    """Checks that each call of a layer has the output of another one among its arguments.

    Raises:
        UnsafeFileError: if a call has constants only, or nothing, or is no call.
    """
    if layer["class_name"] == "InputLayer":
        return
    nodes = layer.get("inbound_nodes", [])
    if not isinstance(nodes, list) or not all(isinstance(node, dict) for node in nodes):
        raise UnsafeFileError(
            f"config.json: the calls of layer {_name(layer)} are no list of them."
        )
    for node in nodes:
        if not _is_symbolic([node.get("args"), node.get("kwargs")]):
            raise UnsafeFileError(
                f"config.json: a call of layer {_name(layer)} has constants only, so loading would "
                "compute it. Keras writes the result of such a call, not the call."
            )


def _is_symbolic(value: Any) -> bool:
    if isinstance(value, dict) and "class_name" in value:
        return value["class_name"] == "__keras_tensor__"  # not one within another object
    parts = value.values() if isinstance(value, dict) else value
    return any(map(_is_symbolic, parts)) if isinstance(value, (dict, list)) else False


def check_build_shapes(layer: Mapping[str, Any], max_values: int) -> None:
    """Checks the shapes for which a layer of Keras is built.

    Raises:
        UnsafeFileError: if one is no shape, or of more than `max_values` values.
    """
    build = layer.get("build_config")
    if build is not None and not isinstance(build, dict):
        raise UnsafeFileError(f"config.json: {_name(layer)} is built for what is no shape.")
    waiting: list[Any] = list((build or {}).values())
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list) and any(isinstance(side, (list, dict)) for side in value):
            waiting += value
        elif isinstance(value, list):
            _check_shape(layer, value, max_values)


def _check_shape(layer: Mapping[str, Any], shape: list[Any], max_values: int) -> None:
    sides = [side for side in shape if side is not None]
    if len(shape) > _MAX_RANK or not all(type(side) is int and side >= 0 for side in sides):
        raise UnsafeFileError(
            f"config.json: {_name(layer)} is built for {str(shape)[:80]}, which is no shape."
        )
    if math.prod(sides) > max_values:
        shown = "×".join("?" if side is None else f"{side:,}" for side in shape)
        raise UnsafeFileError(
            f"config.json: a layer takes {shown} values at once, too many to load."
        )


def constant_bytes(layer: Mapping[str, Any]) -> int:
    """The bytes that a layer makes of numbers among its settings.

    Raises:
        UnsafeFileError: if they cannot be told.
    """
    config = layer["config"]
    if layer["class_name"] != "Normalization" or config.get("mean") is None:
        return 0
    build, axis = layer.get("build_config"), config.get("axis", -1)
    shape = build.get("input_shape") if isinstance(build, dict) else None
    axes = [] if axis is None else axis if isinstance(axis, list) else [axis]
    try:
        # A dict has no sides, and its keys would be taken for places.
        sides = [] if shape is None else list(shape)
        kept = {range(len(sides))[axis] for axis in axes}
        return _COPIES * math.prod(operator.index(sides[axis]) for axis in kept)
    except (TypeError, IndexError) as error:
        raise UnsafeFileError(
            f"config.json: {_name(layer)} has a mean, but not the shape that it is built for."
        ) from error


def _name(layer: Mapping[str, Any]) -> str:
    config = layer.get("config")
    name = config.get("name") if isinstance(config, dict) else None
    return repr(str(name or layer.get("name") or layer.get("class_name"))[:80])
