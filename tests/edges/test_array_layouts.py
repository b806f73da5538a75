"""Arrays whose axes are in another order are refused, and the message says how to turn them."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import imgclf
from imgclf.errors import DataError


def shape_of(images):
    return imgclf.Split(images, np.arange(len(images)) % 2, ["a", "b"]).images.shape


def message_of(shape):
    with pytest.raises(DataError) as caught:
        shape_of(np.zeros(shape, np.uint8))
    return str(caught.value)


@pytest.mark.parametrize(
    ("shape", "looks_like", "remedy"),
    [
        ((8, 3, 32, 32), "(N, channels, height, width), channels first", (0, 2, 3, 1)),
        ((8, 1, 28, 28), "(N, channels, height, width), channels first", (0, 2, 3, 1)),
        ((8, 4, 20, 30), "(N, channels, height, width), channels first", (0, 2, 3, 1)),
        ((8, 13, 64, 64), "(N, channels, height, width), channels first", (0, 2, 3, 1)),
        ((32, 32, 3, 8), "(height, width, channels, N), images last", (3, 0, 1, 2)),
    ],
)
def test_an_unlikely_order_is_named_with_the_transpose(shape, looks_like, remedy):
    assert message_of(shape) == (
        "`images` must have the shape (N, height, width, channels). Received: "
        f"shape={shape}, which looks like {looks_like}: give images.transpose{remedy}."
    )


def test_a_single_image_and_images_in_rows_are_named():
    assert message_of((48, 64, 3)).endswith(
        "shape=(48, 64, 3), which looks like a single image (height, width, channels): give "
        "images[np.newaxis]."
    )
    assert message_of((8, 784)).endswith(
        "shape=(8, 784). Images in rows are given by images.reshape(-1, 28, 28)."
    )
    assert message_of((8, 3072)).endswith(
        "Images in rows are given by images.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1) if each "
        "row holds one channel after the other."
    )
    assert message_of((2, 3, 4, 4, 3)).endswith("Received: shape=(2, 3, 4, 4, 3).")


@pytest.mark.parametrize(
    ("shape", "read"),
    [
        ((8, 28, 28), (8, 28, 28, 1)),
        ((8, 28, 28, 1), (8, 28, 28, 1)),
        ((8, 20, 30, 3), (8, 20, 30, 3)),
        ((8, 20, 30, 4), (8, 20, 30, 4)),
        ((8, 64, 64, 13), (8, 64, 64, 13)),  # a satellite's bands
        ((3, 28, 28), (3, 28, 28, 1)),
        ((8, 1, 2, 1), (8, 1, 2, 1)),
    ],
)
def test_likely_shapes_are_read(shape, read):
    assert shape_of(np.zeros(shape, np.uint8)) == read


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(5, 9),
    height=st.integers(16, 40),
    width=st.integers(16, 40),
    channels=st.sampled_from([1, 2, 3, 4]),
    order=st.sampled_from([(0, 3, 1, 2), (1, 2, 3, 0)]),
)
def test_what_the_message_says_gives_the_images_back(count, height, width, channels, order):
    images = np.arange(count * height * width * channels) % 256
    images = images.reshape(count, height, width, channels).astype(np.uint8)
    assert shape_of(images) == images.shape
    turned = images.transpose(order)

    remedy = re.search(r"images\.transpose\(([\d, ]+)\)", message_of(turned.shape))[1]

    assert np.array_equal(turned.transpose(*map(int, remedy.split(","))), images)


def test_a_classifier_and_an_inspection_refuse_them_too():
    turned, labels = np.zeros((8, 3, 32, 32), np.uint8), np.arange(8) % 2
    with pytest.raises(DataError, match="channels first"):
        imgclf.Dataset.from_arrays(turned, labels)
    with pytest.raises(DataError, match="channels first"):
        imgclf.inspect((turned, labels))
