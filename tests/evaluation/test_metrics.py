"""Metrics and their intervals, against scikit-learn, SciPy and simulation."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap, norm, t

from imgclf import Evaluation
from imgclf.errors import ArgumentError
from imgclf.evaluation.intervals.by_formula import f1_intervals, wilson_interval, wilson_intervals
from imgclf.evaluation.metrics import METRICS, TOP_K
from imgclf.evaluation.scores.by_class import mean_score
from imgclf.evaluation.scores.outcomes import Outcomes


def draw(seed, count, classes=4, *, separation=1.5, temperature=1.0, shares=None):
    """Labels and softmax outputs; at the temperature 1 they are the true probabilities."""
    rng = np.random.default_rng(seed)
    shares = np.full(classes, 1 / classes) if shares is None else np.asarray(shares)
    labels = rng.choice(classes, count, p=shares)
    logits = rng.normal(size=(count, classes))
    logits[np.arange(count), labels] += separation
    logits = (logits * separation + np.log(shares)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return labels, powers / powers.sum(axis=1, keepdims=True)


def names(classes):
    return [f"class {number}" for number in range(classes)]


def evaluation(seed=0, count=200, classes=4, **settings):
    return Evaluation(*draw(seed, count, classes, **settings), names(classes))


# Values: a row a metric, with the function of scikit-learn (or the definition) that it must equal.


class Oracle(NamedTuple):
    """What a metric must equal, as a function of labels and probabilities.

    `best` is what perfect predictions reach; `classes` says whether renumbering the classes leaves
    the metric alone, `repeats` whether repeating each image does.
    """

    name: str
    reference: Callable[[np.ndarray, np.ndarray], float]
    best: float = 1.0
    classes: bool = True
    repeats: bool = True


def predicted(score, **options):
    return lambda labels, probabilities: score(labels, probabilities.argmax(axis=1), **options)


def averaged(score, average):
    return predicted(score, average=average, zero_division=0)


def top(k):
    return lambda labels, probabilities: reference.top_k_accuracy_score(
        labels, probabilities, k=k, labels=np.arange(probabilities.shape[1])
    )


def one_hot(labels, probabilities):
    return np.eye(probabilities.shape[1])[labels]


def calibration_error(labels, probabilities):
    """Guo et al. 2017, equation 3, bin by bin."""
    confidences = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    error = 0.0
    for number in range(15):
        inside = (confidences > number / 15) & (confidences <= (number + 1) / 15)
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - confidences[inside].mean())
    return error


TABLE = [
    Oracle("accuracy", predicted(reference.accuracy_score)),
    Oracle("balanced_accuracy", predicted(reference.balanced_accuracy_score)),
    Oracle("macro_precision", averaged(reference.precision_score, "macro")),
    Oracle("macro_recall", averaged(reference.recall_score, "macro")),
    Oracle("macro_f1", averaged(reference.f1_score, "macro")),
    Oracle("weighted_precision", averaged(reference.precision_score, "weighted")),
    Oracle("weighted_recall", averaged(reference.recall_score, "weighted")),
    Oracle("weighted_f1", averaged(reference.f1_score, "weighted")),
    Oracle("top_2", top(2)),
    Oracle("top_3", top(3)),
    Oracle("top_5", top(5)),
    Oracle(
        "loss",
        lambda labels, probabilities: reference.log_loss(
            labels, probabilities, labels=np.arange(probabilities.shape[1])
        ),
        best=0.0,
    ),
    Oracle(
        "brier_score",
        lambda labels, probabilities: np.mean(
            np.sum((probabilities - one_hot(labels, probabilities)) ** 2, axis=1)
        ),
        best=0.0,
    ),
    Oracle("calibration_error", calibration_error, best=0.0),
    Oracle(
        "roc_auc",
        lambda labels, probabilities: reference.roc_auc_score(
            one_hot(labels, probabilities), probabilities
        ),
    ),
    Oracle(
        "average_precision",
        lambda labels, probabilities: reference.average_precision_score(
            one_hot(labels, probabilities), probabilities
        ),
    ),
]


def test_every_metric_has_a_row_and_every_row_a_metric():
    assert [row.name for row in TABLE] == [metric.name for metric in METRICS]
    assert list(evaluation(classes=6).metrics) == [row.name for row in TABLE]
    assert [row.name for row in TABLE if row.name.startswith("top_")][-1] == f"top_{TOP_K[-1]}"


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
@pytest.mark.parametrize(("seed", "count", "classes"), [(0, 200, 4), (1, 300, 2), (2, 400, 9)])
def test_a_metric_equals_its_oracle(row, seed, count, classes):
    ev = evaluation(seed, count, classes)
    if row.name not in ev.metrics:
        assert row.name == "top_5" or classes == 2
        return
    expected = row.reference(ev.labels, ev.probabilities)
    assert ev.metrics[row.name] == pytest.approx(expected, abs=1e-12)
    record = ev.to_dict()
    assert record[row.name] == ev.metric(row.name) == getattr(ev, row.name, ev.metric(row.name))
    assert record["intervals"][row.name] == list(ev.interval(row.name))


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
@pytest.mark.parametrize("seed", range(3))
def test_a_metric_has_its_invariances(row, seed):
    labels, probabilities = draw(seed, 90, 6)
    value = Evaluation(labels, probabilities, names(6)).metric(row.name)
    rng = np.random.default_rng(seed)
    rows = rng.permutation(90)
    shuffled = Evaluation(labels[rows], probabilities[rows], names(6))
    assert shuffled.metric(row.name) == pytest.approx(value, abs=1e-12)
    if row.classes:
        numbers = rng.permutation(6)
        renamed = Evaluation(np.argsort(numbers)[labels], probabilities[:, numbers], names(6))
        assert renamed.metric(row.name) == pytest.approx(value, abs=1e-12)
    if row.repeats:
        twice = Evaluation(np.tile(labels, 2), np.tile(probabilities, (2, 1)), names(6))
        assert twice.metric(row.name) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_a_metric_is_best_for_perfect_predictions_and_says_so(row):
    [metric] = [one for one in METRICS if one.name == row.name]
    labels = np.arange(60) % 6
    perfect = Evaluation(labels, np.eye(6)[labels], names(6)).metric(row.name)
    usual = evaluation(classes=6).metric(row.name)
    assert perfect == pytest.approx(row.best, abs=1e-9)
    assert (perfect > usual) == metric.higher_is_better
    assert ("higher is better" in metric.description) == metric.higher_is_better
    assert metric.lowest <= perfect <= metric.highest


def test_what_is_shown_comes_from_the_rows():
    labels, probabilities = draw(0, 200, 6, shares=[0.3, 0.3, 0.1, 0.1, 0.1, 0.1])
    ev = Evaluation(labels, probabilities, names(6))
    assert ev.imbalanced
    text, html = str(ev), ev._repr_html_()
    for metric in METRICS:
        value, (low, high) = ev.metric(metric.name), ev.interval(metric.name)
        cells = [metric.show(value), f"{metric.show(low)} to {metric.show(high)}"]
        assert (
            f'<abbr title="{metric.description}">{metric.title}</abbr></th>'
            f"<td>{cells[0]}</td><td>{cells[1]}</td>"
        ) in html
        shown = [line.split() for line in text.splitlines() if f"  {metric.title} " in line]
        if metric.in_summary != "no":
            assert shown == [[*metric.title.split(), cells[0], *cells[1].split()]]


def test_a_class_that_never_occurs_is_in_no_interval():
    there = np.repeat([0, 1], 20)
    ev = Evaluation(there, np.eye(3)[there], names(3))
    assert ev.macro_f1 == 1
    assert ev.interval("macro_f1")[1] == 1


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), classes=st.integers(2, 5), levels=st.integers(1, 6))
def test_equal_scores_change_no_area(seed, classes, levels):
    labels, probabilities = draw(seed, 60, classes)
    coarse = np.rint(probabilities * levels) + 1
    coarse /= coarse.sum(axis=1, keepdims=True)
    ev = Evaluation(labels, coarse, names(classes))
    there = np.unique(labels)
    if len(there) < 2:
        return
    truths = [(ev.labels == number, coarse[:, number]) for number in there]
    areas = np.mean([reference.roc_auc_score(*truth) for truth in truths])
    precisions = np.mean([reference.average_precision_score(*truth) for truth in truths])
    assert ev.roc_auc == pytest.approx(areas, abs=1e-12)
    assert ev.average_precision == pytest.approx(precisions, abs=1e-12)


def test_curves_are_those_of_scikit_learn():
    ev = evaluation()
    inside, scores = ev.labels == 2, ev.probabilities[:, 2]
    for ours, theirs in (
        (ev.roc_curve("class 2"), reference.roc_curve(inside, scores)),
        (ev.pr_curve("class 2"), reference.precision_recall_curve(inside, scores)),
    ):
        for one, other in zip(ours, theirs, strict=True):
            assert np.array_equal(one, other)


# Intervals against formulas of other people.


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))))
def test_many_wilson_intervals_are_those_of_scipy(counts):
    ours = wilson_intervals([hits for hits, _ in counts], [total for _, total in counts])
    for bounds, pair in zip(ours, counts, strict=True):
        assert tuple(bounds) == pytest.approx(wilson_interval(*pair), abs=1e-12)


def test_the_interval_of_f1_is_that_of_the_proportion_it_is_made_of():
    low, high = wilson_interval(30, 50)
    [bounds] = f1_intervals([30], [20])
    assert tuple(bounds) == pytest.approx((2 * low / (1 + low), 2 * high / (1 + high)), abs=1e-12)
    assert bounds[0] < reference.f1_score([1] * 40 + [0] * 10, [1] * 30 + [0] * 10 + [1] * 10)


def test_the_interval_of_the_loss_is_the_bca_interval_of_scipy():
    ev = evaluation(3, 500)
    outcomes = Outcomes(ev.labels, ev.probabilities)
    for name, values in (("loss", outcomes.losses), ("brier_score", outcomes.brier_scores)):
        theirs = bootstrap((values,), np.mean, n_resamples=9999, random_state=0).confidence_interval
        length = theirs.high - theirs.low
        assert ev.interval(name) == pytest.approx(tuple(theirs), abs=0.05 * length)


@pytest.mark.parametrize("score", ["precision", "recall", "f1"])
@pytest.mark.parametrize("average", ["macro", "weighted", "balanced"])
def test_the_influence_of_a_cell_is_the_slope_of_the_metric(score, average):
    matrix = np.array([[30, 5, 2], [4, 12, 3], [0, 1, 9]], float)
    value, influence = mean_score(matrix, score, average)
    for cell in np.ndindex(3, 3):
        more = matrix.copy()
        more[cell] += 1e-6
        slope = (mean_score(more, score, average)[0] - value) / 1e-6
        assert influence[cell] == pytest.approx(slope, abs=1e-6)


@pytest.mark.parametrize("name", ["macro_f1", "weighted_f1", "roc_auc", "average_precision"])
def test_other_intervals_are_about_as_long_as_those_of_a_bootstrap(name):
    ev = evaluation(5, 400)
    rng = np.random.default_rng(0)
    again = []
    for _ in range(200):
        rows = rng.integers(0, 400, 400)
        again.append(Evaluation(ev.labels[rows], ev.probabilities[rows], names(4)).metric(name))
    low, high = np.quantile(again, [0.025, 0.975])
    ours = ev.interval(name)
    assert ours[1] - ours[0] == pytest.approx(high - low, rel=0.2)


def test_the_interval_of_one_area_has_the_variance_of_delong_and_its_degrees_of_freedom():
    labels, probabilities = draw(8, 80, 2)
    ev = Evaluation(labels, probabilities, names(2))
    inside, outside = (probabilities[labels == one, 1] for one in (1, 0))
    wins = (inside[:, None] > outside) + 0.5 * (inside[:, None] == outside)
    area = wins.mean()
    of_inside = ((wins.mean(axis=1) - area) / len(inside)) ** 2
    of_outside = ((wins.mean(axis=0) - area) / len(outside)) ** 2
    squares = np.concatenate([of_inside, of_outside])
    variance = squares.sum()
    # Satterthwaite's degrees of freedom, by the variance of the squares.
    degrees = 2 * variance**2 / (len(squares) * np.var(squares))
    wider = t.ppf(0.975, degrees) / norm.ppf(0.975)
    size = area * (1 - area) / (variance * wider**2)
    [bounds] = wilson_intervals([area * size], [size])
    assert ev.interval("roc_auc") == pytest.approx(tuple(bounds), abs=1e-12)


# Intervals that hold the truth.


def test_intervals_hold_the_truth_in_about_95_of_100_cases():
    """A little of benchmarks/intervals.py: 150 cases, and three standard errors of that."""
    settings = {"classes": 4, "separation": 2.0, "temperature": 0.7}
    truth = evaluation(999, 200_000, **settings).metrics
    held = dict.fromkeys(truth, 0)
    for seed in range(150):
        ev = evaluation(seed, 200, **settings)
        for name in truth:
            low, high = ev.interval(name)
            held[name] += low <= truth[name] <= high
    for name, count in held.items():
        assert count / 150 >= 0.897, (name, count)


def test_a_calibrated_classifier_has_an_interval_that_begins_at_0():
    begins = [evaluation(seed, 500).interval("calibration_error")[0] for seed in range(20)]
    assert sum(low == 0 for low in begins) >= 17
    sure = evaluation(0, 500, temperature=0.3)
    low, high = sure.interval("calibration_error")
    assert 0.05 < low < sure.calibration_error < high


def test_where_all_is_right_the_interval_is_that_of_a_proportion():
    labels = np.repeat([0, 1, 2], 10)
    ev = Evaluation(labels, np.eye(3)[labels] * 0.9 + 0.1 / 3, names(3))
    whole = wilson_interval(30, 30)
    for name in ("balanced_accuracy", "macro_precision", "weighted_precision", "roc_auc"):
        assert ev.metrics[name] == 1
        assert ev.interval(name) == pytest.approx(whole, abs=1e-12)
    [of_f1] = f1_intervals([30], [0])
    for name in ("macro_f1", "weighted_f1"):
        assert ev.interval(name) == pytest.approx(tuple(of_f1), abs=1e-12)
    assert ev.interval("average_precision")[0] < 1


def test_intervals_are_the_same_each_time_and_contain_their_metric():
    first, second = evaluation(1), evaluation(1)
    assert first.intervals == second.intervals
    for name, (low, high) in first.intervals.items():
        assert low <= first.metrics[name] <= high, name


def test_nothing_is_resampled_before_it_is_asked_for(monkeypatch):
    ev = evaluation()
    monkeypatch.setattr("imgclf.evaluation.scores.outcomes.resample_means", None)
    monkeypatch.setattr("imgclf.evaluation.scores.outcomes.macro_area", None)
    assert ev.accuracy_interval
    assert ev.interval("macro_f1")
    with pytest.raises(TypeError):
        ev.interval("loss")


# Single images, missing classes.


def test_a_single_image_says_next_to_nothing():
    ev = Evaluation([1], [[0.2, 0.8]], ["cat", "dog"])
    assert ev.interval("loss") == pytest.approx((0, 36.04), abs=0.01)
    assert ev.interval("brier_score") == (0, 2)
    assert ev.interval("calibration_error") == (0, 1)
    assert np.isnan(ev.roc_auc)
    assert ev.interval("roc_auc") == (0, 1)
    record = ev.to_dict()
    assert record["roc_auc"] is record["average_precision"] is None


def test_a_class_without_images_has_no_curve():
    ev = Evaluation([0, 1, 1], [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.6, 0.2, 0.2]], names(3))
    assert ev.roc_auc == pytest.approx(1)
    with pytest.raises(Exception, match="needs images of this class and of another one") as caught:
        ev.roc_curve("class 2")
    assert str(caught.value) == (
        "The curve of 'class 2' needs images of this class and of another one. "
        "Received: 0 of 3 images."
    )
    alone = Evaluation([0], [[0.8, 0.2]], ["cat", "dog"])
    with pytest.raises(Exception, match="images of 'cat' only"):
        alone.plot_roc()


def test_unknown_names_are_refused_with_a_proposal():
    with pytest.raises(ArgumentError, match="Did you mean 'macro_f1'"):
        evaluation().interval("macrof1")
    with pytest.raises(ArgumentError, match="Did you mean 'class 1'"):
        evaluation().pr_curve("class1")


# Drawn.


def test_the_worst_curves_are_named_first():
    ev = evaluation(classes=7, count=600)
    areas = {
        name: reference.roc_auc_score(ev.labels == number, ev.probabilities[:, number])
        for number, name in enumerate(ev.class_names)
    }
    texts = [text.get_text() for text in ev.plot_roc().get_legend().get_texts()]
    worst = sorted(areas, key=areas.get)[:5]
    assert texts == [*(f"{name}, area {areas[name]:.3f}" for name in worst), "2 more classes"]
    assert len(ev.plot_pr("class 3").get_legend().get_texts()) == 1
