"""Every command that refuses has changed no byte."""

import json
import shutil

import pytest
from tiny_runs import call, changes, make_home, snapshot, succeed, train, write_photos

from imgclf.cli.main import main


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("home")
        patch.chdir(home)
        make_home(home)
        # Two bodies with the same number of features: only the second phase can tell them apart.
        for name, filters in (("wide", "wide"), ("deep", "deep")):
            _save_body(home / f"{name}.keras", filters)
        _train_in_phases("wide.keras")
        (home / "runs/damaged").mkdir()
        shutil.copy(home / "runs/first/model.keras", home / "runs/damaged/model.keras")
        (home / "runs/damaged/data.json").write_text("[]")
        (home / "cut.keras").write_bytes((home / "runs/first/model.keras").read_bytes()[:2000])
        (home / "exclude.csv").write_text("nothing,of,use\n")
        (home / "runs/full").mkdir()
        (home / "runs/full/model.keras").mkdir()
        return home


def _save_body(path, kind):
    import imgclf

    data = imgclf.load_folder("photos", image_size=(8, 8), validation=0.25)
    middle = [imgclf.conv(8)] if kind == "wide" else [imgclf.conv(2), imgclf.conv(2)]
    blocks = [*middle, imgclf.conv(4), imgclf.global_pool(), imgclf.dense(4)]
    imgclf.Classifier.from_blocks(blocks, data).save(path)


def _train_in_phases(model, *options):
    return call(
        *("train", "photos", "--from-model", model, "--epochs", 1, "--fine-tune-epochs", 1),
        *("--image-size", 8, "--out", "runs/phases", "--quiet", *options),
    )


@pytest.fixture
def here(made, monkeypatch):
    monkeypatch.chdir(made)
    return made


FIRST, OTHER = "runs/first", "runs/other"
FORCE = ("--out", FIRST, "--resume", "force", "--image-size", 8, "--quiet")

