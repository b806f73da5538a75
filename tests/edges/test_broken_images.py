"""Rotten and hostile image files: never a stop in the first epoch, never much memory or time."""

from __future__ import annotations

import io
import subprocess
import sys
import textwrap
import threading
import time
import warnings
import zlib

import numpy as np
import pytest
from child_environment import child_environment
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from photo_making import make_image
from PIL import Image

import imgclf
from imgclf.data.decoding.jpeg import is_sound_jpeg
from imgclf.data.decoding.memory import DecodingMemory
from imgclf.data.images import (
    ImageSpec,
    check_image,
    decode_image,
    decode_with_facts,
    read_header,
)
from imgclf.errors import ImageError, ImgclfError

FORMATS = {
    "JPEG": {"quality": 80},
    "progressive": {"format": "JPEG", "progressive": True},
    "PNG": {},
    "WEBP": {},
    "lossless": {"format": "WEBP", "lossless": True},
    "GIF": {},
    "BMP": {},
    "TIFF": {},
    "LZW": {"format": "TIFF", "compression": "tiff_lzw"},
    "AVIF": {},
}


def encoded(kind):
    settings = dict(FORMATS[kind])
    image = make_image(np.random.default_rng(3), (60, 44), 1)
    file = io.BytesIO()
    image.save(file, settings.pop("format", kind), **settings)
    return file.getvalue()


WHOLE = {kind: encoded(kind) for kind in FORMATS}


@settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.sampled_from(sorted(WHOLE)),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_what_the_check_accepts_can_be_decoded(kind, changes):
    """Bytes changed anywhere in each format: the check says what training and predicting will."""
    data = bytearray(WHOLE[kind])
    for place, value in changes:
        data[int(place * (len(data) - 1))] = value
    data = bytes(data)
    try:
        check_image(data)
    except ImageError:
        return
    for side in (None, 8, 20):
        assert decode_image(data, ImageSpec(side)).dtype == np.uint8


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(WHOLE)), st.floats(0.02, 0.98))
def test_a_hole_in_the_middle(kind, place):
    data = WHOLE[kind]
    start = int(place * len(data))
    data = data[:start] + bytes(min(30, len(data) - start)) + data[start + 30 :]
    try:
        check_image(data)
    except ImageError:
        return
    decode_image(data, ImageSpec(8))


def chunk(name, content):
    size = len(content).to_bytes(4, "big")
    return size + name + content + zlib.crc32(name + content).to_bytes(4, "big")


def png(*data):
    header = (16).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    middle = b"".join(chunk(b"IDAT", one) for one in data)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + middle + chunk(b"IEND", b"")


# All end as their format must.
ROTTEN = {
    "PNG without data": png(),
    "PNG whose data is not compressed": png(b"not zlib at all"),
    "PNG with too little data": png(zlib.compress(bytes(40))),
    "PNG with a wrong filter": png(zlib.compress(b"\x09" + bytes(48) + bytes(49 * 15))),
    "JPEG with wrong tables": WHOLE["JPEG"].replace(b"\xff\xc4\x00\x1f", b"\xff\xc4\xff\x1f"),
    "JPEG without tables": WHOLE["JPEG"].replace(b"\xff\xdb", b"\xff\xfe"),
    "JPEG with nothing in it": b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0\xff\xd9",
    "GIF with nothing in it": b"GIF89a\x10\0\x10\0\0\0\0;",
}


@pytest.mark.parametrize("kind", ROTTEN)
def test_rotten_data_behind_a_good_end_is_skipped_and_training_goes_on(tmp_path, kind):
    rng = np.random.default_rng(0)
    for colour, name in enumerate(["a", "b"]):
        (tmp_path / name).mkdir()
        for number in range(8):
            make_image(rng, (20, 20), colour).save(tmp_path / name / f"{number}.png")
    bad = tmp_path / "a" / "bad.png"
    bad.write_bytes(ROTTEN[kind])

    data = imgclf.load_folder(tmp_path, max_skipped=0.1)

    assert [path for path, _ in data.skipped] == [bad]
    assert data.ledger.totals()["skipped"] == 1
    for split in data.splits().values():
        np.asarray(split.images)
    assert imgclf.inspect(tmp_path).excluded[0][0].name == "a/bad.png"


