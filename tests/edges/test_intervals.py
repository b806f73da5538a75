"""Every interval contains its own metric, for classes of one image and of none, too."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgclf import Evaluation, Split
from imgclf.errors import DataError
from imgclf.evaluation.calibration.temperature import fit_temperature
from imgclf.evaluation.calibration.threshold import find_threshold
from imgclf.evaluation.comparison import Comparison, compare_evaluations
from imgclf.evaluation.deduplicated import deduplicated_score
from imgclf.evaluation.intervals.paired import paired_interval
from imgclf.evaluation.robustness import Robustness
from imgclf.evaluation.scores.by_class import mean_score, mean_score_interval
from imgclf.studies.growth import LearningCurve

QUICK = settings(max_examples=40, deadline=None)

# Rows of a confusion matrix: most cells are empty, and so are some rows.
MATRICES = st.integers(2, 6).flatmap(
    lambda size: st.lists(
        st.lists(st.sampled_from([0, 0, 0, 1, 1, 2, 5, 40]), min_size=size, max_size=size),
        min_size=size,
        max_size=size,
    )
)


def evaluation(matrix, sharpness, seed):
    """An evaluation with this confusion matrix, and probabilities that are as sharp as asked."""
    matrix = np.array(matrix)
    true, predicted = (
        np.repeat(rows, matrix.ravel()) for rows in np.indices(matrix.shape).reshape(2, -1)
    )
    noise = np.random.default_rng(seed).dirichlet(np.ones(len(matrix)), len(true))
    noise[np.arange(len(true)), predicted] += sharpness + noise.max(axis=1, initial=0)
    names = [f"class {number}" for number in range(len(matrix))]
    return Evaluation(true, noise / noise.sum(axis=1, keepdims=True), names)


def holds(value, interval):
    low, high = interval
    return math.isnan(value) or low <= value <= high


@QUICK
@given(MATRICES, st.sampled_from([0.0, 0.3, 3.0, 1e6]), st.integers(0, 9))
def test_the_interval_of_every_metric_contains_it(matrix, sharpness, seed):
    if not np.any(matrix):
        return
    ev = evaluation(matrix, sharpness, seed)
    for name, value in ev.metrics.items():
        assert holds(value, ev.intervals[name]), name
    for record in ev.per_class:
        for name in ("precision", "recall", "f1"):
            assert holds(record[name], record[f"{name}_interval"]), (name, record)
    for one in ev.slices("class"):
        assert holds(one.accuracy, one.interval)
    for one in ev.calibration_bins:
        assert holds(one.accuracy, one.accuracy_interval)
    for name, interval in ev.to_dict()["intervals"].items():
        assert holds(ev.metrics[name], interval), name


@QUICK
@given(MATRICES, st.integers(0, 9))
def test_so_do_those_of_comparisons_copies_and_thresholds(matrix, seed):
    if not np.any(matrix):
        return
    one, other = (evaluation(matrix, 0.5, number) for number in (seed, seed + 1))
    rng = np.random.default_rng(seed)
    guesses = Evaluation(one.labels, rng.permutation(one.probabilities), one.class_names)
    found = compare_evaluations({"a": one, "b": guesses})
    assert holds(found.difference, found.interval)
    for three in (compare_evaluations({"a": one, "b": guesses, "c": other}),):
        for value, interval in zip(three.accuracies, three.accuracy_intervals, strict=True):
            assert holds(value, interval)
        assert all(holds(pair.difference, pair.interval) for pair in three.comparisons)
    images = rng.integers(0, 256, (len(one), 12, 12, 3), dtype=np.uint8)
    test = Split(images, one.labels, one.class_names)
    half = len(one) // 2 + 1
    score = deduplicated_score(one, Split(images[:half], one.labels[:half], one.class_names), test)
    assert holds(score.accuracy, score.interval)
    assert holds(score.deduplicated_accuracy, score.deduplicated_interval)
    for certainty in (None, 0.95):
        try:
            threshold = find_threshold(
                one.confidences, one.correct, precision=0.5, certainty=certainty
            )
        except DataError:
            continue
        assert holds(threshold.precision, threshold.precision_interval)
        assert holds(threshold.coverage, threshold.coverage_interval)


@QUICK
@given(
    st.integers(1, 40).flatmap(
        lambda n: st.tuples(st.just(n), st.lists(st.integers(0, n), min_size=5, max_size=5))
    )
)
def test_so_do_those_of_robustness(counts):
    total, hits = counts
    result = Robustness(
        total, total, 3, hits[0] / total, {"blur": tuple(hit / total for hit in hits)}, 0
    )
    assert holds(result.accuracy, result.accuracy_interval)
    assert all(map(holds, result.accuracies["blur"], result.intervals["blur"]))


@QUICK
@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_so_does_that_of_a_difference(first, second, same):
    if first + second + same == 0:
        return
    found = Comparison(("a", "b"), same, first, second, 0)
    assert holds(found.difference, found.interval)
    assert found.interval == paired_interval(first, second, first + second + same)


@QUICK
@given(st.integers(0, 1000), st.integers(2, 60), st.integers(2, 5))
def test_so_does_that_of_a_temperature(seed, count, classes):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(count, classes)) * rng.choice([0.1, 1, 10])
    labels = np.where(
        rng.random(count) < 0.6, logits.argmax(axis=1), rng.integers(0, classes, count)
    )
    try:
        temperature, interval = fit_temperature(logits, labels)
    except DataError:
        return
    assert holds(temperature, interval)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=3, max_size=5), st.integers(1, 60))
def test_so_do_those_of_a_learning_curve(accuracies, images):
    sizes = tuple(20 * 2**place for place in range(len(accuracies)))
    curve = LearningCurve(sizes, tuple(accuracies), images)
    for value, low, high in (curve.predict(5), curve.predict(300), curve.gain(2)):
        assert low <= value <= high


def test_a_tiny_class_makes_the_mean_of_the_classes_uncertain():
    """Two classes of four images: if all are right, much may be wrong in others."""
    matrix = np.diag([190, 190, 4, 4]) + np.array([[0, 10, 0, 0], [10, 0, 0, 0], [0] * 4, [0] * 4])
    low, high = mean_score_interval(matrix, "recall", "balanced")
    assert mean_score(matrix, "recall", "balanced")[0] == pytest.approx(0.975)
    assert low < 0.85
    assert high > 0.98


@pytest.mark.parametrize("sizes", [(200, 200, 4, 4), (40, 40, 3, 3, 2), (30,) * 6])
def test_the_truth_is_in_the_interval_of_a_mean_over_classes(sizes):
    """By the delta method alone, it was so in 30% of the cases of the first sizes."""
    rng, right = np.random.default_rng(0), 0.9
    shares = np.full((len(sizes), len(sizes)), (1 - right) / (len(sizes) - 1))
    np.fill_diagonal(shares, right)
    drawn = 150
    held = 0
    for _ in range(drawn):
        matrix = np.array(
            [rng.multinomial(size, row) for size, row in zip(sizes, shares, strict=True)]
        )
        held += holds(right, mean_score_interval(matrix, "recall", "balanced"))
    assert held / drawn > 0.85
