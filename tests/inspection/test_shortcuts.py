"""Facts about the files that give the class away, told where they do and only there."""

from __future__ import annotations

import os

import numpy as np
import pytest
from photo_making import scene
from PIL import Image

import imgclf


def write(root, rng, classes, count=40, make=None):
    for label, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for number in range(count):
            make(rng, label, number, root / name / f"{number:03}")
    return imgclf.inspect(root)


def told(found, kind="shortcut"):
    return next((one for one in found.findings if one.kind == kind), None)


@pytest.mark.parametrize("seed", range(5))
def test_random_folders_are_not_accused(tmp_path, seed):
    def make(rng, label, number, path):
        size = tuple(map(int, rng.integers(32, 80, 2)))
        suffix = rng.choice(["jpg", "png", "webp"])
        scene(rng, size).save(path.with_suffix(f".{suffix}"))

    found = write(tmp_path / "x", np.random.default_rng(seed), ["a", "b", "c"], 30, make)
    assert told(found) is None


def test_a_size_for_each_class_is_told_with_its_figures(tmp_path, rng):
    def make(rng, label, number, path):
        # One in ten has the size of the other class.
        label = 1 - label if number % 10 == 0 else label
        scene(rng, (60 + 20 * label, 50)).save(path.with_suffix(".png"))

    shortcut = told(write(tmp_path / "x", rng, ["cat", "dog"], 40, make))

    assert shortcut.severity == "warning"
    assert "Width alone predicts the class of 90% of the files (always 'cat': 50%)." in (
        shortcut.message
    )
    assert "Height" not in shortcut.message
    details = {group[0].detail for group in shortcut.groups}
    assert len(shortcut.groups) == 2
    assert all(detail.startswith(("file size ", "width ", "aspect ")) for detail in details)


def test_one_class_with_a_format_of_its_own_among_many(tmp_path, rng):
    def make(rng, label, number, path):
        image = scene(rng, tuple(map(int, rng.integers(40, 60, 2))))
        image.convert("P").save(path.with_suffix(".png" if label else ".gif"))

    found = write(tmp_path / "x", rng, list("abcdef"), 30, make)

    assert "Format alone distinguishes 'a' from the other classes in 100% of the files." in (
        told(found).message
    )


def test_the_camera_of_a_class(tmp_path, rng):
    def make(rng, label, number, path):
        exif = Image.Exif()
        exif[0x010F], exif[0x0110] = "Maker", f"Model {label}"
        image = scene(rng, tuple(map(int, rng.integers(40, 60, 2))))
        image.save(path.with_suffix(".jpg"), exif=exif)

    shortcut = told(write(tmp_path / "x", rng, ["cat", "dog"], 30, make))

    assert shortcut.message == (
        "Camera alone predicts the class of 100% of the files (always 'cat': 50%)."
    )
    assert [group[0].detail for group in shortcut.groups] == [
        "camera Maker Model 0",
        "camera Maker Model 1",
    ]


def test_grey_images_of_one_class_are_seen_through_their_mode(tmp_path, rng):
    def make(rng, label, number, path):
        image = scene(rng)
        image = image if label else image.convert("L").convert("RGB")
        image.save(path.with_suffix(".png"), compress_level=0)

    assert told(write(tmp_path / "x", rng, ["cat", "dog"], 30, make)).message == (
        "Lack of colour alone predicts the class of 100% of the files (always 'cat': 50%)."
    )


@pytest.mark.parametrize(("apart", "is_told"), [(3600, False), (30 * 24 * 3600, True)])
def test_times_count_only_if_they_are_longer_apart_than_a_copy_takes(tmp_path, rng, apart, is_told):
    def make(rng, label, number, path):
        path = path.with_suffix(".png")
        scene(rng).save(path)
        os.utime(path, (1e9 + label * apart + number, 1e9 + label * apart + number))

    found = write(tmp_path / "x", rng, ["cat", "dog"], 30, make)

    assert told(found) is None
    assert (told(found, "time-shortcut") is not None) == is_told
    assert not is_told or told(found, "time-shortcut").severity == "note"


def test_a_large_majority_alone_is_no_shortcut(tmp_path, rng):
    for name, count in (("many", 150), ("few", 12)):
        (tmp_path / "x" / name).mkdir(parents=True)
        for number in range(count):
            size = tuple(map(int, rng.integers(40, 60, 2)))
            scene(rng, size).save(tmp_path / "x" / name / f"{number}.png")

    assert told(imgclf.inspect(tmp_path / "x")) is None
