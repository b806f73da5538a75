import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import imgclf
from imgclf import build_classifier, conv, dense, errors, global_pool, separable_conv


def bare(filters, kernel_size, channels, strides=1):
    blocks = [
        conv(filters, kernel_size=kernel_size, kernel_initializer="dirac", activation=None),
        global_pool(),
    ]
    model = build_classifier((6, 7, channels), 2, blocks, pixel_std=1.0)
    return keras.Model(model.inputs, model.get_layer("conv_0.conv").output)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 6))
def test_a_dirac_convolution_passes_its_channels_on(kernel_size, channels, filters):
    images = np.random.default_rng(0).uniform(0, 255, (2, 6, 7, channels)).astype(np.float32)
    out = bare(filters, kernel_size, channels).predict(images, verbose=0)
    passed = min(filters, channels)
    np.testing.assert_allclose(out[..., :passed], images[..., :passed], rtol=1e-6)


def test_filters_beyond_the_channels_start_at_random_and_by_the_seed():
    keras.utils.set_random_seed(3)
    first = np.asarray(bare(8, 3, 2).layers[-1].kernel)[..., 2:]
    keras.utils.set_random_seed(3)
    again = np.asarray(bare(8, 3, 2).layers[-1].kernel)[..., 2:]
    np.testing.assert_array_equal(first, again)
    assert 0.5 < np.abs(first).max() * np.sqrt(18) <= 1  # uniform within 1/√(inputs)


def test_what_is_saved_names_only_what_keras_has(tmp_path):
    bare(4, 3, 3).save(tmp_path / "model.keras")
    config = keras.saving.load_model(tmp_path / "model.keras").layers[-1].get_config()
    assert config["kernel_initializer"]["class_name"] == "VarianceScaling"


def test_it_is_stored_and_read_with_the_block():
    block = conv(4, kernel_initializer="dirac")
    assert imgclf.architecture.blocks.block.block_from_dict(block.to_dict()) == block


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: dense(4, kernel_initializer="dirac"),
            "`kernel_initializer` cannot be 'dirac' here: it is for the kernels of conv and "
            "conv_maxpool. "
            "Received: kernel_initializer='dirac'.",
        ),
        (
            lambda: separable_conv(4, kernel_initializer=imgclf.initializer("dirac")),
            "`kernel_initializer` cannot be 'dirac' here: it is for the kernels of conv and "
            "conv_maxpool. Received: kernel_initializer=initializer('dirac').",
        ),
        (
            lambda: build_classifier((8, 8, 1), 2, [global_pool()], kernel_initializer="dirac"),
            "`kernel_initializer` cannot be 'dirac' here: it is for the kernels of conv and "
            "conv_maxpool. Received: kernel_initializer='dirac'.",
        ),
        (
            lambda: imgclf.initializer("variance_scaling", mode=""),
            "`mode` must be one of 'fan_in', 'fan_out', 'fan_avg'. Received: mode=''.",
        ),
        (
            lambda: conv(4, bias_initializer="dirac"),
            "`bias_initializer` cannot be 'dirac' here: it is for the kernels of conv and "
            "conv_maxpool. Received: bias_initializer='dirac'.",
        ),
    ],
)
def test_where_it_makes_no_sense_it_is_refused(make, message):
    with pytest.raises(errors.ArgumentError) as caught:
        make()
    assert str(caught.value) == message
