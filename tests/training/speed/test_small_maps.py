import contextlib
import functools

import keras
import numpy as np
import pytest

from imgclf import batch_norm, build_classifier, conv, conv_maxpool, global_pool
from imgclf.training.speed.small_maps import small_map_gradients

normalized = functools.partial(conv, 128, normalization=batch_norm())


def network(blocks, image_shape=(8, 8, 3), dtype="mixed_bfloat16"):
    keras.utils.set_random_seed(0)
    return build_classifier(image_shape, 3, blocks, dtype=dtype)


def replaced(model):
    """The layers that compute otherwise within `small_map_gradients`."""
    with small_map_gradients(model):
        return [layer for layer in model.layers if "convolution_op" in vars(layer)]


def trained(blocks, image_shape, replacing, dtype="mixed_bfloat16"):
    """How a step of plain SGD changes the weights."""
    model = network(blocks, image_shape, dtype)
    model.compile(keras.optimizers.SGD(0.05), "sparse_categorical_crossentropy")
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 255, (24, *image_shape)).astype("float32")
    labels = rng.integers(0, 3, 24)
    before = model.get_weights()
    with small_map_gradients(model) if replacing else contextlib.nullcontext():
        model.fit(images, labels, batch_size=24, shuffle=False, verbose=0)
    return [new - old for new, old in zip(model.get_weights(), before, strict=True)]


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("kernel_size", [1, 2, 3, (3, 2)], ids=str)
def test_it_trains_as_keras_does(padding, kernel_size):
    blocks = [
        normalized(),
        normalized(kernel_size=kernel_size, padding=padding),
        global_pool(),
    ]
    assert len(replaced(network(blocks, (5, 8, 3)))) == 1
    ours = trained(blocks, (5, 8, 3), replacing=True)
    theirs = trained(blocks, (5, 8, 3), replacing=False)
    exact = trained(blocks, (5, 8, 3), replacing=False, dtype="float32")
    for one, other, truth in zip(ours, theirs, exact, strict=True):
        assert np.abs(truth).max() > 0
        # bfloat16 keeps three digits, and how sums are rounded depends on the processor: where it
        # has no instructions for it, Keras's own gradient is off by a tenth.
        allowed = 1.1 * np.linalg.norm(other - truth) + 0.01 * np.linalg.norm(truth)
        assert np.linalg.norm(one - truth) <= allowed


def test_other_layers_are_left_to_keras():
    wanted = [normalized(), normalized(), global_pool()]
    assert len(replaced(network(wanted))) == 1  # the first has three channels
    assert not replaced(network(wanted, dtype="float32"))
    assert not replaced(network(wanted, image_shape=(15, 15, 3)))
    assert not replaced(network(wanted, image_shape=(None, None, 3)))
    assert not replaced(network([conv(64), *wanted[1:]]))
    assert not replaced(network([normalized(), normalized(strides=2), global_pool()]))
    assert not replaced(network([normalized(), conv(128), global_pool()]))  # a bias


def test_the_size_of_the_map_counts_not_that_of_the_image():
    pooled = conv_maxpool(128, normalization=batch_norm())
    assert len(replaced(network([pooled, normalized(), global_pool()], (16, 16, 3)))) == 1


def test_afterwards_the_layers_are_keras_own_again(tmp_path):
    model = network([normalized(), normalized(), global_pool()])
    with pytest.raises(ZeroDivisionError), small_map_gradients(model):
        raise ZeroDivisionError
    assert not any("convolution_op" in vars(layer) for layer in model.layers)
    model.save(tmp_path / "model.keras")
    keras.saving.load_model(tmp_path / "model.keras")
