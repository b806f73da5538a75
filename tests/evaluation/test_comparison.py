"""Verdicts, tables and refusals of comparisons, of evaluations, classifiers and run folders."""

import json

import numpy as np
import pytest

import imgclf
from imgclf.errors import ArgumentError, ArgumentTypeError, DataError
from imgclf.evaluation.comparison import Comparison, ComparisonTable

NAMES = ["cat", "dog"]


def evaluation(right, labels=None, **more):
    """Of a classifier that is right on these images."""
    right = np.asarray(right, bool)
    labels = np.arange(len(right)) % 2 if labels is None else labels
    named = np.where(right, labels, 1 - labels)
    return imgclf.Evaluation(labels, np.eye(2)[named] * 0.8 + 0.1, NAMES, **more)


def pair(both, first, second, neither):
    one = [True] * (both + first) + [False] * (second + neither)
    other = [True] * both + [False] * first + [True] * second + [False] * neither
    return evaluation(one), evaluation(other)


def test_counts_and_verdict_of_a_clear_case():
    comparison = imgclf.compare(*pair(1700, 40, 64, 196))
    assert isinstance(comparison, Comparison)
    assert (comparison.both_right, comparison.only_first) == (1700, 40)
    assert (comparison.only_second, comparison.both_wrong) == (64, 196)
    assert comparison.accuracies == pytest.approx((0.87, 0.882))
    assert comparison.verdict == "B is better by 1.2 points (0.2 to 2.2)"
    assert comparison.better == "B"
    turned = imgclf.compare(*pair(1700, 64, 40, 196))
    assert turned.verdict == "A is better by 1.2 points (0.2 to 2.2)"


def test_what_cannot_be_distinguished_says_how_many_images_it_takes():
    comparison = imgclf.compare(*pair(170, 4, 6, 20))
    assert comparison.better is None
    assert comparison.verdict == (
        "A and B cannot be distinguished; "
        "detecting a difference of 1 point takes about 4,000 images"
    )
    assert str(comparison).endswith("B − A: 1.0 points (-2.5 to 4.7)")
    same = imgclf.compare(*pair(10, 0, 0, 5))
    assert (same.difference, same.p_value, same.better) == (0, 1, None)
    assert same.interval[0] < 0 < same.interval[1]


def test_several_are_a_table_with_corrected_p_values():
    rng = np.random.default_rng(0)
    base = rng.random(2000)
    evaluations = [evaluation(base < level) for level in (0.85, 0.853, 0.9)]
    table = imgclf.compare(evaluations)
    assert isinstance(table, ComparisonTable)
    assert [one.names for one in table.comparisons] == [("A", "B"), ("A", "C"), ("B", "C")]
    for one in table.comparisons:
        assert one.corrected_p_value >= one.p_value
    assert [one.better for one in table.comparisons][1:] == ["C", "C"]
    lines = str(table).splitlines()
    assert lines[0] == "3 classifiers on 2,000 images"
    assert lines[1].split()[0] == "C"  # the best first
    assert "with Holm's correction" in str(table)
    assert "  C is better than A by 5." in str(table)
    assert json.loads(json.dumps(table.to_dict()))["names"] == ["A", "B", "C"]
    axes = table.plot()
    assert [label.get_text() for label in axes.get_yticklabels()] == ["B − A", "C − A", "C − B"]


def test_plots_and_plain_values_of_two():
    comparison = imgclf.compare(*pair(80, 5, 10, 5))
    assert json.loads(json.dumps(comparison.to_dict()))["num_images"] == 100
    assert comparison.plot().get_xlabel() == "difference in accuracy, points (95% interval)"


def test_other_classes_and_other_images_are_refused(rng):
    one = evaluation([True, False, True])
    other = imgclf.Evaluation([0, 1, 0], np.eye(2)[[0, 1, 0]], ["cat", "frog"])
    with pytest.raises(DataError) as caught:
        imgclf.compare(one, other)
    assert str(caught.value) == (
        "Only classifiers of the same classes, in the same order, can be compared. Received: "
        "['cat', 'dog'] (A) and ['cat', 'frog'] (B)."
    )
    with pytest.raises(DataError, match="differ in number: 3 and 2"):
        imgclf.compare(one, evaluation([True, False]))
    with pytest.raises(DataError, match="differ in their labels"):
        imgclf.compare(one, evaluation([True] * 3, labels=np.array([1, 1, 0])))
    images = rng.integers(0, 256, (3, 4, 4, 1), dtype=np.uint8)
    with pytest.raises(DataError, match="differ in their pixels"):
        imgclf.compare(
            evaluation([True] * 3, images=images), evaluation([True] * 3, images=images[::-1])
        )
    imgclf.compare(evaluation([True] * 3, images=images), evaluation([True] * 3, images=images + 0))


