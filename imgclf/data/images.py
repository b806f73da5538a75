"""Decodes one image: the only place where imgclf turns a file into pixels.

Inspection, training, evaluation and prediction all call `decode_image`, so the pixels are the same
everywhere. The steps, in order:

1. The file must be a regular file (a pipe or a device would hang).
2. Its content must be one of the formats of `image_formats`, whatever its name says.
3. The size in the header is checked before a pixel is decoded.
4. The image is decoded whole: a truncated file is an error, not an image with a grey lower half.
5. The EXIF orientation is applied.
6. The mode becomes 8-bit grey or RGB: transparency is laid on white, 16-bit grey is scaled.
7. It is resized by the policy that was asked for.
"""

from __future__ import annotations

import dataclasses
import math
import os
import pkgutil
import stat
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from imgclf import checks
from imgclf.data.image_formats import FORMATS, ImageFormat, decoded_formats, format_of
from imgclf.errors import ImageError, ImgclfError, MissingFileError
from imgclf.formatting import show_path

if TYPE_CHECKING:
    from PIL import Image

    from imgclf.typing import ImageSize, StrPath

__all__ = [
    "GREY_MODES",
    "MAX_PIXELS",
    "Facts",
    "Header",
    "ImageSpec",
    "check_image",
    "decode_image",
    "decode_with_facts",
    "read_header",
    "reason_of",
]

GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N"})

# Pillow's names of the decoders that need no extra, and what messages call the formats.
_DECODERS = tuple(row.pillow[0] for row in decoded_formats())
_FORMAT_NAMES = ", ".join(row.name for row in decoded_formats())

# Pillow's own limit before it warns of a decompression bomb (PIL.Image.MAX_IMAGE_PIXELS).
MAX_PIXELS = 89_478_485

# A JPEG is decoded at an eighth, a quarter or half of its size if that leaves twice the pixels that
# the final resize needs to average over.
_DRAFT_MARGIN = 2


@dataclasses.dataclass(frozen=True)
class ImageSpec:
    """The size and channels that images are decoded to.

    Args:
        image_size: (height, width) in pixels, or one int for both; None keeps each image's own.
        channels: 1 for grey, 3 for RGB.
        resize: how an image of another aspect ratio is fitted. "crop" fills the size and crops two
            sides; "pad" shows the whole image between black bars; "stretch" ignores the aspect
            ratio.
        max_pixels: images with more pixels are refused before they are decoded; at most
            178,956,970, the limit of Pillow.

    Example:
        >>> ImageSpec(64).image_size
        (64, 64)
    """

    image_size: ImageSize | None = None
    channels: int = 3
    resize: str = "crop"
    # Not in the repr, which identifies the images of a run: it changes no pixel.
    max_pixels: int = dataclasses.field(default=MAX_PIXELS, repr=False)

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


def decode_image(source: StrPath | Image.Image, spec: ImageSpec) -> np.ndarray:
    """Decodes one image.

    Args:
        source: the path of an image, or a PIL image.
        spec: the size and channels to decode to, and the limit of pixels.

    Returns:
        (height, width, channels) uint8.

    Raises:
        MissingFileError: if there is no such file.
        ImageError: if the file is not a whole image of a known format, or is too large.

    Example:
        >>> from PIL import Image
        >>> decode_image(Image.new("RGB", (40, 20), "red"), ImageSpec(8))[0, 0]
        array([255,   0,   0], dtype=uint8)
    """
    from PIL import Image

    if isinstance(source, Image.Image):
        return _to_pixels(source, spec)
    with _open(source, spec.max_pixels) as image:
        if spec.image_size is not None:
            side = max(spec.size) * _DRAFT_MARGIN
            image.draft(None, (side, side))
        try:
            image.load()
            return _to_pixels(image, spec)
        except Exception as error:  # decoders raise many kinds: OSError, SyntaxError, struct.error
            raise ImageError(f"{show_path(source)}: damaged image ({error}).") from error


class Header(NamedTuple):
    """The header of an image; its size is the one after EXIF rotation."""

    height: int
    width: int
    mode: str
    format: str
    is_animated: bool = False


