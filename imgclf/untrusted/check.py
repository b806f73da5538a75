"""Checks a model file without Keras, without unpacking it, and without running anything in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from imgclf.errors import ModelFileError
from imgclf.files.metadata import read_entry
from imgclf.files.model_path import model_path
from imgclf.untrusted import archive, bounded_json
from imgclf.untrusted.file_report import LayerReport, ModelFileReport
from imgclf.untrusted.network_config import NOTHING, Layer, Network, read_network
from imgclf.untrusted.weights import Weight, read_weights

__all__ = ["Checked", "check", "check_model_file"]

T = TypeVar("T")

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
class Checked:
    """A file that was checked, for who is about to load it.

    Args:
        path: the file.
        report: what there is to say about it.
        entry: what imgclf wrote into it; empty if plain Keras did.
        weights: the arrays in it.
        compiled_within: whether a model within the model says how to train it.
    """

    path: Path
    report: ModelFileReport
    entry: Mapping[str, Any]
    weights: tuple[Weight, ...]
    compiled_within: bool


def check_model_file(path: str | Path) -> ModelFileReport:
    """Says what is in a `.keras` file, and what speaks against loading it.

    The file is read within bounds, and neither TensorFlow nor Keras is needed.

    Args:
        path: the file, or the folder of a run.

    Returns:
        The report. What is wrong with the file is in its `problems`.

    Raises:
        MissingFileError: if there is no such file.
        ModelFileError: if it is no `.keras` file at all, but a file of another kind.

    Example:
        >>> import imgclf, tempfile
        >>> clf = imgclf.Classifier.from_preset("quick", imgclf.load_digits())
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = check_model_file(clf.save(f"{folder}/digits.keras"))
        >>> report.is_safe, report.image_shape, report.problems
        (True, (8, 8, 1), ())
    """
    return check(path).report


def check(path: Any) -> Checked:
    """As `check_model_file`, with what is needed to load the file."""
    found = model_path(path)
    try:
        file = found.open("rb")
    except OSError as error:
        raise ModelFileError(f"{found}: cannot be read ({error.strerror or error}).") from error
    with file:
        try:
            members = archive.read_archive(file)
        except ModelFileError as error:
            report = ModelFileReport(str(found), problems=(str(error),))
            return Checked(found, report, {}, (), compiled_within=False)
        return _Parts(file, members).gather(found)


class _Parts:
    """The three members; a fault in one does not keep the others from being read."""

    def __init__(self, file: BinaryIO, members: Mapping[str, archive.Member]) -> None:
        self.file = file
        self.members = members
        self.problems: list[str] = []

    def gather(self, path: Path) -> Checked:
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
            figures={name: values[-1] for name, values in history.items() if values},
            problems=tuple(self.problems),
            foreign=network.foreign,
        )
        return Checked(path, report, entry, weights, network.compiled_within)

    def _attempt(self, read: Callable[[], T], otherwise: T) -> T:
        try:
            return read()
        except ModelFileError as error:
            self.problems.append(str(error))
            return otherwise

    def _json(self, name: str) -> Any:
        member = self.members[name]
        if member.size > bounded_json.MAX_BYTES:
            raise ModelFileError(
                f"{name} has {member.size:,} bytes; at most {bounded_json.MAX_BYTES:,} are read."
            )
        return bounded_json.parse(name, archive.read_member(self.file, member))


def _version(metadata: Any) -> str | None:
    version = metadata.get("keras_version") if isinstance(metadata, dict) else None
    return version[:40] if isinstance(version, str) else None


def _is_parameter(weight: Weight) -> bool:
    """Whether it belongs to the network: not to an optimiser, nor to a source of random numbers."""
    parts = weight.path.split("/")
    return "optimizer" not in parts and not any(part.startswith("seed_gen") for part in parts)


def _describe(layers: Iterable[Layer], weights: Iterable[Weight]) -> Iterator[LayerReport]:
    """Each layer that is not a model itself, with its weights."""
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
    """Where the network does not go with the weights, or with the names of the classes."""
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
    """Weight 10 comes after weight 9."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in weight.path.split("/")]
