"""`imgclf calibrate`, `imgclf explain`, and `imgclf predict --unknown`."""

import json

import pytest
from click.testing import CliRunner
from PIL import Image

import imgclf
from imgclf import Classifier, Recipe, conv_maxpool, flatten
from imgclf.cli.main import main


def call(*arguments):
    return CliRunner().invoke(main, [str(one) for one in arguments])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    data = imgclf.load_digits()
    recipe = Recipe(epochs=2, learning_rate=0.005, label_smoothing=0.2)
    clf = Classifier.from_blocks([conv_maxpool(8), flatten()], data, recipe)
    clf.fit(data, verbose=0)
    return clf.save(tmp_path_factory.mktemp("runs") / "model.keras").read_bytes()


@pytest.fixture
def run(trained, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model.keras").write_bytes(trained)
    return tmp_path / "run"


@pytest.fixture
def images(tmp_path):
    data = imgclf.load_digits()
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(12):
        Image.fromarray(data.test.images[number, ..., 0]).save(folder / f"{number:02}.png")
    return folder


def test_it_writes_the_temperature_into_the_model(run):
    result = call("calibrate", run, "digits")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("temperature 0.")
    assert "fitted on 179 images" in result.stdout
    assert imgclf.load(run).temperature < 1
    assert imgclf.load(run).threshold is None
    assert (run / "calibrated.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in run.iterdir()) == ["calibrated.png", "model.keras"]


def test_with_a_precision_predict_can_say_unknown(run, images):
    result = call("predict", run, images, "--unknown")
    assert result.exit_code == 1
    assert "imgclf calibrate RUN SOURCE --precision 0.99" in result.stderr
    result = call("calibrate", run, "digits", "--precision", 0.93, "--json")
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    assert record["threshold"]["wanted"] == 0.93
    threshold = imgclf.load(run).threshold
    assert record["threshold"]["probability"] == threshold.probability
    assert (run / "threshold.png").exists()
    answers = json.loads(call("predict", run, images, "--unknown", "--json").stdout)
    assert len(answers) == 12
    for answer in answers:
        unsure = answer["probability"] < round(threshold.probability, 6)
        assert (answer["class_name"] == "unknown") == unsure
    both = call("predict", run, images, "--unknown", "--threshold", 0.5)
    assert both.exit_code == 2


def test_what_cannot_be_promised_leaves_the_model_as_it_was(run, trained):
    result = call("calibrate", run, "digits", "--precision", 0.999)
    assert result.exit_code == 1
    assert "cannot be guaranteed with 95% certainty by these 179 images" in result.stderr
    assert (run / "model.keras").read_bytes() == trained


@pytest.mark.parametrize("method", ["grad-cam", "occlusion"])
def test_it_draws_what_speaks_for_the_classes(run, images, tmp_path, method):
    out = tmp_path / "heat.png"
    result = call("explain", run, images, "--out", out, "--method", method, "--target", "3")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"{method} of 12 images")
    with Image.open(out) as figure:
        assert figure.width > 1000


def test_explain_tells_of_each_image_as_json(run, images, tmp_path):
    result = call("explain", run, images / "00.png", "--out", tmp_path / "a.png", "--json")
    (record,) = json.loads(result.stdout)["images"]
    assert record["path"].endswith("00.png")
    assert set(record) >= {"class_name", "probability", "hot_drop", "random_drop", "agreement"}


def test_too_many_or_no_images_are_a_mistake_of_the_call(run, images, tmp_path):
    result = call("explain", run, *[images] * 4)
    assert result.exit_code == 2
    assert "The figure takes 1 to 40 images" in result.stderr
    (tmp_path / "empty").mkdir()
    empty = call("explain", run, tmp_path / "empty")
    assert empty.exit_code == 1
    assert "there are no images in this folder" in empty.stderr
    unknown = call("explain", run, images, "--target", "cat", "--out", tmp_path / "a.png")
    assert unknown.exit_code == 1
    assert "`targets` must be one of '0', '1'" in unknown.stderr
