import keras
import numpy as np
import pytest

import imgclf
from imgclf import Classifier, Recipe, conv, errors, flatten, global_pool
from imgclf.training.loop import batches as flow

BLOCKS = [conv(8, normalization="batch"), global_pool()]
RECIPE = Recipe(
    epochs=4, batch_size=64, progressive_size=0.5, progressive_fraction=0.5, precision="float32"
)


@pytest.fixture(scope="module")
def data():
    digits = imgclf.load_digits()
    return imgclf.Dataset(digits.train[:256], digits.validation[:60], digits.test, name="few")


def batches(data, size_at):
    return flow.shuffled(
        data.train,
        batch_size=64,
        seed=0,
        epochs=range(3),
        augmentation=RECIPE.augmentation,
        one_hot=False,
        size_at=size_at,
    )


def test_early_batches_are_smaller_and_later_ones_whole(data):
    early = batches(data, lambda step: (4, 4) if step < 6 else (8, 8))
    sizes = [tuple(images.shape[1:3]) for images, _ in early.take(9)]
    assert sizes == [(4, 4)] * 6 + [(8, 8)] * 3


def test_a_smaller_image_keeps_its_mean(data):
    small, whole = (
        np.mean(next(iter(batches(data, size_at).take(1)))[0])
        for size_at in (lambda step: (4, 4), None)
    )
    assert small == pytest.approx(whole, rel=0.05)


def test_the_model_takes_its_own_size_only_once_training_is_over(data):
    clf = Classifier.from_blocks(BLOCKS, data, RECIPE)
    clf.fit(data, verbose=0)
    assert clf.image_shape == (8, 8, 1)
    with pytest.raises(ValueError, match="expected shape"):
        clf.model(np.zeros((1, 4, 4, 1), np.float32))


def test_training_small_first_still_learns(data):
    clf = Classifier.from_blocks(BLOCKS, data, RECIPE.replace(epochs=20, learning_rate=0.02))
    clf.fit(data, verbose=0)
    assert clf.history["val_accuracy"][-1] > 0.25  # chance is 0.1


def test_a_stopped_run_goes_on_in_the_right_size(data, tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 3:
                raise KeyboardInterrupt

    whole = Classifier.from_blocks(BLOCKS, data, RECIPE)
    whole.fit(data, verbose=0)
    with pytest.raises(KeyboardInterrupt):
        Classifier.from_blocks(BLOCKS, data, RECIPE).fit(
            data, verbose=0, run_dir=tmp_path / "run", callbacks=[Stop()]
        )
    resumed = Classifier.from_blocks(BLOCKS, data, RECIPE)
    resumed.fit(data, verbose=0, run_dir=tmp_path / "run")
    for one, other in zip(whole.model.get_weights(), resumed.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_network_of_one_size_is_refused_with_the_layer(data):
    clf = Classifier.from_blocks([conv(4), flatten()], data, RECIPE)
    with pytest.raises(errors.ArgumentError) as caught:
        clf.fit(data, verbose=0)
    assert str(caught.value) == (
        "`progressive_size` needs a network for images of any size, but the layer "
        "'flatten_1.flatten' needs one. Use global_pool() in its place, or progressive_size=1.0."
    )
