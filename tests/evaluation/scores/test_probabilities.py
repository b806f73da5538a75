"""One rule for valid probabilities: `evaluate` takes whatever `predict` does."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import imgclf
from imgclf.errors import DataError

NUM_CLASSES = 1000


def classifier(dtype, *, softmax=True):
    """Random logits of 1,000 classes, with the softmax in that precision."""
    layers = [keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(NUM_CLASSES)]
    layers += [keras.layers.Softmax(dtype=dtype)] if softmax else []
    return imgclf.Classifier(keras.Sequential(layers))


@pytest.fixture
def images(rng):
    return rng.integers(0, 256, (64, 2, 2, 1), np.uint8)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_probabilities_rounded_to_half_precision_are_predicted_and_evaluated(dtype, images):
    clf = classifier(dtype)
    probabilities = clf.predict_proba(images)
    assert clf.evaluate(images, np.arange(64)).probabilities.shape == probabilities.shape
    assert abs(probabilities.sum(axis=1) - 1).max() < 0.02


def test_what_is_refused_by_one_is_refused_by_the_other(images):
    clf = classifier("float32", softmax=False)
    with pytest.raises(DataError, match=r"The model must give probabilities.*keras.layers.Softmax"):
        clf.predict_proba(images)
    with pytest.raises(DataError, match="each row with the sum 1"):
        imgclf.Evaluation([0, 1], [[0.5, 0.47], [0.5, 0.5]], ["cat", "dog"])
    assert len(imgclf.Evaluation([0, 1], [[0.5, 0.49], [0.5, 0.5]], ["cat", "dog"])) == 2