def read_header(path: StrPath, max_pixels: int = MAX_PIXELS) -> Header:
    """Reads the header of an image without decoding it. Raises as `decode_image` does."""
    with _open(path, max_pixels) as image:
        width, height = image.size
        try:
            # Pillow looks for EXIF at the end of a PNG too, and decodes all of it to get there.
            known = image.format != "PNG" or "exif" in image.info
            orientation = image.getexif().get(_ORIENTATION, 1) if known else 1
        except Exception as error:
            raise ImageError(f"{show_path(path)}: damaged image ({error}).") from error
        if isinstance(orientation, int) and 5 <= orientation <= 8:
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
        is_animated: whether it has more than one frame.
        camera: maker and model by EXIF, with control characters escaped, or "".
    """

    height: int
    width: int
    mode: str
    format: str
    orientation: int
    is_animated: bool
    camera: str


def decode_with_facts(
    path: Path, side: int, max_pixels: int = MAX_PIXELS
) -> tuple[Facts, Image.Image]:
    """Decodes an image once, for its metadata and its pixels. Raises as `decode_image` does.

    Args:
        path: the file.
        side: pixels; a larger image may be decoded at a fraction of its size, with its longer side
            at least this long, which makes a large JPEG several times faster.
        max_pixels: images with more pixels are refused before they are decoded.

    Returns:
        The metadata, and the image, upright, in the mode "L" or "RGB".
    """
    from PIL import ImageOps

    with _open(path, max_pixels) as image:
        width, height = image.size
        mode, image_format = image.mode, str(image.format)
        try:
            is_animated = _is_animated(image) and image_format != "MPO"
            scale = side / max(width, height)
            image.draft(None, (math.ceil(width * scale), math.ceil(height * scale)))
            image.load()
            exif = image.getexif()
            orientation = exif.get(_ORIENTATION, 1)
            camera = " ".join(str(exif[tag]).strip("\0 ") for tag in _CAMERA if tag in exif)
            camera = show_path(camera[:_LONGEST_CAMERA])
            upright = image if orientation == 1 else ImageOps.exif_transpose(image)
            plain = _to_mode(upright, "L" if mode in GREY_MODES else "RGB")
        except Exception as error:  # decoders raise many kinds: OSError, SyntaxError, struct.error
            raise ImageError(f"{show_path(path)}: damaged image ({error}).") from error
    orientation = orientation if orientation in range(1, 9) else 1
    if orientation >= 5:
        width, height = height, width
    return Facts(height, width, mode, image_format, orientation, is_animated, camera), plain


def check_image(path: StrPath, max_pixels: int = MAX_PIXELS) -> Header:
    """Reads a header and checks that the file is whole. Raises as `decode_image` does.

    A file that ends as its format must counts as whole. Only others are decoded to find out, so a
    folder is checked in a fraction of the time of an epoch.
    """
    header = read_header(path, max_pixels)
    if not _ends_as_it_must(path, header.format):
        decode_image(path, ImageSpec(_CHECK_SIZE, max_pixels=max_pixels))
    return header


def _ends_as_it_must(path: StrPath, image_format: str) -> bool:
    ending = format_of(image_format).ending
    if ending is None:
        return False
    with open(path, "rb") as file:  # noqa: PTH123  a Path for each of 100,000 files takes time
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - len(ending)))
        return file.read() == ending


_CHECK_SIZE = 8
_ORIENTATION = 0x0112  # the EXIF tag
_CAMERA = (0x010F, 0x0110)  # the EXIF tags of the maker and the model
_LONGEST_CAMERA = 60


def _recognise(path: StrPath) -> ImageFormat | None:
    """The format of a file that Pillow does not read without an extra."""
    with open(path, "rb") as file:  # noqa: PTH123  as above
        start = file.read(16)
    for row in FORMATS:
        if any(start[offset:].startswith(mark) for offset, mark in row.signatures):
            return row
    return None


def _why_not_read(found: ImageFormat | None) -> str:
    if found is None:
        return f"is not a {_FORMAT_NAMES} image"
    if found.extra is not None:
        return (
            f"is {found.name}, which needs an extra: pip install 'imgclf[{found.extra}]', or save "
            "it as JPEG or PNG"
        )
    return f"is {found.name}, not a {_FORMAT_NAMES} image: save it as JPEG or PNG"


def _open_by_plugin(path: StrPath, found: ImageFormat | None) -> Image.Image | None:
    """Opens an image whose decoder is an extra; None if the extra is not installed."""
    from PIL import Image, UnidentifiedImageError

    if found is None or found.plugin is None:
        return None
    try:
        pkgutil.resolve_name(found.plugin)()
    except ImportError:
        return None
    try:
        return Image.open(path, formats=found.pillow)
    except UnidentifiedImageError as error:
        raise ImageError(f"{show_path(path)}: is {found.name}, but damaged.") from error


def _silence_pillow() -> None:
    """Ignores Pillow's warnings of harmless oddities, and of sizes, which are checked here.

    Not by `warnings.catch_warnings`: where several threads decode, one of them may restore what
    another had set for a moment, and all warnings would stay ignored.
    """
    first = warnings.filters[0] if warnings.filters else None
    if first is None or first[0] != "ignore" or getattr(first[3], "pattern", None) != _PILLOW:
        warnings.filterwarnings("ignore", module=_PILLOW)


_PILLOW = r"PIL\."


def _open(path: StrPath, max_pixels: int) -> Image.Image:
    """Opens a regular file whose header can be read and does not claim too many pixels."""
    from PIL import Image

    try:
        status = os.stat(path)
    except FileNotFoundError as error:
        raise MissingFileError(f"{show_path(path)}: there is no such file.") from error
    except OSError as error:
        raise ImageError(f"{show_path(path)}: cannot be read ({error.strerror}).") from error
    if not stat.S_ISREG(status.st_mode):
        raise ImageError(f"{show_path(path)}: is not a regular file.")
    if status.st_size == 0:
        raise ImageError(f"{show_path(path)}: is empty (0 bytes).")
    _silence_pillow()
    try:
        image = _identify(path)
    except ImageError:
        raise
    except Image.DecompressionBombError as error:  # twice Pillow's limit
        raise ImageError(_too_large(path, max_pixels)) from error
    except Exception as error:
        reason = getattr(error, "strerror", None) or error  # without the path a second time
        raise ImageError(f"{show_path(path)}: cannot be read ({reason}).") from error
    if image.width * image.height > max_pixels:
        image.close()
        raise ImageError(_too_large(path, max_pixels))
    return image


def _identify(path: StrPath) -> Image.Image:
    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(path, formats=_DECODERS)
    except UnidentifiedImageError as error:
        found = _recognise(path)
        image = _open_by_plugin(path, found)
        if image is None:
            raise ImageError(f"{show_path(path)}: {_why_not_read(found)}.") from error
        return image


def _too_large(path: StrPath, max_pixels: int) -> str:
    return f"{show_path(path)}: has more than {max_pixels:,} pixels, the most that is allowed."


def _to_pixels(image: Image.Image, spec: ImageSpec) -> np.ndarray:
    from PIL import ImageOps

    upright = ImageOps.exif_transpose(image)
    plain = _to_mode(upright, "L" if spec.channels == 1 else "RGB")
    if spec.image_size is not None:
        plain = _resize(plain, spec)
    pixels = np.asarray(plain, np.uint8)
    return pixels[..., np.newaxis] if spec.channels == 1 else pixels


def _to_mode(image: Image.Image, mode: str) -> Image.Image:
    """Converts to 8-bit grey or RGB, with transparency laid on white as on a page."""
    from PIL import Image

    if image.mode.startswith("I;16"):
        # 65535 / 255 = 257: the full range is scaled; Pillow's own conversion clips at 255.
        image = Image.fromarray((np.asarray(image, np.uint32) // 257).astype(np.uint8))
    elif image.mode in ("I", "F"):
        values = np.asarray(image, np.float64)
        scale = 255 / 65535 if values.max(initial=0) > 255 else 1.0
        image = Image.fromarray((values * scale).clip(0, 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return image.convert(mode)


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
