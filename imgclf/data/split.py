"""`Split`: images with labels, which training, evaluation and inspection take.

Images are an array, or an `ImageFiles` that decodes them when needed. A split treats both alike and
decodes no more than requested.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import math
from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np

from imgclf import checks
from imgclf.data.image_files import ImageFiles
from imgclf.data.labels import check_labels
from imgclf.errors import ArgumentError, ArgumentTypeError, DataError
from imgclf.typing import ArrayLike

__all__ = ["Split", "unchecked_split"]

ROLES = ("train", "validation", "test")

# Large enough to be fast, small enough (31 MB of CIFAR-10) for any memory.
_HASH_BLOCK = 10_000

# Grey, grey with alpha, RGB and RGBA have so few channels; no photo has such a side.
_MOST_COLORS = 4
# From this side on, square maps with more channels than rows are no likely images.
_SMALL_SIDE = 16


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Split:
    """Images with their labels.

    Args:
        images: (N, height, width, channels), values 0 to 255: a uint8 array (other integer dtypes
            are converted, float32 is kept), or an `ImageFiles`. (N, height, width) stands for one
            channel.
        labels: (N,) integers that count the class names from 0, whatever these are; or (N,) class
            names; or (N, classes) one-hot. In the split they are integers.
        class_names: the class names, in the order of the labels.
        role: "train", "validation" or "test", the split of the `Dataset` that the images come from.
            It identifies test evaluations and does not affect any metric.

    Raises:
        DataError: if the images or labels are not as above. The message names what came.

    Example:
        >>> import numpy as np
        >>> split = Split(np.zeros((3, 8, 8, 1), np.uint8), [0, 1, 1], class_names=["cat", "dog"])
        >>> len(split), split.image_shape, split.label_counts()
        (3, (8, 8, 1), {'cat': 1, 'dog': 2})
        >>> split[1:].labels
        array([1, 1])
    """

    images: Any
    labels: Any
    class_names: Sequence[str]
    role: str | None = None

    def __post_init__(self) -> None:
        names = check_class_names(self.class_names)
        images = check_images(self.images)
        labels = check_labels(self.labels, names)
        if len(images) != len(labels):
            raise DataError(
                "`images` and `labels` must have one entry an image. "
                f"Received: {len(images)} images and {len(labels)} labels."
            )
        object.__setattr__(self, "images", images)
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "class_names", names)

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        height, width, channels = self.image_shape
        images = f"{len(self):,} images of {height}×{width}×{channels}"
        return f"Split({images}, {self.num_classes} classes)"

    @overload
    def __getitem__(self, index: int) -> tuple[np.ndarray, int]: ...
    @overload
    def __getitem__(self, index: slice | np.ndarray | list[int]) -> Split: ...

    def __getitem__(self, index: Any) -> Any:
        """`split[3]` is one (image, label); a slice, mask or index array gives a `Split`."""
        if isinstance(index, (int, np.integer)) and not isinstance(index, bool):
            if not -len(self) <= index < len(self):
                raise IndexError(
                    f"This split has samples 0 to {len(self) - 1}. Received: index={index}."
                )
            return self.images[int(index)], int(self.labels[index])
        if not isinstance(index, slice):
            index = np.asarray(index)
            if index.size == 0 and index.dtype != np.bool_:  # [] is an array of floats for NumPy
                index = index.astype(np.int64)
        return Split(self.images[index], self.labels[index], self.class_names, self.role)

    def as_role(self, role: str) -> Split:
        """Returns the same images and labels, not copied, as "train", "validation" or "test".

        Example:
            >>> import imgclf
            >>> imgclf.load_digits().test[:5].as_role("validation").role
            'validation'
        """
        if role == self.role:
            return self
        same = object.__new__(Split)
        same.__dict__.update(self.__dict__, role=checks.one_of("role", role, ROLES))
        return same

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of every image."""
        height, width, channels = self.images.shape[1:]
        return int(height), int(width), int(channels)

    def label_counts(self) -> dict[str, int]:
        """Counts the images of each class, in the order of the labels."""
        counts = np.bincount(self.labels, minlength=self.num_classes)
        return dict(zip(self.class_names, map(int, counts), strict=True))

    def batches(self, batch_size: int = 256) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields images and labels in order; the last batch may be smaller.

        Args:
            batch_size: images in a batch.

        Yields:
            (images, labels): arrays of (batch, height, width, channels) and (batch,).
        """
        checks.integer("batch_size", batch_size, low=1)
        for start in range(0, len(self), batch_size):
            chosen = slice(start, start + batch_size)
            yield np.asarray(self.images[chosen]), self.labels[chosen]

    def fingerprint(self) -> str:
        """Returns the SHA-256 of the images and labels, in hexadecimal.

        Of image files it uses names, sizes and times of change instead of the content, since
        reading every file would take longer than the first epoch.
        """
        digest = hashlib.sha256(repr((self.images.shape, self.class_names)).encode())
        digest.update(np.ascontiguousarray(self.labels, np.int64).tobytes())
        if isinstance(self.images, ImageFiles):
            digest.update(self.images.fingerprint().encode())
        else:
            for start in range(0, len(self), _HASH_BLOCK):
                digest.update(np.ascontiguousarray(self.images[start : start + _HASH_BLOCK]).data)
        return digest.hexdigest()


def unchecked_split(images: Any, labels: np.ndarray, class_names: Sequence[str]) -> Split:
    """Makes a `Split` of checked values, or of features in place of images.

    Args:
        images: (N, height, width, channels), any values.
        labels: (N,) integers.
        class_names: the class names.
    """
    split = object.__new__(Split)
    values = {"images": images, "labels": labels, "class_names": class_names}
    for name, value in values.items():
        object.__setattr__(split, name, value)
    return split


def check_class_names(class_names: Sequence[str]) -> tuple[str, ...]:
    """Checks that there are at least two names, all different and not empty.

    Whole numbers and arrays, such as NumPy's `unique` gives of labels, become names.
    """
    if hasattr(class_names, "tolist"):
        class_names = class_names.tolist()
    if isinstance(class_names, str) or not isinstance(class_names, Sequence):
        raise ArgumentTypeError(
            "`class_names` must be a list of names. " + checks.received("class_names", class_names)
        )
    names = tuple(class_names)
    if all(isinstance(name, (int, np.integer)) for name in names):
        names = tuple(map(str, names))
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise ArgumentTypeError(
                "`class_names` must hold only names that are not empty. "
                + checks.received("class_names", names)
            )
    if len(names) < 2:
        raise ArgumentError(
            "`class_names` must hold at least 2 names: a classifier needs two classes. "
            + checks.received("class_names", names)
        )
    twice = sorted(name for name, count in collections.Counter(names).items() if count > 1)
    if twice:
        raise ArgumentError(f"`class_names` must all differ. Twice in it: {', '.join(twice)}.")
    return names


def check_images(images: ArrayLike | ImageFiles) -> np.ndarray | ImageFiles:
    """Checks images: returns (N, height, width, channels) of 0 to 255, or the `ImageFiles`."""
    if isinstance(images, ImageFiles):
        return images
    try:
        array = np.asarray(images)
    except ValueError as error:
        raise DataError(
            "`images` must be one array: all images need the same height, width and channels."
        ) from error
    if array.dtype == np.bool_ or not np.issubdtype(array.dtype, np.number):
        raise DataError(
            "`images` must be numbers from 0 to 255, best as uint8; files with labels are read by "
            f"load_folder() or load_csv(). Received: dtype={array.dtype}, shape={array.shape}."
        )
    _check_layout(array.shape)
    if array.ndim == 3:
        array = array[..., np.newaxis]
    return array if array.dtype == np.uint8 else _check_range(array)


def _check_layout(shape: tuple[int, ...]) -> None:
    """Refuses shapes that are none of (N, height, width, channels) or (N, height, width)."""
    if (len(shape) not in (3, 4)) or 0 in shape[1:]:
        raise DataError(
            "`images` must have the shape (N, height, width, channels). "
            f"Received: shape={shape}.{_flat_hint(shape)}"
        )
    found = _unlikely(shape)
    if found is not None:
        meaning, remedy = found
        raise DataError(
            "`images` must have the shape (N, height, width, channels). "
            f"Received: shape={shape}, which looks like {meaning}: give {remedy}."
        )


def _unlikely(shape: tuple[int, ...]) -> tuple[str, str] | None:
    """What a shape seems to be instead, and what to give in its place."""
    if len(shape) == 3:
        one_image = shape[2] in (3, 4) and shape[0] > 4 and shape[1] > 4
        return (
            ("a single image (height, width, channels)", "images[np.newaxis]")
            if one_image
            else None
        )
    _, first, second, last = shape
    if last <= _MOST_COLORS:
        return None
    square = second == last >= _SMALL_SIDE and first < second
    if (first <= _MOST_COLORS < second) or square:
        return (
            "(N, channels, height, width), channels first",
            "images.transpose(0, 2, 3, 1)",
        )
    if second <= _MOST_COLORS and shape[0] > _MOST_COLORS and first > _MOST_COLORS:
        return "(height, width, channels, N), images last", "images.transpose(3, 0, 1, 2)"
    return None


def _flat_hint(shape: tuple[int, ...]) -> str:
    """How images in rows, as tables of pixels have them, are given their shape."""
    if len(shape) != 2:
        return ""
    for channels, then in ((1, ""), (3, ".transpose(0, 2, 3, 1)")):
        side = math.isqrt(shape[1] // channels)
        if side > 1 and side * side * channels == shape[1]:
            sides = f"{side}, {side}" if channels == 1 else f"{channels}, {side}, {side}"
            order = " if each row holds one channel after the other" if then else ""
            return f" Images in rows are given by images.reshape(-1, {sides}){then}{order}."
    return ""


def _check_range(array: np.ndarray) -> np.ndarray:
    """Integers from 0 to 255 as uint8, floats as float32."""
    if np.issubdtype(array.dtype, np.complexfloating):
        raise DataError("`images` must be real numbers from 0 to 255. Received: complex numbers.")
    if array.size == 0:
        return array.astype(np.uint8)
    low, high = array.min(), array.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise DataError("`images` holds values that are not finite (NaN or infinity).")
    if low < 0 or high > 255:
        raise DataError(
            f"`images` must hold values from 0 to 255. Received: values from {low:g} to {high:g}."
        )
    if np.issubdtype(array.dtype, np.integer):
        return array.astype(np.uint8)
    if 0 < high <= 1:
        raise DataError(
            "`images` must hold values from 0 to 255, but all are between 0 and 1: "
            "they seem to be rescaled already. Multiply them by 255."
        )
    return array.astype(np.float32, copy=False)
