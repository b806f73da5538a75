"""Baselines: what they reach, what they read, what they say."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

import imgclf
from imgclf import Dataset, Evaluation
from imgclf.errors import ArgumentError, ArgumentTypeError, DataError
from imgclf.evaluation.intervals.by_formula import wilson_interval


@pytest.fixture(scope="module")
def digits():
    return imgclf.load_digits()


@pytest.fixture(scope="module")
def of_digits(digits):
    return imgclf.baselines(digits)


def test_digits_are_recognized_by_pixels_and_not_by_color(digits, of_digits):
    by_name = {one.name: one for one in of_digits}
    majority = np.bincount(digits.train.labels).argmax()
    assert by_name["majority"].accuracy == np.mean(digits.test.labels == majority)
    before, after = (
        split.images.reshape(len(split), -1).astype(float) for split in (digits.train, digits.test)
    )
    nearest = KNeighborsClassifier(5).fit(before, digits.train.labels)
    expected = nearest.score(after, digits.test.labels)
    assert by_name["nearest thumbnails"].accuracy == pytest.approx(expected, abs=0.006)
    assert by_name["linear on pixels"].accuracy > 0.88
    assert by_name["mean colour"].accuracy < 0.5
    assert of_digits.best is by_name["nearest thumbnails"]
    for one in of_digits:
        right = round(one.accuracy * len(digits.test))
        assert one.interval == wilson_interval(right, len(digits.test))


def test_the_table_has_a_row_a_baseline(of_digits):
    lines = str(of_digits).splitlines()
    assert lines[0].startswith("Baselines: ")
    assert [line[2:20].strip() for line in lines[2:]] == [one.name for one in of_digits]
    assert json.loads(json.dumps(of_digits.to_dict()))["results"][0]["name"] == "majority"
    assert len(of_digits) == 4
    assert of_digits[0].name == "majority"


def test_what_the_network_adds_depends_on_both_intervals(of_digits):
    def network(right, of):
        predicted = np.r_[np.zeros(right, int), np.ones(of - right, int)]
        return Evaluation(np.zeros(of, int), np.eye(2)[predicted], ["a", "b"])

    best = f"the best baseline (nearest thumbnails, {of_digits.best.accuracy:.1%})"
    gain = 100 * (1 - of_digits.best.accuracy)
    better = of_digits.compared_with(network(5000, 5000))
    assert better == f"The network adds {gain:.1f} points to {best}."
    same = of_digits.compared_with(network(97, 100))
    assert same == f"The network cannot be distinguished from {best}: their intervals overlap."
    loss = 100 * (of_digits.best.accuracy - 0.5)
    worse = of_digits.compared_with(network(100, 200))
    assert worse == f"The network is {loss:.1f} points worse than {best}."


def test_of_many_images_some_are_drawn_by_the_seed(digits):
    few = imgclf.baselines(digits, "validation", max_images=150, seed=1)
    assert (few.num_train_images, few.num_test_images) == (150, 150)
    again = imgclf.baselines(digits, "validation", max_images=150, seed=1)
    assert [one.accuracy for one in again] == [one.accuracy for one in few]


def test_photos_are_recognized_by_their_color(photo_folder):
    data = imgclf.load_folder(photo_folder, test=0.4, validation=None)
    by_name = {one.name: one for one in imgclf.baselines(data)}
    assert by_name["mean colour"].accuracy == 1
    assert by_name["majority"].accuracy < 0.5


def test_only_what_is_drawn_is_decoded(photo_folder):
    data = imgclf.load_folder(photo_folder, test=0.4, validation=None)
    rng = np.random.default_rng(0)  # as `baselines` draws
    chosen = rng.choice(len(data.train), 10, replace=False)
    for place in set(range(len(data.train))) - set(chosen.tolist()):
        (photo_folder / data.train.images.paths[place]).write_bytes(b"damaged")
    found = imgclf.baselines(data, max_images=10)
    assert found.num_train_images == 10


def test_what_is_missing_is_said(digits):
    with pytest.raises(ArgumentTypeError, match="`data` must be a Dataset"):
        imgclf.baselines(digits.train)
    with pytest.raises(DataError, match="`data` has no test images to evaluate baselines on"):
        imgclf.baselines(Dataset(digits.train))
    with pytest.raises(ArgumentError, match="`split` must be one of 'test', 'validation'"):
        imgclf.baselines(digits, "train")
    with pytest.raises(ArgumentError, match="`max_images` must be an int of at least 1"):
        imgclf.baselines(digits, max_images=0)
    with pytest.raises(DataError, match=r"at least two classes\. Received: 1 of one class"):
        imgclf.baselines(digits, max_images=1)
