"""Decodes one image: the only place where imgclf turns a file into pixels.

Inspection, training, evaluation and prediction all call `decode_image`, so the pixels are the same
everywhere. The steps, in order:

1. The file must be a regular file (a pipe or a device would hang).
2. Its content must be one of the formats of `image_formats`, whatever its name says.
3. The size in the header is checked before a pixel is decoded.
4. The image is decoded whole: a truncated file is an error, not an image with a grey lower half.
5. The EXIF orientation is applied.
6. The mode becomes 8-bit grey or RGB: transparency is laid on a background, 16-bit grey is scaled.
7. It is resized by the policy that was asked for.

A JPEG file is decoded at a fraction of its size where that leaves enough pixels. A PIL image has
been decoded whole already, so it may differ by a few grey levels from the file it came from.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from imgclf import checks
from imgclf.data.decoding.arrays import to_numbers
from imgclf.data.decoding.jpeg import is_sound_jpeg
from imgclf.data.decoding.memory import DECODING_MEMORY
from imgclf.data.decoding.modes import (
    DEEP_MODES,
    deep_range,
    orientation_of,
    to_mode,
    upright,
    vanishes,
    white_level_of,
)
from imgclf.data.decoding.opening import MAX_PIXELS, name_of, opened, read_all
from imgclf.data.decoding.quiet import pillow_quiet
from imgclf.data.image_formats import memory_per_pixel
from imgclf.errors import ArgumentError, ImageError, ImgclfError
from imgclf.formatting import show_path

if TYPE_CHECKING:
    from PIL import Image

    from imgclf.typing import ImageSize, PILImage, RgbColor, StrPath

__all__ = [
    "DECODER_VERSION",
    "GREY_MODES",
    "MAX_PIXELS",
    "WHITE",
    "Facts",
    "Header",
    "ImageSpec",
    "check_image",
    "decode_image",
    "decode_with_facts",
    "read_header",
    "reason_of",
]

GREY_MODES = frozenset({"1", "L", "LA", "La"}) | DEEP_MODES

# The background of transparent images by default.
WHITE = "#ffffff"

# Counts the changes that gave an image other pixels; decoded images on disk belong to one version.
DECODER_VERSION = 2

# A JPEG is decoded at an eighth, a quarter or half of its size if that leaves four times the pixels
# that the final resize needs to average over. With twice, edges differed by up to 40 of 255 levels.
_DRAFT_MARGIN = 4

# Bytes a pixel that a progressive JPEG takes at its full size, however small it is decoded.
_PROGRESSIVE = 6


@dataclasses.dataclass(frozen=True, repr=False)
class ImageSpec:
    """The size and channels that images are decoded to, and how.

    Args:
        image_size: (height, width) in pixels, or one int for both; None keeps each image's own.
        channels: 1 for grey, 3 for RGB.
        resize: how an image of another aspect ratio is fitted. "crop" fills the size and crops two
            sides; "pad" shows the whole image between black bars; "stretch" ignores the aspect
            ratio.
        max_pixels: images with more pixels are refused before they are decoded; at most
            178,956,970, the limit of Pillow.
        background: the colour that transparent images are laid on: a name such as "black",
            "#rrggbb", or (red, green, blue).
        white_level: the value of white in grey images of more than 8 bits, such as 4095 for 12-bit
            values; if left out, 65535, and 1.0 in images of floats.

    Example:
        >>> ImageSpec(64).image_size
        (64, 64)
        >>> ImageSpec(64, background="black")
        ImageSpec(image_size=(64, 64), channels=3, resize='crop', background='#000000')
    """

    image_size: ImageSize | None = None
    channels: int = 3
    resize: str = "crop"
    max_pixels: int = MAX_PIXELS
    background: RgbColor = WHITE
    white_level: float | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the decoded images, where `image_size` is given."""
        return cast("tuple[int, int]", self.image_size)

    def __post_init__(self) -> None:
        if self.image_size is not None:
            size = checks.size_pair("image_size", self.image_size)
            object.__setattr__(self, "image_size", size)
        checks.one_of("channels", self.channels, [1, 3])
        checks.one_of("resize", self.resize, ["crop", "pad", "stretch"])
        checks.integer("max_pixels", self.max_pixels, low=1, high=2 * MAX_PIXELS)
        object.__setattr__(self, "background", _colour(self.background))
        if self.white_level is not None:
            level = checks.number("white_level", self.white_level, low=0, above=True)
            object.__setattr__(self, "white_level", level)

    def __repr__(self) -> str:
        """Identifies the images of a run; `max_pixels` changes no pixel."""
        values: dict[str, object] = {
            "image_size": self.image_size,
            "channels": self.channels,
            "resize": self.resize,
        }
        if self.background != WHITE:
            values["background"] = self.background
        if self.white_level is not None:
            values["white_level"] = self.white_level
        return f"ImageSpec({', '.join(f'{name}={value!r}' for name, value in values.items())})"


