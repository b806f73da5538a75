"""Keras may be set otherwise: images with channels first, or another backend."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

import imgclf
from imgclf import conv_maxpool, flatten

BLOCKS = """[
    imgclf.whitening(), imgclf.conv(3), imgclf.conv_maxpool(4), imgclf.batch_norm(),
    imgclf.separable_conv(3), imgclf.residual([imgclf.conv(3)]), imgclf.maxpool(),
    imgclf.avgpool(), imgclf.flatten(), imgclf.dense_dropout(4),
]"""

CHANNELS_FIRST = f"""
import sys, numpy as np, imgclf
images, labels, model, answers = sys.argv[1:]
images, labels = np.load(images), np.load(labels)
import keras
assert keras.config.image_data_format() == "channels_first"
data = imgclf.Dataset.from_arrays(images, labels)
recipe = imgclf.Recipe(epochs=1, batch_size=20, precision="float32")
clf = imgclf.Classifier.from_blocks({BLOCKS}, data, recipe)
clf.fit(data, verbose=0)
clf.save(model)
answer = clf.predict_proba(images)
np.save(answers, answer)
np.testing.assert_allclose(imgclf.load(model).predict_proba(images), answer, atol=1e-5)
clf.evaluate(data.test)
clf.explain(images[:2])
transferred = imgclf.Classifier.from_model(
    clf, data, epochs=1, fine_tune_epochs=1, batch_size=20
)
transferred.fit(data, verbose=0)
for layer in clf.model.layers:
    assert getattr(layer, "data_format", "channels_last") == "channels_last", layer.name
assert keras.config.image_data_format() == "channels_first"
# The user's own layers are as they set them.
assert keras.layers.Conv2D(1, 1).data_format == "channels_first"
"""


def child(script, *arguments, home=None, **environment):
    env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment}
    if home is not None:
        env["KERAS_HOME"] = str(home)
    arguments = [str(argument) for argument in arguments]
    command = [sys.executable, *(["-c", script] if "\n" in script else script.split()), *arguments]
    return subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=300, check=False
    )


def keras_home(folder, **settings):
    defaults = {"floatx": "float32", "epsilon": 1e-7, "backend": "tensorflow"}
    folder.mkdir(exist_ok=True)
    (folder / "keras.json").write_text(json.dumps(defaults | settings))
    return folder


def test_channels_first_changes_nothing(tmp_path, rng):
    images = rng.integers(0, 256, (40, 12, 12, 3), np.uint8)
    np.save(tmp_path / "images.npy", images)
    np.save(tmp_path / "labels.npy", np.arange(40) % 2)
    model = tmp_path / "model.keras"
    home = keras_home(tmp_path / "home", image_data_format="channels_first")
    files = [tmp_path / "images.npy", tmp_path / "labels.npy", model, tmp_path / "answers.npy"]
    done = child(CHANNELS_FIRST, *files, home=home)
    assert done.returncode == 0, done.stderr[-2000:]
    # Where channels are last, the file answers alike, in imgclf and in plain Keras.
    answers = np.load(tmp_path / "answers.npy")
    np.testing.assert_allclose(imgclf.load(model).predict_proba(images), answers, atol=1e-4)
    np.testing.assert_allclose(keras.models.load_model(model)(images), answers, atol=1e-4)


USES = {
    "build_classifier": "imgclf.build_classifier((8, 8, 1), 2, [imgclf.flatten()])",
    "from_preset": "imgclf.Classifier.from_preset('quick', imgclf.load_digits())",
    "from_preset of a backbone": (
        "imgclf.Classifier.from_preset('efficientnetv2-b0', imgclf.load_digits(), weights=None)"
    ),
    "from_blocks": "imgclf.Classifier.from_blocks([imgclf.flatten()], imgclf.load_digits())",
    "load": "imgclf.load(sys.argv[1])",
    "search": "imgclf.search(imgclf.load_digits(), max_trials=1, run_dir=sys.argv[2])",
    "learning_curve": "imgclf.learning_curve(imgclf.load_digits(), 'quick', epochs=1)",
}
# All in one process, whose start takes longest.
FIRST_USES = """
import sys
import imgclf
for use in {uses}:
    try:
        eval(use)
    except imgclf.errors.BackendError as error:
        print(error)
    else:
        print(use, "went through")
assert "keras" not in sys.modules and "tensorflow" not in sys.modules
"""


@pytest.fixture
def saved(tmp_path):
    model = imgclf.build_classifier((6, 6, 1), 2, [conv_maxpool(2), flatten()])
    path = tmp_path / "model.keras"
    imgclf.Classifier(model).save(path)
    return path


@pytest.mark.parametrize("source", ["the environment variable KERAS_BACKEND", "keras.json"])
@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_another_backend_is_one_clear_error_at_the_first_use(backend, source, saved, tmp_path):
    environment, home = {"KERAS_BACKEND": backend}, None
    if source == "keras.json":
        home = keras_home(tmp_path / "home", backend=backend)
        environment, source = {"KERAS_BACKEND": ""}, str(home / source)
    script = FIRST_USES.format(uses=list(USES.values()))
    done = child(script, saved, tmp_path / "search", home=home, **environment)
    assert done.returncode == 0, done.stderr[-2000:]
    message = (
        f"imgclf needs Keras on TensorFlow, but Keras is set to {backend!r} by {source}. Set the "
        "environment variable KERAS_BACKEND=tensorflow before Python starts, or "
        'os.environ["KERAS_BACKEND"] = "tensorflow" before Keras is imported.'
    )
    assert done.stdout.splitlines() == [message] * len(USES)


def test_the_command_line_says_so_in_a_line(saved, tmp_path):
    image = tmp_path / "image.png"
    from PIL import Image

    Image.new("L", (6, 6)).save(image)
    done = child("-m imgclf predict", saved, image, KERAS_BACKEND="torch")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: imgclf needs Keras on TensorFlow")
    assert len(done.stderr.splitlines()) == 1


def test_a_model_of_another_backend_is_refused(monkeypatch):
    model = imgclf.build_classifier((6, 6, 1), 2, [conv_maxpool(2), flatten()])
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(imgclf.errors.BackendError, match="is set to 'jax' by the time Keras was"):
        imgclf.Classifier(model)
