"""The commands, as people call them, on digits, photos and a tiny CIFAR-10."""

import dataclasses
import json
import math
import re
import shutil
import time

import pytest
from click.testing import CliRunner

import imgclf
from imgclf.cli.main import main
from imgclf.search.results.result import SearchResult


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*arguments):
    return CliRunner().invoke(main, [str(one) for one in arguments])


def succeed(*arguments):
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "digits"
    result = succeed("train", "digits", "--epochs", 2, "--out", run, "--quiet")
    return run, result.stdout


def test_demo_trains_evaluates_and_predicts(here):
    result = succeed("demo", "--epochs", 1, "--out", "show")
    for name in ("confusion.png", "mistakes.png", "predictions.png", "digits.keras"):
        assert (here / "show" / name).stat().st_size > 0
        assert f"show/{name}\n" in result.stdout
    assert re.search(r"On the test images: \S+% accuracy \(.*95% interval\)", result.stdout)
    assert len(re.findall(r"^  \d \(\S+%\), true class \d$", result.stdout, re.MULTILINE)) == 5
    following = result.stdout.split("What to do next:\n")[1].splitlines()
    assert len(following) == 3
    assert following[1].endswith("your own photos, a folder for each class")
    assert "epoch 1/1" in result.stderr


def test_train_says_what_it_reached_and_what_to_type_next(digits_run):
    run, text = digits_run
    assert re.search(
        r"^Trained: 1,259 images, 2 epochs, loss \S+, validation accuracy \S+%$",
        text,
        re.MULTILINE,
    )
    assert f"Next:  imgclf evaluate {run} digits\n" in text
    for name in ("model.keras", "log.csv", "curves.png", "config.json", "data.json"):
        assert (run / name).is_file()
    assert "test" not in text.splitlines()[0]


def test_train_names_free_folders_and_prints_json(here):
    arguments = ("train", "digits", "--preset", "quick", "--epochs", 1, "--quiet")
    arguments += ("--json", "--seed", 3)
    first = json.loads(succeed(*arguments).stdout)
    second = json.loads(succeed(*arguments).stdout)
    assert (first["run"], second["run"]) == ("runs/digits", "runs/digits-2")
    assert first["final"] == second["final"]  # the seed decides
    assert first["epochs"] == 1
    assert first["num_train_images"] == 1259
    assert first["next"] == "imgclf evaluate runs/digits digits"


def test_a_plan_is_printed_and_nothing_is_kept(here):
    result = succeed("train", "digits", "--preset", "quick", "--epochs", 2, "--plan")
    lines = result.stdout.splitlines()
    assert re.fullmatch(r"\d+\.\d minutes: 2 epochs × 40 steps of 32 images", lines[0])
    assert re.fullmatch(r"  [\d,]+ images a second", lines[1])
    assert re.fullmatch(r"  \S+ [GM]B of memory", lines[2])
    assert re.fullmatch(r"  \S+ MB of disk: \S+ MB checkpoints, \S+ MB model", lines[3])
    assert list(here.iterdir()) == []
    arguments = ("train", "digits", "--preset", "quick", "--minutes", 60, "--plan", "--json")
    plan = json.loads(succeed(*arguments).stdout)
    assert plan["epochs"] == 200
    assert plan["minutes"] < 60


def test_minutes_decide_the_epochs_and_the_same_command_resumes(here, monkeypatch):
    monkeypatch.setattr("imgclf.training.budget.budget._MOST_EPOCHS", 3)
    # The tests' process began long ago.
    monkeypatch.setattr("imgclf.cli.commands.train.PROCESS_STARTED", time.monotonic())
    arguments = ("train", "digits", "--preset", "quick", "--minutes", 5, "--out", "run", "--json")
    arguments = (*arguments, "--batch-size", 500)
    first = succeed(*arguments)
    # 40 at most, which is the preset's own number for so few images.
    epochs = json.loads(first.stdout)["epochs"]
    assert f"\nepoch {epochs}/{epochs} " in first.stderr
    again = succeed(*arguments)
    assert json.loads(again.stdout)["epochs"] == epochs
    assert "\nepoch " not in again.stderr


def test_evaluate_uses_the_test_images_and_writes_figures(digits_run, here):
    run, _ = digits_run
    result = succeed("evaluate", run, "digits", "--out", "figures")
    classifier = imgclf.load(run)
    expected = classifier.evaluate(imgclf.load_digits().test)
    assert expected.test_evaluation_number == 2
    assert str(dataclasses.replace(expected, test_evaluation_number=1)) in result.stdout
    for name in ("confusion.png", "mistakes.png", "calibration.png", "evaluation.json"):
        assert (here / "figures" / name).is_file()
    stored = json.loads((here / "figures" / "evaluation.json").read_text())
    assert stored["accuracy"] == expected.accuracy
    assert stored["intervals"] == {name: list(ends) for name, ends in expected.intervals.items()}
    assert {one["by"] for one in stored["slices"]} == {"class", "brightness"}
    found = expected.label_errors()
    assert [one["index"] for one in stored["label_errors"]] == [one.index for one in found]
    rows = (here / "figures" / "label_errors.csv").read_text().splitlines()
    assert len(rows) == 1 + len(found)
    assert "baselines" not in stored
    as_json = succeed("evaluate", run / "model.keras", "digits", "--json", "--split", "validation")
    assert json.loads(as_json.stdout)["num_images"] == 179
    assert (run / "confusion.png").is_file()


