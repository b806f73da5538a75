"""Planted copies are found, others are not, and the two numbers are what they should be."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter, shift, zoom

import imgclf
from imgclf.duplicates.across_splits import find_copies_across_splits
from imgclf.errors import DataError
from imgclf.evaluation.deduplicated import deduplicated_score

NAMES = ["cat", "dog"]


def scenes(rng, count, side=32, channels=3):
    """Smooth shapes over a gradient, with details: no two alike."""
    base = gaussian_filter(rng.normal(size=(count, side, side, channels)), (0, 6, 6, 0)) * 300
    fine = gaussian_filter(rng.normal(size=(count, side, side, channels)), (0, 1.2, 1.2, 0)) * 120
    light = np.linspace(60, -60, side)[:, None, None]
    return np.clip(128 + base + fine + light, 0, 255).astype(np.uint8)


def split_of(images, labels=None):
    return imgclf.Split(images, np.arange(len(images)) % 2 if labels is None else labels, NAMES)


def find(split, other, **settings):
    return find_copies_across_splits(split.images, other.images, **settings)


def jpeg(image, quality=70):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


CHANGES = {
    "brighter": lambda image: np.clip(image.astype(int) + 25, 0, 255).astype(np.uint8),
    "less contrast": lambda image: (image * 0.6 + 40).astype(np.uint8),
    "saved as JPEG": jpeg,
    "shifted": lambda image: shift(image, (1, -2, 0), order=1, mode="nearest"),
    "mirrored": lambda image: image[:, ::-1],
    "smaller and back": lambda image: np.clip(
        zoom(zoom(image.astype(float), (0.75, 0.75, 1), order=1), (4 / 3, 4 / 3, 1), order=1),
        0,
        255,
    ).astype(np.uint8),
    "tinted": lambda image: np.clip(image * [1.0, 0.85, 0.7], 0, 255).astype(np.uint8),
}


@pytest.mark.parametrize("change", CHANGES)
def test_planted_near_copies_are_found_and_nothing_else(change, rng):
    images = scenes(rng, 120)
    test = images[80:].copy()
    for place in range(10):
        test[place] = CHANGES[change](images[3 * place])
    copies = find(split_of(test), split_of(images[:80]))
    assert copies.partners[:10].tolist() == [3 * place for place in range(10)]
    assert (copies.partners[10:] == -1).all()
    assert copies.near.sum() == 10
    assert not copies.exact.any()
    assert copies.mirrored[:10].all() == (change == "mirrored")


def test_exact_copies_are_found_at_any_size_and_in_grey(rng):
    for side, channels in ((8, 1), (40, 1), (48, 3)):
        images = scenes(rng, 30, side, channels)
        copies = find(split_of(images[15:]), split_of(images[:18]))
        assert copies.partners[:3].tolist() == [15, 16, 17]
        assert copies.exact.tolist() == [True] * 3 + [False] * 12
        assert (copies.partners[3:] == -1).all()


def test_mirrored_images_are_left_alone_where_they_mean_something_else(rng):
    images = scenes(rng, 40)
    mirrored = split_of(images[:5, :, ::-1])
    assert (find(mirrored, split_of(images)).partners == np.arange(5)).all()
    assert (find(mirrored, split_of(images), mirrored=False).partners == -1).all()


def test_blocks_change_nothing(rng, monkeypatch):
    images = scenes(rng, 60)
    test = split_of(np.concatenate([images[:4] // 2 + 60, images[50:]]))
    whole = find(test, split_of(images[:50]))
    for name, value in (("_BLOCK", 7), ("_ROWS", 3), ("_PAIRS", 2)):
        monkeypatch.setattr(f"imgclf.duplicates.across_splits.{name}", value)
    parts = find(test, split_of(images[:50]))
    assert np.array_equal(whole.partners, parts.partners)
    assert np.allclose(whole.similarity, parts.similarity, atol=1e-5)


def test_two_numbers(rng):
    images = scenes(rng, 60)
    test = np.concatenate([images[:6], images[6:10] // 2 + 50, images[40:60]])
    train = split_of(images[:40], [0, 1] * 20)
    labels = np.array([0, 1] * 15)
    labels[0] = 1  # another class than in train
    split = split_of(test, labels)
    scores = np.where(labels[:, None] == [0, 1], 0.9, 0.1)
    scores[10:20] = scores[10:20, ::-1]  # ten of the twenty others are wrong
    score = deduplicated_score(imgclf.Evaluation(labels, scores, NAMES), train, split)
    assert (score.exact, score.near, score.other_class) == (6, 4, 1)
    assert score.accuracy == pytest.approx(20 / 30)
    assert score.deduplicated_accuracy == pytest.approx(10 / 20)
    assert score.copies_accuracy == 1
    assert score.deduplicated_interval == imgclf.evaluation.intervals.by_formula.wilson_interval(
        10, 20
    )
    assert score.exact_indices.tolist() == list(range(6))
    assert score.near_indices.tolist() == list(range(6, 10))
    assert score.to_dict()["partners"] == list(range(10))
    assert "without the 10 (33.3%) that are also among the training images" in str(score)
    assert "alike by nature" not in str(score)
    assert len(score.plot(n=4).axes) == 4


def test_nothing_found_and_everything_found(rng):
    images = scenes(rng, 20)
    labels = np.arange(10) % 2
    scores = np.full((10, 2), 0.5)
    none = deduplicated_score(
        imgclf.Evaluation(labels, scores, NAMES), split_of(images[:10]), split_of(images[10:])
    )
    assert none.accuracy == none.deduplicated_accuracy
    assert str(none).endswith("none of them is among the training images")
    assert none.plot().texts
    every = deduplicated_score(
        imgclf.Evaluation(labels, scores, NAMES), split_of(images), split_of(images[10:])
    )
    assert np.isnan(every.deduplicated_accuracy)
    assert every.deduplicated_interval == (0, 1)
    assert every.to_dict()["deduplicated_accuracy"] is None


def test_images_that_are_alike_by_nature_are_said_to_be():
    data = imgclf.load_digits()
    images = np.repeat(np.repeat(data.train.images[:1200], 4, axis=1), 4, axis=2)
    train = imgclf.Split(images[:1100], data.train.labels[:1100], data.class_names)
    test = imgclf.Split(images[1100:], data.train.labels[1100:1200], data.class_names)
    scores = np.full((100, 10), 0.1)
    score = deduplicated_score(
        imgclf.Evaluation(test.labels, scores, data.class_names), train, test, mirrored=False
    )
    assert score.look_alikes > 3
    assert "be alike by nature, as letters are" in str(score)


def test_what_does_not_belong_together_is_refused(rng):
    images = scenes(rng, 10)
    evaluation = imgclf.Evaluation([0, 0], [[1, 0], [1, 0]], NAMES)
    with pytest.raises(DataError, match=r"^`evaluation` must be of the images of `test`\."):
        deduplicated_score(evaluation, split_of(images), split_of(images[:2]))
    wide = split_of(np.zeros((2, 32, 40, 3), np.uint8), [0, 0])
    with pytest.raises(DataError, match="must have the same image_shape"):
        deduplicated_score(evaluation, split_of(images), wide)


def test_files_are_compared_as_the_network_sees_them(photo_folder, tmp_path):
    data = imgclf.load_folder(photo_folder, image_size=32, test=0.2, validation=None)
    where = {path: number for number, path in enumerate(data.train.images.paths)}
    assert len(where) == len(data.train)
    again = imgclf.Split(data.train.images[:5], data.train.labels[:5], data.class_names)
    copies = find(again, data.train)
    assert copies.exact.all()
    assert copies.partners.tolist() == list(range(5))


def test_cifar10_has_about_as_many_as_were_published(cifar10_archive):
    data = imgclf.load_cifar10(archive=cifar10_archive, validation=None)
    # 3.3% of 10,000 among 50,000 are some 13 of 2,000 among a fifth of these.
    copies = find(data.test[:2000], data.train[:10_000])
    assert 5 <= copies.near.sum() <= 25
    same = data.train.labels[copies.partners] == data.test.labels[:2000]
    assert same[copies.near].mean() > 0.9
