"""Summarizes data that is loaded: counts, shapes, values, single images."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeAlias

import numpy as np

from imgclf import checks
from imgclf.data.dataset import Dataset
from imgclf.data.image_files import ImageFiles
from imgclf.data.labels import check_labels, name_classes
from imgclf.data.split import Split
from imgclf.errors import ArgumentError, ArgumentTypeError
from imgclf.typing import ArrayLike, Figure

__all__ = ["Inspection", "Sample", "SplitInspection", "inspect_dataset"]

# What can be inspected without a path.
DatasetLike: TypeAlias = Dataset | Split | tuple[ArrayLike, ArrayLike]

# As many as the 2017 tutorial showed.
_FIRST_LABELS = 20

# Image files that are decoded to find the range of their pixels; more would take minutes.
_MAX_DECODED = 256

# Images drawn if no sample was requested.
_NUM_EXAMPLES = 10


@dataclasses.dataclass(frozen=True, eq=False)
class Sample:
    """One image with its label.

    Args:
        index: its index in the split.
        label: its label.
        class_name: the name of its class.
        image: the image, (height, width, channels), values 0 to 255.
    """

    index: int
    label: int
    class_name: str
    image: np.ndarray

    @property
    def pixel_range(self) -> tuple[float, float]:
        """The smallest and the largest value."""
        return _plain(self.image.min()), _plain(self.image.max())

    def __repr__(self) -> str:
        return f"Sample({self.index}, {self.class_name!r}, shape={self.image.shape})"

    def __str__(self) -> str:
        low, high = self.pixel_range
        return (
            f"Sample {self.index}: {self.class_name} (label {self.label}), shape "
            f"{_by(self.image.shape)}, values {low:g} to {high:g}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON, without the image."""
        return {
            "index": self.index,
            "label": self.label,
            "class_name": self.class_name,
            "shape": list(self.image.shape),
            "pixel_range": list(self.pixel_range),
        }


