"""The model card: the fields that the hub reads, and text that no name breaks."""

import numpy as np
import pytest

import imgclf

yaml = pytest.importorskip("yaml")

HOSTILE = "<b>|`x`*_\n# \"'\\: [a](b)"


@pytest.fixture(scope="module")
def card(tmp_path_factory):
    rng = np.random.default_rng(0)
    names = ["cat", HOSTILE, "dog"]
    data = imgclf.Dataset.from_arrays(
        rng.integers(0, 256, (90, 8, 8, 1), np.uint8), np.arange(90) % 3, class_names=names
    )
    clf = imgclf.Classifier.from_preset("quick", data)
    evaluation = clf.evaluate(data.train)
    path = tmp_path_factory.mktemp("card") / "README.md"
    clf.model_card(path, evaluation, name=HOSTILE, dataset=HOSTILE, license="apache-2.0")
    return path.read_text(), evaluation


def test_the_fields_are_those_of_the_hub(card):
    text, evaluation = card
    _, head, body = text.split("---\n", 2)
    fields = yaml.safe_load(head)
    assert fields["license"] == "apache-2.0"
    assert fields["library_name"] == "keras"
    assert fields["pipeline_tag"] == "image-classification"
    assert "image-classification" in fields["tags"]
    [model] = fields["model-index"]
    [result] = model["results"]
    assert set(model) == {"name", "results"}
    assert set(result) == {"task", "dataset", "metrics"}
    assert result["task"]["type"] == "image-classification"
    assert set(result["dataset"]) == {"type", "name", "split"}
    assert result["dataset"]["name"] == HOSTILE.replace("\n", r"\n")
    measured = {one["type"]: one["value"] for one in result["metrics"]}
    assert measured["accuracy"] == pytest.approx(evaluation.accuracy, abs=1e-6)
    assert measured["f1"] == pytest.approx(evaluation.macro_f1, abs=1e-6)
    assert set(fields["metrics"]) == set(measured)
    assert body.startswith("\n# ")


def test_no_name_breaks_out_of_its_place(card):
    body = card[0].split("---\n", 2)[2]
    assert "<b>" not in body
    headings = [line for line in body.splitlines() if line.startswith("#")]
    assert len(headings) == 6
    for line in body.splitlines():
        if line.startswith("|"):
            bars = line.replace("\\\\", "").replace("\\|", "").count("|")
            assert bars in (4, 5)
