from __future__ import annotations

import keras
import numpy as np
import pytest

import imgclf
from imgclf import Recipe, batch_norm, conv, global_pool
from imgclf.training.speed.precise_batch_norm import compute_statistics

BLOCKS = [conv(6, kernel_size=3, normalization=batch_norm(momentum=0.2)), global_pool()]
RECIPE = Recipe(
    epochs=2,
    batch_size=100,
    optimizer="sgd",
    learning_rate=0.5,
    precision="float32",
    precise_batch_norm=True,
)


@pytest.fixture
def data():
    digits = imgclf.load_digits()
    return imgclf.Dataset(digits.train[:300], digits.validation[:100], digits.test)


def norm_of(model):
    return next(
        layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)
    )


def what_it_sees(model, images):
    """The input of the normalisation: (images, height, width, channels)."""
    return np.asarray(keras.Model(model.input, norm_of(model).input)(images.astype(np.float32)))


def test_running_statistics_become_the_mean_of_those_of_the_batches(rng):
    model = keras.Sequential([keras.Input((4, 4, 2)), keras.layers.BatchNormalization()])
    batches = [rng.normal(3, 2, (8, 4, 4, 2)).astype(np.float32) for _ in range(5)]
    compute_statistics(model, ((batch, None) for batch in batches))
    (layer,) = model.layers
    means, variances = (
        np.mean([figure(batch, axis=(0, 1, 2)) for batch in batches], axis=0)
        for figure in (np.mean, np.var)
    )
    np.testing.assert_allclose(layer.moving_mean, means, rtol=1e-4)
    np.testing.assert_allclose(layer.moving_variance, variances, rtol=1e-4)
    assert layer.momentum == 0.99


def test_a_layer_that_is_not_trained_keeps_its_statistics(rng):
    model = keras.Sequential([keras.Input((4, 4, 2)), keras.layers.BatchNormalization()])
    model.layers[0].trainable = False
    compute_statistics(model, [(rng.normal(3, 2, (8, 4, 4, 2)).astype(np.float32), None)])
    np.testing.assert_array_equal(model.layers[0].moving_mean, [0, 0])


def test_a_network_without_normalisation_is_left_as_it_is(rng):
    model = keras.Sequential([keras.Input((4, 4, 2)), keras.layers.Dropout(0.5)])
    compute_statistics(model, [(rng.normal(size=(8, 4, 4, 2)), None)])


@pytest.mark.parametrize("ema_momentum", [0.0, 0.8])
def test_a_training_ends_with_the_statistics_of_its_last_weights(data, ema_momentum):
    recipe = RECIPE.replace(ema_momentum=ema_momentum)
    found = {}
    for exact in (True, False):
        clf = imgclf.Classifier.from_blocks(BLOCKS, data, recipe.replace(precise_batch_norm=exact))
        clf.fit(data, verbose=0)
        seen = what_it_sees(clf.model, data.train.images)
        found[exact] = np.abs(norm_of(clf.model).moving_mean - seen.mean(axis=(0, 1, 2))).max()
        assert norm_of(clf.model).momentum == 0.2
    assert found[True] < 1e-4 < found[False]


def test_the_last_validation_is_by_the_new_statistics(data):
    clf = imgclf.Classifier.from_blocks(BLOCKS, data, RECIPE)
    history = clf.fit(data, verbose=0)
    accuracy = clf.evaluate(data.validation).accuracy
    assert history.history["val_accuracy"][-1] == pytest.approx(accuracy)


def test_a_run_that_goes_on_ends_in_the_same_statistics(data, tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations == 5:
                raise InterruptedError

    whole, resumed = (imgclf.Classifier.from_blocks(BLOCKS, data, RECIPE) for _ in range(2))
    whole.fit(data, verbose=0)
    with pytest.raises(InterruptedError):
        resumed.fit(data, callbacks=[Stop()], run_dir=tmp_path, checkpoint_seconds=0, verbose=0)
    resumed.fit(data, run_dir=tmp_path, verbose=0)
    for one, other in zip(whole.model.get_weights(), resumed.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
