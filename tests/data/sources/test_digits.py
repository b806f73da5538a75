from __future__ import annotations

import numpy as np
import pytest

import imgclf
from imgclf.errors import ArgumentError


def test_the_digits_are_grey_scans_of_eight_by_eight():
    data = imgclf.load_digits()

    assert data.class_names == tuple("0123456789")
    assert {title: len(split) for title, split in data.splits().items()} == {
        "train": 1259,
        "validation": 179,
        "test": 359,
    }
    for split in data.splits().values():
        assert split.images.dtype == np.uint8
        assert split.image_shape == (8, 8, 1)
    assert (data.train.images.min(), data.train.images.max()) == (0, 255)


def test_the_sixteen_steps_of_ink_are_spread_over_all_values():
    values = np.unique(imgclf.load_digits(validation=None, test=None).train.images)

    assert values.tolist() == [round(step * 255 / 16) for step in range(17)]


def test_the_seed_decides_the_cut():
    first, again, other = (imgclf.load_digits(seed=seed).test.fingerprint() for seed in (0, 0, 1))

    assert first == again != other


def test_parts_that_leave_nothing_are_refused():
    with pytest.raises(ArgumentError, match="must leave images to train on"):
        imgclf.load_digits(validation=0.5, test=0.5)