def test_what_cannot_be_compared_is_named():
    one = evaluation([True, False])
    with pytest.raises(ArgumentError, match=r"compare\(a, b, split\)\. Received: 1\."):
        imgclf.compare(one)
    with pytest.raises(ArgumentTypeError, match=r"Received: int\."):
        imgclf.compare(one, 3)
    with pytest.raises(ArgumentError, match="A list of classifiers goes with a split only"):
        imgclf.compare([one, one], one, imgclf.load_digits().test)
    with pytest.raises(ArgumentTypeError, match="`split` must be a Split"):
        imgclf.compare(one, one, imgclf.load_digits())


@pytest.fixture(scope="module")
def digits():
    return imgclf.load_digits()


@pytest.fixture(scope="module")
def runs(digits, tmp_path_factory):
    """A classifier with its run folder, and one that was trained for longer."""
    folder = tmp_path_factory.mktemp("runs")
    made = []
    for name, epochs in (("a", 1), ("b", 2)):
        classifier = imgclf.Classifier.from_preset("quick", digits, epochs=epochs, batch_size=200)
        classifier.fit(digits, run_dir=folder / name, verbose=0)
        made.append(classifier)
    return folder, made


def test_classifiers_and_their_runs_are_the_same_to_compare(digits, runs):
    folder, (first, second) = runs
    by_object = imgclf.compare(first, second, digits.validation)
    by_path = imgclf.compare(folder / "a", str(folder / "b" / "model.keras"), digits.validation)
    assert by_object.names == ("A", "B")
    assert by_path.names == (str(folder / "a"), str(folder / "b" / "model.keras"))
    assert by_object.only_first == by_path.only_first
    assert by_object.only_second == by_path.only_second
    expected = (
        second.evaluate(digits.validation).correct & first.evaluate(digits.validation).correct
    )
    assert by_object.both_right == expected.sum()
    with pytest.raises(ArgumentError, match="`split` must be given"):
        imgclf.compare(first, second)


def test_each_test_evaluation_is_counted_and_shown(digits, tmp_path):
    from imgclf.evaluation.evaluation_log import read_test_evaluations

    run = tmp_path / "run"
    classifier = imgclf.Classifier.from_preset("quick", digits, epochs=1, batch_size=400)
    assert classifier.evaluate(digits.test).test_evaluation_number is None  # no run
    classifier.fit(digits, run_dir=run, verbose=0)
    assert classifier.evaluate(digits.validation).test_evaluation_number is None
    first = classifier.evaluate(digits.test)
    assert first.test_evaluation_number == 1
    assert "test evaluation of this run" not in str(first)
    second = imgclf.load(run / "model.keras").evaluate(imgclf.load_digits().test[:50])
    assert second.test_evaluation_number == 2
    assert "  this is the 2nd test evaluation of this run" in str(second).splitlines()
    assert second.to_dict()["test_evaluation_number"] == 2
    imgclf.load(run).evaluate_robustness(digits.test, sample=20, damages=["darkness"])
    clean = imgclf.load(run).evaluate_deduplicated(digits)
    looks = read_test_evaluations(run)
    assert [look.num_images for look in looks] == [359, 50, 20, 359]
    assert looks[0].accuracy == first.accuracy == clean.accuracy
    assert looks[0].date.endswith("+00:00")
    copy = classifier.save(tmp_path / "copy.keras")
    assert imgclf.load(copy).evaluate(digits.test).test_evaluation_number is None
    # The same images as arrays have no role.
    arrays = classifier.evaluate(digits.test.images, digits.test.labels)
    assert arrays.test_evaluation_number is None
    classifier.fit(digits, epochs=1, verbose=0)  # other weights than those of the run
    assert classifier.evaluate(digits.test).test_evaluation_number is None
