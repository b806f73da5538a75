"""`ModelFileReport`: what a model file holds, and why it should not be loaded, if so."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

__all__ = ["LayerReport", "ModelFileReport"]

_MAX_SHOWN = 20  # class names


@dataclasses.dataclass(frozen=True)
class LayerReport:
    """One layer, as the file describes it.

    Args:
        name: its name, after that of the nested model it belongs to: "base/conv".
        class_name: the Keras class, such as "Conv2D".
        input_shape: the shape it was built for, None for a flexible size; None if not stored.
        weights: the shape of each of its weights.
    """

    name: str
    class_name: str
    input_shape: tuple[int | None, ...] | None
    weights: tuple[tuple[int, ...], ...]

    @property
    def parameters(self) -> int:
        """The number of its parameters."""
        return sum(map(math.prod, self.weights))


@dataclasses.dataclass(frozen=True)
class ModelFileReport:
    """What a model file holds; `str()` of it is a report.

    Args:
        path: the file.
        keras_version: the version of Keras that wrote it.
        imgclf_version: the version of imgclf that wrote it; None if plain Keras did.
        layers: in the order of the file.
        parameters: the number of parameters of all layers.
        image_shape: (height, width, channels), None for a flexible size; None if not stored.
        class_names: the class names; empty if plain Keras wrote the file.
        recipe: how it was trained.
        metrics: the last value of each metric of its training.
        problems: why it cannot be loaded; empty if it can.
        unrecognized: what it holds besides Keras layers that are known to be harmless, and what
            only `imgclf.load(path, trust=True)` loads.
    """

    path: str
    keras_version: str | None = None
    imgclf_version: str | None = None
    layers: tuple[LayerReport, ...] = ()
    parameters: int = 0
    image_shape: tuple[int | None, int | None, int] | None = None
    class_names: tuple[str, ...] = ()
    recipe: dict[str, Any] | None = None
    metrics: dict[str, float] = dataclasses.field(default_factory=dict)
    problems: tuple[str, ...] = ()
    unrecognized: tuple[str, ...] = ()

    @property
    def is_safe(self) -> bool:
        """Whether `imgclf.load` opens it without `trust=True`."""
        return not self.problems and not self.unrecognized

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON in UTF-8."""
        values = dataclasses.asdict(self)
        for record, layer in zip(values["layers"], self.layers, strict=True):
            record["parameters"] = layer.parameters
        finite = {
            name: value if math.isfinite(value) else None for name, value in self.metrics.items()
        }
        return _encodable(values | {"metrics": finite, "is_safe": self.is_safe})

    def __str__(self) -> str:
        parts = [self._head(), *self._facts(), *_table(self.layers), *self._verdict()]
        return "\n".join(map(_escape, parts))

    def _head(self) -> str:
        made = f"imgclf {self.imgclf_version}" if self.imgclf_version else "plain Keras"
        with_keras = f" (Keras {self.keras_version})" if self.keras_version else ""
        return f"{self.path}: written by {made}{with_keras}" if self.layers else self.path

    def _facts(self) -> list[str]:
        facts = []
        if self.image_shape:
            facts.append(f"  images      {_by(self.image_shape)}")
        if self.class_names:
            names = ", ".join(self.class_names[:_MAX_SHOWN])
            more = ", …" if len(self.class_names) > _MAX_SHOWN else ""
            facts.append(f"  classes     {len(self.class_names)}: {names}{more}")
        if self.layers:
            facts.append(f"  parameters  {self.parameters:,}")
        if self.metrics:
            facts.append(f"  metrics     {_pairs(self.metrics)}")
        if self.recipe:
            facts.append(f"  recipe      {_pairs(self.recipe)}")
        return facts

    def _verdict(self) -> list[str]:
        lines = [f"  problem: {problem}" for problem in self.problems]
        lines += [f"  unrecognized: {what}" for what in self.unrecognized]
        if self.unrecognized:
            lines.append(
                "  Unrecognized objects may run code: use trust=True if you know who made the file."
            )
        return lines or ["  safe to load"]


def _table(layers: Iterable[LayerReport]) -> list[str]:
    rows = [
        (
            layer.name,
            layer.class_name,
            "" if layer.input_shape is None else _by(layer.input_shape[1:]),
            f"{layer.parameters:,}",
            " ".join(_by(shape) for shape in layer.weights),
        )
        for layer in layers
    ]
    if not rows:
        return []
    rows.insert(0, ("layer", "class", "takes", "parameters", "weights"))
    widths = [min(40, max(len(row[column]) for row in rows)) for column in range(4)]
    sides = "<<>>"
    lines = []
    for *cells, weights in rows:
        padded = [
            f"{cell:{side}{width}}" for cell, side, width in zip(cells, sides, widths, strict=True)
        ]
        lines.append("  ".join(["", *padded, weights]).rstrip())
    return lines


def _by(shape: Iterable[int | None]) -> str:
    return "×".join("?" if side is None else str(side) for side in shape) or "1"


def _pairs(values: dict[str, Any]) -> str:
    shown = {
        name: f"{value:.4g}" if isinstance(value, float) else str(value)
        for name, value in values.items()
        if value is not None
    }
    return ", ".join(f"{name} {text[:60]}" for name, text in shown.items())


def _encodable(value: Any) -> Any:
    """Escapes bytes that are no text, which names from files may hold."""
    if isinstance(value, dict):
        return {_encodable(key): _encodable(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encodable(part) for part in value]
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    return value


def _escape(line: str) -> str:
    """Escapes control characters, which would otherwise reach the terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in line)
