"""A metric has one value: in the evaluation, the report, the model card and the JSON."""

from __future__ import annotations

import json
import re

import keras
import numpy as np
import pytest

import imgclf
from imgclf import Classifier, Dataset
from imgclf.report.report_data import collect_report_data
from imgclf.report.sections.baselines import baselines
from imgclf.report.sections.calibration import calibration
from imgclf.report.sections.duplicates import duplicates
from imgclf.report.sections.robustness import robustness


@pytest.fixture(scope="module")
def clf():
    keras.utils.set_random_seed(3)
    head = [keras.layers.Flatten(), keras.layers.Dense(3), keras.layers.Softmax()]
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Rescaling(1 / 100), *head])
    return Classifier(model, ["a", "b", "c"])


@pytest.fixture(scope="module")
def data(clf):
    """More test images than baselines and robustness take, labelled mostly as predicted."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (5_600, 8, 8, 1), dtype=np.uint8)
    labels = clf.predict_proba(images).argmax(axis=1)
    labels[::3] = rng.integers(0, 3, len(labels[::3]))
    return Dataset.from_arrays(
        images[:200],
        labels[:200],
        validation=(images[200:400], labels[200:400]),
        test=(images[400:], labels[400:]),
        class_names=["a", "b", "c"],
    )


@pytest.fixture(scope="module")
def page(clf, data, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    clf.report(path, data, verbose=0)
    html = path.read_text()
    text = re.sub(r"<[^>]+>", " ", html)
    return re.sub(r"\s+", " ", text), path.with_name("model-card.md").read_text()


def test_every_metric_is_the_same_everywhere(clf, data, page):
    ev = clf.evaluate(data.test)
    record = json.loads(json.dumps(ev.to_dict()))
    text, card = page
    for metric, shown, interval in imgclf.evaluation.metrics.metric_rows(ev.metrics, ev.intervals):
        assert f"{metric.title} {shown} {interval}" in text, metric.name
        assert f"| {metric.title} | {shown} | {interval} |" in card, metric.name
        assert record[metric.name] == ev.metric(metric.name)


def test_the_best_baseline_and_its_sample_are_the_same_everywhere(data, page):
    found = imgclf.baselines(data)
    assert found.num_test_images == 5_000 < len(data.test)
    text, card = page
    name, accuracy = found.best.name, f"{found.best.accuracy:.1%}"
    assert f"best baseline ({name}, on a sample of 5,000)" in text
    assert f"best baseline ({name}, on a sample of 5,000) | {accuracy} |" in card
    assert "evaluated on a random sample of 5,000 of the 5,200" in text
    assert "the network, on all 5,200" in text
    for one in found:
        assert f"{one.name} {one.accuracy:.1%}" in text


def test_robustness_is_that_of_the_same_images_everywhere(clf, data, page):
    found = clf.evaluate_robustness(data.test)
    assert found.num_images == 1_000
    text, _ = page
    low, high = found.accuracy_interval
    assert "a random sample of 1,000 of 5,200 images that are damaged" in text
    assert f"Undamaged these images: {found.accuracy:.1%} ({low:.1%} to {high:.1%})" in text
    for name, row in found.accuracies.items():
        assert f"{name} {' '.join(f'{value:.1%}' for value in row)}" in text


def test_where_robustness_takes_too_long_it_is_left_out_not_measured_on_fewer(
    clf, data, monkeypatch
):
    monkeypatch.setattr("imgclf.report.report_data._seconds_per_image", lambda *_: 0.1)
    monkeypatch.setattr("imgclf.report.report_data._explain", lambda *_: None)
    monkeypatch.setattr("imgclf.report.report_data._baselines", lambda *_: None)
    found = collect_report_data(
        clf, data, split=None, title=None, watts=100, announce=lambda _: None
    )
    assert found.robustness is None
    assert found.missing["robustness"].startswith("it would take 3,100 s.")


def test_a_sample_is_said_beside_its_numbers(clf, data):
    few = data.test[:300]
    ev = clf.evaluate(data.test)
    result = clf.evaluate_robustness(few)
    assert "Accuracy on 300 images that are damaged" in robustness(result).lead
    simple = imgclf.baselines(data, max_images=100)
    assert "a random sample of 100 of the 5,200" in baselines(simple, ev).lead
    score = imgclf.evaluation.deduplicated.deduplicated_score(clf.evaluate(few), data.train, few)
    section = duplicates(score, 5_200)
    assert "a random sample of 300 of 5,200" in section.body
    found = clf.calibrate(data.validation)
    lead = calibration(ev, found, 1.0, 900).lead
    if found.is_better and found.before.calibration_error - found.after.calibration_error > 0.01:
        assert "a random sample of 200 of 900 validation images" in lead
