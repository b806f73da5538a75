"""Photos as people have them: none stops a run, hangs it, or is lost without a word.

Single broken files and foreign formats are in tests/data/test_images.py; names, pipes, links and
classes in tests/data/sources/test_folder.py; groups and the ledger beside it; copies in
tests/duplicates.
"""

import csv
import json
import os
import shutil
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from child_environment import child_environment
from click.testing import CliRunner
from PIL import Image

import imgclf
from imgclf.cli.main import main
from imgclf.errors import ArgumentError


def call(*arguments):
    return CliRunner().invoke(main, [str(one) for one in arguments])


def note_of(data, start):
    (note,) = [note for note in data.notes if note.startswith(start)]
    return note


def test_a_huge_image_takes_no_memory_and_is_skipped(photo_folder):
    Image.new("1", (14_000, 14_000)).save(photo_folder / "sky" / "huge.png")
    code = textwrap.dedent("""
        import resource, sys
        import imgclf, PIL.Image
        PIL.Image.init()
        now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + 250_000_000,) * 2)
        data = imgclf.load_folder(sys.argv[1])
        print(data.skipped[0][1])
    """)
    done = subprocess.run(
        [sys.executable, "-c", code, photo_folder],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=child_environment(),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "has more than 89,478,485 pixels, the most that is allowed.\n"


def test_the_most_pixels_can_be_set_both_ways(photo_folder):
    Image.new("RGB", (100, 100)).save(photo_folder / "sky" / "large.png")

    data = imgclf.load_folder(photo_folder, max_pixels=9_999)

    assert data.skipped == (
        (
            photo_folder / "sky" / "large.png",
            "has more than 9,999 pixels, the most that is allowed.",
        ),
    )
    assert imgclf.load_folder(photo_folder, max_pixels=10_000).skipped == ()
    np.asarray(imgclf.load_folder(photo_folder, max_pixels=10_000).train.images)
    with pytest.raises(ArgumentError) as caught:
        imgclf.load_folder(photo_folder, max_pixels=200_000_000)
    assert str(caught.value) == (
        "`max_pixels` must be an int from 1 to 178956970. Received: max_pixels=200000000."
    )


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_animations_are_counted(photo_folder, suffix):
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
    path = photo_folder / "sky" / f"film.{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)

    data = imgclf.load_folder(photo_folder, validation=None, test=None)

    assert note_of(data, "Animations") == (
        f"Animations, of which the first image is used: 1, such as {path}."
    )
    place = list(data.train.images.paths).index(str(path))
    assert data.train.images[place][5, 5].tolist() == [255, 0, 0]


def test_a_jpeg_with_more_images_behind_the_first_is_a_jpeg(photo_folder):
    """As telephones write them: a preview, a map of depths."""
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
    path = photo_folder / "sky" / "telephone.jpg"
    frames[0].save(path, "MPO", save_all=True, append_images=frames[1:])

    data = imgclf.load_folder(photo_folder, validation=None, test=None)

    place = list(data.train.images.paths).index(str(path))
    assert data.train.images[place][5, 5, 0] > 250
    assert not any(note.startswith(("Animations", "Files that hold")) for note in data.notes)


def test_slivers_and_tiny_images_are_pointed_out(photo_folder):
    Image.new("RGB", (2000, 10)).save(photo_folder / "sky" / "line.png")
    Image.new("RGB", (1, 1)).save(photo_folder / "sky" / "dot.png")

    data = imgclf.load_folder(photo_folder)

    assert data.skipped == ()
    assert note_of(data, "Slivers") == (
        "Slivers, at least 5 times as long as wide, of which cropping leaves little: 1, such as "
        f"{photo_folder / 'sky' / 'line.png'}."
    )
    assert note_of(data, "Tiny") == (
        f"Tiny images, with a side under 8 pixels: 1, such as {photo_folder / 'sky' / 'dot.png'}."
    )


def test_heic_is_read_by_the_extra_and_named_without_it(photo_folder, monkeypatch):
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    path = photo_folder / "sky" / "telephone.heic"
    Image.new("RGB", (64, 48), "red").save(path)
    path.with_suffix(".jpg").write_bytes(path.read_bytes() + b"\0\0\0\x08free")

    data = imgclf.load_folder(photo_folder, validation=None, test=None)

    assert data.skipped == ()
    assert_red(data, path)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as where it is not installed
    data = imgclf.load_folder(photo_folder, max_skipped=0.1)
    reason = "is HEIC, which needs an extra: pip install 'imgclf[heic]', or save it as JPEG or PNG."
    assert {why for _, why in data.skipped} == {reason}
    assert len(data.skipped) == 2


def assert_red(data, path):
    place = list(data.train.images.paths).index(str(path))
    red, green, blue = data.train.images[place][8, 8]
    assert red > 240
    assert max(green, blue) < 15


@pytest.mark.parametrize("suffix", ["tif", "avif"])
def test_tiff_and_avif_are_read_by_pillow_alone(photo_folder, monkeypatch, suffix):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as where it is not installed
    path = photo_folder / "sky" / f"scan.{suffix}"
    Image.new("RGB", (64, 48), "red").save(path)
    path.with_suffix(".jpg").write_bytes(path.read_bytes() + b"\0\0\0\x08free")

    data = imgclf.load_folder(photo_folder, validation=None, test=None)

    assert data.skipped == ()
    assert_red(data, path)
    assert_red(data, path.with_suffix(".jpg"))


def test_a_file_that_may_not_be_read_is_skipped(photo_folder):
    locked = photo_folder / "sky" / "0.jpg"
    locked.chmod(0)
    if os.access(locked, os.R_OK):
        pytest.skip("root may read anything")
    data = imgclf.load_folder(photo_folder)
    assert data.skipped == ((locked, "cannot be read (Permission denied)."),)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on grey photos, fitted by black bars, with groups and a file of excluded ones."""
    home = tmp_path_factory.mktemp("run")
    photos = home / "photos"
    rng = np.random.default_rng(0)
    for place, name in enumerate(["day", "night"]):
        (photos / name).mkdir(parents=True)
        for number in range(24):
            pixels = rng.integers(0, 99, (20, 40), dtype=np.uint8) + 150 * (1 - place)
            Image.fromarray(pixels.astype(np.uint8)).save(
                photos / name / f"roll{number // 3}_{number}.png"
            )
    (photos / "day" / "broken.jpg").write_bytes(b"no image")
    (home / "exclude.csv").write_text("path,reason\nday/roll0_0.png,blurred\n")
    result = call(
        *("train", photos, "--epochs", 1, "--quiet", "--out", home / "run"),
        *("--image-size", 16, "--resize", "pad"),
        *("--groups", r"/(roll\d+)_", "--exclude", home / "exclude.csv", "--max-pixels", 5000),
    )
    assert result.exit_code == 0, result.output
    return home, result


def test_training_prints_the_ledger_and_keeps_it_whole(run):
    home, result = run
    with (home / "run" / "files.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))

    assert len(rows) == 49
    assert [row["path"] for row in rows if row["fate"] == "skipped"] == ["day/broken.jpg"]
    assert [row["reason"] for row in rows if row["fate"] == "excluded"] == ["blurred"]
    homes = {}
    for row in rows:
        if row["split"]:
            homes.setdefault(row["path"].split("/")[1].split("_")[0], set()).add(row["split"])
    assert [len(splits) for splits in homes.values()] == [1] * 8
    counts = [sum(row["split"] == name for row in rows) for name in ("train", "validation", "test")]
    assert (
        f"49 files: 47 used ({counts[0]} train, {counts[1]} validation, {counts[2]} test), "
        "1 skipped, 1 excluded.\n  skipped: day/broken.jpg: is not a JPEG, PNG"
    ) in result.stderr
    assert "files.csv" in result.stdout


def test_evaluating_cuts_as_training_did(run):
    home, _ = run
    with (home / "run" / "files.csv").open(newline="") as file:
        tested = sum(row["split"] == "test" for row in csv.DictReader(file))

    result = call("evaluate", home / "run", home / "photos", "--json", "--out", home / "out")

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["num_images"] == tested


def test_grey_photos_stay_one_channel_and_bars_stay_bars_to_the_end(run):
    home, _ = run
    clf = imgclf.load(home / "run")
    assert clf.image_shape == (16, 16, 1)
    assert clf.resize == "pad"
    image = home / "photos" / "day" / "roll1_3.png"
    data = imgclf.load_folder(
        home / "photos", image_size=16, resize="pad", validation=None, test=None
    )
    place = list(data.train.images.paths).index(str(image))
    as_trained = data.train.images[place]
    assert as_trained.shape == (16, 16, 1)
    assert (as_trained[0] == 0).all()
    from_file = clf.predict(image)[0].probabilities
    assert from_file == clf.predict(as_trained[np.newaxis])[0].probabilities


def test_other_photos_are_matched_by_the_names_of_their_classes(run, tmp_path):
    home, _ = run
    shutil.copytree(home / "photos" / "night", tmp_path / "night")
    only = call("evaluate", home / "run", tmp_path, "--json", "--out", tmp_path / "out")
    assert only.exit_code == 0, only.output
    record = json.loads(only.stdout)
    # Those that the run was trained or validated on are left out, wherever they lie now.
    assert (record["num_images"], record["num_left_out"]) == (3, 21)
    shutil.rmtree(tmp_path / "out")

    shutil.copytree(home / "photos" / "day", tmp_path / "dawn")
    unknown = call("evaluate", home / "run", tmp_path)
    assert unknown.exit_code == 1
    assert unknown.stderr.endswith(
        f"Error: {tmp_path}: there are classes that `class_names` lacks: 'dawn'. `class_names` has "
        "'day', 'night'.\n"
    )


def test_options_of_photos_are_refused_with_other_sources(run):
    home, _ = run
    result = call("evaluate", home / "run", "digits", "--groups", "(a)")
    assert result.exit_code == 2
    assert "Error: --groups requires a folder or table." in result.stderr
    result = call("train", "digits", "--max-pixels", 5)
    assert "`max_pixels` does not apply to the source 'digits'. Received: max_pixels=5." in (
        result.stderr
    )
