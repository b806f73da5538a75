"""What 0.1.0 left behind, under its own names, is read and continued by this version."""

import dataclasses
import importlib.metadata
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import imgclf
from imgclf import choice
from imgclf.evaluation.evaluation_log import read_test_evaluations

HERE = Path(__file__).parent / "0.1.0"
MODELS = sorted(path.stem for path in HERE.glob("*.keras"))
BLOCKS = [
    imgclf.conv(4, normalization="batch"),
    imgclf.conv_maxpool(4),
    imgclf.flatten(dropout=0.2),
]


def same_versions(config: Path) -> bool:
    versions = json.loads(config.read_text())["versions"]
    return all(importlib.metadata.version(name) == value for name, value in versions.items())


@pytest.fixture
def old(tmp_path) -> Path:
    """A copy that may be continued."""
    return Path(shutil.copytree(HERE, tmp_path / "old"))


def resume(config: Path) -> str:
    """As a run of other versions of Keras is continued; its names must not count as a change."""
    return "auto" if same_versions(config) else "force"


@pytest.mark.parametrize("name", MODELS)
def test_a_model_says_what_it_said_then(name):
    record = json.loads((HERE / f"{name}.json").read_text())
    clf = imgclf.load(HERE / f"{name}.keras")
    image = np.array(record["image"], np.uint8)
    np.testing.assert_allclose(clf.predict_proba(image)[0], record["probabilities"], rtol=1e-3)
    assert clf.temperature == pytest.approx(record["temperature"])
    threshold = None if clf.threshold is None else clf.threshold.probability
    assert threshold == record["threshold"]
    blocks = None if clf.blocks is None else [repr(block) for block in clf.blocks]
    assert blocks == record["blocks"]


def test_all_fields_of_a_recipe_come_back_under_the_names_of_today():
    recipe = imgclf.load(HERE / "calibrated.keras").recipe
    assert recipe == imgclf.Recipe(
        epochs=1,
        batch_size=100,
        optimizer="sgd",
        head_learning_rate=0.1,
        ema_momentum=0.5,
        precise_batch_norm=True,
        progressive_size=0.5,
        progressive_fraction=0.25,
        fine_tune_fraction=0.5,
        precision="float32",
        class_weight={"3": 2.0, 4: 0.5},
        sampling="balanced",
        patience=2,
    )


def test_a_stopped_run_is_continued_to_the_weights_it_would_have_had(old):
    run = old / "stopped-run"
    data = imgclf.load_digits()
    recipe = imgclf.Recipe(
        epochs=3,
        batch_size=200,
        optimizer="muon",
        learning_rate=0.01,
        head_learning_rate=0.02,
        ema_momentum=0.9,
        precise_batch_norm=True,
        augmentation=imgclf.Augmentation(shift=1),
        precision="float32",
        seed=3,
        warmup=0.1,
        schedule="linear",
        label_smoothing=0.1,
    )
    clf = imgclf.Classifier.from_blocks(BLOCKS, data, recipe)
    history = clf.fit(data, run_dir=run, resume=resume(run / "config.json"), verbose=0)
    assert len(history.history["loss"]) == 3
    weights = np.concatenate([np.ravel(weight) for weight in clf.model.get_weights()])
    np.testing.assert_allclose(weights, np.load(HERE / "stopped-run.npy"), atol=5e-3)


def test_a_stopped_transfer_run_is_continued_in_its_second_phase(old):
    run = old / "stopped-transfer"
    data = imgclf.load_digits()
    body = imgclf.Classifier.from_blocks(BLOCKS, data, imgclf.Recipe(precision="float32"))
    clf = imgclf.Classifier.from_model(
        body,
        data,
        epochs=2,
        batch_size=200,
        fine_tune_epochs=2,
        fine_tune_fraction=0.5,
        precision="float32",
        progressive_size=0.5,
    )
    before = (run / "head" / "log.csv").read_bytes()
    settings = {"resume": resume(run / "head" / "config.json"), "verbose": 0}
    history = clf.fit(data, run_dir=run, **settings)
    assert len(history.history["loss"]) == 4
    assert (run / "head" / "log.csv").read_bytes() == before
    weights = np.concatenate([np.ravel(weight) for weight in clf.model.get_weights()])
    np.testing.assert_allclose(weights, np.load(HERE / "stopped-transfer.npy"), atol=5e-3)


def test_a_finished_run_keeps_its_count_of_test_evaluations(old):
    run = old / "finished-run"
    clf = imgclf.load(run)
    data = imgclf.load_folder(HERE / "photos", image_size=(8, 8))
    assert len(read_test_evaluations(run)) == 2
    assert clf.evaluate(data.test).test_evaluation_number == 3
    assert len(read_test_evaluations(run)) == 3


def test_a_finished_run_of_photos_is_not_trained_again(old):
    run = old / "finished-run"
    data = imgclf.load_folder(HERE / "photos", image_size=(8, 8))
    recipe = imgclf.Recipe(epochs=2, batch_size=8, precision="float32", class_weight="balanced")
    clf = imgclf.Classifier.from_blocks(BLOCKS, data, recipe)
    # The times of the photos are those of this checkout, so it counts as another run.
    history = clf.fit(data, run_dir=run, resume="force", verbose=0)
    assert len(history.history["loss"]) == 2
    image = data.test.images[:1]
    np.testing.assert_allclose(
        clf.predict_proba(image), imgclf.load(HERE / "finished-run").predict_proba(image), rtol=1e-3
    )


def test_a_stopped_search_is_continued_with_the_trial_that_was_next(old):
    folder = old / "stopped-search"
    if not same_versions(folder / "config.json"):
        pytest.skip("the search was made by other versions of Keras or TensorFlow")
    space = [imgclf.conv(choice(2, 4), kernel_size=choice(1, 3)), imgclf.global_pool()]
    recipe = imgclf.Recipe(
        epochs=2, batch_size=200, ema_momentum=choice(0.0, 0.5), precision="float32"
    )
    result = imgclf.search(
        imgclf.load_digits(),
        blocks=space,
        recipe=recipe,
        max_trials=4,
        train_fractions=(0.5, 1.0),
        run_dir=folder,
        seed=1,
        verbose=0,
    )
    assert [trial.number for trial in result.trials] == [1, 2, 3, 4]
    assert [trial.train_fraction for trial in result.trials] == [0.5, 0.5, 0.5, 1.0]
    assert result.trials[0].hyperparameters == {
        "0.conv.filters": 2,
        "0.conv.kernel_size": 1,
        "recipe.ema_momentum": 0.0,
    }
    last = json.loads((HERE / "stopped-search.json").read_text())
    assert result.trials[3].promoted_from == last["promoted_from"]
    assert dataclasses.asdict(result.trials[3])["parameters"] == last["parameters"]
