from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imgclf.data.image_files import ImageFiles
from imgclf.data.images import ImageSpec
from imgclf.errors import ArgumentError, ArgumentTypeError, DataError
from imgclf.evaluation.evaluation import Evaluation
from imgclf.evaluation.intervals.by_formula import wilson_interval

NAMES = ["airplane", "bird", "cat", "dog"]


def sample(seed=0, count=200, classes=4, dtype=np.float64):
    """Labels and softmax outputs of a classifier that is right about half of the time."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    logits = rng.normal(size=(count, classes))
    logits[np.arange(count), labels] += 1
    powers = np.exp(2 * logits)
    return labels, (powers / powers.sum(axis=1, keepdims=True)).astype(dtype)


def names(classes):
    return [f"class {number}" for number in range(classes)]


def evaluation(seed=0, count=200, classes=4, images=None):
    return Evaluation(*sample(seed, count, classes), names(classes), images)


def all_metrics(ev):
    """The metrics of an evaluation in one list, to be compared."""
    flat = [ev.accuracy, *ev.accuracy_interval, ev.balanced_accuracy, ev.loss, ev.calibration_error]
    flat += list(ev.top_k_accuracies().values())
    for record in ev.per_class:
        flat += [record["precision"], record["recall"], record["f1"], record["support"]]
        flat += record["recall_interval"]
    for scores in ev.averages.values():
        flat += scores.values()
    return [*flat, *ev.confusion_matrix.ravel()]


# Equal to scikit-learn.

TABLE = [(0, 200, 4), (1, 50, 2), (2, 300, 12), (3, 9, 7), (4, 1, 3), (5, 1, 2)]


@pytest.mark.parametrize(("seed", "count", "classes"), TABLE)
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.filterwarnings("ignore:A single label was found")
def test_figures_equal_those_of_scikit_learn(seed, count, classes):
    labels, probabilities = sample(seed, count, classes)
    ev = Evaluation(labels, probabilities, names(classes))
    every = np.arange(classes)
    predicted = probabilities.argmax(axis=1)

    def close(value):
        return pytest.approx(value, abs=1e-12)

    assert ev.accuracy == close(reference.accuracy_score(labels, predicted))
    assert ev.loss == close(reference.log_loss(labels, probabilities, labels=every))
    balanced = reference.balanced_accuracy_score(labels, predicted)
    assert ev.balanced_accuracy == close(balanced)
    matrix = reference.confusion_matrix(labels, predicted, labels=every)
    assert np.array_equal(ev.confusion_matrix, matrix)
    for k in range(2, classes):
        expected = reference.top_k_accuracy_score(labels, probabilities, k=k, labels=every)
        assert ev.top_k(k) == close(expected)
    options = {"labels": every, "output_dict": True, "zero_division": 0, "target_names": every}
    report = reference.classification_report(labels, predicted, **options)
    for number, record in enumerate(ev.per_class):
        theirs = report[number]
        assert record["class_name"] == names(classes)[number]
        assert record["precision"] == close(theirs["precision"])
        assert record["recall"] == close(theirs["recall"])
        assert record["f1"] == close(theirs["f1-score"])
        assert record["support"] == theirs["support"]
    for average in ("macro", "weighted"):  # of the classes that occur
        for name in ("precision", "recall", "f1"):
            score = getattr(reference, f"{name}_score")
            theirs = score(labels, predicted, average=average, zero_division=0)
            assert ev.averages[average][name] == close(theirs)


def test_a_class_without_an_image_counts_in_no_average():
    there = np.array([0, 0, 0, 0, 1, 1])
    ev = Evaluation(there, np.eye(3)[there], ["cat", "dog", "rare"])
    assert (ev.macro_f1, ev.balanced_accuracy) == (1.0, 1.0)
    assert ev.averages["macro"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0}
    assert ev.per_class[2]["support"] == 0
    assert "rare" in str(ev)
    # Named where it is not, it counts: nothing of what was called so is right.
    wrong = Evaluation(there, np.eye(3)[[0, 0, 0, 2, 1, 1]], ["cat", "dog", "rare"])
    assert wrong.macro_f1 == pytest.approx((6 / 7 + 1 + 0) / 3)


def test_a_certain_and_wrong_prediction_costs_what_scikit_learn_says():
    labels, probabilities = [0, 1], np.array([[0.0, 1.0], [0.0, 1.0]])
    ev = Evaluation(labels, probabilities, ["cat", "dog"])
    assert ev.loss == pytest.approx(reference.log_loss(labels, probabilities), abs=1e-12)


def test_intervals_are_those_of_wilson():
    ev = evaluation()
    right = int((ev.predictions == ev.labels).sum())
    assert ev.accuracy_interval == wilson_interval(right, 200) == ev.interval("accuracy")
    assert ev.interval("top_2") == wilson_interval(round(ev.top_k(2) * 200), 200)
    for number, record in enumerate(ev.per_class):
        hits = int(ev.confusion_matrix[number, number])
        said = int(ev.confusion_matrix[:, number].sum())
        recall, precision = wilson_interval(hits, record["support"]), wilson_interval(hits, said)
        assert record["recall_interval"] == pytest.approx(recall, abs=1e-12)
        assert record["precision_interval"] == pytest.approx(precision, abs=1e-12)


# Invariances.


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 60), classes=st.integers(2, 8))
def test_the_order_of_the_samples_does_not_matter(seed, count, classes):
    labels, probabilities = sample(seed, count, classes)
    order = np.random.default_rng(seed).permutation(count)
    ordered = Evaluation(labels, probabilities, names(classes))
    shuffled = Evaluation(labels[order], probabilities[order], names(classes))
    assert all_metrics(shuffled) == pytest.approx(all_metrics(ordered), abs=1e-12)


@pytest.mark.parametrize("batch_size", [1, 7, 64, 200, 1000])
def test_the_batch_size_does_not_matter(batch_size):
    labels, probabilities = sample()
    starts = range(0, len(labels), batch_size)
    batched = Evaluation(
        np.concatenate([labels[start : start + batch_size] for start in starts]),
        np.concatenate([probabilities[start : start + batch_size] for start in starts]),
        names(4),
    )
    assert all_metrics(batched) == all_metrics(Evaluation(labels, probabilities, names(4)))


def test_a_short_last_batch_weighs_what_it_should():
    labels, probabilities = sample(count=65)
    whole = Evaluation(labels, probabilities, names(4))
    first = Evaluation(labels[:64], probabilities[:64], names(4))
    last = Evaluation(labels[64:], probabilities[64:], names(4))
    assert whole.accuracy == pytest.approx((64 * first.accuracy + last.accuracy) / 65, abs=1e-12)
    assert whole.loss == pytest.approx((64 * first.loss + last.loss) / 65, abs=1e-12)


def test_one_hot_labels_and_keras_columns_give_the_same_metrics():
    labels, probabilities = sample()
    expected = all_metrics(Evaluation(labels, probabilities, NAMES))
    assert all_metrics(Evaluation(np.eye(4)[labels], probabilities, NAMES)) == expected
    assert all_metrics(Evaluation(labels[:, None], probabilities, NAMES)) == expected


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_shorter_floats_are_taken_as_networks_give_them(dtype):
    labels, probabilities = sample(dtype=dtype, classes=4)
    ev = Evaluation(labels, probabilities, NAMES)
    exact = np.float64(probabilities)[np.arange(200), labels]
    assert ev.loss == pytest.approx(-np.log(exact).mean(), rel=1e-6)
    assert ev.accuracy == (probabilities.argmax(axis=1) == labels).mean()


def test_a_confidence_that_rounding_put_above_one_is_no_error():
    ev = Evaluation([0, 1], np.array([[1.0000002, 0], [0, 1]], np.float32), ["cat", "dog"])
    assert ev.calibration_error == pytest.approx(0, abs=1e-6)


# Top-k.


def test_equally_likely_classes_come_in_the_order_of_their_numbers():
    ev = Evaluation([0, 1, 2, 3], np.full((4, 4), 0.25), NAMES)
    assert [ev.top_k(k) for k in (1, 2, 3, 4)] == [0.25, 0.5, 0.75, 1.0]
    assert ev.accuracy == 0.25


def test_top_k_of_two_classes_is_the_accuracy_or_one():
    ev = Evaluation([0, 1, 1], [[0.5, 0.5], [0.5, 0.5], [0.1, 0.9]], ["cat", "dog"])
    assert ev.top_k(1) == ev.accuracy == pytest.approx(2 / 3)
    assert ev.top_k(2) == 1.0
    assert ev.top_k_accuracies() == {}


def test_a_k_above_the_number_of_classes_is_refused():
    with pytest.raises(ArgumentError) as caught:
        evaluation().top_k(5)
    assert str(caught.value) == "`k` must be an int from 1 to 4. Received: k=5."


@pytest.mark.parametrize("k", [0, -1])
def test_a_k_below_one_is_refused(k):
    with pytest.raises(ArgumentError, match="`k` must be an int from 1 to 4"):
        evaluation().top_k(k)


# Classes without samples, single samples.


def test_a_class_without_samples_counts_neither_for_nor_against():
    ev = Evaluation([0, 0, 1], [[0.9, 0.1, 0], [0.2, 0.8, 0], [0.3, 0.7, 0]], ["a", "b", "c"])
    assert ev.balanced_accuracy == pytest.approx((0.5 + 1) / 2)
    record = ev.per_class[2]
    assert (record["support"], record["recall"], record["precision"], record["f1"]) == (0, 0, 0, 0)
    assert record["recall_interval"] == (0.0, 1.0)


def test_one_sample_is_enough():
    ev = Evaluation([1], [[0.2, 0.8]], ["cat", "dog"])
    assert ev.accuracy == 1
    assert "on 1 image\n" in str(ev)
    assert len(ev) == 1


# Mistakes.


def test_mistakes_are_the_confident_ones_first():
    ev = evaluation()
    worst = ev.mistakes(20)
    wrong = ev.predictions != ev.labels
    assert wrong[worst].all()
    confidences = ev.confidences[worst]
    assert (np.diff(confidences) <= 0).all()
    assert confidences[-1] >= np.delete(ev.confidences, worst)[np.delete(wrong, worst)].max()
    assert len(ev.mistakes(10_000)) == wrong.sum()


def test_confused_pairs_are_the_largest_cells_beside_the_diagonal():
    labels = [0, 0, 0, 1, 2, 2]
    predicted = [1, 1, 0, 1, 0, 2]
    ev = Evaluation(labels, np.eye(3)[predicted], ["cat", "dog", "frog"])
    assert ev.confused_pairs() == [("cat", "dog", 2), ("frog", "cat", 1)]
    assert ev.confused_pairs(1) == [("cat", "dog", 2)]


def test_a_perfect_classifier_has_no_mistakes():
    ev = Evaluation([0, 1], np.eye(2), ["cat", "dog"], np.zeros((2, 4, 4, 1), np.uint8))
    assert len(ev.mistakes()) == 0
    assert ev.confused_pairs() == []
    assert "most confused" not in str(ev)
    assert ev.plot_mistakes().texts[0].get_text() == "No mistakes"


@pytest.mark.parametrize("method", ["mistakes", "confused_pairs", "plot_mistakes"])
def test_a_number_of_mistakes_below_one_is_refused(method):
    ev = evaluation(images=np.zeros((200, 4, 4, 1), np.uint8))
    with pytest.raises(ArgumentError, match="`n` must be an int of at least 1"):
        getattr(ev, method)(0)
    with pytest.raises(ArgumentTypeError, match="`n` must be an int of at least 1"):
        getattr(ev, method)(1.5)


# Text and records.


def test_the_report_reads_as_people_expect():
    probabilities = np.eye(2)[[0] * 8 + [1] * 12] * 0.8 + 0.1
    ev = Evaluation([0] * 10 + [1] * 10, probabilities, ["cat", "dog"])
    assert str(ev) == (
        "90.0% accuracy (69.9% to 97.2%, 95% interval) on 20 images\n"
        "  loss                0.3251   0.1054 to  0.8744\n"
        "  Brier score         0.1800   0.0200 to  0.5000\n"
        "  calibration error     0.0%     0.0% to    5.0%\n"
        "\n"
        "  class             precision  recall    95% interval         F1   images\n"
        "  cat                  100.0%   80.0%   49.0% to  94.3%    88.9%       10\n"
        "  dog                   83.3%  100.0%   72.2% to 100.0%    90.9%       10\n"
        "  macro average         91.7%   90.0%                      89.9%\n"
        "  weighted average      91.7%   90.0%                      89.9%\n"
        "\n"
        "  most confused\n"
        "  2 × cat taken for dog"
    )


def test_the_repr_is_one_line():
    assert repr(Evaluation([0, 1], np.eye(2), ["cat", "dog"])) == (
        "Evaluation(100.0% accuracy (34.2% to 100.0%, 95% interval) on 2 images, 2 classes)"
    )


def test_of_many_classes_the_report_shows_the_weakest():
    ev = evaluation(count=2000, classes=60)
    lines = str(ev).splitlines()
    assert "… and 40 more classes, in `per_class`" in str(ev)
    assert len(lines) < 45
    weakest = min(ev.per_class, key=lambda record: record["recall"])["class_name"]
    [title] = [number for number, line in enumerate(lines) if "weakest classes" in line]
    assert lines[title + 1].startswith(f"  {weakest} ")


def test_control_characters_of_names_never_reach_the_terminal():
    ev = Evaluation([0, 1], np.eye(2)[[1, 0]], ["\x1b[2Jcat", "x" * 300])
    text = str(ev)
    assert "\x1b" not in text
    assert "\\x1b[2Jcat" in text
    assert max(map(len, text.splitlines())) < 100


def test_columns_line_up_beside_names_of_wide_letters():
    lines = str(Evaluation([0, 1], np.eye(2), ["猫", "dog"])).splitlines()
    [wide] = [line for line in lines if "猫" in line]
    [plain] = [line for line in lines if line.startswith("  dog")]
    assert wide.index("100.0%") + 1 == plain.index("100.0%")


def test_the_dictionary_survives_json():
    ev = evaluation(classes=6)
    record = ev.to_dict()
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record["num_images"] == 200
    assert record["accuracy_interval"] == list(ev.accuracy_interval)
    assert list(record["top_k"]) == ["2", "3", "5"]
    assert record["per_class"][0]["class_name"] == "class 0"
    assert record["confusion_matrix"] == ev.confusion_matrix.tolist()


# Figures.


def test_predictions_are_drawn_with_their_three_likeliest_classes():
    images = np.zeros((200, 8, 8, 3), np.uint8)
    images[:] = np.arange(200)[:, None, None, None]
    ev = evaluation(images=images)
    figure = ev.plot_predictions(n=4, seed=3)
    assert len(figure.axes) == 8
    for left, right in zip(figure.axes[::2], figure.axes[1::2], strict=True):
        index = int(left.images[0].get_array()[0, 0, 0])
        assert left.get_title() == f"true: class {ev.labels[index]}"
        likeliest = np.argsort(-ev.probabilities[index])[:3]
        shown = [label.get_text() for label in right.get_yticklabels()]
        assert shown == [f"class {number}" for number in likeliest]
        widths = [bar.get_width() for bar in right.patches]
        assert widths == pytest.approx(list(ev.probabilities[index, likeliest]))


def test_the_seed_decides_which_predictions_are_drawn():
    images = np.zeros((200, 8, 8, 3), np.uint8)
    images[:] = np.arange(200)[:, None, None, None]
    ev = evaluation(images=images)

    def shown(seed):
        axes = ev.plot_predictions(seed=seed).axes[::2]
        return [int(one.images[0].get_array()[0, 0, 0]) for one in axes]

    assert shown(0) == shown(0)
    assert shown(0) != shown(1)
    assert len(set(shown(0))) == 4


def test_fewer_images_than_asked_for_are_all_drawn():
    ev = Evaluation([0, 1], np.eye(2)[[1, 0]], ["cat", "dog"], np.zeros((2, 4, 4), np.uint8))
    assert len(ev.plot_predictions(n=4).axes) == 4
    assert len(ev.plot_mistakes(n=12).axes) == 2


def test_mistakes_are_drawn_with_prediction_and_truth():
    ev = Evaluation(
        [0, 1, 1],
        [[0.3, 0.7], [0.9, 0.1], [0.2, 0.8]],
        ["cat", "dog"],
        np.arange(3, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 1), np.uint8),
    )
    figure = ev.plot_mistakes()
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["cat (90%)\ntrue: dog\nimage 1", "dog (70%)\ntrue: cat\nimage 0"]
    assert [int(axes.images[0].get_array()[0, 0]) for axes in figure.axes] == [1, 0]


def test_image_files_are_decoded_only_where_they_are_drawn(tmp_path):
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for number in (0, 2):
        Image.new("RGB", (10, 6), (number, 0, 0)).save(paths[number])
    paths[1].write_bytes(b"no image")
    files = ImageFiles(paths, ImageSpec(8))
    ev = Evaluation([0, 1, 1], np.eye(2)[[1, 1, 0]], ["cat", "dog"], files)
    assert ev.accuracy == pytest.approx(1 / 3)
    assert len(ev.plot_mistakes().axes) == 2


def test_confusion_and_calibration_are_drawn_without_images():
    ev = evaluation()
    counts = [text.get_text() for text in ev.plot_confusion().texts]
    assert counts == [str(count) for count in ev.confusion_matrix.ravel()]
    line = ev.plot_calibration().lines[1]
    assert list(line.get_ydata()) == [one.accuracy for one in ev.calibration_bins]


def test_figures_can_be_drawn_into_axes_of_ones_own():
    from matplotlib.figure import Figure

    left, right = Figure().subplots(1, 2)
    assert evaluation().plot_confusion(ax=left) is left
    assert evaluation().plot_calibration(ax=right) is right


@pytest.mark.parametrize("method", ["plot_mistakes", "plot_predictions"])
def test_images_cannot_be_drawn_without_images(method):
    with pytest.raises(ArgumentError) as caught:
        getattr(evaluation(), method)()
    assert str(caught.value) == (
        f"`{method}` needs the images: make the Evaluation with `images`. Received: images=None."
    )


def test_a_seed_that_is_no_number_is_refused():
    ev = evaluation(images=np.zeros((200, 4, 4, 1), np.uint8))
    with pytest.raises(ArgumentTypeError, match="`seed` must be an int of at least 0"):
        ev.plot_predictions(seed="today")


# What goes in.


def test_logits_are_refused():
    with pytest.raises(DataError) as caught:
        Evaluation([0, 1], [[2.0, -1.0], [0.5, 3.0]], ["cat", "dog"])
    assert str(caught.value) == (
        "`probabilities` must be 0 or above, each row with the sum 1 (outputs of a softmax, "
        "not logits). Received: a lowest value of -1, sums from 1 to 3.5."
    )


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"labels": []}, DataError, "`labels` must hold at least one label"),
        ({"labels": [0, 2]}, DataError, "`labels` must be from 0 to 1"),
        (
            {"labels": [0.5, 1]},
            DataError,
            "`labels` must be classes. Received: numbers such as 0.5",
        ),
        (
            {"labels": [0, 1, 1]},
            DataError,
            "one entry an image. Received: 2 probabilities and 3 labels",
        ),
        ({"probabilities": [[0.5, 0.5], [1.0]]}, DataError, "`probabilities` must be one array"),
        ({"probabilities": [0.5, 0.5]}, DataError, r"must have the shape \(N, 2\)"),
        ({"probabilities": np.full((2, 3), 1 / 3)}, DataError, r"must have the shape \(N, 2\)"),
        ({"probabilities": [["a", "b"]] * 2}, DataError, "`probabilities` must be floats"),
        ({"probabilities": [[np.nan, 1], [0, 1]]}, DataError, "not finite"),
        ({"probabilities": [[0.5, 0.4], [0, 1]]}, DataError, "each row with the sum 1"),
        ({"probabilities": [[1.5, -0.5], [0, 1]]}, DataError, "must be 0 or above"),
        ({"class_names": ["cat", "cat"]}, ArgumentError, "`class_names` must all differ"),
        ({"class_names": "cd"}, ArgumentTypeError, "`class_names` must be a list of names"),
        ({"images": np.zeros((3, 4, 4, 1), np.uint8)}, DataError, "3 images and 2 labels"),
        ({"images": np.zeros((2, 4))}, DataError, "`images` must have the shape"),
    ],
)
def test_what_does_not_fit_is_refused(changes, error, message):
    good = {"labels": [0, 1], "probabilities": np.eye(2), "class_names": ["cat", "dog"]}
    with pytest.raises(error, match=message):
        Evaluation(**{**good, **changes})


def test_an_evaluation_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        evaluation().accuracy = 1.0


def test_evaluating_needs_neither_tensorflow_nor_matplotlib():
    script = (
        "import sys; from imgclf.evaluation.evaluation import Evaluation\n"
        "ev = Evaluation([0, 1], [[1, 0], [0, 1]], ['cat', 'dog']); str(ev); ev.to_dict()\n"
        "print(sorted({'tensorflow', 'keras', 'matplotlib'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_imbalanced_classes_add_balanced_accuracy_and_macro_f1_to_the_summary(rng):
    labels = np.repeat([0, 1, 2], [30, 20, 19])
    probabilities = rng.dirichlet(np.ones(3), len(labels))
    ev = Evaluation(labels, probabilities, ["cat", "dog", "eel"])
    predicted = probabilities.argmax(axis=1)
    balanced = reference.balanced_accuracy_score(labels, predicted)
    macro = reference.f1_score(labels, predicted, average="macro")
    assert ev.imbalanced
    assert ev.balanced_accuracy == pytest.approx(balanced, abs=1e-12)
    assert ev.macro_f1 == pytest.approx(macro, abs=1e-12)
    first, second, third = str(ev).splitlines()[1:4]
    assert first == "  19 to 30 images a class: see balanced accuracy and macro F1"
    assert second.split()[:3] == ["balanced", "accuracy", f"{balanced:.1%}"]
    assert third.split()[:3] == ["macro", "F1", f"{macro:.1%}"]
    assert str(ev).count("\n  balanced accuracy") == 1
    assert ev.to_dict()["imbalanced"]
    assert ev.to_dict()["macro_f1"] == ev.macro_f1


def test_up_to_half_as_many_more_count_as_even():
    even = Evaluation(np.repeat([0, 1], [15, 10]), np.full((25, 3), 1 / 3), ["a", "b", "no image"])
    assert not even.imbalanced
    assert "macro F1" not in str(even)
    assert Evaluation(np.repeat([0, 1], [16, 10]), np.full((26, 2), 0.5), ["a", "b"]).imbalanced
