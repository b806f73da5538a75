"""The commands that say how far a figure can be trusted: compare, learning-curve, evaluate."""

import json

import pytest
from click.testing import CliRunner

import imgclf
from imgclf.cli.main import main


def call(*arguments):
    return CliRunner().invoke(main, [str(one) for one in arguments])


def succeed(*arguments):
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs on digits."""
    folder = tmp_path_factory.mktemp("runs")
    for name, epochs in (("a", 1), ("b", 3)):
        arguments = ("--preset", "quick", "--epochs", epochs, "--batch-size", 300, "--quiet")
        succeed("train", "digits", *arguments, "--out", folder / name)
    return folder


def test_two_runs_are_compared_on_what_they_were_trained_on(runs, tmp_path):
    image = tmp_path / "differences.png"
    first, second = runs / "a", runs / "b"
    text = succeed("compare", first, second, "--out", image).stdout
    expected = imgclf.compare(first, second, imgclf.load_digits().validation)
    assert text == f"{expected}\n"
    assert image.stat().st_size > 0
    assert not (first / "test-evaluations.csv").exists()
    named = json.loads(
        succeed(
            "compare", first, second / "model.keras", "digits", "--split", "test", "--json"
        ).stdout
    )
    assert named["num_images"] == 359
    assert len((first / "test-evaluations.csv").read_text().splitlines()) == 2
    assert len((second / "test-evaluations.csv").read_text().splitlines()) == 2


def test_what_cannot_be_compared_is_a_wrong_call(runs, tmp_path):
    one = call("compare", runs / "a", "digits")
    assert one.exit_code == 2
    assert "At least two models are required." in one.output
    twice = call("compare", runs / "a", runs / "a")
    assert twice.exit_code == 2
    assert "Each model must be given once." in twice.output
    alone = imgclf.load(runs / "a").save(tmp_path / "alone.keras")
    unknown = call("compare", runs / "a", alone)
    assert unknown.exit_code == 2
    assert "does not say what it was trained on: give a SOURCE after the models." in unknown.output
    record = tmp_path / "data.json"
    record.write_text((runs / "a" / "data.json").read_text().replace("digits", "/photos"))
    other = call("compare", runs / "a", alone)
    assert other.exit_code == 2
    assert "The models were trained on different data" in other.output
    assert call("compare", runs / "a", runs / "b", "--out", "x.jpg").exit_code == 2


def test_evaluate_looks_for_duplicates_and_damages_images(runs, tmp_path):
    arguments = ("evaluate", runs / "b", "digits", "--split", "validation", "--out", tmp_path)
    text = succeed(*arguments, "--duplicates", "--robustness").stdout
    assert "on all 179 images; none of them is among the training images" in text
    assert "on 179 undamaged images" in text
    for name in ("duplicates.png", "robustness.png"):
        assert f"  {tmp_path / name}\n" in text
    wrong = call("evaluate", runs / "b", "digits", "--split", "train", "--duplicates")
    assert wrong.exit_code == 2
    assert (
        "--duplicates requires images that were not trained on: --split test or validation."
        in wrong.output
    )


def test_a_learning_curve_says_its_cost_and_writes_its_files(tmp_path, monkeypatch):
    monkeypatch.setattr("imgclf.training.loop.timing._SECONDS", 0.05)
    arguments = ["learning-curve", "digits", "--preset", "quick", "--epochs", 1]
    arguments += ["--train-fractions", "0.05,0.1,0.15", "--out", tmp_path / "curve"]
    plan = json.loads(succeed(*arguments, "--plan", "--json").stdout)
    assert plan["sizes"] == [60, 126, 189]
    assert not (tmp_path / "curve").exists()
    result = succeed(*arguments)
    assert "3 trainings on 60 to 189 images, 1 epoch each: about" in result.stderr
    assert result.stdout.startswith("doubling the data should bring about ")
    assert (tmp_path / "curve" / "learning-curve.png").is_file()
    stored = json.loads((tmp_path / "curve" / "learning-curve.json").read_text())
    assert stored["sizes"] == plan["sizes"]
    wrong = call("learning-curve", "digits", "--train-fractions", "much")
    assert wrong.exit_code == 2
    assert "is not a list of numbers such as 0.2,1" in wrong.output
