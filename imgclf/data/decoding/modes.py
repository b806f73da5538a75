"""Converts images of any mode to 8-bit grey or RGB, upright.

The rules, for files and for PIL images alike:

- Transparency is laid on a background, white unless another one is chosen.
- Grey of more than 8 bits is scaled by the range of its mode, never by the values of one image, so
  that a dark image stays dark: white is 65535 in the modes I;16 and I, and 1.0 in the mode F. A
  `white_level` sets another one, such as 4095 for 12-bit values.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from imgclf.errors import ImageError

if TYPE_CHECKING:
    from PIL import Image

__all__ = [
    "DEEP_MODES",
    "deep_range",
    "orientation_of",
    "range_fault",
    "to_mode",
    "upright",
    "vanishes",
    "white_level_of",
]

# Modes of more than 8 bits; all of them are grey.
DEEP_MODES = frozenset({"I", "F", "I;16", "I;16B", "I;16L", "I;16N"})
_MAX_INT, _MAX_FLOAT = 65_535.0, 1.0

# White in files of 8, 10, 12 and 14 bits in 16, and of floats that were never scaled to 1.
_INT_LEVELS = (255.0, 1_023.0, 4_095.0, 16_383.0, _MAX_INT)
_FLOAT_LEVELS = (_MAX_FLOAT, 255.0, _MAX_INT)

# What resizing may add to the range of floats, as a fraction of white.
_OVERSHOOT = 0.02

_ALPHA_MODES = frozenset({"RGBA", "LA", "PA", "La", "RGBa"})
_ORIENTATION = 0x0112  # the EXIF tag

# Pixels that are converted at a time where a conversion needs several copies.
_STRIP = 2**22

# How far the visible pixels of an image may be from the background to count as blank, and how
# opaque a pixel must be to be visible, of 255.
_ALIKE, _VISIBLE = 10, 32
_SAMPLE = 48


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 if there is none, or the metadata cannot be read."""
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # Pillow raises many kinds; the pixels are none the worse
        return 1
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1


def upright(image: Image.Image) -> Image.Image:
    """The image turned as its EXIF orientation says; the same object if there is nothing to do."""
    from PIL import Image

    turn = Image.Transpose
    how = {
        2: turn.FLIP_LEFT_RIGHT,
        3: turn.ROTATE_180,
        4: turn.FLIP_TOP_BOTTOM,
        5: turn.TRANSPOSE,
        6: turn.ROTATE_270,
        7: turn.TRANSVERSE,
        8: turn.ROTATE_90,
    }.get(orientation_of(image))
    return image if how is None else image.transpose(how)


def to_mode(
    image: Image.Image,
    mode: str,
    background: str = "#ffffff",
    white_level: float | None = None,
) -> Image.Image:
    """Converts to 8-bit grey or RGB.

    Args:
        image: of any mode, decoded.
        mode: "L" or "RGB".
        background: the colour that transparency is laid on, as "#rrggbb".
        white_level: the value of white in the modes of more than 8 bits.

    Raises:
        ImageError: if values are outside the range of the mode. The message has no file name.
    """
    if image.mode in DEEP_MODES:
        return _from_deep(image, white_level).convert(mode)
    if image.mode == "LAB":
        image = _from_lab(image)
    elif image.mode == "La":  # Pillow goes no other way
        image = image.convert("LA")
    if is_transparent(image):
        return _flatten(image, mode, background)
    return image if image.mode == mode else image.convert(mode)


def is_transparent(image: Image.Image) -> bool:
    """Whether an image may have transparent pixels."""
    return image.mode in _ALPHA_MODES or "transparency" in image.info


def deep_range(image: Image.Image) -> tuple[float, float]:
    """The lowest and the highest value of a grey image of more than 8 bits.

    Raises:
        ImageError: if there are values that are not finite. The message has no file name.
    """
    values = np.asarray(image)
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ImageError("holds values that are not finite (NaN or infinity).")
    return low, high


def range_fault(
    mode: str, values: tuple[float, float], white_level: float | None = None
) -> str | None:
    """Says what is wrong if values are outside the range of a mode; None if they are not.

    With a `white_level`, values below 0 are black and those above it are white.

    Example:
        >>> range_fault("I;16", (3, 65_535)) is range_fault("F", (0, 255), 255) is None
        True
    """
    low, high = values
    white = _MAX_FLOAT if mode == "F" else _MAX_INT
    margin = white * _OVERSHOOT if mode == "F" else 0
    if white_level is not None or (low >= -margin and high <= white + margin):
        return None
    return (
        f"holds values from {low:g} to {high:g}, but in images of the mode {mode} black is 0 and "
        f"white is {white:g}. Convert it to 8 bits, or say by `white_level` which value is white."
    )