def _colour(value: object) -> str:
    """A colour as "#rrggbb"."""
    if value == WHITE:  # without Pillow
        return WHITE
    from PIL import ImageColor

    try:
        if isinstance(value, str):
            red, green, blue, *rest = ImageColor.getrgb(value)
            if rest:
                raise ValueError
        else:
            red, green, blue = value  # type: ignore[misc]
        parts = [checks.integer("background", part, low=0, high=255) for part in (red, green, blue)]
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            "`background` must be a colour without transparency, such as 'black', '#808080' or "
            f"(128, 128, 128). {checks.received('background', value)}"
        ) from error
    return "#" + "".join(f"{part:02x}" for part in parts)


def decode_image(
    source: StrPath | bytes | PILImage | np.ndarray, spec: ImageSpec, name: str | None = None
) -> np.ndarray:
    """Decodes one image.

    Args:
        source: the path of an image, the content of a file, a PIL image, or an array (height,
            width, channels).
        spec: the size and channels to decode to, and the limit of pixels.
        name: of the image in messages; the path if left out.

    Returns:
        (height, width, channels) uint8; float32 of an array of floats that has this size already.

    Raises:
        MissingFileError: if there is no such file.
        ImageError: if the file is not a whole image of a known format, or is too large.
        DataError: if an array does not hold pixels.

    Example:
        >>> from PIL import Image
        >>> decode_image(Image.new("RGB", (40, 20), "red"), ImageSpec(8))[0, 0]
        array([255,   0,   0], dtype=uint8)
    """
    if isinstance(source, np.ndarray):
        return _from_array(source, spec, name or "source")
    if not isinstance(source, (str, bytes, os.PathLike)):
        return _from_pil(source, spec, name or "`source`")
    shown = name or name_of(source)
    with contextlib.ExitStack() as memory:
        with opened(source, spec.max_pixels, shown) as image:
            if spec.image_size is not None:
                side = max(spec.size) * _DRAFT_MARGIN
                image.draft(None, (side, side))
            with _decoding(image, shown, memory):
                image.load()
                pixels = _to_pixels(image, spec)
        del image  # and its memory, before another one takes it
    return pixels


def _from_pil(image: PILImage, spec: ImageSpec, name: str) -> np.ndarray:
    with pillow_quiet():
        if image.width * image.height > spec.max_pixels:
            raise ImageError(
                f"{name}: has more than {spec.max_pixels:,} pixels, the most that is allowed."
            )
        with contextlib.ExitStack() as memory, _decoding(image, name, memory):
            image.load()
            return _to_pixels(image, spec)


def _from_array(array: np.ndarray, spec: ImageSpec, name: str) -> np.ndarray:
    from PIL import Image

    pixels = to_numbers(array, name, spec.white_level)
    size = pixels.shape[:2] if spec.image_size is None else spec.size
    if pixels.shape == (*size, spec.channels):
        return pixels
    if pixels.dtype != np.uint8:
        pixels = np.rint(pixels).astype(np.uint8)
    if pixels.ndim == 3 and pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    with pillow_quiet():
        return _to_pixels(Image.fromarray(np.ascontiguousarray(pixels)), spec)


