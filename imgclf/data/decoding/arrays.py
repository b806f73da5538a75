"""Turns arrays and tensors of any library into images of 0 to 255.

Two questions have no answer in the numbers alone. Which axis holds the channels: the last one, but
of a PyTorch tensor the one before height and width, as everywhere in PyTorch. What is white: 255 of
8-bit values; 65535 of uint16, as in the files that such arrays come from; 1 of floats that are all
between 0 and 1, else 255.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from imgclf import checks
from imgclf.errors import ArgumentTypeError, DataError

__all__ = ["is_array_like", "to_numbers", "to_stack"]

# Numbers of channels that an image may have: grey, grey and alpha, RGB, RGB and alpha.
_CHANNELS = (1, 2, 3, 4)

_MAX_UINT16 = 65_535.0

# What resizing may add to the range of floats, as a fraction of white.
_OVERSHOOT = 0.02


def is_array_like(value: object) -> bool:
    """Whether a value is an array or a tensor, by what it can do."""
    return isinstance(value, np.ndarray) or any(
        hasattr(value, name) for name in ("__array__", "__array_interface__", "detach", "numpy")
    )


def to_stack(
    value: object, name: str, image_shape: tuple[int | None, int | None, int]
) -> np.ndarray:
    """Returns the images of an array or a tensor as (N, height, width, channels).

    Args:
        value: (N, height, width, channels), (height, width, channels), (height, width), or
            (N, height, width) grey; of a PyTorch tensor with the channels first.
        name: of the argument, for messages.
        image_shape: (height, width, channels) that the model takes; None where any will do.

    Raises:
        ArgumentTypeError: if it cannot be converted to an array.
        DataError: if its shape is not that of images.
    """
    channels_first = _is_torch(value)
    array = _to_array(value, name)
    fitting = image_shape[2]
    if array.ndim == 2:
        return array[np.newaxis, ..., np.newaxis]
    if array.ndim not in (3, 4) or 0 in array.shape[1:] or (array.ndim == 3 and not len(array)):
        raise DataError(
            f"`{name}` must have the shape (height, width), (height, width, channels) or "
            f"(N, height, width, channels). Received: shape={array.shape}."
        )
    if channels_first and array.shape[-3] in _CHANNELS and (array.ndim == 4 or fitting != 1):
        array = np.moveaxis(array, -3, -1)
    elif array.ndim == 3 and _is_grey_stack(array.shape, image_shape):
        array = array[..., np.newaxis]
    elif array.shape[-1] not in (*_CHANNELS, fitting):
        array = _with_channels_last(array, name)
    return array if array.ndim == 4 else array[np.newaxis]


def _is_grey_stack(shape: tuple[int, ...], image_shape: tuple[int | None, int | None, int]) -> bool:
    """Whether (a, b, c) are `a` grey images rather than one with `c` channels."""
    height, width, channels = image_shape
    if channels == 1 and shape[1:] == (height, width):
        return True
    if shape[-1] in (*_CHANNELS, channels):
        return False
    return channels == 1 or shape[0] not in (3, 4)


def _with_channels_last(array: np.ndarray, name: str) -> np.ndarray:
    if array.ndim == 4 and array.shape[1] == 1:  # one channel is the same image either way
        return np.moveaxis(array, 1, -1)
    hint = ""
    if array.shape[-3] in (3, 4):
        hint = f" Its channels come first: give numpy.moveaxis({name}, -3, -1)."
    raise DataError(
        f"`{name}` must have its channels last, (N, height, width, channels) with 1 to 4 channels. "
        f"Received: shape={array.shape}.{hint}"
    )


def to_numbers(array: np.ndarray, name: str, white_level: float | None = None) -> np.ndarray:
    """Scales values to 0 to 255: uint8, or float32 where they are floats.

    Args:
        array: one image or several; of floats, all together decide whether 1 is white or 255.
        name: of the argument, for messages.
        white_level: the value of white in uint16 arrays, if it is another one.

    Raises:
        DataError: if values are outside the range, or not finite.
    """
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if not (np.issubdtype(array.dtype, np.integer) or np.issubdtype(array.dtype, np.floating)):
        raise DataError(
            f"`{name}` must be real numbers, best as uint8 from 0 to 255. "
            f"Received: dtype={array.dtype}."
        )
    if array.size == 0:
        return array.astype(np.uint8)
    low, high = array.min(), array.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise DataError(f"`{name}` holds values that are not finite (NaN or infinity).")
    if array.dtype == np.uint16:
        return _from_uint16(array, name, float(high), white_level)
    return _from_range(array, name, float(low), float(high))


def _from_uint16(
    array: np.ndarray, name: str, high: float, white_level: float | None
) -> np.ndarray:
    if white_level is None and 0 < high <= 255:
        raise DataError(
            f"`{name}` is uint16, in which white is 65535, but has no value above {high:g}. Give "
            f"{name}.astype('uint8') if white is 255."
        )
    scaled = array.astype(np.float64) * 255 / (white_level or _MAX_UINT16)
    return scaled.clip(0, 255).astype(np.uint8)


def _from_range(array: np.ndarray, name: str, low: float, high: float) -> np.ndarray:
    is_float = np.issubdtype(array.dtype, np.floating)
    white = 1 if is_float and high <= 1 + _OVERSHOOT else 255
    margin = _OVERSHOOT if white == 1 else 0
    if low < -margin or high > white + margin:
        hint = ""
        if low < 0 and is_float:
            hint = " If they are standardised, undo that: the model does its own."
        elif high > 255:
            hint = " If white is 65535, give them as uint16."
        raise DataError(
            f"`{name}` must hold values from 0 to 255, or floats from 0 to 1. Received: values "
            f"from {low:g} to {high:g}.{hint}"
        )
    if not is_float:
        return array.astype(np.uint8)
    pixels = array.astype(np.float32, copy=False)
    if white == 1 and high > 0:
        pixels = pixels * np.float32(255)
    return pixels.clip(0, 255) if low < 0 or high > white else pixels


def _to_array(value: Any, name: str) -> np.ndarray:
    try:
        array = np.asarray(_to_host(value))
    except Exception as error:  # libraries raise many kinds
        raise ArgumentTypeError(
            f"`{name}` cannot be converted to a NumPy array ({error}). "
            + checks.received(name, type(value).__name__)
        ) from error
    # Types that NumPy lacks, such as bfloat16, are no kind of float for it.
    is_foreign_float = "float" in array.dtype.name and not np.issubdtype(array.dtype, np.floating)
    return array.astype(np.float32) if is_foreign_float else array


def _is_torch(value: object) -> bool:
    return hasattr(value, "detach") and hasattr(value, "cpu")


def _to_host(value: Any) -> Any:
    """A tensor of PyTorch or TensorFlow as an array in memory; all else as it is."""
    if isinstance(value, np.ndarray):
        return value
    if _is_torch(value):
        value = value.detach().cpu()
        if str(getattr(value, "dtype", "")).endswith("bfloat16"):  # which NumPy lacks
            value = value.float()
    convert: Callable[[], Any] | None = getattr(value, "numpy", None)
    return convert() if callable(convert) else value
