"""A temperature is kept only where it is better on images that it was not fitted on."""

from __future__ import annotations

import hashlib
import json

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import imgclf
from imgclf import Classifier
from imgclf.cli.main import main
from imgclf.evaluation.calibration.temperature import (
    cross_validated_losses,
    fit_temperature,
    reliability_at,
)

CLASSES = ("dark", "bright")


def calibrated_labels(clf, images, rng, temperature=1.0):
    """Labels drawn by what the classifier says at a temperature: it is right where that is 1."""
    scores = clf.predict_proba(images).astype(np.float64) ** (1 / temperature)
    first = scores[:, 0] / scores.sum(axis=1)
    return (rng.uniform(size=len(images)) > first).astype(int)


@pytest.fixture
def clf():
    keras.utils.set_random_seed(0)
    head = [keras.layers.Flatten(), keras.layers.Dense(2), keras.layers.Softmax()]
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Rescaling(1 / 100), *head])
    return Classifier(model, CLASSES)


@pytest.fixture
def images(rng):
    return rng.integers(0, 256, (120, 4, 4, 1), np.uint8)


def found_with(clf, images, better):
    """A calibration that is an improvement, or one that is not, of labels that are drawn anew."""
    for seed in range(40):
        rng = np.random.default_rng(seed)
        labels = calibrated_labels(clf, images, rng, 4.0 if better else 1.0)
        outputs = np.log(clf.predict_proba(images))
        before, after = cross_validated_losses(outputs, labels)
        if (after < before) is better:
            return labels
    raise AssertionError("no such labels")


def test_what_is_not_better_changes_nothing(clf, images):
    labels = found_with(clf, images, better=False)
    clf.fit_threshold(images, labels, precision=0.3)
    model, threshold, before = clf.model, clf.threshold, clf.predict_proba(images)
    calibration = clf.calibrate(images, labels)
    assert not calibration.is_better
    assert "not better: the cross-validated loss is" in str(calibration)
    assert "with no temperature, which is kept" in calibration.verdict
    assert clf.model is model
    assert clf.threshold is threshold
    assert clf.temperature == 1.0
    np.testing.assert_array_equal(clf.predict_proba(images), before)
    record = json.loads(json.dumps(calibration.to_dict()))
    assert (record["is_better"], record["verdict"]) == (False, calibration.verdict)


def test_what_is_better_is_applied_and_said(clf, images):
    labels = found_with(clf, images, better=True)
    calibration = clf.calibrate(images, labels)
    assert calibration.is_better
    before, after = calibration.cross_validated
    assert f"better: the cross-validated loss falls from {before:.4f} to {after:.4f}" in str(
        calibration
    )
    assert clf.temperature == pytest.approx(calibration.temperature)
    # Once more on the same images: no better than what was fitted on all of them.
    again = clf.calibrate(images, labels)
    assert not again.is_better
    assert f"the temperature {clf.temperature:.3f}, which is kept" in again.verdict
    assert again.before.loss == pytest.approx(calibration.after.loss, abs=1e-6)


@pytest.mark.parametrize("better", [True, False])
def test_the_command_writes_only_what_is_better(clf, images, tmp_path, better):
    labels = found_with(clf, images, better)
    clf.save(tmp_path / "model.keras")
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        folder = tmp_path / "photos" / CLASSES[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., 0]).save(folder / f"{number:03}.png")
    digest = hashlib.sha256((tmp_path / "model.keras").read_bytes()).digest()
    arguments = [str(tmp_path / "model.keras"), str(tmp_path / "photos")]
    result = CliRunner().invoke(main, ["calibrate", *arguments])
    assert result.exit_code == 0, result.output
    same = hashlib.sha256((tmp_path / "model.keras").read_bytes()).digest() == digest
    assert same is not better
    assert ("  better: the" if better else "  not better: the") in result.stdout
    assert (f"  {tmp_path / 'model.keras'}" in result.stdout.splitlines()) is better
    assert (imgclf.load(tmp_path / "model.keras").temperature != 1.0) is better


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(50, 120), st.integers(2, 4))
def test_the_cross_validated_loss_is_no_lower_than_that_of_the_best_temperature(
    seed, count, classes
):
    """As each fold's temperature is the best of the other folds; of few images, some have none."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(count, classes))
    labels = np.argmax(logits + rng.gumbel(size=logits.shape), axis=1)
    before, after = cross_validated_losses(logits, labels)
    assert before == pytest.approx(reliability_at(logits, labels).loss)
    try:
        temperature, _ = fit_temperature(logits, labels)
    except imgclf.errors.DataError:
        return
    assert min(before, after) >= reliability_at(logits, labels, temperature).loss - 1e-9


def test_a_single_mistake_is_enough_where_it_is_clear():
    """Without its fold no temperature fits: that is no reason against the others."""
    labels = np.arange(200) % 4
    logits = 2.0 * np.eye(4)[labels]
    logits[0] = [0.0, 1.0, 0.0, 0.0]
    before, after = cross_validated_losses(logits, labels)
    assert after < before / 2
    assert fit_temperature(logits, labels)[1][1] < 1


def test_a_calibrated_network_is_left_alone_more_often_than_not():
    kept = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        logits = 2 * rng.normal(size=(150, 3))
        before, after = cross_validated_losses(
            logits, np.argmax(logits + rng.gumbel(size=logits.shape), axis=1)
        )
        kept += after >= before
    assert kept > 35
