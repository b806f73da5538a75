"""All single figures and their intervals, against scikit-learn, SciPy and simulation."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap, norm, t

from imgclf import Evaluation
from imgclf.errors import ArgumentError
from imgclf.evaluation.intervals.by_formula import f1_intervals, wilson_interval, wilson_intervals
from imgclf.evaluation.metrics import mean_score


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


# Values.


@pytest.mark.parametrize(("seed", "count", "classes"), [(0, 200, 4), (1, 300, 2), (2, 400, 9)])
def test_figures_equal_those_of_scikit_learn(seed, count, classes):
    ev = evaluation(seed, count, classes)
    predicted, every = ev.predictions, np.arange(classes)
    expected = {"accuracy": reference.accuracy_score(ev.labels, predicted)}
    for average in ("macro", "weighted"):
        options = {"average": average, "zero_division": 0}
        expected[f"{average}_precision"] = reference.precision_score(
            ev.labels, predicted, **options
        )
        expected[f"{average}_recall"] = reference.recall_score(ev.labels, predicted, **options)
        expected[f"{average}_f1"] = reference.f1_score(ev.labels, predicted, **options)
    scores = ev.probabilities[:, 1] if classes == 2 else ev.probabilities
    expected["roc_auc"] = reference.roc_auc_score(ev.labels, scores, multi_class="ovr")
    one_hot = np.eye(classes)[ev.labels]
    expected["average_precision"] = reference.average_precision_score(one_hot, ev.probabilities)
    expected["loss"] = reference.log_loss(ev.labels, ev.probabilities, labels=every)
    expected["brier_score"] = np.mean(np.sum((ev.probabilities - one_hot) ** 2, axis=1))
    for name, value in expected.items():
        assert ev.metrics[name] == pytest.approx(value, abs=1e-12), name
        assert ev.to_dict()["intervals"][name] == list(ev.interval(name))


def test_the_brier_score_is_that_of_scikit_learn_where_it_is_not_halved():
    ev = evaluation(classes=3)
    theirs = reference.brier_score_loss(ev.labels, ev.probabilities, scale_by_half=False)
    assert ev.brier_score == pytest.approx(theirs, abs=1e-12)
    two = evaluation(classes=2)
    halved = reference.brier_score_loss(two.labels, two.probabilities[:, 1])
    assert two.brier_score == pytest.approx(2 * halved, abs=1e-12)


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
    for name, values in (("loss", ev._losses), ("brier_score", ev._brier_scores)):
        theirs = bootstrap((values,), np.mean, n_resamples=9999, random_state=0).confidence_interval
        length = theirs.high - theirs.low
        assert ev.interval(name) == pytest.approx(tuple(theirs), abs=0.05 * length)


@pytest.mark.parametrize("score", ["precision", "recall", "f1"])
@pytest.mark.parametrize("average", ["macro", "weighted", "balanced"])
def test_the_influence_of_a_cell_is_the_slope_of_the_figure(score, average):
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
        again.append(Evaluation(ev.labels[rows], ev.probabilities[rows], names(4))._figure(name))
    low, high = np.quantile(again, [0.025, 0.975])
    ours = ev.interval(name)
    assert ours[1] - ours[0] == pytest.approx(high - low, rel=0.2)


def test_the_interval_of_one_area_has_the_variance_of_delong_and_its_doubt():
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
    worth = area * (1 - area) / (variance * wider**2)
    [bounds] = wilson_intervals([area * worth], [worth])
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


def test_where_all_is_right_there_is_doubt_all_the_same():
    labels = np.repeat([0, 1, 2], 10)
    ev = Evaluation(labels, np.eye(3)[labels] * 0.9 + 0.1 / 3, names(3))
    whole = wilson_interval(30, 30)
    for name in ("balanced_accuracy", "macro_f1", "macro_precision", "weighted_f1", "roc_auc"):
        assert ev.metrics[name] == 1
        assert ev.interval(name) == pytest.approx(whole, abs=1e-12)
    assert ev.interval("average_precision")[0] < 1


def test_intervals_are_the_same_each_time_and_hold_their_figure():
    first, second = evaluation(1), evaluation(1)
    assert first.intervals == second.intervals
    for name, (low, high) in first.intervals.items():
        assert low <= first.metrics[name] <= high, name


def test_nothing_is_resampled_before_it_is_asked_for():
    ev = evaluation()
    assert ev.accuracy_interval
    assert ev.interval("macro_f1")
    assert "_resampled" not in vars(ev)
    assert "_areas" not in vars(ev)
    assert ev.interval("loss")
    assert "_resampled" in vars(ev)


# Single images, missing classes.


def test_a_single_image_says_next_to_nothing():
    ev = Evaluation([1], [[0.2, 0.8]], ["cat", "dog"])
    assert ev.interval("loss") == pytest.approx((0, 36.04), abs=0.01)
    assert ev.interval("brier_score") == (0, 2)
    assert ev.interval("calibration_error") == (0, 1)
    assert np.isnan(ev.roc_auc)
    assert ev.interval("roc_auc") == (0, 1)
    figures = ev.to_dict()
    assert figures["roc_auc"] is figures["average_precision"] is None


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
