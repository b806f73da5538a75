"""Backwards through the graph of a functional Keras model, from a tensor to what made it."""

from __future__ import annotations

from typing import Any

__all__ = ["inputs_of", "maker"]


def maker(tensor: Any) -> Any:
    """The layer or operation that a tensor came out of."""
    return tensor._keras_history.operation


def inputs_of(tensor: Any) -> list[Any]:
    """The tensors that a tensor was made of; none of an input."""
    history = tensor._keras_history
    nodes = history.operation._inbound_nodes
    return list(nodes[history.node_index].input_tensors) if nodes else []
