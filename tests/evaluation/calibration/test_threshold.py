"""Thresholds hold what they promise, on images that they were not fitted on."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgclf import Evaluation, errors
from imgclf.evaluation.calibration.coverage import coverage_curve
from imgclf.evaluation.calibration.threshold import Threshold, find_threshold


def answers(rng, count, power=1.0):
    """Confidences, and whether each answer is right; so often as the confidence says, or less."""
    confidences = rng.uniform(0.3, 1, count)
    return confidences, rng.uniform(size=count) < confidences**power


def true_precision(threshold, power=1.0):
    """Of uniform confidences from 0.3 to 1 above the threshold."""
    low = max(threshold, 0.3)
    return (1 - low ** (power + 1)) / ((power + 1) * (1 - low))


@pytest.mark.parametrize(
    ("count", "wanted", "power"), [(400, 0.8, 1), (3000, 0.95, 1), (400, 0.7, 2)]
)
def test_new_images_reach_the_precision_as_certainly_as_was_said(rng, count, wanted, power):
    held = found = 0
    for _ in range(300):
        try:
            threshold = find_threshold(*answers(rng, count, power), precision=wanted)
        except errors.DataError:
            continue
        found += 1
        held += true_precision(threshold.probability, power) >= wanted
    assert found > 150
    # 95% are promised; fewer than 92% would happen once in a hundred such tests.
    assert held / found >= 0.92


def test_the_lowest_that_was_good_enough_by_luck_often_is_not(rng):
    held = [
        true_precision(
            find_threshold(*answers(rng, 400), precision=0.8, certainty=None).probability
        )
        >= 0.8
        for _ in range(200)
    ]
    assert np.mean(held) < 0.7


def test_figures_are_counted(rng):
    confidences, correct = answers(rng, 2000)
    threshold = find_threshold(confidences, correct, precision=0.85)
    answered = confidences >= threshold.probability
    assert threshold.coverage == pytest.approx(answered.mean())
    assert threshold.precision == pytest.approx(correct[answered].mean())
    assert threshold.coverage_interval[0] < threshold.coverage < threshold.coverage_interval[1]
    assert threshold.precision_interval[0] < threshold.precision < threshold.precision_interval[1]
    assert threshold.num_images == 2000
    assert Threshold.from_dict(json.loads(json.dumps(threshold.to_dict()))) == threshold
    assert "on new images too, with 95% certainty" in str(threshold)
    lucky = find_threshold(confidences, correct, precision=0.85, certainty=None)
    assert "of the answers are right on these images" in str(lucky)
    assert lucky.probability <= threshold.probability


def test_more_certainty_costs_coverage(rng):
    sample = answers(rng, 2000)
    covered = [
        find_threshold(*sample, precision=0.8, certainty=one).coverage for one in (0.5, 0.95, 0.999)
    ]
    assert covered[0] >= covered[1] >= covered[2]


def test_what_cannot_be_promised_is_an_error_that_names_what_can(rng):
    sample = answers(rng, 200)
    with pytest.raises(errors.DataError) as caught:
        find_threshold(*sample)
    message = str(caught.value)
    assert message.startswith(
        "`precision` of 99.0% cannot be guaranteed with 95% certainty by these 200 images. The "
        "highest that can: 0."
    )
    assert "For 99.0% it takes at least 477 answers, all of them right." in message
    best = float(message.split("The highest that can: ")[1].split(". ", maxsplit=1)[0])
    assert find_threshold(*sample, precision=best).wanted == best
    with pytest.raises(errors.DataError, match="is reached at no threshold on these 2 images"):
        find_threshold([0.9, 0.8], [False, True], precision=0.9, certainty=None)


def test_wrong_arguments_are_refused():
    for wrong in (0, 1, 1.5, -0.1):
        with pytest.raises(errors.ArgumentError, match="`precision` must be a number above 0"):
            find_threshold([0.5], [True], precision=wrong)
    with pytest.raises(errors.ArgumentError, match="`certainty` must be a number above 0"):
        find_threshold([0.5], [True], certainty=1)
    with pytest.raises(errors.DataError):
        find_threshold([1.5], [True])


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from([0.2, 0.4, 0.5, 0.7, 0.9, 1.0]), st.booleans()), min_size=1)
)
def test_the_curve_is_what_counting_gives(rows):
    confidences, correct = (np.array(column) for column in zip(*rows, strict=True))
    curve = coverage_curve(confidences, correct)
    assert curve.thresholds.tolist() == sorted(set(confidences.tolist()), reverse=True)
    for place, threshold in enumerate(curve.thresholds):
        answered = confidences >= threshold
        assert curve.counts[place] == answered.sum()
        assert curve.coverages[place] == pytest.approx(answered.mean())
        assert curve.accuracies[place] == pytest.approx(correct[answered].mean())
    assert curve.coverages[-1] == 1
    assert curve.accuracy_at(1.0) == pytest.approx(correct.mean())


def test_an_evaluation_has_its_curve(rng):
    probabilities = rng.dirichlet(np.ones(3), 400)
    labels = np.array([rng.choice(3, p=row) for row in probabilities])
    ev = Evaluation(labels, probabilities, ["a", "b", "c"])
    curve = ev.coverage_curve()
    assert curve.accuracies[-1] == pytest.approx(ev.accuracy)
    assert curve.accuracy_at(0.2) > ev.accuracy
    assert len(json.loads(json.dumps(curve.to_dict()))["coverages"]) == 200
    assert str(curve).splitlines()[-1].startswith("  100.0%")
    assert ev.plot_coverage().get_xlabel() == "answered images, the most confident first"
    with pytest.raises(errors.ArgumentError, match="`coverage` must be a number above 0"):
        curve.accuracy_at(0)


def test_a_threshold_is_drawn_with_and_without_its_curve(rng):
    threshold = find_threshold(*answers(rng, 2000), precision=0.85)
    bare = Threshold.from_dict(threshold.to_dict())
    for one, lines in ((threshold, 3), (bare, 2)):
        axes = one.plot()
        assert len(axes.lines) == lines
        assert axes.lines[-1].get_xydata().tolist() == [[one.coverage, one.precision]]