@dataclasses.dataclass(frozen=True)
class SplitInspection:
    """The contents of one split.

    Args:
        name: "train", "validation", "test", or "data" for a split on its own.
        num_images: the number of images.
        image_shape: (height, width, channels) of every image.
        dtype: the type of the values.
        label_counts: the number of images of each class.
        first_labels: the first 20 labels.
        pixel_range: the smallest and the largest value; None if there are no images.
        num_sampled: the number of images that the range comes from: all, or, of image files, at
            most 256 spread over the split.
    """

    name: str
    num_images: int
    image_shape: tuple[int, int, int]
    dtype: str
    label_counts: dict[str, int]
    first_labels: tuple[int, ...]
    pixel_range: tuple[float, float] | None
    num_sampled: int

    def __str__(self) -> str:
        width = max(map(len, self.label_counts))
        lines = [
            f"{self.name}: {self.num_images:,} images of {_by(self.image_shape)}, {self.dtype}",
            f"  values        {self._range_text()}",
            f"  first labels  {' '.join(map(str, self.first_labels))}",
            "  label counts",
        ]
        counts = enumerate(self.label_counts.items())
        lines += [f"    {label:>3}  {name:<{width}}  {n:>7,}" for label, (name, n) in counts]
        return "\n".join(lines)

    def _range_text(self) -> str:
        if self.pixel_range is None:
            return "none"
        low, high = self.pixel_range
        text = f"{low:g} to {high:g}"
        return (
            text if self.num_sampled == self.num_images else f"{text} in {self.num_sampled} of them"
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON."""
        return dataclasses.asdict(self) | {
            "image_shape": list(self.image_shape),
            "first_labels": list(self.first_labels),
            "pixel_range": None if self.pixel_range is None else list(self.pixel_range),
        }


@dataclasses.dataclass(frozen=True, eq=False)
class Inspection:
    """What `inspect` found in loaded data; `str()` of it is a report.

    Args:
        name: the name of the data.
        class_names: one name a class.
        splits: a record for each split.
        sample: the requested image, or None.
        examples: the first images of the first split.
        notes: the notes of the data.
    """

    name: str
    class_names: tuple[str, ...]
    splits: tuple[SplitInspection, ...]
    sample: Sample | None
    examples: tuple[Sample, ...]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = [f"{self.name}: {len(self.class_names)} classes", *self.notes]
        parts += map(str, self.splits)
        if self.sample is not None:
            parts.append(str(self.sample))
        return "\n".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON, without the images."""
        return {
            "name": self.name,
            "class_names": list(self.class_names),
            "splits": [split.to_dict() for split in self.splits],
            "sample": None if self.sample is None else self.sample.to_dict(),
            "notes": list(self.notes),
        }

    def plot(self) -> Figure:
        """Draws the requested sample, or else the first images of the first split.

        Returns:
            A matplotlib figure; `figure.savefig("images.png")` writes it.
        """
        from imgclf import plots

        shown = self.examples if self.sample is None else (self.sample,)
        images = [sample.image for sample in shown]
        titles = [f"{sample.index}: {sample.class_name}" for sample in shown]
        return plots.image_grid(images, titles, columns=min(5, len(shown)), title=self.name)


def inspect_dataset(data: DatasetLike, *, sample: int | None = None) -> Inspection:
    """Inspects a `Dataset`, a `Split` or a pair (images, labels); see `imgclf.inspect`."""
    name, splits, notes = _take_apart(data)
    first = next(iter(splits.values()))
    asked = None if sample is None else _take_sample(first, _check_sample(first, sample))
    return Inspection(
        name=name,
        class_names=tuple(first.class_names),
        splits=tuple(_inspect_split(title, split) for title, split in splits.items()),
        sample=asked,
        examples=tuple(
            _take_sample(first, index) for index in range(min(_NUM_EXAMPLES, len(first)))
        ),
        notes=notes,
    )


def _take_apart(data: DatasetLike) -> tuple[str, dict[str, Split], tuple[str, ...]]:
    if isinstance(data, Dataset):
        return data.name, data.splits(), data.notes
    if isinstance(data, Split):
        return "data", {"data": data}, ()
    if isinstance(data, (tuple, list)) and len(data) == 2:
        images, labels = data
        found = name_classes(labels)
        # A split has two classes; data of one class can be inspected, too.
        spare = [name for name in ("0", "1") if name not in found.names]
        names = [*found.names, *spare[: max(0, 2 - len(found.names))]]
        numbers = check_labels(labels, names, by_value=True)
        return "data", {"data": Split(images, numbers, names)}, found.notes
    raise ArgumentTypeError(
        "`data` must be a Dataset, a Split, a pair (images, labels), or the path of a folder or "
        f"CSV file of photos. {checks.received('data', data)}"
    )


def _check_sample(split: Split, sample: int) -> int:
    if len(split) == 0:
        raise ArgumentError(
            f"`sample` cannot be given: there are no images. {checks.received('sample', sample)}"
        )
    return checks.integer("sample", sample, low=0, high=len(split) - 1)


def _take_sample(split: Split, index: int) -> Sample:
    image, label = split[index]
    return Sample(index, label, split.class_names[label], image)


def _inspect_split(title: str, split: Split) -> SplitInspection:
    pixel_range, num_sampled = _pixel_range(split)
    return SplitInspection(
        name=title,
        num_images=len(split),
        image_shape=split.image_shape,
        dtype=str(split.images.dtype),
        label_counts=split.label_counts(),
        first_labels=tuple(map(int, split.labels[:_FIRST_LABELS])),
        pixel_range=pixel_range,
        num_sampled=num_sampled,
    )


def _pixel_range(split: Split) -> tuple[tuple[float, float] | None, int]:
    looked_at = split
    if isinstance(split.images, ImageFiles) and len(split) > _MAX_DECODED:
        looked_at = split[np.linspace(0, len(split) - 1, _MAX_DECODED).astype(int)]
    ranges = [(images.min(), images.max()) for images, _ in looked_at.batches()]
    if not ranges:
        return None, 0
    low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
    return (_plain(low), _plain(high)), len(looked_at)


def _plain(value: Any) -> float:
    """Converts a NumPy number to a Python number."""
    return value.item()


def _by(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))