REFUSED = [
    # train
    ("train", "nowhere"),
    ("train", "empty"),
    ("train", "notes.txt"),
    ("train", "photos", "--preset", "fats"),
    ("train", "photos", "--from-model", "runs/none"),
    ("train", "photos", "--from-model", "cut.keras", "--out", "runs/new"),
    ("train", "photos", "--weights", "none.h5", "--preset", "mobilenetv2"),
    ("train", "photos", "--exclude", "exclude.csv", "--out", "runs/new"),
    ("train", "photos", "--groups", "(", "--out", "runs/new"),
    ("train", "photos", "--validation", "1.5"),
    ("train", "photos", "--epochs", 1, "--minutes", 1),
    ("train", "photos", "--learning-rate", -1, "--out", "runs/new"),
    ("train", "photos", "--out", "notes.txt"),
    ("train", "photos", "--out", "notes.txt/run"),
    ("train", "photos", "--out", ""),
    ("train", "photos", "--out", "runs/full", "--epochs", 1, "--quiet"),
    ("train", "photos", "--preset", "quick", "--epochs", 2, *FORCE[:2], "--image-size", 8),
    ("train", "other", "--preset", "quick", "--epochs", 2, *FORCE),
    ("train", "photos", "--preset", "seed2017", "--epochs", 2, *FORCE),
    ("train", "photos", "--minutes", 0.0001, "--out", "runs/new"),
    ("train", "photos", "--one-batch-first"),
    ("train", "photos", "--cache-size", "1GB"),
    # evaluate
    ("evaluate", "runs/none", "photos"),
    ("evaluate", "runs/stopped", "photos"),
    ("evaluate", "cut.keras", "photos"),
    ("evaluate", "notes.txt", "photos"),
    ("evaluate", "runs/damaged", "photos"),
    ("evaluate", FIRST, "nowhere"),
    ("evaluate", FIRST, "other"),
    ("evaluate", FIRST, "digits", "--slices", "size"),
    ("evaluate", FIRST, "photos", "--split", "train", "--baselines"),
    ("evaluate", FIRST, "photos", "--out", "notes.txt"),
    ("evaluate", FIRST, "photos", "--slices", "colour"),
    ("evaluate", FIRST, "photos", "--archive", "x.tar.gz"),
    # report
    ("report", "runs/none"),
    ("report", "runs/damaged"),
    ("report", FIRST, "other"),
    ("report", FIRST, "--out", "empty"),
    ("report", FIRST, "--out", "report.pdf"),
    ("report", FIRST, "--watts", 0),
    # compare
    ("compare", FIRST),
    ("compare", FIRST, "photos"),
    ("compare", FIRST, FIRST),
    ("compare", FIRST, f"{FIRST}/model.keras"),
    ("compare", FIRST, "runs/none"),
    ("compare", "runs/none", FIRST, "photos"),
    ("compare", FIRST, "runs/stopped", "photos"),
    ("compare", FIRST, OTHER, "photos", "--split", "test"),
    ("compare", FIRST, OTHER),
    ("compare", FIRST, "runs/second", "other", "--split", "test"),
    ("compare", FIRST, "runs/second", "--out", "plot.jpg"),
    ("compare", FIRST, "runs/second", "--out", "empty"),
    # calibrate
    ("calibrate", "runs/none", "photos"),
    ("calibrate", FIRST, "other"),
    ("calibrate", FIRST, "nowhere"),
    ("calibrate", FIRST, "photos", "--precision", "100%"),
    ("calibrate", FIRST, "photos", "--precision", "0.999999"),
    # predict
    ("predict", "runs/none", "photos"),
    ("predict", FIRST, "nowhere.png"),
    ("predict", FIRST, "empty"),
    ("predict", FIRST, "photos", "--threshold", "80"),
    ("predict", FIRST, "photos", "--threshold", "nan"),
    ("predict", FIRST, "photos", "--unknown", "--out", "p.csv"),
    ("predict", FIRST, "photos", "--unknown", "--threshold", 0.5),
    ("predict", FIRST, "photos", "--out", "empty"),
    ("predict", FIRST, "photos", "--out", "p.json"),
    ("predict", FIRST, "photos", "--out", ""),
    ("predict", FIRST, "photos", "--top", 0),
    # explain
    ("explain", "runs/none", "photos"),
    ("explain", FIRST, "nowhere.png"),
    ("explain", FIRST, "photos", "--target", "nobody"),
    ("explain", FIRST, "photos/káva/1.png", "--out", "photos/káva/1.png"),
    ("explain", FIRST, "notes.txt"),
    ("explain", FIRST, "photos", "--out", "notes.txt"),
    # search
    ("search", "nowhere"),
    ("search", "photos", "--out", "notes.txt"),
    ("search", "photos", "--out", "runs/new", "--train-fractions", "0.5,2", "--max-trials", 1),
    ("search", "photos", "--out", FIRST, "--max-trials", 1, "--image-size", 8),
    ("search", "photos", "--batch", 1),
    ("search", "photos", "--chief", "nobody"),
    ("search", "photos", "--max-memory", "much"),
    ("search", "photos", "--worker", "127.0.0.1:8000", "--confirm"),
    # learning-curve
    ("learning-curve", "nowhere"),
    ("learning-curve", "photos", "--preset", "fats"),
    ("learning-curve", "photos", "--out", "notes.txt"),
    ("learning-curve", "photos", "--out", "runs/new", "--train-fractions", "0.5"),
    # inspect
    ("inspect", "nowhere"),
    ("inspect", "photos", "--out", "notes.txt"),
    ("inspect", "photos", "--out", "photos/found"),
    ("inspect", "photos", "--out", "found.png"),
    ("inspect", "photos", "--exclude", "exclude.csv", "--out", "found"),
    ("inspect", "digits", "--out", "found"),
    ("inspect", "digits", "--out", "empty"),
    ("inspect", "digits", "--sample", 9999, "--out", "sample.png"),
    ("inspect", "cut.keras"),
    ("inspect", FIRST, "--out", "found"),
    # demo, presets
    ("demo", "--out", "notes.txt"),
    ("demo", "--out", "notes.txt/demo"),
    ("demo", "--epochs", 0),
    ("presets", "fast"),
]


@pytest.mark.parametrize("arguments", REFUSED, ids=lambda one: " ".join(map(str, one)))
def test_a_command_that_refuses_has_changed_nothing(here, arguments):
    before = snapshot(here)
    result = call(*arguments)
    assert result.exit_code in (1, 2), result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Error: " in result.stderr or "problem" in result.stdout
    assert "Traceback" not in result.output
    assert "[Errno" not in result.output
    assert changes(before, snapshot(here)) == {}


def test_the_table_has_every_command():
    assert {row[0] for row in REFUSED} == set(main.commands)


def test_a_second_phase_that_does_not_fit_is_refused_before_the_first(here):
    before = snapshot(here)
    result = _train_in_phases("deep.keras", "--resume", "force")
    assert result.exit_code == 1, result.output
    assert "None of the" in result.stderr
    assert changes(before, snapshot(here)) == {}


def test_a_refused_resumption_leaves_a_run_that_resumes(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_photos(tmp_path / "photos")
    write_photos(tmp_path / "three", ("a", "b", "c"))
    train("photos", "run")
    refused = call(
        "train", "three", "--preset", "quick", "--epochs", 1, *("--out", "run"), *FORCE[2:]
    )
    assert refused.exit_code == 1
    again = succeed(
        *("train", "photos", "--preset", "quick", "--epochs", 1, "--image-size", 8),
        *("--out", "run", "--quiet", "--json"),
    )
    assert json.loads(again.stdout)["epochs"] == 1
