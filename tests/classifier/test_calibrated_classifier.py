"""Temperature and threshold in a classifier: in the model, in its file, and gone after training."""

import json
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest
from PIL import Image

import imgclf
from imgclf import Classifier, Recipe, conv_maxpool, errors, flatten
from imgclf.files import check_model_file

layers = keras.layers

OPENS_IN_PLAIN_KERAS = """
import sys
sys.modules["imgclf"] = None  # importing it fails
import keras, numpy as np
model = keras.saving.load_model(sys.argv[1])
np.save(sys.argv[3], model.predict(np.load(sys.argv[2]), verbose=0))
"""


@pytest.fixture(scope="module")
def data():
    return imgclf.load_digits()


@pytest.fixture(scope="module")
def file(data, tmp_path_factory):
    """Too cautious a classifier, by label smoothing and little training."""
    recipe = Recipe(epochs=2, learning_rate=0.005, label_smoothing=0.2)
    clf = Classifier.from_blocks([conv_maxpool(8), flatten()], data, recipe)
    clf.fit(data, verbose=0)
    return clf.save(tmp_path_factory.mktemp("models") / "digits.keras")


@pytest.fixture
def clf(file):
    return imgclf.load(file)


def softmax_in_dense():
    return [layers.Flatten(), layers.Dense(10, "softmax")]


HEADS = {
    "softmax layer": lambda: [layers.Flatten(), layers.Dense(10), layers.Softmax()],
    "activation layer": lambda: [layers.Flatten(), layers.Dense(10), layers.Activation("softmax")],
    "softmax in the dense layer": softmax_in_dense,
    "a network in the network": lambda: [keras.Sequential(softmax_in_dense())],
    "bfloat16": lambda: [layers.Flatten(), layers.Dense(10, "softmax", dtype="bfloat16")],
}


def foreign(head):
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.Input((8, 8, 1)), layers.Rescaling(1 / 20), *head()])


def test_probabilities_change_and_classes_do_not(clf, data):
    before = clf.evaluate(data.test)
    calibration = clf.calibrate(data.validation, measure_on=data.test)
    after = clf.evaluate(data.test)
    np.testing.assert_array_equal(before.predictions, after.predictions)
    assert before.calibration_error > 0.15
    assert after.calibration_error < before.calibration_error / 2
    assert after.loss < before.loss
    assert calibration.before.calibration_error == pytest.approx(before.calibration_error, abs=1e-4)
    assert calibration.after.calibration_error == pytest.approx(after.calibration_error, abs=1e-4)
    assert calibration.after.loss == pytest.approx(after.loss, abs=1e-4)
    assert calibration.num_images == len(data.validation)
    assert calibration.on_others
    assert clf.temperature == pytest.approx(calibration.temperature)


