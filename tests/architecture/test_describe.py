import keras
import pytest

import imgclf
from imgclf import errors

BLOCKS = [
    imgclf.conv(8, normalization="batch"),
    imgclf.residual([imgclf.conv(16, strides=2), imgclf.conv(16, activation=None)]),
    imgclf.separable_conv(24),
    imgclf.conv_maxpool(32, kernel_size=5, strides=2),
    imgclf.global_pool(),
    imgclf.dense_dropout(12, dropout=0.2),
]


def test_the_arithmetic_of_blocks_agrees_with_the_built_model():
    model = imgclf.build_classifier((32, 24, 3), 5, BLOCKS)
    built, priced = imgclf.describe(model), imgclf.describe(BLOCKS, (32, 24, 3), 5)
    for theirs, ours in zip(built.rows, priced.rows, strict=True):
        assert theirs.output_shape == ours.output_shape
        assert theirs.parameters == ours.parameters
        assert theirs.macs == ours.macs
        assert theirs.receptive_field == ours.receptive_field
    assert built.parameters == model.count_params()


def test_multiply_adds_of_a_convolution_by_hand():
    (row, *_) = imgclf.describe([imgclf.conv(8, kernel_size=3), imgclf.flatten()], (10, 10, 3)).rows
    assert row.macs == 10 * 10 * 3 * 3 * 3 * 8
    assert row.receptive_field == (3, 3)


def test_anyones_keras_model_is_described():
    model = keras.Sequential(
        [keras.Input((16, 16, 3)), keras.layers.Conv2D(4, 3), keras.layers.GlobalMaxPooling2D()]
    )
    rows = imgclf.describe(model).records()
    assert rows[0]["output_shape"] == (14, 14, 4)
    assert rows[0]["macs"] == 14 * 14 * 27 * 4


def test_open_sizes_are_shown_as_open():
    described = imgclf.describe([imgclf.conv(4), imgclf.global_pool()], (None, None, 3), 2)
    assert described.macs is None
    assert described.parameters == 3 * 3 * 3 * 4 + 4 + 4 * 2 + 2
    assert "?×?×4" in str(described)


def test_what_cannot_be_described_is_named():
    with pytest.raises(errors.ArgumentError) as caught:
        imgclf.describe(BLOCKS)
    assert str(caught.value) == (
        "`image_shape` must be given with a list of blocks, such as (32, 32, 3)."
    )
    with pytest.raises(errors.ArgumentError, match="a model has its own"):
        imgclf.describe(imgclf.build_classifier((32, 32, 3), 2, BLOCKS), (32, 32, 3))
    with pytest.raises(errors.ArgumentError, match="must be a built model"):
        imgclf.describe(keras.Sequential([keras.layers.Dense(3)]))
