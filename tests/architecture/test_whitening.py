import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import imgclf
from imgclf import build_classifier, conv, errors, global_pool, whitening
from imgclf.architecture.whitening import whitening_filters

BLOCKS = [whitening(2, activation=None), conv(4), global_pool()]


def smooth_images(count=300, size=10, channels=3):
    """Images whose neighbouring pixels are alike, as in photos."""
    noise = np.random.default_rng(0).normal(size=(count, size + 3, size + 3, channels))
    blurred = sum(noise[:, i : i + size, j : j + size] for i in range(4) for j in range(4))
    return np.clip(128 + 12 * blurred, 0, 255)


def answers(model, images):
    layer = model.get_layer("whitening_0.whitening")
    return keras.Model(model.inputs, layer.output).predict(images, verbose=0)


def test_adapted_filters_give_uncorrelated_numbers_of_equal_size():
    images = smooth_images()
    model = build_classifier((10, 10, 3), 2, BLOCKS, pixel_mean=128.0, pixel_std=48.0)
    imgclf.adapt_whitening(model, images)
    seen = answers(model, images)[..., :12].reshape(-1, 12)
    moments = seen.T @ seen / len(seen)
    np.testing.assert_allclose(np.diag(moments), 1, atol=0.05)
    np.testing.assert_allclose(moments - np.diag(np.diag(moments)), 0, atol=1e-3)


def test_each_direction_stands_there_with_its_opposite():
    filters = whitening_filters(smooth_images().astype(np.float32) / 255, (3, 2))
    np.testing.assert_array_equal(filters[..., :18], -filters[..., 18:])


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.integers(1, 30))
def test_filters_have_the_shape_of_the_layer_and_are_finite(height, width, channels, count):
    maps = np.full((count, 5, 6, channels), 0.5, np.float32)  # no variance at all
    filters = whitening_filters(maps, (height, width))
    assert filters.shape == (height, width, channels, 2 * height * width * channels)
    assert np.isfinite(filters).all()


def test_the_layer_is_a_plain_frozen_convolution():
    model = build_classifier((10, 10, 3), 2, BLOCKS)
    layer = model.get_layer("whitening_0.whitening")
    assert type(layer) is keras.layers.Conv2D
    assert not layer.trainable
    assert layer.output.shape == (None, 9, 9, 24)


def test_before_it_has_seen_images_it_passes_the_patch_on():
    images = smooth_images(4)
    model = build_classifier((10, 10, 3), 2, BLOCKS)
    np.testing.assert_allclose(
        answers(model, images)[..., :3], images[:, :-1, :-1] / 255, atol=1e-6
    )


def test_a_classifier_adapts_it_to_its_training_images_and_saves_it(tmp_path):
    data = imgclf.load_digits()
    clf = imgclf.Classifier.from_blocks(BLOCKS, data)
    kernel = np.asarray(clf.model.get_layer("whitening_0.whitening").kernel)
    clf.fit(data, epochs=1, verbose=0)
    again = imgclf.load(clf.save(tmp_path / "model.keras"))
    layer = again.model.get_layer("whitening_0.whitening")
    np.testing.assert_array_equal(np.asarray(layer.kernel), kernel)
    assert len(np.unique(kernel)) > 10  # no longer one 1 a filter
    assert not layer.trainable


def test_no_images_are_refused():
    model = build_classifier((10, 10, 3), 2, BLOCKS)
    with pytest.raises(errors.ArgumentError) as caught:
        imgclf.adapt_whitening(model, np.zeros((0, 10, 10, 3)))
    assert str(caught.value) == "`images` must hold at least one image. Received: none."


def test_a_network_without_it_is_left_as_it_is():
    model = build_classifier((10, 10, 3), 2, [conv(4), global_pool()])
    before = model.get_weights()
    imgclf.adapt_whitening(model, smooth_images())
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