def test_plain_keras_applies_the_temperature(clf, data, tmp_path):
    clf.calibrate(data.validation)
    clf.save(tmp_path / "d.keras")
    np.save(tmp_path / "images.npy", data.test.images[:9])
    places = [tmp_path / name for name in ("d.keras", "images.npy", "scores.npy")]
    script = [sys.executable, "-c", OPENS_IN_PLAIN_KERAS, *map(str, places)]
    subprocess.run(script, check=True, cwd=tmp_path)
    expected = clf.predict_proba(data.test.images[:9])
    np.testing.assert_allclose(np.load(tmp_path / "scores.npy"), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("head", HEADS)
def test_any_model_keeps_its_layers_and_takes_a_temperature(head, data, tmp_path):
    model = foreign(HEADS[head])
    clf = Classifier(model, data.class_names)
    scores = clf.predict_proba(data.test)
    # Random weights tell nothing: labels that agree with them often enough make one fit.
    rng = np.random.default_rng(0)
    labels = np.where(rng.uniform(size=len(scores)) < 0.7, scores.argmax(1), data.test.labels)
    temperature = clf.calibrate(data.test.images, labels).temperature
    assert abs(np.log(temperature)) > 0.05
    raised = scores.astype(np.float64) ** (1 / temperature)
    expected = raised / raised.sum(axis=1, keepdims=True)
    tolerance = {"rtol": 0.06} if head == "bfloat16" else {"rtol": 1e-3}
    np.testing.assert_allclose(clf.predict_proba(data.test), expected, atol=1e-5, **tolerance)
    assert clf.model.layers[1] is model.layers[0]
    path = clf.save(tmp_path / "d.keras")
    assert check_model_file(path).is_safe
    loaded = imgclf.load(path)
    assert loaded.temperature == pytest.approx(temperature, rel=1e-6)
    np.testing.assert_array_equal(loaded.predict_proba(data.test), clf.predict_proba(data.test))
    if head == "bfloat16":
        return
    # A second temperature takes the place of the first, in the file's model too.
    assert loaded.calibrate(data.test.images, labels).temperature == pytest.approx(
        temperature, rel=1e-3
    )
    assert loaded.temperature == pytest.approx(temperature, rel=1e-3)
    assert [layer.name for layer in loaded.model.layers].count("temperature") == 1


@pytest.mark.parametrize(
    "head", [[layers.Dense(1), layers.Activation("sigmoid")], [layers.Dense(1, "sigmoid")]]
)
def test_one_output_takes_a_temperature(head, rng, tmp_path):
    images = rng.integers(0, 256, (200, 4, 4, 1), np.uint8)
    model = keras.Sequential(
        [keras.Input((4, 4, 1)), layers.Rescaling(1 / 100), layers.Flatten(), *head]
    )
    clf = Classifier(model, ["no", "yes"])
    scores = clf.predict_proba(images)
    labels = np.where(rng.uniform(size=200) < 0.4, scores.argmax(axis=1), rng.integers(0, 2, 200))
    calibration = clf.calibrate(images, labels)
    assert clf.model.output_shape == (None, 1)
    odds = scores[:, 1].astype(np.float64) / scores[:, 0]
    expected = odds ** (1 / calibration.temperature)
    found = clf.predict_proba(images)
    np.testing.assert_allclose(found[:, 1], expected / (1 + expected), rtol=2e-3, atol=1e-5)
    loaded = imgclf.load(clf.save(tmp_path / "m.keras"))
    assert loaded.temperature == pytest.approx(calibration.temperature)
    loaded.calibrate(images, labels)
    assert loaded.temperature == pytest.approx(calibration.temperature, rel=1e-3)


def test_the_fast_path_for_few_images_sees_the_temperature(clf, data):
    images = data.test.images[:2]
    for _ in range(20):
        before = clf.predict_proba(images)
    clf.calibrate(data.validation)
    for _ in range(20):
        after = clf.predict_proba(images)
    assert np.abs(before - after).max() > 0.01
    expected = clf.model.predict(images, verbose=0)
    np.testing.assert_allclose(after, expected, rtol=1e-4, atol=1e-6)


def test_training_drops_both_and_says_so(clf, data, capsys):
    trained = clf.model
    clf.calibrate(data.validation)
    clf.fit_threshold(data.validation, precision=0.5)
    clf.fit(data, epochs=1, verbose=2)
    assert clf.model is trained
    assert (clf.temperature, clf.threshold) == (1.0, None)
    assert "are dropped: calibrate again after it." in capsys.readouterr().err
    clf.fit(data, epochs=1, verbose=2)
    assert "calibrate again" not in capsys.readouterr().err


def test_training_a_calibrated_model_from_a_file_ends_as_without_the_calibration(
    clf, file, data, tmp_path
):
    clf.calibrate(data.validation)
    calibrated = imgclf.load(clf.save(tmp_path / "d.keras"))
    plain = imgclf.load(file)
    for one in (calibrated, plain):
        one.fit(data, epochs=1, verbose=0)
    for one, other in zip(calibrated.model.get_weights(), plain.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_run_can_be_calibrated_and_called_again(data, tmp_path):
    recipe = Recipe(epochs=1, learning_rate=0.01)
    clf = Classifier.from_blocks([flatten()], data, recipe)
    clf.fit(data, run_dir=tmp_path / "run", verbose=0)
    loaded = imgclf.load(tmp_path / "run")
    loaded.calibrate(data.validation)
    scores = loaded.predict_proba(data.test)
    loaded.save(tmp_path / "run" / "model.keras")
    np.testing.assert_array_equal(imgclf.load(tmp_path / "run").predict_proba(data.test), scores)


def test_transfer_from_a_calibrated_model_takes_its_body(clf, data):
    plain = Classifier.from_model(clf, data, epochs=1)
    clf.calibrate(data.validation)
    body = Classifier.from_model(clf, data, epochs=1)
    assert [layer.name for layer in body.model.layers] == [
        layer.name for layer in plain.model.layers
    ]


def test_describing_does_not_count_the_temperature(clf, data):
    before = str(imgclf.describe(clf))
    clf.calibrate(data.validation)
    assert str(imgclf.describe(clf)) == before


def test_a_threshold_survives_the_file_and_answers_unknown(clf, data, tmp_path):
    clf.calibrate(data.validation)
    threshold = clf.fit_threshold(data.validation, precision=0.9)
    loaded = imgclf.load(clf.save(tmp_path / "d.keras"))
    assert loaded.threshold == threshold == clf.threshold
    answers = loaded.predict(data.test, unknown=True)
    confidences = loaded.evaluate(data.test).confidences
    unknown = [not one.known for one in answers]
    np.testing.assert_array_equal(unknown, confidences < threshold.probability)
    assert 0 < sum(unknown) < 200
    doubtful = answers[unknown.index(True)]
    name, probability = doubtful
    assert (name, doubtful.class_name) == ("unknown", "unknown")
    assert probability < threshold.probability
    assert str(doubtful) == f"unknown ({data.class_names[doubtful.index]} {probability:.1%})"
    assert doubtful.top(1)[0][0] == data.class_names[doubtful.index]
    # Nobody is told "unknown" who did not ask.
    assert all(one.known for one in loaded.predict(data.test))
    Image.fromarray(data.test.images[unknown.index(True), ..., 0]).save(tmp_path / "a.png")
    (found,) = loaded.predict_files(tmp_path / "a.png", unknown=True)
    assert not found.known


def test_a_temperature_drops_the_threshold_of_before(clf, data):
    clf.fit_threshold(data.validation, precision=0.5)
    clf.calibrate(data.validation)
    assert clf.threshold is None


def test_what_is_missing_or_wrong_is_said(clf, data):
    with pytest.raises(errors.ArgumentError, match=r"call fit_threshold\(data.validation\) first"):
        clf.predict(data.test, unknown=True)
    with pytest.raises(errors.ArgumentTypeError, match="`unknown` must be True or False"):
        clf.predict(data.test, unknown=0.9)
    with pytest.raises(errors.DataError, match="at least one image"):
        clf.calibrate(data.test[:0])
    with pytest.raises(errors.DataError, match="cannot be guaranteed with 95% certainty by these"):
        clf.fit_threshold(data.validation)
    assert clf.threshold is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"probability": 2}, "threshold.probability must be a number from 0 to 1"),
        ({"probability": "0.5"}, "threshold.probability must be a number from 0 to 1"),
        ({"coverage_interval": [0]}, "threshold.coverage_interval must be two numbers"),
        ({"num_images": 0}, "threshold.num_images must be a whole number above 0"),
        (None, "threshold must be null, or an object of certainty, coverage"),
    ],
)
def test_a_threshold_in_a_strangers_file_is_checked(clf, data, tmp_path, change, message):
    clf.fit_threshold(data.validation, precision=0.5)
    clf.save(tmp_path / "d.keras")
    with (
        zipfile.ZipFile(tmp_path / "d.keras") as before,
        zipfile.ZipFile(tmp_path / "e.keras", "w") as after,
    ):
        for name in before.namelist():
            content = before.read(name)
            if name == "metadata.json":
                metadata = json.loads(content)
                entry = metadata["imgclf"]
                entry["threshold"] = [] if change is None else entry["threshold"] | change
                content = json.dumps(metadata)
            after.writestr(name, content)
    with pytest.raises(errors.ModelFileError, match=message):
        imgclf.load(tmp_path / "e.keras")