def test_evaluate_says_what_the_network_adds_and_where_it_is_weak(digits_run, here):
    run, _ = digits_run
    options = ["--baselines", "--slices", "class", "--out", "."]
    text = succeed("evaluate", run, "digits", *options).stdout
    assert "\nBaselines: 1,259 training images, evaluated on 359\n" in text
    assert "the best baseline (nearest thumbnails, 97.8%)" in text
    stored = json.loads((here / "evaluation.json").read_text())
    assert len(stored["baselines"]["results"]) == 4
    worse = [one for one in stored["slices"] if one["is_worse"]]
    assert ("significantly worse than the rest" in text) == bool(worse)
    for one in worse[:3]:
        assert f"\n  class {one['name']}: {one['accuracy']:.1%} of {one['num_images']}, " in text
    learned = succeed("evaluate", run, "digits", "--split", "train", "--out", ".", "--json")
    assert json.loads(learned.stdout)["label_errors"] == []
    refused = call("evaluate", run, "digits", "--split", "train", "--baselines")
    assert refused.exit_code == 2
    assert "--baselines requires --split test or validation, not train" in refused.output


def test_imbalanced_classes_are_balanced_and_reported(photo_folder, here):
    for path in sorted((photo_folder / "sky").rglob("?.*"))[4:]:
        path.unlink()
    arguments = ["train", photo_folder, "--epochs", 1, "--validation", 0.3, "--quiet"]
    plain = succeed(*arguments, "--out", "plain")
    assert re.search(
        r"validation accuracy \S+% \(balanced accuracy \S+%, macro F1 \S+%\)$",
        plain.stdout,
        re.MULTILINE,
    )
    balanced = ["--class-weight", "balanced", "--sampling", "balanced", "--json"]
    report = json.loads(succeed(*arguments, "--out", "balanced", *balanced).stdout)
    assert set(report["macro"]) == {"val_balanced_accuracy", "val_macro_f1"}
    recipe = imgclf.load("balanced").recipe
    assert (recipe.class_weight, recipe.sampling) == ("balanced", "balanced")
    judged = succeed("evaluate", "balanced", photo_folder, "--split", "all").stdout
    assert "macro F1" in judged.splitlines()[3]


def test_a_class_with_one_image_and_one_in_one_group_are_trained_on(photo_folder, here):
    for path in sorted((photo_folder / "sky").rglob("*.*"))[1:]:
        path.unlink()
    arguments = ["train", photo_folder, "--epochs", 1, "--quiet", "--out", "run"]
    balanced = ["--class-weight", "balanced", "--sampling", "balanced"]
    result = succeed(*arguments, "--groups", "(meadow)/", *balanced)
    assert (
        "\n  Classes 'meadow', 'sky' have no images in test: the metrics there say nothing of "
        "them.\n"
    ) in result.stderr
    evaluation = succeed("evaluate", "run", photo_folder, "--json")
    figures = json.loads(evaluation.stdout)
    assert [one["support"] for one in figures["per_class"]] == [2, 0, 0]
    assert figures["balanced_accuracy"] == figures["per_class"][0]["recall"]
    assert math.isfinite(figures["macro_f1"])


def test_photos_are_trained_on_evaluated_and_predicted(photo_folder, here):
    succeed(
        "train",
        photo_folder,
        "--epochs",
        1,
        "--quiet",
        "--out",
        "run",
        "--image-size",
        "24x32",
        "--resize",
        "pad",
        "--validation",
        0.2,
    )
    classifier = imgclf.load("run")
    assert classifier.image_shape == (24, 32, 3)
    assert classifier.resize == "pad"
    by = ["--slices", "size", "--slices", "folder"]
    own = json.loads(succeed("evaluate", "run", photo_folder, *by, "--json").stdout)
    assert own["num_images"] == 6  # of 30: those that were set aside
    assert {one["by"] for one in own["slices"]} == {"size", "folder"}
    assert sum(one["num_images"] for one in own["slices"]) == 12
    elsewhere = here / "elsewhere"
    shutil.copytree(photo_folder / "sky", elsewhere / "sky")
    other = json.loads(succeed("evaluate", "run", elsewhere, "--json").stdout)
    assert other["num_images"] == 2  # of 10: the others were trained or validated on
    assert other["num_left_out"] == 8
    image = photo_folder / "sky" / "0.jpg"
    line = succeed("predict", "run", image, "--top", 2).stdout
    assert re.fullmatch(rf"{re.escape(str(image))}: \w+ \S+%, \w+ \S+%\n", line)
    records = json.loads(succeed("predict", "run", photo_folder / "sky", image, "--json").stdout)
    assert len(records) == 11
    assert records[-1]["path"] == str(image)
    assert [one["class_name"] for one in records[-1]["top"]] == [
        name for name, _ in classifier.predict(image)[0].top(3)
    ]


