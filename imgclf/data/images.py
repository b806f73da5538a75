"""Decodes one image: the only place where imgclf turns a file into pixels.

Checking, training, evaluating and predicting all call `decode_image`, so an image cannot look
different to the network than it did to the check. The steps and their order:

1. The file must be a regular file (a pipe or a device would hang).
2. Its first bytes must be JPEG, PNG, WebP, GIF or BMP, whatever its name says. Other formats that
   Pillow knows are left out, since some of them start programs (EPS) or are parsed in Python.
3. The header's size is checked before a pixel is decoded.
4. It is decoded whole: a truncated file is an error, not an image with a grey lower half.
5. The EXIF orientation is applied.
6. The mode becomes 8-bit grey or RGB: transparency is laid on white, 16-bit grey is scaled.
7. It is resized by the policy that was asked for.
"""

from __future__ import annotations

import dataclasses
import math
import os
import stat
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from imgclf import checks
from imgclf.errors import ImageError, ImgclfError, MissingFileError
from imgclf.formatting import show_path

if TYPE_CHECKING:
    from PIL import Image

__all__ = [
    "FORMATS",
    "GREY_MODES",
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "SUFFIXES",
    "Facts",
    "Header",
    "ImageSpec",
    "check_image",
    "decode_image",
    "decode_with_facts",
    "read_header",
    "reason_of",
]

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N"})

# The ends of names that promise a format, as Pillow calls it.
SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "MPO": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),  # of a telephone, with a second image
    "PNG": (".png",),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "BMP": (".bmp",),
    "HEIF": (".heic", ".heif", ".hif"),
    "AVIF": (".avif",),
}
IMAGE_SUFFIXES = frozenset(suffix for name in FORMATS for suffix in SUFFIXES[name])

# Pillow's own limit before it warns of a decompression bomb (PIL.Image.MAX_IMAGE_PIXELS).
MAX_PIXELS = 89_478_485

# A JPEG is decoded at an eighth, a quarter or half of its size where that still leaves twice the
# pixels that are needed: the final resize then has enough to average over.
_DRAFT_MARGIN = 2


@dataclasses.dataclass(frozen=True)
class ImageSpec:
    """What an image is turned into.

    Args:
        image_size: (height, width) in pixels, or one int for both; None keeps each image's own.
        channels: 1 for grey, 3 for colour.
        resize: how an image of another shape is fitted. "crop" fills the size and cuts what hangs
            over on two sides; "pad" shows the whole image between black bars; "stretch" ignores
            its proportions.
        max_pixels: images with more pixels are refused before they are decoded; at most
            178,956,970, where Pillow ends.

    Example:
        >>> ImageSpec(64).image_size
        (64, 64)
    """

    image_size: Any = None
    channels: int = 3
    resize: str = "crop"
    # Not shown, since it changes no pixel: runs know their images by the others.
    max_pixels: int = dataclasses.field(default=MAX_PIXELS, repr=False)

    def __post_init__(self) -> None:
        if self.image_size is not None:
            size = checks.size_pair("image_size", self.image_size)
            object.__setattr__(self, "image_size", size)
        checks.one_of("channels", self.channels, [1, 3])
        checks.one_of("resize", self.resize, ["crop", "pad", "stretch"])
        checks.integer("max_pixels", self.max_pixels, low=1, high=2 * MAX_PIXELS)


def decode_image(source: Any, spec: ImageSpec) -> np.ndarray:
    """Decodes one image.

    Args:
        source: the path of an image, or a PIL image.
        spec: the size and number of channels to deliver, and the most pixels to accept.

    Returns:
        (height, width, channels) uint8.

    Raises:
        MissingFileError: if there is no such file.
        ImageError: if the file is not a whole image in one of `FORMATS`, or is too large.

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
            side = max(spec.image_size) * _DRAFT_MARGIN
            image.draft(None, (side, side))
        try:
            image.load()
            return _to_pixels(image, spec)
        except Exception as error:  # decoders raise many kinds: OSError, SyntaxError, struct.error
            raise ImageError(f"{show_path(source)}: damaged image ({error}).") from error


class Header(NamedTuple):
    """What an image's header says; the size is the one after EXIF rotation."""

    height: int
    width: int
    mode: str
    format: str
    is_animated: bool = False


def read_header(path: str | Path, max_pixels: int = MAX_PIXELS) -> Header:
    """The header of an image, without decoding it. Raises as `decode_image` does."""
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
    """What a file says of its image.

    Args:
        height: pixels, after EXIF rotation.
        width: the same.
        mode: as Pillow names it: "RGB", "L", "CMYK", …
        format: "JPEG", "PNG", …; "MPO" is a JPEG of a telephone with more than one image.
        orientation: the EXIF tag, 1 to 8; 1 if there is none.
        is_animated: whether it has more than one frame.
        camera: maker and model by EXIF, fit to be shown, or "".
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
    """The facts of a file and its image, from one decoding. Raises as `decode_image` does.

    Args:
        path: the file.
        side: the image may come smaller than it is, with its longer side at least so long; a
            large JPEG is decoded several times quicker then.
        max_pixels: images with more pixels are refused before they are decoded.

    Returns:
        The facts, and the image: upright, in the mode "L" or "RGB".
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


