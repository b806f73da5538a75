from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgclf.errors import ArgumentError, DataError
from imgclf.evaluation.calibration.reliability import calibration_bins, expected_calibration_error
from imgclf.evaluation.intervals.by_formula import wilson_interval


def oracle(confidences, correct, bins):
    error = 0.0
    for index in range(bins):
        low, high = np.linspace(0, 1, bins + 1)[index : index + 2]
        inside = (confidences > low) & (confidences <= high)
        if index == 0:
            inside |= confidences == 0
        if inside.any():
            gap = abs(confidences[inside].mean() - correct[inside].mean())
            error += inside.mean() * gap
    return error


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 300), bins=st.integers(1, 30))
def test_the_error_equals_a_plain_loop_over_the_ranges(seed, count, bins):
    rng = np.random.default_rng(seed)
    confidences = rng.random(count)
    confidences[::7] = rng.integers(0, bins + 1, len(confidences[::7])) / bins  # edges as well
    correct = rng.random(count) < confidences
    expected = oracle(confidences, correct, bins)
    error = expected_calibration_error(confidences, correct, bins=bins)
    assert error == pytest.approx(expected, abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_order_of_the_predictions_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    confidences, correct = rng.random(100), rng.random(100) < 0.5
    order = rng.permutation(100)
    assert expected_calibration_error(confidences, correct) == pytest.approx(
        expected_calibration_error(confidences[order], correct[order]), abs=1e-12
    )


def test_a_classifier_that_is_as_sure_as_it_is_right_has_no_error():
    correct = np.arange(100) < 80
    assert expected_calibration_error(np.full(100, 0.8), correct) == pytest.approx(0, abs=1e-12)


def test_a_classifier_that_is_sure_and_wrong_has_the_error_one():
    assert expected_calibration_error(np.ones(5), np.zeros(5, bool)) == 1


def test_a_value_on_an_edge_belongs_to_the_range_below():
    ranges = calibration_bins([0.0, 0.5, 0.51, 1.0], [True, True, False, True], bins=2)
    assert [(one.low, one.high, one.num_images) for one in ranges] == [(0.0, 0.5, 2), (0.5, 1.0, 2)]


def test_ranges_without_predictions_are_left_out():
    [only] = calibration_bins([0.94, 0.95, 0.96], [True, False, True])
    assert (only.num_images, only.confidence) == (3, pytest.approx(0.95))
    assert (only.low, only.high) == pytest.approx((14 / 15, 1))
    assert only.accuracy == pytest.approx(2 / 3)
    assert only.accuracy_interval == wilson_interval(2, 3)


def test_confidences_out_of_range_are_refused():
    with pytest.raises(DataError) as caught:
        expected_calibration_error([0.5, 1.5], [True, False])
    assert str(caught.value) == (
        "`confidences` must be from 0 to 1. Received: values from 0.5 to 1.5."
    )


@pytest.mark.parametrize(
    ("confidences", "correct", "message"),
    [
        ([], [], "`confidences` must be numbers of the shape"),
        ([[0.5]], [True], "`confidences` must be numbers of the shape"),
        (["a"], [True], "`confidences` must be numbers of the shape"),
        ([np.nan], [True], "`confidences` must be from 0 to 1"),
        ([0.5], [True, False], "`correct` must be 1 times True or False"),
        ([0.5], [1], "`correct` must be 1 times True or False"),
    ],
)
def test_arrays_of_another_kind_are_refused(confidences, correct, message):
    with pytest.raises(DataError, match=message):
        expected_calibration_error(confidences, correct)


def test_no_ranges_at_all_are_refused():
    with pytest.raises(ArgumentError, match="`bins` must be an int of at least 1"):
        calibration_bins([0.5], [True], bins=0)