def white_level_of(images: Iterable[tuple[str, tuple[float, float] | None]]) -> float | None:
    """Recognises the value of white from all images of a data set together.

    Args:
        images: the mode of each, and its lowest and highest value if it has more than 8 bits.

    Returns:
        4095 for 12-bit values in 16-bit files, and the like; 255 or 65535 for floats that are not
        from 0 to 1. None if the range of the mode fits, or the images do not agree.

    Example:
        >>> white_level_of([("I;16", (7, 900)), ("I;16", (0, 4012)), ("L", None)])
        4095.0
    """
    highest: dict[bool, float] = {}
    for mode, values in images:
        if values is not None:
            is_float = mode == "F"
            highest[is_float] = max(highest.get(is_float, 0), values[1])
    if len(highest) != 1:
        return None
    ((is_float, high),) = highest.items()
    levels = _FLOAT_LEVELS if is_float else _INT_LEVELS
    fitting = next((level for level in levels if high <= level * (1 + _OVERSHOOT * is_float)), None)
    return None if high <= 0 or fitting in (_MAX_INT * (not is_float), _MAX_FLOAT) else fitting


def _from_deep(image: Image.Image, white_level: float | None) -> Image.Image:
    from PIL import Image

    fault = range_fault(image.mode, deep_range(image), white_level)
    if fault is not None:
        raise ImageError(fault)
    white = white_level or (_MAX_FLOAT if image.mode == "F" else _MAX_INT)
    values = np.asarray(image)
    pixels = np.empty(values.shape, np.uint8)
    rows = max(1, _STRIP // max(1, image.width))
    for start in range(0, len(values), rows):
        scaled = values[start : start + rows].astype(np.float64) * 255 / white
        if image.mode == "F":  # 127 / 255 may come back as a bit less than 127
            np.rint(scaled, out=scaled)
        pixels[start : start + rows] = scaled.clip(0, 255)
    return Image.fromarray(pixels)


def _from_lab(image: Image.Image) -> Image.Image:
    from PIL import ImageCms

    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    return image if converted is None else converted


def _flatten(image: Image.Image, mode: str, background: str) -> Image.Image:
    """Lays an image on a colour, a strip at a time, since that takes three copies of the strip."""
    from PIL import Image

    def laid(part: Image.Image) -> Image.Image:
        layer = part if part.mode == "RGBA" else part.convert("RGBA")
        below = Image.new("RGBA", layer.size, background)
        below.alpha_composite(layer)
        return below.convert(mode)

    rows = max(1, _STRIP // image.width)
    if rows >= image.height:
        return laid(image)
    flat = Image.new(mode, image.size)
    for top in range(0, image.height, rows):
        box = (0, top, image.width, min(image.height, top + rows))
        flat.paste(laid(image.crop(box)), box)  # cropping keeps `info`, so the transparency
    return flat


def vanishes(image: Image.Image, background: str) -> bool:
    """Whether an image is partly transparent, and what is visible has the background's colour."""
    from PIL import Image

    if not is_transparent(image):
        return False
    # Nearly all images show in a small sample that they do not.
    sample = image.resize((_SAMPLE, _SAMPLE), Image.Resampling.NEAREST)
    sample.info = image.info  # the transparent colour
    if not _is_all_alike(sample.convert("RGBA"), background, 0.99):
        return False
    layer: Any = image.convert("RGBA")
    low, high = layer.getchannel("A").getextrema()
    if low >= 255 - _ALIKE or high < _VISIBLE:  # nothing is transparent, or nothing visible
        return False
    return _is_all_alike(layer, background, 0.999)


def _is_all_alike(layer: Image.Image, background: str, enough: float) -> bool:
    """Whether this fraction of the visible pixels has the colour; True if there are none."""
    from PIL import ImageColor

    visible = layer.getchannel("A").point([0] * _VISIBLE + [255] * (256 - _VISIBLE))
    counts = np.array(layer.convert("RGB").histogram(visible)).reshape(3, 256)
    for colour, histogram in zip(ImageColor.getrgb(background), counts, strict=False):
        alike = histogram[max(0, colour - _ALIKE) : colour + _ALIKE + 1].sum()
        if alike < enough * histogram.sum():
            return False
    return True
