"""Checks a model file without Keras, without unpacking it, and without running anything in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from imgclf.untrusted import archive, bounded_json
from imgclf.untrusted.errors import UnsafeFileError
from imgclf.untrusted.file_report import LayerReport, ModelFileReport
from imgclf.untrusted.network_config import NOTHING, Layer, Network, read_network
from imgclf.untrusted.weights import Weight, read_weights

__all__ = ["CheckedFile", "ReadEntry", "check"]

T = TypeVar("T")

# Reads what the caller stored in `metadata.json`, or raises `UnsafeFileError`. Of the entry, the
# report shows "version", "class_names", "recipe" and "history".
ReadEntry = Callable[[Any], dict[str, Any]]

# The setting of a layer that must be one of the sizes of its weights.
_WIDTHS = {
    "Conv1D": "filters",
    "Conv1DTranspose": "filters",
    "Conv2D": "filters",
    "Conv2DTranspose": "filters",
    "Dense": "units",
    "Embedding": "input_dim",
    "SeparableConv1D": "filters",
    "SeparableConv2D": "filters",
}


@dataclasses.dataclass(frozen=True)
class CheckedFile:
    """A file that was checked, with what is needed to load it.

    Args:
        path: the file.
        report: its contents and problems.
        entry: what the caller's reader found in its metadata.
        weights: its arrays.
        compiled_within: whether a nested model holds training settings.
    """

    path: Path
    report: ModelFileReport
    entry: Mapping[str, Any]
    weights: tuple[Weight, ...]
    compiled_within: bool


def check(path: Path, read_entry: ReadEntry) -> CheckedFile:
    """Checks a `.keras` file within bounds; needs neither TensorFlow nor Keras.

    Args:
        path: the file.
        read_entry: reads the caller's entry from the parsed `metadata.json`.

    Returns:
        The checked file; what is wrong with it is in `report.problems`.

    Raises:
        UnsafeFileError: if the file cannot be opened.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise UnsafeFileError(f"{path}: cannot be read ({error.strerror or error}).") from error
    with file:
        try:
            members = archive.read_archive(file)
        except UnsafeFileError as error:
            report = ModelFileReport(str(path), problems=(str(error),))
            return CheckedFile(path, report, {}, (), compiled_within=False)
        return _Parts(file, members).gather(path, read_entry)


class _Parts:
    """The three members; a fault in one does not stop the others from being read."""

    def __init__(self, file: BinaryIO, members: Mapping[str, archive.Member]) -> None:
        self.file = file
        self.members = members
        self.problems: list[str] = []

    def gather(self, path: Path, read_entry: ReadEntry) -> CheckedFile:
        metadata: Any = self._attempt(lambda: self._json(archive.METADATA), {})
        entry: dict[str, Any] = self._attempt(lambda: read_entry(metadata), {})
        network = self._attempt(lambda: read_network(self._json(archive.CONFIG)), NOTHING)
        weights: tuple[Weight, ...] = self._attempt(
            lambda: read_weights(self.file, self.members[archive.WEIGHTS]), ()
        )
        layers = tuple(_describe(network.layers, weights))
        names = entry.get("class_names", [])
        self.problems += _contradictions(network, layers, len(names))
        history = entry.get("history", {})
        report = ModelFileReport(
            path=str(path),
            keras_version=_version(metadata),
            imgclf_version=entry.get("version"),
            layers=layers,
            parameters=sum(weight.size for weight in weights if _is_parameter(weight)),
            image_shape=network.image_shape,
            class_names=tuple(names),
            recipe=entry.get("recipe"),
            metrics={name: values[-1] for name, values in history.items() if values},
            problems=tuple(self.problems),
            unrecognized=network.unrecognized,
        )
        return CheckedFile(path, report, entry, weights, network.compiled_within)

    def _attempt(self, read: Callable[[], T], otherwise: T) -> T:
        try:
            return read()
        except UnsafeFileError as error:
            self.problems.append(str(error))
            return otherwise

    def _json(self, name: str) -> Any:
        member = self.members[name]
        if member.size > bounded_json.MAX_BYTES:
            raise UnsafeFileError(
                f"{name} has {member.size:,} bytes; at most {bounded_json.MAX_BYTES:,} are read."
            )
        return bounded_json.parse(name, archive.read_member(self.file, member))


def _version(metadata: Any) -> str | None:
    version = metadata.get("keras_version") if isinstance(metadata, dict) else None
    return version[:40] if isinstance(version, str) else None


def _is_parameter(weight: Weight) -> bool:
    """Whether it belongs to the network, not to an optimiser or a seed generator."""
    parts = weight.path.split("/")
    return "optimizer" not in parts and not any(part.startswith("seed_gen") for part in parts)


def _describe(layers: Iterable[Layer], weights: Iterable[Weight]) -> Iterator[LayerReport]:
    """Yields each layer that is not a model itself, with its weights."""
    plain = list(_plain_layers(layers))
    shapes: dict[str, list[tuple[int, ...]]] = {layer.store: [] for _, layer in plain}
    for weight in sorted(filter(_is_parameter, weights), key=_natural):
        group = weight.path
        while group and group not in shapes:
            group = group.rpartition("/")[0]
        if group:
            shapes[group].append(weight.shape)
    for name, layer in plain:
        own = tuple(shapes[layer.store]) if layer.store else ()
        yield LayerReport(name, layer.class_name, layer.input_shape, own)


def _contradictions(network: Network, reports: Iterable[LayerReport], names: int) -> Iterator[str]:
    """Yields where the network contradicts its weights or the class names."""
    for (name, layer), report in zip(_plain_layers(network.layers), reports, strict=True):
        key = _WIDTHS.get(layer.class_name, "")
        width = layer.config.get(key)
        if report.weights and key and not any(width in shape for shape in report.weights):
            shapes = ", ".join("×".join(map(str, shape)) for shape in report.weights)
            yield f"Layer {name!r} has {key}={width!r}, but its weights are {shapes}."
    if names and network.outputs is not None and max(2, network.outputs) != names:
        yield (
            f"metadata.json: imgclf.class_names holds {names} names, but the network has "
            f"{network.outputs} outputs."
        )


def _plain_layers(layers: Iterable[Layer], prefix: str = "") -> Iterator[tuple[str, Layer]]:
    for layer in layers:
        if layer.inner:
            yield from _plain_layers(layer.inner, f"{prefix}{layer.name}/")
        else:
            yield prefix + layer.name, layer


def _natural(weight: Weight) -> list[tuple[int, str]]:
    """Sorts weight 10 after weight 9."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in weight.path.split("/")]