@contextlib.contextmanager
def _decoding(image: Image.Image, name: str, memory: contextlib.ExitStack) -> Iterator[None]:
    """Reserves the memory that decoding takes until `memory` ends, and names the image in errors.

    An image keeps what it was decoded with, so `memory` must end after the image is gone.
    """
    try:
        memory.enter_context(DECODING_MEMORY.reserve(_memory_of(image)))
        yield
    except ImageError as error:  # of its values
        raise ImageError(f"{name}: {error}") from error
    except MemoryError as error:
        reason = str(error) or "needs more memory than there is"
        raise ImageError(f"{name}: {reason}.") from error
    except Exception as error:  # decoders raise many kinds: OSError, SyntaxError, struct.error
        raise ImageError(f"{name}: damaged image ({error}).") from error


def _memory_of(image: Image.Image) -> int:
    """The bytes that decoding takes, from the header; of a JPEG, at the fraction of its size."""
    pixels = image.width * image.height
    size = memory_per_pixel(image.format) * pixels
    if "progression" in image.info or "progressive" in image.info:
        scale = getattr(image, "decoderconfig", None) or (1,)
        size += _PROGRESSIVE * pixels * max(1, scale[0]) ** 2
    return size


class Header(NamedTuple):
    """The header of an image; its size is the one after EXIF rotation.

    Args:
        height: pixels.
        width: pixels.
        mode: as Pillow names it.
        format: "JPEG", "PNG", …
        is_animated: whether there is more than one frame or page.
        value_range: the lowest and highest value of a grey image of more than 8 bits, if it was
            decoded.
        vanishes: whether it is partly transparent, and what is visible has the colour of the
            background; known if it was decoded.
    """

    height: int
    width: int
    mode: str
    format: str
    is_animated: bool = False
    value_range: tuple[float, float] | None = None
    vanishes: bool = False


def read_header(source: StrPath | bytes, max_pixels: int = MAX_PIXELS) -> Header:
    """Reads the header of an image without decoding it. Raises as `decode_image` does."""
    with opened(source, max_pixels) as image:
        return _header(image)


def _header(image: Image.Image) -> Header:
    width, height = image.size
    # Pillow looks for EXIF at the end of a PNG too, and decodes all of it to get there.
    known = image.format != "PNG" or "exif" in image.info
    orientation = orientation_of(image) if known else 1
    if orientation >= 5 and image.format != "TIFF":  # whose size Pillow has turned already
        width, height = height, width
    if image.format == "MPO":  # a JPEG with more images behind the first, as telephones make
        return Header(height, width, image.mode, "JPEG")
    return Header(height, width, image.mode, str(image.format), _is_animated(image))


def _is_animated(image: Image.Image) -> bool:
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # what follows the first image is damaged, which does not matter
        return False


class Facts(NamedTuple):
    """The metadata of an image file.

    Args:
        height: pixels, after EXIF rotation.
        width: pixels, after EXIF rotation.
        mode: as Pillow names it: "RGB", "L", "CMYK", …
        format: "JPEG", "PNG", …; "MPO" is a JPEG of a telephone with more than one image.
        orientation: the EXIF tag, 1 to 8; 1 if there is none.
        is_animated: whether it has more than one frame or page.
        camera: maker and model by EXIF, with control characters escaped, or "".
        vanishes: whether it is partly transparent, and what is visible is white.
        value_range: the lowest and highest value of a grey image of more than 8 bits.
    """

    height: int
    width: int
    mode: str
    format: str
    orientation: int
    is_animated: bool
    camera: str
    vanishes: bool = False
    value_range: tuple[float, float] | None = None


