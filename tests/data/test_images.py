"""One table of what images come out as, and of those that are refused."""

from __future__ import annotations

import io
import os
import struct
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from photo_making import STORED
from PIL import Image

from imgclf.data.image_files import ImageFiles
from imgclf.data.images import ImageSpec, check_image, decode_image, read_header
from imgclf.errors import ArgumentError, ImageError, MissingFileError

RGB = ImageSpec(channels=3)
GREY = ImageSpec(channels=1)


def save(path, image, **settings):
    image.save(path, **settings)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_all_orientations_give_the_same_image(tmp_path, orientation, suffix):
    upright = np.zeros((16, 24, 3), np.uint8)
    upright[:8, :8], upright[8:, 16:], upright[:8, 16:] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](upright)))
    exif = Image.Exif()
    exif[0x0112] = orientation
    lossless = {"jpg": {"quality": 100, "subsampling": 0}, "webp": {"lossless": True}, "png": {}}
    path = save(tmp_path / f"x.{suffix}", stored, exif=exif, **lossless[suffix])

    pixels = decode_image(path, RGB)

    assert pixels.shape == upright.shape
    assert np.abs(pixels.astype(int) - upright).max() <= (6 if suffix == "jpg" else 0)
    assert read_header(path)[:2] == (16, 24)


def test_cmyk_becomes_the_colours_that_are_seen(tmp_path):
    path = save(tmp_path / "x.jpg", Image.new("RGB", (16, 16), (200, 30, 60)).convert("CMYK"))

    assert np.abs(decode_image(path, RGB)[8, 8].astype(int) - (200, 30, 60)).max() <= 6


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_transparency_is_laid_on_white(tmp_path, suffix):
    image = Image.new("RGBA", (4, 4), (255, 0, 0, 255))
    image.putpixel((0, 0), (0, 0, 0, 0))
    image.putpixel((1, 0), (0, 0, 0, 128))
    settings = {"lossless": True} if suffix == "webp" else {}
    pixels = decode_image(save(tmp_path / f"x.{suffix}", image, **settings), RGB)

    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert np.abs(pixels[0, 1].astype(int) - 127).max() <= 1
    assert pixels[3, 3].tolist() == [255, 0, 0]


def test_grey_with_transparency_is_laid_on_white(tmp_path):
    image = Image.new("LA", (4, 4), (10, 255))
    image.putpixel((0, 0), (10, 0))
    pixels = decode_image(save(tmp_path / "x.png", image), GREY)

    assert pixels[0, 0, 0] == 255
    assert pixels[3, 3, 0] == 10


def test_a_palette_with_a_transparent_colour_is_laid_on_white(tmp_path):
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 0, 0, 255])
    image.putpixel((0, 0), 0)
    pixels = decode_image(save(tmp_path / "x.png", image, transparency=0), RGB)

    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[3, 3].tolist() == [0, 0, 255]


def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path):
    values = np.array([[0, 257, 32_896, 65_535]], np.uint16)
    path = save(tmp_path / "x.png", Image.fromarray(values))

    assert decode_image(path, GREY)[0, :, 0].tolist() == [0, 1, 128, 255]
    assert decode_image(path, RGB)[0, :, 2].tolist() == [0, 1, 128, 255]


def test_one_bit_images_are_black_and_white(tmp_path):
    image = Image.new("1", (8, 8), 0)
    image.putpixel((0, 0), 1)
    pixels = decode_image(save(tmp_path / "x.png", image), GREY)

    assert (pixels[0, 0, 0], pixels[1, 1, 0]) == (255, 0)


def test_a_colour_image_read_as_grey_is_its_luma(tmp_path):
    path = save(tmp_path / "x.png", Image.new("RGB", (2, 2), (255, 0, 0)))

    # ITU-R BT.601: 0.299 of red.
    assert decode_image(path, GREY)[0, 0, 0] == round(0.299 * 255)


def test_an_animation_gives_its_first_image(tmp_path):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    path = save(tmp_path / "x.gif", frames[0], save_all=True, append_images=frames[1:])

    assert decode_image(path, RGB)[4, 4].tolist() == [255, 0, 0]


def test_the_content_decides_not_the_name(tmp_path):
    image = Image.new("RGB", (8, 8), (1, 2, 3))
    path = save(tmp_path / "x.jpg", image, format="PNG")

    assert decode_image(path, RGB)[0, 0].tolist() == [1, 2, 3]
    assert check_image(path).format == "PNG"


def test_cropping_keeps_the_middle_padding_keeps_all_stretching_fits(tmp_path):
    image = Image.new("RGB", (32, 16), "blue")
    image.paste("red", (8, 0, 24, 16))
    path = save(tmp_path / "x.png", image)

    cropped, padded, stretched = (
        decode_image(path, ImageSpec(16, resize=resize)) for resize in ("crop", "pad", "stretch")
    )

    assert (cropped == (255, 0, 0)).all()
    assert (padded[0] == 0).all()
    assert padded[8, 0].tolist() == [0, 0, 255]
    assert stretched[0, 0].tolist() == [0, 0, 255]
    assert stretched[8, 8].tolist() == [255, 0, 0]


def test_a_size_that_is_not_square_is_height_then_width(tmp_path):
    path = save(tmp_path / "x.png", Image.new("RGB", (50, 40)))

    assert decode_image(path, ImageSpec((10, 20))).shape == (10, 20, 3)