def check_image(path: str | Path, max_pixels: int = MAX_PIXELS) -> Header:
    """The header of an image that is whole. Raises as `decode_image` does.

    A file that ends as its format must is taken to be whole; only where it does not is the image
    decoded to find out, so that a folder is checked in a fraction of the time of an epoch.
    """
    header = read_header(path, max_pixels)
    if not _ends_as_it_must(path, header.format):
        decode_image(path, ImageSpec(_CHECK_SIZE, max_pixels=max_pixels))
    return header


def _ends_as_it_must(path: str | Path, image_format: str) -> bool:
    ending = _ENDINGS.get(image_format)
    if ending is None:
        return False
    with open(path, "rb") as file:  # noqa: PTH123  a Path for each of 100,000 files takes time
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - len(ending)))
        return file.read() == ending


# The end marker of JPEG; the last chunk of PNG with its checksum; the last block's end of GIF.
_ENDINGS = {"JPEG": b"\xff\xd9", "PNG": b"IEND\xaeB`\x82", "GIF": b"\0;"}
_CHECK_SIZE = 8
_ORIENTATION = 0x0112  # the EXIF tag
_CAMERA = (0x010F, 0x0110)  # the EXIF tags of the maker and the model
_LONGEST_CAMERA = 60

# The first bytes of what is often named .jpg and is none, so that the message can say it.
_OTHER_FORMATS = (
    (0, b"%!PS", "EPS"),
    (0, b"8BPS", "PSD"),
    (0, b"%PDF", "PDF"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (0, b"SIMPLE  =", "FITS"),
    (4, b"ftypheic", "HEIC"),
    (4, b"ftypheix", "HEIC"),
    (4, b"ftyphevc", "HEIC"),
    (4, b"ftypmif1", "HEIC"),
    (4, b"ftypmsf1", "HEIC"),
    (4, b"ftypavif", "AVIF"),
    (4, b"ftypavis", "AVIF"),
)
_BY_EXTRA = {"HEIC": "HEIF", "AVIF": "AVIF"}  # how Pillow calls what imgclf[heic] reads


def _recognise(path: str | Path) -> str | None:
    """The name of a format that imgclf does not read by itself."""
    with open(path, "rb") as file:  # noqa: PTH123  as above
        start = file.read(16)
    for offset, signature, name in _OTHER_FORMATS:
        if start[offset:].startswith(signature):
            return name
    return None


def _what_it_is(name: str | None) -> str:
    if name is None:
        return f"is not a {', '.join(FORMATS)} image"
    if name in _BY_EXTRA:
        return (
            f"is {name}, which needs an extra: pip install 'imgclf[heic]', or save it as JPEG or "
            "PNG"
        )
    return f"is {name}, not a {', '.join(FORMATS)} image: save it as JPEG or PNG"


def _open_by_extra(path: str | Path, name: str | None) -> Image.Image | None:
    """Opens a HEIC or AVIF image if `imgclf[heic]` is installed; else there is None."""
    from PIL import Image, UnidentifiedImageError

    if name not in _BY_EXTRA:
        return None
    try:
        import pillow_heif
    except ImportError:
        return None
    pillow_heif.register_heif_opener()
    try:
        return Image.open(path, formats=(_BY_EXTRA[name],))
    except UnidentifiedImageError as error:
        raise ImageError(f"{show_path(path)}: is {name}, but damaged.") from error


def _silence_pillow() -> None:
    """Pillow's warnings are of oddities that do not touch the pixels, and of sizes checked here.

    Not by `warnings.catch_warnings`: where several threads decode, what one of them puts back at
    its end may be what another had set for a moment, and all warnings stay ignored.
    """
    first = warnings.filters[0] if warnings.filters else None
    if first is None or first[0] != "ignore" or getattr(first[3], "pattern", None) != _PILLOW:
        warnings.filterwarnings("ignore", module=_PILLOW)


_PILLOW = r"PIL\."


def _open(path: str | Path, max_pixels: int) -> Image.Image:
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
    except Image.DecompressionBombError as error:  # twice the size that Pillow is wary of
        raise ImageError(_too_large(path, max_pixels)) from error
    except Exception as error:
        reason = getattr(error, "strerror", None) or error  # without the path a second time
        raise ImageError(f"{show_path(path)}: cannot be read ({reason}).") from error
    if image.width * image.height > max_pixels:
        image.close()
        raise ImageError(_too_large(path, max_pixels))
    return image


def _identify(path: str | Path) -> Image.Image:
    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(path, formats=FORMATS)
    except UnidentifiedImageError as error:
        name = _recognise(path)
        image = _open_by_extra(path, name)
        if image is None:
            raise ImageError(f"{show_path(path)}: {_what_it_is(name)}.") from error
        return image


def _too_large(path: str | Path, max_pixels: int) -> str:
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
    """Grey or RGB of 8 bits; transparency is laid on white, as a page would show it."""
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

    height, width = spec.image_size
    if image.size == (width, height):
        return image
    method = Image.Resampling.BILINEAR
    if spec.resize == "crop":
        return ImageOps.fit(image, (width, height), method)
    if spec.resize == "pad":
        return ImageOps.pad(image, (width, height), method, color=0)
    return image.resize((width, height), method)


def reason_of(path: str | Path, error: ImgclfError | OSError) -> str:
    """What an error says of a file, without the file's name."""
    if isinstance(error, OSError) and not isinstance(error, ImgclfError):
        return f"cannot be read ({error.strerror or error})."
    return str(error).removeprefix(f"{show_path(path)}: ")
