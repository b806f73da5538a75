"""Planted label errors are found; what is drawn and said of them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

import imgclf
from imgclf import Evaluation
from imgclf.errors import ArgumentError
from imgclf.evaluation.label_errors import confident_joint, find_label_errors


@pytest.fixture(scope="module")
def planted():
    """Digits of which 3% have another label, evaluated by models that have not seen them."""
    data = imgclf.load_digits()
    images = np.concatenate([split.images for split in data.splits().values()])
    true = np.concatenate([split.labels for split in data.splits().values()])
    rng = np.random.default_rng(0)
    wrong = rng.choice(len(true), round(0.03 * len(true)), replace=False)
    labels = true.copy()
    labels[wrong] = (true[wrong] + rng.integers(1, 10, len(wrong))) % 10
    pixels = images.reshape(len(images), -1) / 255
    model = LogisticRegression(max_iter=300)
    probabilities = cross_val_predict(model, pixels, labels, cv=5, method="predict_proba")
    return Evaluation(labels, probabilities, data.class_names, images), true, wrong


def test_planted_label_errors_are_found(planted):
    ev, true, wrong = planted
    found = ev.label_errors()
    indices = [one.index for one in found]
    right = np.isin(indices, wrong)
    assert right.mean() >= 0.8  # precision: the model's own mistakes are among them
    assert np.isin(wrong, indices).mean() >= 0.75  # recall
    first = found[: len(wrong) // 2]
    assert np.isin([one.index for one in first], wrong).mean() >= 0.9
    suggested = [ev.class_names.index(one.suggested) for one in found]
    assert np.mean(true[indices][right] == np.array(suggested)[right]) >= 0.9


def test_the_joint_counts_what_was_planted(planted):
    ev, true, wrong = planted
    joint = confident_joint(ev.labels, ev.probabilities)
    assert joint.sum(axis=1) == pytest.approx(np.bincount(ev.labels))
    planted_rate = len(wrong) / len(true)
    assert 1 - np.trace(joint) / joint.sum() == pytest.approx(planted_rate, abs=0.02)


def test_the_joint_is_that_of_the_formula():
    rng = np.random.default_rng(1)
    labels, probabilities = rng.integers(0, 3, 60), rng.dirichlet(np.ones(3), 60)
    thresholds = [probabilities[labels == one, one].mean() for one in range(3)]
    counts = np.zeros((3, 3))
    for label, row in zip(labels, probabilities, strict=True):
        sure = [one for one in range(3) if row[one] >= thresholds[one]]
        if sure:
            counts[label, max(sure, key=lambda one: row[one])] += 1
    expected = counts / counts.sum(axis=1, keepdims=True) * np.bincount(labels)[:, None]
    assert confident_joint(labels, probabilities) == pytest.approx(expected)


def test_where_the_labels_are_right_nothing_is_suspected():
    labels = np.arange(30) % 3
    assert len(find_label_errors(labels, np.eye(3)[labels] * 0.7 + 0.1)) == 0
    ev = Evaluation(labels, np.eye(3)[labels], ["a", "b", "c"], np.zeros((30, 4, 4), np.uint8))
    assert ev.label_errors() == []
    assert ev.plot_label_errors().texts[0].get_text() == "No label error candidates"


def test_a_class_without_images_is_never_suggested():
    labels = np.array([0, 0, 0, 1, 1, 1])
    probabilities = np.full((6, 3), 0.1)
    probabilities[np.arange(6), [0, 0, 2, 1, 1, 2]] = 0.8
    joint = confident_joint(labels, probabilities)
    assert joint[:, 2].sum() == 0
    assert joint.sum() == 6


def test_likely_errors_are_drawn_with_both_names(planted):
    ev, *_ = planted
    first = ev.label_errors()[0]
    figure = ev.plot_label_errors(4)
    assert len(figure.axes) == 4
    share = f"{first.suggested_probability:.0%}"
    title = f"labelled {first.label}\nlikely {first.suggested} ({share})\nimage {first.index}"
    assert figure.axes[0].get_title() == title
    with pytest.raises(ArgumentError, match="`plot_label_errors` needs the images"):
        Evaluation(ev.labels, ev.probabilities, ev.class_names).plot_label_errors()
    with pytest.raises(ArgumentError, match="`n` must be an int of at least 1"):
        ev.plot_label_errors(0)
