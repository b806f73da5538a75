"""The image formats: one row for each, with its suffixes, its decoder and how to recognize it.

Folders, tables, predictions and inspections all read this table. A new format is a new row.
"""

from __future__ import annotations

import dataclasses
import os

__all__ = [
    "FORMATS",
    "ImageFormat",
    "decoded_formats",
    "format_of",
    "has_image_suffix",
    "memory_per_pixel",
    "suffix_of",
]


@dataclasses.dataclass(frozen=True)
class ImageFormat:
    """One image format.

    Args:
        name: what messages call it.
        suffixes: the suffixes of its file names, in lower case.
        pillow: Pillow's names for it, the one of its decoder first; empty if imgclf does not read
            it. Files of such formats are skipped with a reason, not ignored.
        plugin: the function that adds the decoder to Pillow, as module:name.
        extra: the extra of imgclf that installs the plugin.
        signatures: the content it is recognized by: bytes and their offset. Only needed where
            Pillow does not recognize it by itself.
        memory: bytes for each pixel while an image is decoded, measured as the growth of the
            process.
    """

    name: str
    suffixes: tuple[str, ...] = ()
    pillow: tuple[str, ...] = ()
    plugin: str | None = None
    extra: str | None = None
    signatures: tuple[tuple[int, bytes], ...] = ()
    memory: int = 16


_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"mif1", b"msf1")

FORMATS = (
    # An MPO is a JPEG of a telephone with further images behind the first.
    ImageFormat("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"), ("JPEG", "MPO"), memory=8),
    ImageFormat("PNG", (".png",), ("PNG",), memory=8),
    ImageFormat("WEBP", (".webp",), ("WEBP",), memory=20),
    ImageFormat("GIF", (".gif",), ("GIF",), memory=8),
    ImageFormat("BMP", (".bmp",), ("BMP",), memory=8),
    # Scanners and microscopes write it. Pillow decodes it by itself or by libtiff, from memory.
    ImageFormat(
        "TIFF",
        (".tif", ".tiff"),
        ("TIFF",),
        signatures=tuple((0, mark) for mark in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
        memory=12,
    ),
    ImageFormat(
        "AVIF",
        (".avif",),
        ("AVIF",),
        signatures=((4, b"ftypavif"), (4, b"ftypavis")),
    ),
    ImageFormat(
        "HEIC",
        (".heic", ".heif", ".hif"),
        ("HEIF",),
        plugin="pillow_heif:register_heif_opener",
        extra="heic",
        signatures=tuple((4, b"ftyp" + brand) for brand in _HEIC_BRANDS),
    ),
    # Not read: some start programs (EPS), others are parsed in Python.
    ImageFormat("EPS", (".eps",), signatures=((0, b"%!PS"),)),
    ImageFormat("PSD", (".psd",), signatures=((0, b"8BPS"),)),
    ImageFormat("PDF", signatures=((0, b"%PDF"),)),
    ImageFormat("FITS", signatures=((0, b"SIMPLE  ="),)),
    ImageFormat("JPEG 2000", (".jp2",), signatures=((0, b"\0\0\0\x0cjP  "),)),
    ImageFormat("JPEG XL", (".jxl",), signatures=((0, b"\xff\x0a"), (0, b"\0\0\0\x0cJXL "))),
    ImageFormat("a raw photo", (".cr2", ".dng", ".nef")),
)

_SUFFIXES = frozenset(suffix for row in FORMATS for suffix in row.suffixes)
_BY_PILLOW = {name: row for row in FORMATS for name in row.pillow}


def decoded_formats() -> tuple[ImageFormat, ...]:
    """The formats that imgclf reads without an extra."""
    return tuple(row for row in FORMATS if row.pillow and row.plugin is None)


def format_of(pillow_name: str) -> ImageFormat:
    """The row of a format that Pillow has decoded.

    Example:
        >>> format_of("MPO").name
        'JPEG'
    """
    return _BY_PILLOW[pillow_name]


def memory_per_pixel(pillow_name: str | None) -> int:
    """Bytes a pixel while an image is decoded; of an image without a known format, a guess."""
    return _BY_PILLOW[pillow_name].memory if pillow_name in _BY_PILLOW else 8


def has_image_suffix(name: str) -> bool:
    """Whether a file name may be that of an image; a name without a suffix may.

    Example:
        >>> has_image_suffix("cat.JPG"), has_image_suffix("cat"), has_image_suffix("cat.txt")
        (True, True, False)
    """
    suffix = suffix_of(name)
    return not suffix or suffix in _SUFFIXES


def suffix_of(name: str) -> str:
    """The suffix of a file name in lower case; quicker than by a `Path`."""
    return os.path.splitext(name)[1].lower()  # noqa: PTH122
