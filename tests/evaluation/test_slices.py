"""Slices: what images are sorted by, and when one is called worse."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from scipy.stats import fisher_exact

import imgclf
from imgclf import Evaluation
from imgclf.data.image_files import ImageFiles
from imgclf.data.images import ImageSpec
from imgclf.errors import ArgumentError
from imgclf.evaluation.intervals.by_formula import wilson_interval


def evaluated(correct, images=None, labels=None):
    """An evaluation of two classes that is right where it should be."""
    correct = np.asarray(correct)
    labels = np.zeros(len(correct), int) if labels is None else np.asarray(labels)
    predicted = np.where(correct, labels, 1 - labels)
    return Evaluation(labels, np.eye(2)[predicted] * 0.8 + 0.1, ["cat", "dog"], images)


def test_slices_have_the_test_of_fisher_corrected_by_holm():
    rng = np.random.default_rng(0)
    rooms = rng.choice(["hall", "kitchen", "yard"], 200)
    correct = rng.random(200) < np.where(rooms == "yard", 0.6, 0.9)
    records = {one.name: one for one in evaluated(correct).slices(by=list(rooms))}
    plain = {}
    for room in np.unique(rooms):
        inside = rooms == room
        table = [
            [(correct & inside).sum(), (~correct & inside).sum()],
            [(correct & ~inside).sum(), (~correct & ~inside).sum()],
        ]
        plain[room] = fisher_exact(table, alternative="less").pvalue
        assert records[room].num_images == inside.sum()
        assert records[room].accuracy == correct[inside].mean()
        assert records[room].rest_accuracy == correct[~inside].mean()
        wilson = wilson_interval(int((correct & inside).sum()), int(inside.sum()))
        assert records[room].interval == pytest.approx(wilson, abs=1e-12)
    highest = 0.0
    for place, room in enumerate(sorted(plain, key=plain.get)):
        highest = max(highest, min(1, plain[room] * (3 - place)))
        assert records[room].p_value == pytest.approx(highest, rel=1e-9)
    assert [name for name, one in records.items() if one.is_worse] == ["yard"]
    assert next(iter(records)) == "yard"


def test_where_no_slice_is_worse_few_are_marked():
    rng = np.random.default_rng(1)
    groups = np.arange(300) % 10
    marked = sum(
        any(one.is_worse for one in evaluated(rng.random(300) < 0.8).slices(by=groups.astype(str)))
        for _ in range(400)
    )
    assert marked / 400 <= 0.07  # at most 5%, and chance


def test_a_planted_shortcut_is_found_by_brightness():
    rng = np.random.default_rng(2)
    brightness = rng.integers(20, 230, 400)
    images = np.zeros((400, 8, 8, 3), np.uint8) + brightness[:, None, None, None].astype(np.uint8)
    correct = rng.random(400) < np.where(brightness < 70, 0.4, 0.95)
    slices = evaluated(correct, images).slices("brightness")
    assert len(slices) == 4
    assert sum(one.num_images for one in slices) == 400
    assert max(one.num_images for one in slices) - min(one.num_images for one in slices) < 12
    assert [one.is_worse for one in slices] == [True, False, False, False]
    low, high = map(float, slices[0].name.split(" to "))
    assert low < 25
    assert high < 80


def test_by_class_every_class_with_images_is_a_slice():
    ev = evaluated([True, False, True], labels=[0, 0, 0])
    [only] = ev.slices()
    assert (only.by, only.name, only.num_images) == ("class", "cat", 3)
    assert np.isnan(only.rest_accuracy)
    assert not only.is_worse


def test_numbers_texts_and_gaps_make_slices():
    ev = evaluated([True, False] * 50)
    few = ev.slices([1, 2] * 50)
    assert [one.name for one in few] == ["2", "1"]
    assert few[0].is_worse
    many = ev.slices(np.r_[np.nan, np.arange(99.0)], bins=3)
    assert sorted(one.num_images for one in many) == [1, 33, 33, 33]
    assert [one.num_images for one in many if one.name == "unknown"] == [1]
    both = ev.slices({"day": ["mon", "tue"] * 50, "hour": [None, *range(1, 100)]})
    assert {one.by for one in both} == {"day", "hour"}
    assert "unknown" in {one.name for one in both}
    flags = ev.slices([True, False] * 50)
    assert {one.name for one in flags} == {"True", "False"}


@pytest.fixture
def files(tmp_path):
    """Ten images in two folders, of two sizes, dark and light."""
    paths = []
    for number in range(10):
        folder = tmp_path / ("north" if number < 6 else "south/inner")
        folder.mkdir(parents=True, exist_ok=True)
        side = 40 if number % 2 else 80
        path = folder / f"{number}.jpg"
        Image.new("RGB", (side + 20, side), (25 * number,) * 3).save(path)
        paths.append(path)
    return ImageFiles(paths, ImageSpec(16))


def test_files_are_sorted_by_folder_size_and_brightness(files):
    ev = evaluated([True] * 6 + [False] * 4, files)
    assert {(one.name, one.num_images) for one in ev.slices("folder")} == {
        ("north", 6),
        ("south/inner", 4),
    }
    assert {(one.name, one.num_images) for one in ev.slices("size")} == {("40 px", 5), ("80 px", 5)}
    lightest = ev.slices("brightness", bins=5)[0]
    assert lightest.num_images == 2
    low, high = map(float, lightest.name.split(" to "))
    assert low == pytest.approx(150, abs=2) or low == pytest.approx(200, abs=2)
    assert high - low == pytest.approx(25, abs=2)


def test_sizes_and_folders_decode_nothing(tmp_path):
    path = tmp_path / "half.jpg"
    Image.effect_noise((300, 200), 80).save(path)
    path.write_bytes(path.read_bytes()[:4000])
    ev = evaluated([True], ImageFiles([path], ImageSpec(16)))
    assert ev.slices("size")[0].name == "200 px"
    assert ev.slices("folder")[0].name == "."


def test_slices_are_drawn_with_the_worse_ones_apart():
    correct = np.r_[np.repeat(False, 30), np.repeat(True, 70)]
    ev = evaluated(correct)
    axes = ev.plot_slices(by=["a $x"] * 30 + ["b"] * 70)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a $x (30)", "b (70)"]
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert "significantly worse" in texts
    assert "all 70.0%" in texts
    assert len(ev.plot_slices(by=np.arange(100).astype(str)).get_yticklabels()) == 30


def test_what_is_missing_is_said():
    ev = evaluated([True, False])
    with pytest.raises(ArgumentError) as caught:
        ev.slices([1, 2, 3])
    assert str(caught.value) == "`by` must hold 2 values, one an image. Received: shape=(3,)."
    with pytest.raises(ArgumentError, match="needs image files"):
        ev.slices("size")
    with pytest.raises(ArgumentError, match="needs the images: make the Evaluation with"):
        ev.slices("brightness")
    with pytest.raises(ArgumentError, match="Did you mean 'class'"):
        ev.slices("classs")
    with pytest.raises(ArgumentError, match="`bins` must be an int of at least 2"):
        ev.slices("class", bins=1)


def test_records_can_be_written(tmp_path):
    import dataclasses

    [one] = evaluated([True, True]).slices()
    assert json.dumps(dataclasses.asdict(one) | {"rest_accuracy": None})
    assert str(one).startswith("class cat: 100.0% (34.2% to 100.0%) of 2")


def test_digits_by_class_are_the_recalls():
    data = imgclf.load_digits()
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(10), len(data.test))
    ev = Evaluation(data.test.labels, probabilities, data.class_names, data.test.images)
    recalls = {record["class_name"]: record["recall"] for record in ev.per_class}
    assert {one.name: one.accuracy for one in ev.slices()} == pytest.approx(recalls)
