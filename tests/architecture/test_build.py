import keras
import numpy as np
import pytest

import imgclf
from imgclf import (
    build_classifier,
    choice,
    conv,
    conv_maxpool,
    dense_dropout,
    errors,
    flatten,
    global_pool,
    residual,
)

TUTORIAL = [
    conv_maxpool(32, kernel_size=7, strides=2),
    conv_maxpool(64),
    conv_maxpool(128, kernel_size=2),
    flatten(dropout=0.5),
    dense_dropout(1024, dropout=0.5),
    dense_dropout(128),
]


def test_the_tutorials_network_has_the_tutorials_shapes():
    model = build_classifier((32, 32, 3), 10, TUTORIAL)
    assert [row.output_shape for row in imgclf.describe(model).rows] == [
        (8, 8, 32),
        (4, 4, 64),
        (2, 2, 128),
        (512,),
        (1024,),
        (128,),
        (10,),
    ]


@pytest.mark.parametrize("shape", [(32, 32, 3), (20, 48, 1), (9, 9, 5), (None, None, 3)])
@pytest.mark.parametrize("classes", [2, 7])
def test_any_shape_and_any_number_of_classes(shape, classes, rng):
    model = build_classifier(shape, classes, [conv_maxpool(4), global_pool()])
    images = rng.integers(0, 256, (3, *(side or 17 for side in shape))).astype("uint8")
    scores = model.predict(images, verbose=0)
    assert scores.shape == (3, classes)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)


def test_pixels_are_rescaled_inside(rng):
    model = build_classifier(
        (4, 4, 3), 2, [flatten()], pixel_mean=[10, 20, 30], pixel_std=[2, 4, 5]
    )
    images = rng.integers(0, 256, (2, 4, 4, 3)).astype("uint8")
    inner = keras.Model(model.input, model.get_layer("rescaling").output)
    expected = (images.astype("float64") - [10, 20, 30]) / [2, 4, 5]
    np.testing.assert_allclose(inner.predict(images, verbose=0), expected, rtol=1e-5)


def test_only_standard_layers_are_used():
    model = build_classifier((16, 16, 3), 3, [conv(4), residual([conv(4)]), global_pool()])
    assert all(type(layer).__module__.startswith("keras.") for layer in model.layers)


def test_bfloat16_ends_in_float32_and_leaves_the_global_policy_alone():
    model = build_classifier((8, 8, 1), 2, [conv(4), global_pool()], dtype="mixed_bfloat16")
    assert model.output.dtype == "float32"
    assert model.get_layer("conv_0.conv").compute_dtype == "bfloat16"
    assert keras.config.dtype_policy().name == "float32"


UNFIT = [
    (
        (8, 8, 3),
        [conv_maxpool(32)] * 4,
        "blocks[3] conv_maxpool(32): pooling needs at least 2×2, got 1×1. "
        "Remove a pool or use larger images.",
    ),
    (
        (8, 8, 3),
        [flatten(), conv(8)],
        "blocks[1] conv(8): a convolution needs a map of (height, width, channels), got a flat "
        "tensor of 192. Put it before flatten() or global_pool().",
    ),
    (
        (8, 8, 3),
        [dense_dropout(8)],
        "blocks[0] dense_dropout(8): a dense layer needs a flat tensor, got 8×8×3. "
        "Put flatten() or global_pool() before it.",
    ),
    (
        (None, None, 3),
        [flatten()],
        "blocks[0] flatten(): flatten needs a known height and width, got ?×?×3. "
        "Use global_pool() for images of any size.",
    ),
    (
        (8, 8, 3),
        [conv(4)],
        "The last block must leave a flat tensor, but leaves 8×8×4. "
        "Add flatten() or global_pool() at the end.",
    ),
    (
        (8, 8, 3),
        [residual([conv(3, padding="valid")]), flatten()],
        "blocks[0] residual([conv(3, padding='valid')]): the output of the blocks in residual is "
        '6×6×3, that of its shortcut 8×8×3. Use padding="same" in those blocks.',
    ),
    (
        (2, 2, 3),
        [conv(4, padding="valid"), flatten()],
        "blocks[0] conv(4, padding='valid'): with padding=\"valid\" the kernel of 3×3 needs a map "
        'of at least that size, got 2×2. Use padding="same" or larger images.',
    ),
    (
        (8, 8, 3),
        [conv(choice(4, 8)), flatten()],
        "blocks[0] conv(choice(4, 8)): still holds a choice. "
        "Give a value, or pass the blocks to imgclf.search().",
    ),
]


@pytest.mark.parametrize(("shape", "blocks", "message"), UNFIT)
def test_a_block_that_cannot_fit_says_why(shape, blocks, message):
    with pytest.raises(errors.BlockError) as caught:
        build_classifier(shape, 2, blocks)
    assert str(caught.value) == message


WRONG = [
    (
        lambda: build_classifier((32, 32), 2, [flatten()]),
        "`image_shape` must be (height, width, channels), ints above 0; height and width may be "
        "None. Received: image_shape=(32, 32).",
    ),
    (
        lambda: build_classifier((8, 8, 3), 1, [flatten()]),
        "`num_classes` must be an int of at least 2. Received: num_classes=1.",
    ),
    (
        lambda: build_classifier((8, 8, 3), 2, flatten()),
        "`blocks` must be a list of blocks such as [conv_maxpool(32), flatten()]. "
        "Received: blocks=flatten().",
    ),
    (
        lambda: build_classifier((8, 8, 3), 2, [flatten(), 3]),
        "`blocks` must hold only blocks such as conv_maxpool(32). Received: blocks[1]=3.",
    ),
    (
        lambda: build_classifier((8, 8, 3), 2, [flatten()], pixel_mean=[1, 2]),
        "`pixel_mean` must be one number, or one for each of 3 channels. "
        "Received: pixel_mean=[1, 2].",
    ),
    (
        lambda: build_classifier((8, 8, 3), 2, [flatten()], pixel_std=0),
        "`pixel_std` must be above 0. Received: pixel_std=0.",
    ),
    (
        lambda: build_classifier((8, 8, 3), 2, [flatten()], dtype="float99"),
        '`dtype` must be a Keras dtype policy such as "float32" or "mixed_bfloat16". '
        "Received: dtype='float99'.",
    ),
]


@pytest.mark.parametrize(("make", "message"), WRONG)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(errors.ArgumentError) as caught:
        make()
    assert str(caught.value) == message
