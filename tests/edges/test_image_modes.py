"""One rule for each mode and format, whether an image comes as a file, as bytes or by PIL."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from photo_making import STORED
from PIL import Image
from sklearn.datasets import load_sample_images

import imgclf
from imgclf.cli.main import main
from imgclf.data.images import ImageSpec, check_image, decode_image
from imgclf.errors import ArgumentError, ImageError

MODES = [
    *("1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "LA", "PA", "RGBX"),
    *("RGBa", "La", "I;16", "I;16B", "I;16L", "I;16N"),
]
GREY, RGB = ImageSpec(channels=1), ImageSpec(channels=3)


def in_memory(image, suffix, **settings):
    file = io.BytesIO()
    image.save(file, suffix, **settings)
    return file.getvalue()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_of_pil_becomes_pixels(mode, channels):
    image = Image.new(mode, (9, 7))
    assert decode_image(image, ImageSpec(5, channels)).shape == (5, 5, channels)
    assert decode_image(image, ImageSpec(channels=channels)).shape == (7, 9, channels)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 65_535), min_size=6, max_size=6))
def test_deep_grey_is_scaled_by_its_mode_however_it_comes(values):
    numbers = np.array(values, np.uint16).reshape(2, 3)
    expected = (numbers.astype(int) * 255 // 65_535)[..., np.newaxis]
    deep = Image.fromarray(numbers)
    forms = {
        "I;16": deep,
        "I": Image.fromarray(numbers.astype(np.int32)),
        "PNG": in_memory(deep, "PNG"),
        "TIFF": in_memory(deep, "TIFF"),
        "TIFF I": in_memory(Image.fromarray(numbers.astype(np.int32)), "TIFF"),
        "big-endian": Image.frombytes("I;16B", (3, 2), numbers.astype(">u2").tobytes()),
    }
    for name, form in forms.items():
        np.testing.assert_array_equal(decode_image(form, GREY), expected, name)
        np.testing.assert_array_equal(decode_image(form, RGB), np.repeat(expected, 3, 2), name)
    if max(values) > 255:
        np.testing.assert_array_equal(decode_image(numbers, GREY), expected)
    floats = Image.fromarray((numbers / 65_535).astype(np.float32))
    for form in (floats, in_memory(floats, "TIFF")):
        assert np.abs(decode_image(form, GREY).astype(int) - expected).max() <= 1


def test_a_dark_image_stays_dark_and_a_single_bright_pixel_changes_no_other(rng):
    dark = rng.integers(0, 200, (8, 8)).astype(np.int32)
    bright = dark.copy()
    bright[0, 0] = 65_535
    one, two = (decode_image(Image.fromarray(array), GREY) for array in (dark, bright))
    assert one.max() == 0
    np.testing.assert_array_equal(one.reshape(-1)[1:], two.reshape(-1)[1:])


def test_floats_from_0_to_1_come_back_exactly():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    floats = Image.fromarray((levels / 255).astype(np.float32))
    np.testing.assert_array_equal(decode_image(floats, GREY)[..., 0], levels)
    np.testing.assert_array_equal(decode_image(in_memory(floats, "TIFF"), GREY)[..., 0], levels)


def test_what_is_outside_the_range_of_a_mode_is_an_error_not_a_guess():
    for image, message in [
        (
            Image.fromarray(np.full((2, 2), 200, np.float32)),
            "`source`: holds values from 200 to 200, but in images of the mode F black is 0 and "
            "white is 1. Convert it to 8 bits, or say by `white_level` which value is white.",
        ),
        (
            Image.fromarray(np.full((2, 2), -1024, np.int32)),
            "`source`: holds values from -1024 to -1024, but in images of the mode I black is 0 "
            "and white is 65535. Convert it to 8 bits, or say by `white_level` which value is "
            "white.",
        ),
        (
            Image.fromarray(np.full((2, 2), np.nan, np.float32)),
            "`source`: holds values that are not finite (NaN or infinity).",
        ),
    ]:
        with pytest.raises(ImageError) as caught:
            decode_image(image, GREY)
        assert str(caught.value) == message
    image = Image.fromarray(np.array([[0, 200, 400]], np.float32))
    pixels = decode_image(image, ImageSpec(channels=1, white_level=200))
    assert pixels[0, :, 0].tolist() == [0, 255, 255]


def deep_folder(root, rng, highest, dtype=np.uint16):
    for bright, name in enumerate(["dim", "lit"]):
        (root / name).mkdir(parents=True)
        for number in range(12):
            low, high = highest * (1 + 4 * bright) // 10, highest * (5 + 5 * bright) // 10
            values = rng.integers(low, high, (20, 20))
            values[0, 0] = 0 if number or not bright else highest
            Image.fromarray(values.astype(dtype)).save(root / name / f"{number}.tif")
    return root


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_fewer_bits_in_files_of_16_are_recognised_over_the_data_set(tmp_path, rng, bits):
    white = 2**bits - 1
    root = deep_folder(tmp_path / "photos", rng, white)

    data = imgclf.load_folder(root, validation=None, test=None)

    notes = [note for note in data.notes if "white is" in note]
    expected = [] if bits == 16 else [f"No image of more than 8 bits has a value above {white}"]
    assert [note.partition(",")[0] for note in notes] == expected
    assert data.train.images.spec.white_level == (None if bits == 16 else white)
    lit = np.asarray(data.train[data.train.labels == 1].images)
    assert 170 < lit.mean() < 210
    by_mode = imgclf.load_folder(root, white_level=None, validation=None, test=None)
    brightest = np.asarray(by_mode.train.images).max()
    assert brightest == 255 * white // 65_535
    found = imgclf.inspect(root)
    assert not [one for one in found.findings if one.kind in ("blank", "dark")]


def test_floats_of_0_to_255_are_recognised_over_the_data_set(tmp_path, rng):
    root = deep_folder(tmp_path / "photos", rng, 255, np.float32)
    data = imgclf.load_folder(root, validation=None, test=None)
    assert data.train.images.spec.white_level == 255
    assert np.asarray(data.train.images).max() == 255


def test_a_model_keeps_white_level_and_background(tmp_path, rng):
    root = deep_folder(tmp_path / "photos", rng, 4095)
    data = imgclf.load_folder(root, background="black", image_size=16)
    clf = imgclf.Classifier.from_preset("quick", data, epochs=1)
    clf.fit(data, verbose=0)
    path = root / "lit" / "3.tif"

    loaded = imgclf.load(clf.save(tmp_path / "model.keras"))

    assert (loaded.white_level, loaded.background) == (4095, "#000000")
    expected = clf.predict_proba(path)
    for form in (path, path.read_bytes(), Image.open(path), np.asarray(Image.open(path))):
        np.testing.assert_allclose(loaded.predict_proba(form), expected, atol=1e-6)
    loaded.white_level = -1
    with pytest.raises(ArgumentError, match="`white_level` must be a number above 0"):
        loaded.predict(path)


def art(root, name, colour, count=12):
    """Drawings that are visible by their transparency alone."""
    (root / name).mkdir(parents=True)
    for number in range(count):
        image = Image.new("RGBA", (24, 24), (*colour, 0))
        image.paste((*colour, 255), (4, 4, 10 + number % 9, 20))
        image.save(root / name / f"{number}.png")


def test_white_drawings_on_nothing_are_noted_and_shown_on_another_background(tmp_path):
    root = tmp_path / "photos"
    art(root, "white", (255, 255, 255))
    art(root, "red", (200, 10, 10))

    data = imgclf.load_folder(root, validation=None, test=None)

    (note,) = [note for note in data.notes if note.startswith("Transparent")]
    assert note == (
        f"Transparent images that are blank on white: 12, such as {root / 'white' / '0.png'}. "
        "background='black' lays them on another colour (--background)."
    )
    white = data.train.class_names.index("white")
    assert np.asarray(data.train[data.train.labels == white].images).min() == 255
    black = imgclf.load_folder(root, background="black", validation=None, test=None)
    assert not [note for note in black.notes if note.startswith("Transparent")]
    shown = np.asarray(black.train[black.train.labels == white].images)
    assert (shown.min(), shown.max()) == (0, 255)
    found = imgclf.inspect(root)
    (finding,) = [one for one in found.findings if one.kind == "transparent"]
    assert finding.message == "12 images are transparent, and blank on white."
    assert not [reason for _, reason in found.excluded if "one colour" in reason]


@pytest.mark.parametrize("form", ["RGBA", "LA", "P", "RGB with a transparent colour", "WEBP"])
def test_every_kind_of_transparency_is_seen(form):
    image = Image.new("RGBA", (20, 20), (255, 255, 255, 0))
    image.paste((255, 255, 255, 255), (5, 5, 15, 15))
    settings = {}
    if form == "P":
        image = Image.new("P", (20, 20), 0)
        image.putpalette([0, 0, 0, 255, 255, 255])
        image.paste(1, (5, 5, 15, 15))
        settings = {"transparency": 0}
    elif form.startswith("RGB "):
        image = Image.new("RGB", (20, 20), (1, 2, 3))
        image.paste((255, 255, 255), (5, 5, 15, 15))
        settings = {"transparency": (1, 2, 3)}
    elif form == "WEBP":
        settings = {"lossless": True, "exact": True}
    else:
        image = image.convert(form)
    data = in_memory(image, "WEBP" if form == "WEBP" else "PNG", **settings)
    assert check_image(data).vanishes
    assert not check_image(data, background="#000000").vanishes
    assert (decode_image(data, RGB) == 255).all()
    on_red = decode_image(data, ImageSpec(background=(255, 0, 0)))
    assert on_red[0, 0].tolist() == [255, 0, 0]
    assert on_red[10, 10].tolist() == [255, 255, 255]


def test_what_is_visible_does_not_vanish(rng):
    pixels = rng.integers(0, 256, (30, 30, 4), dtype=np.uint8)
    opaque = Image.new("RGBA", (30, 30), "white")
    empty = Image.new("RGBA", (30, 30), (255, 255, 255, 0))
    for image in (Image.fromarray(pixels), opaque, empty, opaque.convert("RGB")):
        assert not check_image(in_memory(image, "PNG")).vanishes


@pytest.mark.parametrize("background", ["nonsense", "#12345678", (1, 2), (1, 2, 300), 7, None])
def test_a_background_that_is_no_colour_is_refused(background):
    with pytest.raises(ArgumentError) as caught:
        ImageSpec(background=background)
    assert str(caught.value).startswith(
        "`background` must be a colour without transparency, such as 'black', '#808080' or "
        "(128, 128, 128). Received: background="
    )


def test_the_command_line_takes_background_and_white_level(tmp_path):
    root = tmp_path / "photos"
    art(root, "white", (255, 255, 255))
    art(root, "red", (200, 10, 10))
    run = tmp_path / "run"
    result = CliRunner().invoke(
        main,
        [
            *("train", str(root), "--epochs", "1", "--quiet", "--out", str(run)),
            *("--background", "black", "--white-level", "4095", "--image-size", "16"),
        ],
    )
    assert result.exit_code == 0, result.output
    clf = imgclf.load(run)
    assert (clf.background, clf.white_level) == ("#000000", 4095)
    remembered = json.loads((run / "data.json").read_text())
    assert (remembered["background"], remembered["white_level"]) == ("black", 4095)
    result = CliRunner().invoke(main, ["evaluate", str(run), str(root), "--json"])
    assert result.exit_code == 0, result.output
    result = CliRunner().invoke(main, ["predict", str(run), "https://example.com/cat.png"])
    assert result.exit_code == 1
    assert result.stderr.endswith("Received: https://example.com/cat.png\n")


@pytest.mark.parametrize(
    "compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"]
)
@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "CMYK"])
def test_tiffs_of_scanners_are_read(mode, compression, rng):
    if compression == "jpeg" and mode in ("1", "RGBA"):
        pytest.skip("JPEG has no such mode")
    shades = Image.fromarray(rng.integers(0, 256, (3, 4), dtype=np.uint8))
    image = shades.resize((40, 30)).convert("RGB").convert(mode)
    data = in_memory(image, "TIFF", compression=compression)
    by_file, by_pil = (decode_image(form, RGB).astype(int) for form in (data, image))
    assert np.abs(by_file - by_pil).max() <= (40 if compression == "jpeg" else 0)
    assert check_image(data).format == "TIFF"


def test_of_a_tiff_with_pages_the_first_is_used_and_they_are_counted(tmp_path):
    for colour, name in (("red", "a"), ("blue", "b")):
        (tmp_path / name).mkdir()
        for number in range(6):
            pages = [Image.new("RGB", (24, 24 + number), one) for one in (colour, "green")]
            pages[0].save(tmp_path / name / f"{number}.tif", save_all=True, append_images=pages[1:])
    data = imgclf.load_folder(tmp_path, validation=None, test=None)
    (note,) = [note for note in data.notes if note.startswith("TIFFs")]
    assert note == (
        "TIFFs of several pages, of which the first is used: 12, such as "
        f"{tmp_path / 'a' / '0.tif'}."
    )
    assert np.asarray(data.train.images)[..., 1].max() == 0
    found = imgclf.inspect(tmp_path)
    (finding,) = [one for one in found.findings if one.kind == "pages"]
    assert finding.message == "12 TIFFs have several pages."
    assert not [one for one in found.findings if one.kind == "animated"]


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("suffix", ["TIFF", "AVIF"])
def test_orientations_of_tiff_and_avif(suffix, orientation):
    upright = np.zeros((16, 24, 3), np.uint8)
    upright[:8, :8], upright[8:, 16:], upright[:8, 16:] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](upright)))
    data = in_memory(stored, suffix, exif=exif)
    assert check_image(data)[:2] == (16, 24)
    for form in (data, Image.open(io.BytesIO(data))):
        difference = np.abs(decode_image(form, RGB).astype(int) - upright)
        assert difference.mean() < (30 if suffix == "AVIF" else 1e-9)
        assert np.abs(difference[4, 4]).max() < 60


def test_a_jpeg_is_nearly_the_same_by_path_and_by_pil():
    """By path it is decoded at a fraction of its size: `decode_image` says so, and by how much."""
    for photo in load_sample_images().images:
        for size in (427, 1600):
            image = Image.fromarray(photo).resize((size * 3 // 2, size), Image.Resampling.BICUBIC)
            data = in_memory(image, "JPEG", quality=90)
            for side in (32, 64, 96, 224):
                spec = ImageSpec(side)
                by_file = decode_image(data, spec).astype(int)
                difference = np.abs(by_file - decode_image(Image.open(io.BytesIO(data)), spec))
                assert difference.mean() < 1
                assert np.quantile(difference, 0.99) <= 8
                assert difference.max() <= 20


def test_bytes_and_path_are_the_very_same(tmp_path):
    path = tmp_path / "x.jpg"
    Image.fromarray(load_sample_images().images[0]).save(path)
    spec = ImageSpec(48)
    np.testing.assert_array_equal(decode_image(path, spec), decode_image(path.read_bytes(), spec))