def test_a_quick_check_of_jpegs_is_no_weaker_than_decoding(rng):
    """3,000 damaged files: where the quick check is content, decoding is."""
    whole = [WHOLE["JPEG"], WHOLE["progressive"]]
    assert is_sound_jpeg(whole[0])
    assert not is_sound_jpeg(whole[1])
    sound = 0
    for number in range(3000):
        data = bytearray(whole[number % 8 == 0])
        for _ in range(int(rng.integers(1, 4))):
            place = int(rng.integers(2, len(data) - 2))
            data[place] = (255, int(rng.integers(256)))[int(rng.integers(2))]
        if is_sound_jpeg(bytes(data)):
            sound += 1
            with Image.open(io.BytesIO(bytes(data))) as image:
                image.load()
    assert sound > 300


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8" + b"\xff" * 20_000_000,
        b"\xff\xd8" + b"\xff\xfe\x00\x02" * 3_000_000,
        b"\x89PNG\r\n\x1a\n" + chunk(b"aBCd", b"") * 1_000_000,
        b"GIF89a\x10\0\x10\0\0\0\0" + b"!\xfe\x01a\0" * 3_000_000,
    ],
    ids=["JPEG of fill bytes", "JPEG of comments", "PNG of chunks", "GIF of comments"],
)
def test_a_header_without_an_end_is_given_up_at_once(data):
    start = time.process_time()
    for call in (read_header, check_image, lambda one: decode_image(one, ImageSpec(8))):
        with pytest.raises(ImageError):
            call(data)
    assert time.process_time() - start < 2


def test_a_file_of_too_many_bytes_is_not_opened(tmp_path):
    path = tmp_path / "x.jpg"
    with path.open("wb") as file:
        file.write(b"\xff\xd8\xff")
        file.truncate(10**10)
    with pytest.raises(ImageError) as caught:
        check_image(path)
    assert str(caught.value) == (
        f"{path}: has 10,000 MB, more than the 780 MB that are allowed for an image of 89,478,485 "
        "pixels."
    )


def test_large_images_are_decoded_one_after_the_other(tmp_path):
    """3.4 kB of WebP with 88 million pixels took 2 GB on every thread."""
    side = 9_400
    path = tmp_path / "bomb.webp"
    Image.new("RGB", (side, side)).save(path, lossless=True)
    assert path.stat().st_size < 5_000
    code = textwrap.dedent("""
        import sys, threading
        from imgclf.data.images import ImageSpec, decode_image
        from imgclf.training.budget.memory import peak_memory
        def decode():
            decode_image(sys.argv[1], ImageSpec(8))
        threads = [threading.Thread(target=decode) for _ in range(3)]
        [one.start() for one in threads]
        [one.join() for one in threads]
        print(peak_memory())
    """)
    done = subprocess.run(
        [sys.executable, "-c", code, path],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
        env=child_environment(),
    )
    assert int(done.stdout) < 2_300_000_000


def test_the_budget_holds_with_many_threads():
    memory, now, most = DecodingMemory(limit=100), [0], [0]
    lock = threading.Lock()

    def decode(size):
        with memory.reserve(size):
            with lock:
                now[0] += size
                most[0] = max(most[0], now[0] if now[0] > size else 0)
            time.sleep(0.001)
            with lock:
                now[0] -= size

    sizes = [150, 100, 60, 40, 30, 100, 50] * 6
    threads = [threading.Thread(target=decode, args=(100 + size,)) for size in sizes]
    threads += [threading.Thread(target=decode, args=(size,)) for size in (100, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert now[0] == 0
    assert most[0] <= 100


def test_more_memory_than_is_free_is_an_error_of_that_image(monkeypatch, tmp_path):
    path = tmp_path / "x.png"
    Image.new("1", (9_000, 9_000)).save(path)
    monkeypatch.setattr("imgclf.data.decoding.memory.available_memory", lambda: 100_000_000)
    with pytest.raises(ImageError) as caught:
        decode_image(path, ImageSpec(8))
    assert str(caught.value) == (f"{path}: needs about 648 MB to be decoded, but 100 MB are free.")


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "is EPS, not a"),
        (b"8BPS\0\1" + bytes(30), "is PSD, not a"),
        (b"SIMPLE  =                    T", "is FITS, not a"),
        (b"%PDF-1.7", "is PDF, not a"),
        (b"II*\0" + bytes(30), "is TIFF, but damaged, or of a kind that cannot be read."),
        (b"\0\0\0\x18ftypavif" + bytes(30), "is AVIF, but damaged, or of a kind that cannot be"),
    ],
)
def test_no_program_is_started_for_what_is_named_jpg(tmp_path, monkeypatch, start, reason):
    def refuse(*arguments, **settings):
        raise AssertionError("a program was started")

    for name in ("subprocess.Popen", "subprocess.run", "os.system", "os.popen"):
        monkeypatch.setattr(name, refuse)
    path = tmp_path / "x.jpg"
    path.write_bytes(start)
    with pytest.raises(ImageError) as caught:
        check_image(path)
    assert str(caught.value).startswith(f"{path}: {reason}")