def test_one_batch_first_then_all_five(tiny_cifar10, here):
    result = succeed(
        "train",
        "cifar10",
        "--archive",
        tiny_cifar10,
        "--preset",
        "seed2017",
        "--epochs",
        1,
        "--one-batch-first",
        "--out",
        "run",
        "--quiet",
    )
    assert "On batch 1 alone: 27 images, 1 epoch" in result.stdout
    assert "On all five batches: 135 images, 1 epoch" in result.stdout
    assert (here / "run" / "one-batch" / "model.keras").is_file()
    assert (here / "run" / "model.keras").is_file()
    evaluated = succeed("evaluate", "run", "cifar10", "--archive", tiny_cifar10, "--json")
    assert json.loads(evaluated.stdout)["num_images"] == 30


def test_inspect_shows_one_batch_and_one_sample(tiny_cifar10, here):
    result = succeed(
        "inspect",
        "cifar10",
        "--archive",
        tiny_cifar10,
        "--batch",
        1,
        "--sample",
        7,
        "--out",
        "seven.png",
    )
    assert "data: 30 images of 32×32×3, uint8" in result.stdout
    assert "\nSample 7: " in result.stdout
    assert (here / "seven.png").is_file()
    record = json.loads(succeed("inspect", "digits", "--json").stdout)
    assert [split["num_images"] for split in record["splits"]] == [1259, 179, 359]


def test_search_prints_its_best_blocks(tiny_cifar10, here):
    result = succeed(
        "search",
        "cifar10",
        "--archive",
        tiny_cifar10,
        "--batch",
        1,
        "--max-trials",
        2,
        "--epochs",
        1,
        "--algorithm",
        "random",
        "--out",
        "found",
    )
    assert result.stderr.count("\ntrial ") == 2
    assert "\nThe best blocks:\n[" in result.stdout
    assert "Next:  imgclf evaluate found/best.keras cifar10 --archive " in result.stdout
    assert (here / "found" / "best.keras").is_file()
    for name in ("winner.py", "winner_keras.py", "search.html"):
        assert f"\n  found/{name}\n" in result.stdout
        assert (here / "found" / name).stat().st_size > 0
    script = (here / "found" / "winner.py").read_text()
    assert f"\ndata = imgclf.load_cifar10(archive={str(tiny_cifar10)!r}, batches=(1,))\n" in script
    assert "Not confirmed yet" in (here / "found" / "search.html").read_text()


def test_search_confirms_its_best_networks(tiny_cifar10, here, monkeypatch):
    confirm = SearchResult.confirm

    def less(self, data, top, **settings):  # it would take nine trainings
        return confirm(self, data, top, seeds=2, baselines=["default"], **settings)

    monkeypatch.setattr(SearchResult, "confirm", less)
    source = ["cifar10", "--archive", tiny_cifar10, "--batch", 1]
    options = ["--max-trials", 1, "--epochs", 1, "--algorithm", "random", "--out", "found"]
    result = succeed("search", *source, *options, "--confirm")
    table = result.stdout.split("\nThe best blocks:\n")[1]
    for name in ("trial 1", "default"):
        assert re.search(rf"^{name} +\d+\.\d% ± ", table, re.MULTILINE)
    assert "Evaluated on the same " in table
    assert re.search(r"^trial 1, seed 1: \d+\.\d%, \d+\.\d s$", result.stderr, re.MULTILINE)
    lines = (here / "found" / "confirm-1" / "confirm.jsonl").read_text().splitlines()
    assert len(lines) == 4
    assert "Confirmed with fresh seeds" in (here / "found" / "search.html").read_text()


def test_presets_are_listed():
    text = succeed("presets").stdout
    assert "seed2017: " in text
    assert "fast: " in text
    assert "713,930 parameters" in text


@pytest.mark.parametrize(
    "command",
    [[], *([name] for name in main.commands)],
    ids=lambda words: "-".join(words) or "main",
)
def test_help_is_there(command):
    text = succeed(*command, "--help").stdout
    assert text.startswith("Usage: ")


def test_the_version_is_printed():
    assert succeed("--version").stdout == f"imgclf, version {imgclf.__version__}\n"
