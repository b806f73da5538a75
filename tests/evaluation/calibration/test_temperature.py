"""Temperatures: found where they were planted, of optimal loss, with intervals that cover."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from imgclf import errors
from imgclf.evaluation.calibration.reliability import expected_calibration_error
from imgclf.evaluation.calibration.temperature import Calibration, fit_temperature, reliability_at


def drawn(rng, count, temperature, classes=5):
    """Logits, and labels that are drawn by what the logits say at this temperature."""
    logits = 3 * rng.normal(size=(count, classes))
    scaled = logits / temperature
    # The largest of logits with Gumbel noise is a draw from their softmax.
    return logits, np.argmax(scaled + rng.gumbel(size=scaled.shape), axis=1)


@pytest.mark.parametrize("planted", [0.4, 1.0, 2.5])
def test_a_planted_temperature_is_found(rng, planted):
    logits, labels = drawn(rng, 20_000, planted)
    temperature, (low, high) = fit_temperature(logits, labels)
    assert temperature == pytest.approx(planted, rel=0.05)
    assert low < temperature < high
    assert high / low < 1.1
    before, after = (reliability_at(logits, labels, one) for one in (1.0, temperature))
    assert after.calibration_error < 0.012
    assert after.loss <= before.loss


def test_of_two_classes_it_is_logistic_regression_without_a_constant(rng):
    logits, labels = drawn(rng, 500, 2.0, classes=2)
    margin = (logits[:, 1] - logits[:, 0])[:, None]
    peer = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10).fit(margin, labels)
    assert fit_temperature(logits, labels)[0] == pytest.approx(1 / peer.coef_[0, 0], rel=1e-4)


def test_the_interval_covers_the_truth(rng):
    covered = 0
    for _ in range(200):
        low, high = fit_temperature(*drawn(rng, 150, 1.7, classes=3))[1]
        covered += low <= 1.7 <= high
    assert 0.91 <= covered / 200 <= 0.985  # of 2,000 such samples 93% to 97%


def test_figures_are_those_of_scikit_learn(rng):
    logits, labels = drawn(rng, 300, 1.0)
    found = reliability_at(logits, labels, 1.6)
    raised = np.exp(logits / 1.6)
    probabilities = raised / raised.sum(axis=1, keepdims=True)
    assert found.loss == pytest.approx(log_loss(labels, probabilities), abs=1e-12)
    truth = np.eye(5)[labels]
    brier = ((probabilities - truth) ** 2).sum(axis=1).mean()
    assert found.brier == pytest.approx(brier, abs=1e-12)
    error = expected_calibration_error(probabilities.max(axis=1), logits.argmax(axis=1) == labels)
    assert found.calibration_error == pytest.approx(error, abs=1e-12)


@settings(deadline=None, max_examples=30)
@given(shift=st.floats(-50, 50), factor=st.floats(0.3, 3))
def test_a_shift_changes_nothing_and_a_factor_changes_it_by_as_much(shift, factor):
    logits, labels = drawn(np.random.default_rng(1), 200, 1.3)
    temperature = fit_temperature(logits, labels)[0]
    assert fit_temperature(logits + shift, labels)[0] == pytest.approx(temperature, rel=1e-5)
    assert fit_temperature(logits * factor, labels)[0] == pytest.approx(
        temperature * factor, rel=1e-5
    )


def test_no_other_temperature_has_a_lower_loss(rng):
    logits, labels = drawn(rng, 300, 0.8)
    temperature, _ = fit_temperature(logits, labels)
    best = minimize_scalar(
        lambda one: reliability_at(logits, labels, one).loss, bounds=(0.1, 5), method="bounded"
    )
    assert reliability_at(logits, labels, temperature).loss <= best.fun + 1e-9


def test_where_all_are_right_or_no_more_than_by_chance_none_fits(rng):
    with pytest.raises(errors.DataError) as caught:
        fit_temperature([[3.0, 0.0], [0.0, 3.0]], [0, 1])
    assert str(caught.value) == (
        "No temperature from 0.02 to 50 fits: of the 2 images 2 are right. Fitting takes both "
        "mistakes and more right predictions than by chance. Use more images, none of the training."
    )
    with pytest.raises(errors.DataError, match="of the 2 images 0 are right"):
        fit_temperature([[3.0, 0.0], [0.0, 3.0]], [1, 0])
    with pytest.raises(errors.DataError, match="at least one label"):
        fit_temperature(np.empty((0, 3)), [])


def test_it_says_what_it_found_in_words_numbers_and_a_plot(rng):
    logits, labels = drawn(rng, 2000, 2.0)
    temperature, interval = fit_temperature(logits, labels)
    before, after = (reliability_at(logits, labels, one) for one in (1.0, temperature))
    found = Calibration(temperature, interval, 2000, before, after)
    assert "fitted on 2,000 images: the network was overconfident\n  on the same images" in str(
        found
    )
    assert json.loads(json.dumps(found.to_dict()))["after"]["num_images"] == 2000
    others = Calibration(temperature, (0.9, 1.1), 2000, before, after, on_others=True)
    assert "on 2,000 other images" in str(others)
    assert "no significant correction" in str(others)
    axes = found.plot()
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names[1:] == [
        f"before, error {before.calibration_error:.1%}",
        f"after, error {after.calibration_error:.1%}",
    ]
    assert found.plot(axes) is axes