def decode_with_facts(
    path: Path, side: int, max_pixels: int = MAX_PIXELS, white_level: float | None = None
) -> tuple[Facts, Image.Image]:
    """Decodes an image once, for its metadata and its pixels. Raises as `decode_image` does.

    Args:
        path: the file.
        side: pixels; a larger image may be decoded at a fraction of its size, with its longer side
            at least this long, which makes a large JPEG several times faster.
        max_pixels: images with more pixels are refused before they are decoded.
        white_level: the value of white in grey images of more than 8 bits; by the values of the
            image if left out, which is enough to look at it.

    Returns:
        The metadata, and the image, upright, in the mode "L" or "RGB".
    """
    shown = name_of(path)
    with contextlib.ExitStack() as memory:
        with opened(path, max_pixels, shown) as image:
            width, height = image.size
            mode, image_format = image.mode, str(image.format)
            is_animated = _is_animated(image) and image_format != "MPO"
            scale = side / max(width, height)
            image.draft(None, (math.ceil(width * scale), math.ceil(height * scale)))
            with _decoding(image, shown, memory):
                image.load()
                orientation, camera = orientation_of(image), _camera_of(image)
                hidden, values = vanishes(image, WHITE), _range_of(image)
                plain = to_mode(
                    upright(image),
                    "L" if mode in GREY_MODES else "RGB",
                    white_level=white_level or white_level_of([(mode, values)]),
                )
        del image  # and its memory, before another one takes it
    if orientation >= 5:
        width, height = height, width
    facts = Facts(
        height, width, mode, image_format, orientation, is_animated, camera, hidden, values
    )
    return facts, plain


def _camera_of(image: Image.Image) -> str:
    with contextlib.suppress(Exception):  # metadata that cannot be read
        exif = image.getexif()
        camera = " ".join(str(exif[tag]).strip("\0 ") for tag in _CAMERA if tag in exif)
        return show_path(camera[:_LONGEST_CAMERA])
    return ""


def _range_of(image: Image.Image) -> tuple[float, float] | None:
    return deep_range(image) if image.mode in DEEP_MODES else None


def check_image(
    source: StrPath | bytes, max_pixels: int = MAX_PIXELS, background: str = WHITE
) -> Header:
    """Reads a header and checks that the image can be decoded. Raises as `decode_image` does.

    Every image is decoded, except a JPEG that certainly can be: that takes a tenth of the time.
    """
    name = name_of(source)
    with contextlib.ExitStack() as memory:
        with opened(source, max_pixels, name) as image:
            header = _header(image)
            if header.format == "JPEG":
                data = source if isinstance(source, bytes) else read_all(source)
                if is_sound_jpeg(data):
                    return header
                image.draft(None, (1, 1))
            with _decoding(image, name, memory):
                image.load()
                header = header._replace(
                    value_range=_range_of(image), vanishes=vanishes(image, background)
                )
        del image  # and its memory, before another one takes it
    return header


_CAMERA = (0x010F, 0x0110)  # the EXIF tags of the maker and the model
_LONGEST_CAMERA = 60


def _to_pixels(image: Image.Image, spec: ImageSpec) -> np.ndarray:
    mode = "L" if spec.channels == 1 else "RGB"
    plain = to_mode(upright(image), mode, str(spec.background), spec.white_level)
    if spec.image_size is not None:
        plain = _resize(plain, spec)
    pixels = np.asarray(plain, np.uint8)
    return pixels[..., np.newaxis] if spec.channels == 1 else pixels


def _resize(image: Image.Image, spec: ImageSpec) -> Image.Image:
    from PIL import Image, ImageOps

    height, width = spec.size
    if image.size == (width, height):
        return image
    method = Image.Resampling.BILINEAR
    if spec.resize == "crop":
        return ImageOps.fit(image, (width, height), method)
    if spec.resize == "pad":
        return ImageOps.pad(image, (width, height), method, color=0)
    return image.resize((width, height), method)


def reason_of(path: StrPath, error: ImgclfError | OSError) -> str:
    """The message of an error without the name of the file."""
    if isinstance(error, OSError) and not isinstance(error, ImgclfError):
        return f"cannot be read ({error.strerror or error})."
    return str(error).removeprefix(f"{show_path(path)}: ")