def test_a_large_jpeg_decoded_in_small_looks_the_same(tmp_path, rng):
    coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
    image = coarse.resize((800, 800), Image.Resampling.BICUBIC)
    path = save(tmp_path / "x.jpg", image, quality=95)

    small = decode_image(path, ImageSpec(32)).astype(int)
    slowly = np.asarray(image.resize((32, 32), Image.Resampling.BILINEAR)).astype(int)

    assert np.abs(small - slowly).mean() < 3


def refusal(path, **settings):
    with pytest.raises(ImageError) as caught:
        check_image(path, **settings)
    with pytest.raises(ImageError) as decoding:
        decode_image(path, ImageSpec(8, **settings))
    assert str(decoding.value) == str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "is EPS, not a"),
        (b"8BPS\0\1" + bytes(30), "is PSD, not a"),
        (b"SIMPLE  =                    T", "is FITS, not a"),
        (b"plain words", "is not a"),
        (b"\xff\xd8\xff", "is not a"),
    ],
)
def test_what_is_no_image_is_refused_whatever_its_name(tmp_path, start, reason):
    path = tmp_path / "x.jpg"
    path.write_bytes(start)

    message = refusal(path)

    assert message.startswith(f"{path}: {reason} JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF image")


def test_the_message_says_what_to_do_with_heic(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as where it is not installed
    path = tmp_path / "x.jpg"
    path.write_bytes(b"\0\0\0\x18ftypheic" + bytes(30))

    assert refusal(path) == (
        f"{path}: is HEIC, which needs an extra: pip install 'imgclf[heic]', or save it as JPEG "
        "or PNG."
    )


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "x.jpg"
    path.touch()

    assert refusal(path) == f"{path}: is empty (0 bytes)."


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif", "bmp"])
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(part=st.floats(0.05, 0.95))
def test_a_truncated_image_is_refused(tmp_path, suffix, part):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    whole = io.BytesIO()
    kind = {"jpg": "JPEG"}.get(suffix, suffix.upper())
    Image.fromarray(pixels).save(whole, kind)
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(whole.getvalue()[: int(len(whole.getvalue()) * part)])

    refusal(path)


def test_a_jpeg_without_its_end_marker_is_refused(tmp_path):
    path = save(tmp_path / "x.jpg", Image.new("RGB", (40, 40)))
    path.write_bytes(path.read_bytes().removesuffix(b"\xff\xd9"))

    assert "damaged image" in refusal(path)


def test_a_jpeg_with_something_after_its_end_is_read(tmp_path):
    path = save(tmp_path / "x.jpg", Image.new("RGB", (40, 40), "red"))
    path.write_bytes(path.read_bytes() + b"a film, as some telephones append")

    assert check_image(path) == (40, 40, "RGB", "JPEG", False, None, False)


def test_a_header_that_claims_too_many_pixels_is_refused_unread(tmp_path):
    def chunk(name, content):
        crc = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", 14_000, 14_000, 1, 0, 0, 0, 0)
    path = tmp_path / "x.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b""))

    assert refusal(path) == f"{path}: has more than 89,478,485 pixels, the most that is allowed."
    assert "more than 100 pixels" in refusal(save(path, Image.new("L", (11, 10))), max_pixels=100)


@pytest.mark.parametrize("size", [(1, 1), (3000, 1), (1, 3000)])
def test_slivers_are_read(tmp_path, size):
    path = save(tmp_path / "x.png", Image.new("RGB", size, "red"))

    for resize in ("crop", "pad", "stretch"):
        assert decode_image(path, ImageSpec(8, resize=resize)).shape == (8, 8, 3)


def test_a_pipe_is_refused_without_waiting(tmp_path):
    path = tmp_path / "x.jpg"
    os.mkfifo(path)

    assert refusal(path) == f"{path}: is not a regular file."


def test_a_name_that_is_no_text_is_shown_escaped(tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\x1b[2J.jpg")
    Path(path).touch()

    with pytest.raises(ImageError) as caught:
        decode_image(path, RGB)
    assert str(caught.value) == f"{tmp_path}/\\udcff\\x1b[2J.jpg: is empty (0 bytes)."


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MissingFileError) as caught:
        decode_image(tmp_path / "x.jpg", RGB)
    assert str(caught.value) == f"{tmp_path / 'x.jpg'}: there is no such file."


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"image_size": 0},
            "`image_size` must be an int above 0 or a pair of them. Received: image_size=0.",
        ),
        ({"channels": 4}, "`channels` must be one of 1, 3. Received: channels=4."),
        (
            {"resize": "krop"},
            "`resize` must be one of 'crop', 'pad', 'stretch'. Received: resize='krop'. Did you "
            "mean 'crop'?",
        ),
    ],
)
def test_a_spec_that_cannot_be_is_refused_where_it_is_made(settings, message):
    with pytest.raises(ArgumentError) as caught:
        ImageSpec(**settings)
    assert str(caught.value) == message


def test_decoding_in_threads_leaves_other_warnings_alone(tmp_path):
    path = tmp_path / "odd.png"
    image = Image.new("P", (20, 20))
    image.info["transparency"] = bytes(range(4))
    image.save(path)
    files = ImageFiles([path] * 300, ImageSpec(8))
    for _ in range(5):
        np.asarray(files)
    with pytest.warns(UserWarning, match="still heard"):
        warnings.warn("still heard", UserWarning, stacklevel=1)
