"""How a classifier is trained is stored in its file and comes back with `load`."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

import imgclf
from imgclf import Classifier, Recipe, conv, errors, global_pool
from imgclf.classifier.strategies import Phases, WholeNetwork

OLD = Path(__file__).parents[1] / "saved_models"


@pytest.fixture(scope="module")
def data():
    digits = imgclf.load_digits()
    return imgclf.Dataset(digits.train[:100], digits.validation[:40], digits.test, name="few")


def transfer(data):
    blocks = [conv(4, normalization="batch"), global_pool()]
    body = Classifier.from_blocks(blocks, data, Recipe(precision="float32"))
    return Classifier.from_model(
        body,
        data,
        epochs=3,
        batch_size=50,
        fine_tune_epochs=2,
        fine_tune_fraction=1.0,
        precision="float32",
    )


def weights(clf):
    return np.concatenate([np.ravel(array) for array in clf.model.get_weights()])


@pytest.mark.parametrize("calibrated", [False, True])
def test_a_loaded_model_is_trained_in_the_same_phases(data, tmp_path, capsys, calibrated):
    clf = transfer(data)
    if calibrated:
        labels = clf.predict_proba(data.validation).argmax(axis=1)
        labels[:28] = (labels[:28] + 1) % 10  # better than by chance, so that a temperature fits
        clf.calibrate(data.validation.images, labels)
    loaded = imgclf.load(clf.save(tmp_path / "model.keras"))
    assert loaded.strategy == clf.strategy == Phases()
    history, again = clf.fit(data, verbose=0), loaded.fit(data, verbose=2)
    assert "phase 1: the output layer" in capsys.readouterr().err
    assert len(again.history["loss"]) == 5
    assert again.history == history.history
    np.testing.assert_array_equal(weights(loaded), weights(clf))


def test_a_whole_network_stays_one(data, tmp_path):
    clf = Classifier.from_blocks([global_pool()], data)
    assert imgclf.load(clf.save(tmp_path / "model.keras")).strategy == WholeNetwork()


@pytest.mark.parametrize(
    ("name", "strategy"),
    [
        ("0.1.0/transfer", Phases()),
        ("0.1.0/calibrated", WholeNetwork()),
        ("0.1.0", WholeNetwork()),
        ("0.2.0", WholeNetwork()),
    ],
)
def test_files_that_do_not_say_it_are_known_by_their_output_layer(name, strategy):
    clf = imgclf.load(OLD / f"{name}.keras")
    assert clf.strategy == strategy
    assert clf.trained_recipe == (clf.recipe if clf.history else None)


def changed(path, name, value):
    """A copy of a file with another value in our entry."""
    copy = path.with_name("changed.keras")
    with zipfile.ZipFile(path) as before, zipfile.ZipFile(copy, "w") as after:
        for member in before.namelist():
            content = before.read(member)
            if member == "metadata.json":
                metadata = json.loads(content)
                metadata["imgclf"][name] = value
                content = json.dumps(metadata)
            after.writestr(member, content)
    return copy


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "strategy",
            "none",
            "metadata.json: imgclf.strategy must be one of whole-network, phases.",
        ),
        ("strategy", ["phases"], "metadata.json: imgclf.strategy must be one of"),
        ("strategy", None, "metadata.json: imgclf.strategy must be one of"),
        ("trained_recipe", 3, "metadata.json: imgclf.trained_recipe must be an object, or null."),
        ("trained_recipe", {"epochs": -1}, "cannot be used: `epochs` must be an int"),
        (
            "strategy",
            "phases",
            "cannot be used: Training in phases needs a functional keras.Model that ends in the "
            "Dense layer 'new_head', as Classifier.from_model makes it. Received: one that ends in "
            "'probabilities'.",
        ),
    ],
)
def test_a_strangers_file_is_checked(data, tmp_path, name, value, message):
    path = Classifier.from_blocks([global_pool()], data).save(tmp_path / "model.keras")
    with pytest.raises(errors.ModelFileError) as caught:
        imgclf.load(changed(path, name, value))
    assert message in str(caught.value)
