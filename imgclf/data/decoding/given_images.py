"""Splits whatever shows images into single ones, to predict, to explain, and to find neighbours.

All of them take the same: a path, the bytes of a file, an open file, a PIL image, an array or a
tensor, a `Split`, a folder, and any list, array or generator of these.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterable, Iterator, Mapping, MutableSequence, Set
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np

from imgclf import checks
from imgclf.data.dataset import Dataset
from imgclf.data.decoding.arrays import is_array_like, to_numbers, to_stack
from imgclf.data.decoding.opening import MAX_PIXELS
from imgclf.data.image_files import ImageFiles
from imgclf.data.sources.folder import images_at
from imgclf.data.split import Split
from imgclf.errors import ArgumentError, ArgumentTypeError, ImageError
from imgclf.formatting import shorten, show_path
from imgclf.typing import ArrayLike, PILImage, StrPath

__all__ = [
    "GivenImage",
    "ImageSource",
    "ModelInput",
    "OneImage",
    "Skipped",
    "given_images",
    "place_of",
]

OneImage: TypeAlias = StrPath | bytes | BinaryIO | PILImage | ArrayLike
ImageSource: TypeAlias = OneImage | Iterable[OneImage] | ImageFiles | Split

# Images that could not be read, each with the reason. One that is no file is called source[3].
Skipped: TypeAlias = list[tuple[Path, str]]

_TAKES = (
    "the path of an image or of a folder, the bytes of an image, an open file, a PIL image, an "
    "array or a tensor, a Split, or a list or another iterable of images"
)

# A path is never longer on any system in use.
_LONGEST_PATH = 4096

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


@dataclasses.dataclass(frozen=True, slots=True)
class ModelInput:
    """What a model takes.

    Args:
        image_shape: (height, width, channels); None where any size will do.
        white_level: the value of white in images of more than 8 bits; None for that of the dtype.
    """

    image_shape: tuple[int | None, int | None, int]
    white_level: float | None = None

    def takes(self, shape: tuple[int, ...]) -> bool:
        """Whether images of this shape need no resizing."""
        pairs = zip(self.image_shape, shape, strict=True)
        return all(wanted in (None, there) for wanted, there in pairs)


@dataclasses.dataclass(frozen=True, slots=True)
class GivenImage:
    """One image as it was given.

    Args:
        content: what `decode_image` takes.
        name: what messages call it: its path, or its place such as source[3].
        path: its path, if it is a file.
    """

    content: Path | bytes | PILImage | np.ndarray
    name: str
    path: str | None = None

    @property
    def shown(self) -> str:
        """The name as it begins a message."""
        return show_path(self.name) if self.path is not None else f"`{self.name}`"


def given_images(
    source: Any,
    model: ModelInput,
    skipped: Skipped | None = None,
) -> np.ndarray | ImageFiles | Iterable[GivenImage]:
    """Splits a source into images, or returns those that the model can take as they are.

    Args:
        source: what shows images.
        model: what it takes.
        skipped: receives folders that cannot be read.

    Returns:
        (N, height, width, channels) of the model's shape; or files; or single images: a list, or
        an iterator if the source is one.

    Raises:
        ArgumentTypeError: if something is no image by its type.
        MissingFileError: if the source is a path at which there is nothing.
    """
    if skipped is not None and not isinstance(skipped, MutableSequence):
        raise ArgumentTypeError(
            "`skipped` must be a list, which the files that cannot be read are added to, or None. "
            + checks.received("skipped", skipped)
        )
    if isinstance(source, Split):
        source = source.images
    if isinstance(source, ImageFiles):
        return source
    if isinstance(source, (str, os.PathLike)):
        place = checks.existing_path("source", place_of(source, "source"))
        return [GivenImage(path, str(path), str(path)) for path in images_at(place, skipped)]
    if _is_table(source):
        raise ArgumentTypeError(
            "`source` is a table: give the column with the paths, such as table['path']. "
            + checks.received("source", type(source).__name__)
        )
    if _is_one(source):
        return _fitting(list(_single(source, "source", model)), model)
    if is_array_like(source):
        return _of_array(source, model)
    if not isinstance(source, Iterable) or isinstance(source, (Mapping, Set, Dataset)):
        raise ArgumentTypeError(
            f"`source` must be {_TAKES}. {checks.received('source', source)}"
            + " Give one of its splits, such as data.test." * isinstance(source, Dataset)
        )
    if isinstance(source, (list, tuple)):
        return _of_list(source, model)
    return _each(source, model)


def place_of(path: StrPath, name: str) -> StrPath:
    """A path that may be one: no address, no content of a file as text.

    Raises:
        ArgumentError: if it is one of these.
    """
    text = os.fspath(path)
    if isinstance(text, str) and _ADDRESS.match(text):
        raise ArgumentError(
            f"`{name}` must be a file, not an address: download it first, or give its bytes. "
            f"Received: {shorten(text, 200, 'end')}"
        )
    if len(text) > _LONGEST_PATH or (isinstance(text, str) and text.startswith("data:image")):
        raise ArgumentError(
            f"`{name}` is a text of {len(text):,} characters, which is no path. If it is an image "
            "in Base64, give base64.b64decode(…) of the part behind the comma."
        )
    return path


def _of_array(source: Any, model: ModelInput) -> np.ndarray | Iterable[GivenImage]:
    if not hasattr(source, "detach") and not hasattr(source, "numpy"):
        source = np.asarray(source)  # a pandas Series, too
    if isinstance(source, np.ndarray):
        if source.size == 0 and source.ndim < 2:
            return []
        if source.dtype.kind == "S" and source.ndim <= 1:  # which lost the zeros at the end
            size = source.dtype.itemsize
            return _of_list([one.ljust(size, b"\0") for one in np.atleast_1d(source)], model)
        if source.dtype.kind in "OUT" and source.ndim <= 1:
            return _of_list(np.atleast_1d(source).tolist(), model)
        if source.dtype.kind in "OUSTMmV" and "float" not in source.dtype.name:
            raise ArgumentTypeError(
                "`source` must hold numbers, or paths in one dimension. "
                f"Received: an array of dtype={source.dtype}, shape={source.shape}."
            )
    stack = to_stack(source, "source", model.image_shape)
    images = to_numbers(stack, "source", model.white_level)  # together, since floats are judged so
    if model.takes(images.shape[1:]):
        return images
    if len(images) == 1:
        return [GivenImage(images[0], "source")]
    return [GivenImage(image, f"source[{number}]") for number, image in enumerate(images)]


def _of_list(
    source: list[Any] | tuple[Any, ...], model: ModelInput
) -> np.ndarray | Iterable[GivenImage]:
    if source and all(isinstance(one, (int, float, list)) for one in source):
        nested = _nested(source)
        if nested is not None:
            return _of_array(nested, model)
    return _fitting(list(_each(source, model)), model)


def _nested(values: list[Any] | tuple[Any, ...]) -> np.ndarray | None:
    """Nested lists of numbers as an array; None if they are something else."""
    try:
        array = np.asarray(values)
    except ValueError:  # of unequal lengths
        return None
    return array if array.dtype.kind in "buif" else None


def _fitting(images: list[GivenImage], model: ModelInput) -> np.ndarray | list[GivenImage]:
    """One array, if all are arrays of one dtype that the model can take as they are."""
    arrays = [one.content for one in images if isinstance(one.content, np.ndarray)]
    alike = len({(one.shape, one.dtype) for one in arrays}) == 1
    if len(arrays) == len(images) and alike and model.takes(arrays[0].shape):
        return to_numbers(np.stack(arrays), "source", model.white_level)
    return images


def _each(source: Iterable[Any], model: ModelInput) -> Iterator[GivenImage]:
    for number, one in enumerate(source):
        yield from _single(one, f"source[{number}]", model)


def _single(one: Any, name: str, model: ModelInput) -> Iterator[GivenImage]:
    """One element as an image; a batch within a list as all its images."""
    if isinstance(one, (str, os.PathLike)):
        path = os.fspath(place_of(one, name))
        text = os.fsdecode(path)
        yield GivenImage(Path(text).expanduser(), text, text)
    elif isinstance(one, (bytes, bytearray, memoryview)):
        yield GivenImage(bytes(one), name)
    elif _is_pil(one):
        yield GivenImage(one, name)
    elif hasattr(one, "read"):
        yield GivenImage(_read(one, name), name)
    elif hasattr(one, "read_bytes"):  # a file in a zip archive
        yield GivenImage(one.read_bytes(), name)
    elif isinstance(one, list) and (nested := _nested(one)) is not None:
        yield from _single(nested, name, model)
    elif is_array_like(one):
        stack = to_stack(one, name, model.image_shape)
        for number, image in enumerate(stack):
            yield GivenImage(image, name if len(stack) == 1 else f"{name}[{number}]")
    else:
        raise ArgumentTypeError(
            f"`{name}` must be a path, the bytes of an image, an open file, a PIL image, an array "
            f"or a tensor. {checks.received(name, one)}"
        )


def _is_one(source: Any) -> bool:
    """Whether this is one image, though it may be iterable; arrays are looked at elsewhere."""
    return (
        isinstance(source, (bytes, bytearray, memoryview))
        or _is_pil(source)
        or hasattr(source, "read")
        or hasattr(source, "read_bytes")
    )


def _is_pil(value: Any) -> bool:
    return hasattr(value, "convert") and hasattr(value, "size") and hasattr(value, "getbands")


def _is_table(value: Any) -> bool:
    return hasattr(value, "columns") and hasattr(value, "to_dict")


def _read(file: Any, name: str) -> bytes:
    """The whole content of an open file, which is left where it was."""
    limit = 8 * 2 * MAX_PIXELS
    try:
        place = file.tell() if hasattr(file, "seek") and _can_seek(file) else None
        if place is not None:
            file.seek(0)
        pieces = [file.read(limit + 1)]
        while pieces[-1] and isinstance(pieces[-1], bytes) and sum(map(len, pieces)) <= limit:
            pieces.append(file.read(limit + 1))  # a socket gives what has come so far
        if place is not None:
            file.seek(place)
    except UnicodeDecodeError as error:
        raise _text_file(name) from error
    except (OSError, ValueError) as error:
        raise ImageError(f"`{name}`: cannot be read ({error}).") from error
    if isinstance(pieces[0], str):
        raise _text_file(name)
    if not isinstance(pieces[0], bytes):
        raise ArgumentTypeError(
            f"`{name}`: read() must return bytes. {checks.received('data', pieces[0])}"
        )
    data = b"".join(pieces)
    if len(data) > limit:
        raise ImageError(f"`{name}`: has more than {limit / 1e6:,.0f} MB.")
    return data


def _can_seek(file: Any) -> bool:
    return bool(file.seekable()) if hasattr(file, "seekable") else True


def _text_file(name: str) -> ArgumentTypeError:
    return ArgumentTypeError(f"`{name}` is open as text: use open(path, 'rb').")