def test_tiffs_that_claim_much_take_little():
    tags = [(256, 4, 1, 9_000), (257, 4, 1, 9_000), (258, 3, 1, 8), (262, 3, 1, 1)]
    tags += [(273, 4, 2**30, 8), (277, 3, 1, 1), (279, 4, 2**30, 8), (700, 7, 2**31 - 1, 8)]
    entries = b"".join(
        tag.to_bytes(2, "little")
        + kind.to_bytes(2, "little")
        + count.to_bytes(4, "little")
        + value.to_bytes(4, "little")
        for tag, kind, count, value in tags
    )
    count = len(tags).to_bytes(2, "little")
    loop = (8).to_bytes(4, "little")  # the next page is this one
    start = time.process_time()
    with pytest.raises(ImageError):
        check_image(b"II*\0\x08\0\0\0" + count + entries + loop)
    assert time.process_time() - start < 1


def test_the_filters_of_warnings_are_as_before():
    path = WHOLE["PNG"]
    before = list(warnings.filters)
    for _ in range(3):
        decode_image(path, ImageSpec(8))
        with pytest.raises(ImgclfError):
            check_image(b"garbage")
    assert warnings.filters == before
    threads = [
        threading.Thread(target=lambda: [check_image(path) for _ in range(50)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warnings.filters == before


# Metadata that other libraries stumble over; the pixels are as they were.
ODD_METADATA = {
    "XMP that is no UTF-8": {"xmp": b"<x:xmpmeta>\xa8\xff\xfe</x:xmpmeta>"},
    "EXIF that is none": {"exif": b"Exif\0\0II*\0\xff\xff\xff\xff" + bytes(20)},
    "EXIF of many values": {
        "exif": b"Exif\0\0II*\0\x08\0\0\0\x02\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"
        b"\x10\x92\x07\0\x05\0\0\0\x26\0\0\0" + bytes(16)
    },
}


@pytest.mark.parametrize("kind", ODD_METADATA)
@pytest.mark.parametrize("suffix", ["JPEG", "PNG", "WEBP"])
def test_metadata_that_cannot_be_read_costs_no_image(tmp_path, suffix, kind):
    """huggingface/datasets#7668 and ageitgey/image_to_numpy#1: a good photo was lost."""
    image = make_image(np.random.default_rng(3), (60, 44), 1)
    metadata = ODD_METADATA[kind]
    if suffix == "PNG" and "xmp" in metadata:
        pytest.skip("Pillow writes no XMP into a PNG")
    path = tmp_path / f"x.{suffix.lower()}"
    image.save(path, suffix, **metadata)
    turned = kind == "EXIF of many values"
    assert check_image(path)[:2] == ((60, 44) if turned else (44, 60))
    assert decode_image(path, ImageSpec()).shape[:2] == ((60, 44) if turned else (44, 60))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Pillow, to who opens the file by it
        opened = Image.open(path)
    assert decode_image(opened, ImageSpec(8)).shape == (8, 8, 3)
    facts, _ = decode_with_facts(path, 32)
    assert facts.orientation == (6 if turned else 1)


@pytest.mark.parametrize("mode", ["RGBX", "CMYK"])
def test_tiffs_of_four_bands(mode):
    """keras-team/keras#9187: more than three channels became distorted, or an error."""
    image = make_image(np.random.default_rng(3), (30, 20), 1).convert("RGBA")
    stored = image.convert("RGB").convert(mode)
    file = io.BytesIO()
    stored.save(file, "TIFF")
    pixels = decode_image(file.getvalue(), ImageSpec())
    assert np.abs(pixels.astype(int) - np.asarray(image)[..., :3]).max() <= 2
