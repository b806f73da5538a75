"""Opens an image file or its bytes, after checks that cost nothing.

A regular file, of one of the known formats by its content, of a bounded size, with a header that
comes to an end and claims a bounded number of pixels. No program is started: only the decoders that
`image_formats` lists are asked.
"""

from __future__ import annotations

import contextlib
import io
import os
import pkgutil
import stat
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from imgclf.data.decoding.bounded_file import BoundedFile
from imgclf.data.decoding.quiet import pillow_quiet
from imgclf.data.image_formats import FORMATS, ImageFormat, decoded_formats
from imgclf.errors import ImageError, MissingFileError
from imgclf.formatting import show_path

if TYPE_CHECKING:
    from PIL import Image

    from imgclf.typing import StrPath

__all__ = ["MAX_PIXELS", "name_of", "opened", "read_all"]

# Pillow's own limit before it warns of a decompression bomb (PIL.Image.MAX_IMAGE_PIXELS).
MAX_PIXELS = 89_478_485

# A file may have twice the bytes of an uncompressed image with the most pixels, and some for the
# rest. More is no image that would be read, and would take long to find out.
_BYTES_A_PIXEL, _REST = 8, 64 * 10**6

# Pillow's names of the decoders that need no extra, and what messages call the formats.
_DECODERS = tuple(row.pillow[0] for row in decoded_formats())
_FORMAT_NAMES = ", ".join(row.name for row in decoded_formats())


def name_of(source: StrPath | bytes) -> str:
    """What messages call an image."""
    return "`source`" if isinstance(source, bytes) else show_path(source)


@contextlib.contextmanager
def opened(
    source: StrPath | bytes, max_pixels: int, name: str | None = None
) -> Iterator[Image.Image]:
    """Opens an image, whose pixels are not decoded yet.

    Args:
        source: a path, or the content of a file.
        max_pixels: images with more pixels are refused.
        name: of the image in messages; the path if left out.

    Raises:
        MissingFileError: if there is no such file.
        ImageError: if it is not an image of a known format, or too large.
    """
    shown = name or name_of(source)
    with _file(source, max_pixels, shown) as file, pillow_quiet():
        bounded = BoundedFile(file, shown)
        image = _open(bounded, max_pixels, shown)
        bounded.end_header()
        yield image  # which keeps its pixels, if it has any, when the file is closed


def read_all(source: StrPath) -> bytes:
    """The bytes of a file that `opened` has taken before."""
    with open(source, "rb") as file:  # noqa: PTH123  a Path for each of 100,000 files takes time
        return file.read()


@contextlib.contextmanager
def _file(source: StrPath | bytes, max_pixels: int, name: str) -> Iterator[BinaryIO]:
    if isinstance(source, bytes):
        _check_size(len(source), max_pixels, name)
        yield io.BytesIO(source)
        return
    try:
        status = os.stat(source)
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait
            raise ImageError(f"{name}: is not a regular file.")
        _check_size(status.st_size, max_pixels, name)
        file = open(source, "rb")  # noqa: PTH123, SIM115  as above
    except FileNotFoundError as error:
        raise MissingFileError(f"{name}: there is no such file.") from error
    except OSError as error:
        raise ImageError(f"{name}: cannot be read ({error.strerror}).") from error
    with file:
        yield file


def _check_size(size: int, max_pixels: int, name: str) -> None:
    if size == 0:
        raise ImageError(f"{name}: is empty (0 bytes).")
    limit = _BYTES_A_PIXEL * max_pixels + _REST
    if size > limit:
        raise ImageError(
            f"{name}: has {size / 1e6:,.0f} MB, more than the {limit / 1e6:,.0f} MB that are "
            f"allowed for an image of {max_pixels:,} pixels."
        )


def _open(file: BoundedFile, max_pixels: int, name: str) -> Image.Image:
    from PIL import Image

    try:
        image = _identify(file, name)
    except ImageError:
        raise
    except Image.DecompressionBombError as error:  # twice Pillow's limit
        raise ImageError(_too_large(max_pixels, name)) from error
    except Exception as error:  # decoders raise many kinds: OSError, SyntaxError, struct.error
        reason = getattr(error, "strerror", None) or error  # without the path a second time
        raise ImageError(f"{name}: cannot be read ({reason}).") from error
    if image.width * image.height > max_pixels:
        image.close()
        raise ImageError(_too_large(max_pixels, name))
    return image


def _too_large(max_pixels: int, name: str) -> str:
    return f"{name}: has more than {max_pixels:,} pixels, the most that is allowed."


def _identify(file: BoundedFile, name: str) -> Image.Image:
    from PIL import Image, UnidentifiedImageError

    readable = cast("Any", file)  # Pillow needs no more of a file
    try:
        return Image.open(readable, formats=_DECODERS)
    except UnidentifiedImageError as error:
        found = _recognise(file)
        image = _open_by_plugin(readable, found, name)
        if image is None:
            raise ImageError(f"{name}: {_why_not_read(found)}.") from error
        return image


def _recognise(file: BoundedFile) -> ImageFormat | None:
    """The format of a file that Pillow does not read by itself."""
    file.seek(0)
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
    if not found.pillow:
        return f"is {found.name}, not a {_FORMAT_NAMES} image: save it as JPEG or PNG"
    if not _has_decoder(found):
        return (
            f"is {found.name}, which this build of Pillow cannot read: pip install -U pillow, or "
            "save it as JPEG or PNG"
        )
    return f"is {found.name}, but damaged, or of a kind that cannot be read"


def _has_decoder(row: ImageFormat) -> bool:
    from PIL import features

    return row.name != "AVIF" or bool(features.check("avif"))


def _open_by_plugin(file: Any, found: ImageFormat | None, name: str) -> Image.Image | None:
    """Opens an image whose decoder is an extra; None if the extra is not installed."""
    from PIL import Image, UnidentifiedImageError

    if found is None or found.plugin is None:
        return None
    try:
        pkgutil.resolve_name(found.plugin)()
    except ImportError:
        return None
    try:
        return Image.open(file, formats=found.pillow)
    except UnidentifiedImageError as error:
        raise ImageError(f"{name}: is {found.name}, but damaged.") from error
