import numpy as np
import pytest

import imgclf
from imgclf import errors
from imgclf.training.presets import get_preset

STAGED = ["quick", "fast", "accurate"]


def colour_data(count=400, side=32):
    """Images of two classes that differ in their colour, one of them in stripes."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 2
    images = rng.integers(0, 120, (count, side, side, 3), np.uint8)
    images[labels == 1, :, ::2, 0] += 100
    return imgclf.Dataset.from_arrays(images, labels, class_names=["noise", "stripes"])


def test_an_unknown_preset_proposes_the_nearest():
    with pytest.raises(errors.ArgumentError, match="Did you mean 'fast'"):
        get_preset("fats")


@pytest.mark.parametrize("name", ["seed2017", *STAGED])
@pytest.mark.parametrize("shape", [(2, 2, 1), (8, 8, 1), (32, 32, 3), (28, 64, 1), (224, 224, 3)])
def test_presets_fit_all_sizes(name, shape):
    blocks = get_preset(name).blocks(shape)
    assert imgclf.describe(blocks, shape, 3).parameters > 0


def test_seed2017_is_the_tutorials_network():
    model_shapes = [
        row.output_shape
        for row in imgclf.describe(get_preset("seed2017").blocks((32, 32, 3)), (32, 32, 3), 10).rows
    ]
    assert model_shapes == [(8, 8, 32), (4, 4, 64), (2, 2, 128), (512,), (1024,), (128,), (10,)]
    recipe = get_preset("seed2017").base_recipe
    settings = (recipe.epochs, recipe.batch_size, recipe.optimizer, recipe.learning_rate)
    assert settings == (50, 256, "adam", 0.001)


@pytest.mark.parametrize("name", STAGED)
def test_digits_are_never_mirrored_and_keep_their_size(name):
    recipe = get_preset(name).recipe(imgclf.load_digits())
    assert not recipe.augmentation.flip
    assert recipe.progressive_fraction == 0


@pytest.mark.parametrize("name", STAGED)
def test_few_images_get_small_batches_and_as_many_steps_as_epochs_allow(name):
    recipe = get_preset(name).recipe(colour_data())
    assert recipe.batch_size == 32
    assert get_preset(name).base_recipe.epochs < recipe.epochs <= 40


def test_shifts_stay_the_same_part_of_the_image():
    assert get_preset("fast").recipe(colour_data(side=64)).augmentation.shift == 4


@pytest.mark.parametrize(
    ("side", "batch_size"), [(32, 500), (64, 256), (96, 113), (160, 40), (224, 20)]
)
def test_a_step_has_the_same_memory_for_all_sizes_of_images(side, batch_size):
    images = np.broadcast_to(np.uint8(0), (50_000, side, side, 3))
    data = imgclf.Dataset(imgclf.Split(images, np.arange(50_000) % 2, ["a", "b"]))
    assert get_preset("fast").recipe(data).batch_size == batch_size


@pytest.mark.parametrize("name", STAGED)
@pytest.mark.parametrize("shape", [(224, 224, 3), (64, 256, 3), (160, 96, 1)])
def test_multiply_adds_grow_by_far_less_than_the_pixels(name, shape):
    """Narrow stages halve large images first; 224×224 has 49 times the pixels of 32×32."""
    small = imgclf.describe(get_preset(name).blocks((32, 32, 3)), (32, 32, 3), 10)
    large = imgclf.describe(get_preset(name).blocks(shape), shape, 10)
    assert large.macs < 20 * small.macs
    assert large.parameters < 1.1 * small.parameters


@pytest.mark.parametrize("shape", [(96, 96, 3), (48, 80, 1)])
def test_large_and_oblong_images_are_learned(shape):
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 2
    images = rng.integers(0, 120, (120, *shape), np.uint8)
    images[labels == 1, :, ::4] += 100
    data = imgclf.Dataset.from_arrays(images, labels, test=None, validation=0.2)
    clf = imgclf.Classifier.from_preset("quick", data, epochs=8)
    clf.fit(data, verbose=0)
    assert clf.evaluate(data.validation).accuracy > 0.8


@pytest.mark.parametrize("name", STAGED)
def test_each_learns_digits_with_its_defaults(name):
    digits = imgclf.load_digits()
    data = imgclf.Dataset(digits.train[:640], digits.validation, digits.test, name="half")
    clf = imgclf.Classifier.from_preset(name, data)
    clf.fit(data, epochs=4, verbose=0)
    assert clf.evaluate(data.test).accuracy > 0.85


def test_quick_learns_colour_images_by_its_own_recipe():
    data = colour_data()
    clf = imgclf.Classifier.from_preset("quick", data)
    assert clf.recipe.progressive_fraction > 0
    clf.fit(data, verbose=0)
    assert clf.evaluate(data.test).accuracy > 0.9


def test_a_preset_is_the_same_network_for_the_same_seed():
    data = imgclf.load_digits()
    one, same, other = (
        imgclf.Classifier.from_preset("quick", data, seed=seed).model.get_weights()
        for seed in (0, 0, 1)
    )
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
