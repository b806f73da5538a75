"""Damage to images against formulas, and the card of what is left of the accuracy."""

import json

import numpy as np
import pytest

import imgclf
from imgclf.errors import ArgumentError, DataError
from imgclf.evaluation.damage import DAMAGES, STEPS, damage
from imgclf.evaluation.intervals.by_formula import wilson_interval
from imgclf.evaluation.robustness import Robustness, measure_robustness


def smooth(rng, shape=(6, 32, 32, 3)):
    from scipy.ndimage import gaussian_filter

    values = gaussian_filter(rng.normal(size=shape), (0, 2, 2, 0)) * 300 + 128
    return np.clip(values, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.parametrize("shape", [(3, 32, 32, 3), (2, 9, 14, 1), (2, 40, 24, 2)])
def test_damage_keeps_the_shape_grows_and_comes_from_the_seed(name, shape, rng):
    images = smooth(rng, shape)
    before = images.copy()
    steps = [damage(images, name, step, seed=3) for step in range(1, STEPS + 1)]
    assert (images == before).all()
    for worse in steps:
        assert (worse.shape, worse.dtype) == (images.shape, np.uint8)
    far = [np.abs(worse.astype(float) - images).mean() for worse in steps]
    assert far[-1] > far[0] > 0
    assert (damage(images, name, 2, seed=3) == steps[1]).all()
    as_floats = damage(images.astype(np.float32), name, 2, seed=3)
    assert (as_floats == steps[1]).all()


def test_damage_is_what_it_says(rng):
    images = smooth(rng)
    assert (damage(images, "darkness", 5) == np.rint(images * np.float32(0.2))).all()
    grey = np.full((50, 32, 32, 1), 128, np.uint8)
    noise = damage(grey, "noise", 5).astype(float) - 128
    assert noise.std() == pytest.approx(0.10 * 255, rel=0.02)
    assert abs(noise.mean()) < 0.5
    # A Gaussian blur of one point is the Gaussian itself: its variance is that of the blur.
    point = np.zeros((1, 33, 33, 1), np.uint8)
    point[0, 16, 16] = 255
    spread = damage(np.full_like(point, 0) + point, "blur", 5)[0, ..., 0].astype(float)
    across = spread.sum(axis=0) / spread.sum()
    variance = (across * (np.arange(33) - 16) ** 2).sum()
    assert variance == pytest.approx((33 / 32) ** 2, rel=0.15)


def test_blur_takes_as_much_from_a_large_image_as_from_a_small_one(rng):
    small = smooth(rng)
    large = np.repeat(np.repeat(small, 4, axis=1), 4, axis=2)
    lost = []
    for images in (small, large):
        worse = damage(images, "blur", 5).astype(float)
        lost.append(worse.std(axis=(1, 2)).mean() / images.std(axis=(1, 2)).mean())
    assert lost[0] == pytest.approx(lost[1], abs=0.05)


def by_brightness(images):
    """Knows dark images from bright ones, and is half as sure of it."""
    bright = images.mean(axis=(1, 2, 3)) > 100
    return np.where(bright[:, None], [0.25, 0.75], [0.75, 0.25])


@pytest.fixture
def dark_and_bright(rng):
    images = np.concatenate([np.full((40, 16, 16, 1), level, np.uint8) for level in (30, 180)])
    return imgclf.Split(images, [0] * 40 + [1] * 40, ["dark", "bright"])


def test_the_accuracies_are_those_of_the_damaged_images(dark_and_bright):
    robustness = measure_robustness(by_brightness, dark_and_bright, sample=None)
    assert robustness.accuracy == 1
    assert robustness.accuracies["blur"] == (1,) * STEPS
    # 180 × 0.5 is no longer bright: half of all are wrong.
    assert robustness.accuracies["darkness"] == (1, 1, 0.5, 0.5, 0.5)
    assert robustness.weakest == "darkness"
    assert robustness.intervals["darkness"][2] == wilson_interval(40, 80)
    assert robustness.mean_accuracy == pytest.approx(1 - 1.5 / 30)
    text = str(robustness)
    assert text.startswith("100.0% (95.4% to 100.0%) on 80 undamaged images\n")
    assert len(text.splitlines()) == 3 + len(DAMAGES)
    assert json.loads(json.dumps(robustness.to_dict()))["accuracies"]["darkness"][4] == 0.5
    figure = robustness.plot()
    assert [axes.get_title() for axes in figure.axes] == list(DAMAGES)


def test_a_sample_is_drawn_by_the_seed(dark_and_bright):
    seen = []

    def watch(images):
        seen.append(images.copy())
        return by_brightness(images)

    first = measure_robustness(watch, dark_and_bright, sample=10, damages=["noise"], seed=1)
    again = measure_robustness(watch, dark_and_bright, sample=10, damages=["noise"], seed=1)
    assert isinstance(first, Robustness)
    assert (first.num_images, first.num_available) == (10, 80)
    assert "drawn from 80" in str(first)
    assert first == again
    assert all((one == other).all() for one, other in zip(seen[:6], seen[6:], strict=True))


def test_what_cannot_be_measured_is_named(dark_and_bright):
    with pytest.raises(ArgumentError, match="Did you mean 'blur'"):
        measure_robustness(by_brightness, dark_and_bright, damages=["blurr"])
    with pytest.raises(ArgumentError, match="`damages` must be a list"):
        measure_robustness(by_brightness, dark_and_bright, damages="blur")
    with pytest.raises(DataError, match="at least one image"):
        measure_robustness(by_brightness, dark_and_bright[:0])


def test_files_are_damaged_too(photo_folder):
    data = imgclf.load_folder(photo_folder, image_size=24, test=0.4, validation=None)
    guess = lambda images: np.tile([1.0, 0, 0], (len(images), 1))  # noqa: E731
    robustness = measure_robustness(guess, data.test, damages=["JPEG", "rotation"])
    share = np.mean(data.test.labels == 0)
    assert set(robustness.accuracies["JPEG"]) == {share}
