"""A `fit` that is refused has changed nothing: neither the classifier, nor a byte of the folder."""

import hashlib
import shutil

import keras
import numpy as np
import pytest

import imgclf
from imgclf import Classifier, Recipe, conv, errors, flatten, global_pool
from imgclf.training.loop.run_folder import RunFolder

BLOCKS = [conv(2, normalization="batch"), global_pool()]
RECIPE = Recipe(epochs=2, batch_size=50, learning_rate=0.01, precision="float32")


@pytest.fixture(scope="module")
def data():
    digits = imgclf.load_digits()
    return imgclf.Dataset(digits.train[:100], digits.validation[:60], digits.test, name="few")


def whole_network(data, recipe=RECIPE):
    return Classifier.from_blocks(BLOCKS, data, recipe)


def phases(data, recipe=RECIPE):
    return Classifier.from_model(
        whole_network(data), data, epochs=recipe.epochs, batch_size=50, precision="float32"
    )


MAKERS = {"whole network": whole_network, "phases": phases}


@pytest.fixture(scope="module", params=MAKERS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def trained(kind, data, tmp_path_factory):
    """A run that is over, and the file of its calibrated classifier."""
    folder = tmp_path_factory.mktemp("trained")
    clf = MAKERS[kind](data)
    clf.fit(data, run_dir=folder / "run", verbose=0)
    labels = clf.predict_proba(data.validation).argmax(axis=1)
    labels[:6] = (labels[:6] + 1) % 10  # mostly right, so that a temperature and a threshold fit
    clf.calibrate(data.validation.images, labels)
    clf.fit_threshold(data.validation.images, labels, precision=0.5)
    clf.save(folder / "calibrated.keras")
    return folder


@pytest.fixture
def clf(trained):
    clf = imgclf.load(trained / "calibrated.keras")
    clf.run_dir = trained / "run"
    return clf


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained / "run", tmp_path / "run")


def state(clf):
    """All that a classifier holds."""
    model = clf.model
    return {
        "model": id(model),
        "weights": hashlib.sha256(b"".join(w.tobytes() for w in model.get_weights())).digest(),
        "trainable": [layer.trainable for layer in model.layers],
        "temperature": clf.temperature,
        "threshold": clf.threshold,
        "recipe": clf.recipe,
        "trained_recipe": clf.trained_recipe,
        "history": {name: list(values) for name, values in clf.history.items()},
        "run_dir": clf.run_dir,
        "strategy": clf.strategy,
        "names": clf.class_names,
    }


def tree(folder):
    """Every file and folder in it, with a hash of each file."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else "folder"
        for path in folder.rglob("*")
    }


def with_nan(data):
    images = np.zeros((4, 8, 8, 1), np.float32)
    images[1, 2] = np.nan
    return {"data": images, "labels": np.arange(4)}


ARGUMENTS = {
    "no epochs": lambda data: {"epochs": 0},
    "epochs and minutes": lambda data: {"epochs": 1, "minutes": 1},
    "no minutes": lambda data: {"minutes": 0},
    "too few minutes": lambda data: {"minutes": 1e-4},
    "batch size": lambda data: {"batch_size": 2.5},
    "class weight": lambda data: {"class_weight": {"a cat": 2.0}},
    "resume": lambda data: {"resume": "always"},
    "verbose": lambda data: {"verbose": 7},
    "checkpoint seconds": lambda data: {"checkpoint_seconds": -1},
    "a class in place of a callback": lambda data: {"callbacks": keras.callbacks.TerminateOnNaN},
    "no list of callbacks": lambda data: {"callbacks": 0},
    "no callbacks": lambda data: {"callbacks": [print]},
    "Keras's backup": lambda data: {"callbacks": [keras.callbacks.BackupAndRestore("backup")]},
    "patience without validation": lambda data: {
        "data": data.train,
        "recipe": RECIPE.replace(patience=1),
    },
    "recipe": lambda data: {"recipe": {"epochs": 1}},
    "no recipe": lambda data: {"recipe": {}},
    "a choice of epochs": lambda data: {"epochs": imgclf.choice(1, 2)},
    "a choice in the recipe": lambda data: {
        "recipe": RECIPE.replace(optimizer=imgclf.choice("sgd", "adam"))
    },
    "other classes": lambda data: {
        "data": imgclf.Split(data.train.images, data.train.labels % 3, ["a", "b", "c"])
    },
    "classes in another order": lambda data: {
        "data": imgclf.Split(data.train.images, data.train.labels, data.class_names[::-1])
    },
    "other validation classes": lambda data: {
        "validation_data": imgclf.Split(data.train.images, data.train.labels % 2, ["a", "b"])
    },
    "no images": lambda data: {"data": data.train[:0]},
    "images without labels": lambda data: {"data": data.train.images},
    "images of another shape": lambda data: {
        "data": np.zeros((4, 9, 9, 1), np.uint8),
        "labels": np.arange(4),
    },
    "validation images of another shape": lambda data: {
        "validation_data": (np.zeros((4, 9, 9, 1), np.uint8), np.arange(4))
    },
    "values that are not finite": with_nan,
    "run_dir": lambda data: {"run_dir": 3},
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments_that_are_refused(clf, data, run, tmp_path, name):
    before, files = state(clf), tree(tmp_path)
    for run_dir in (run, tmp_path / "new" / "run", None):
        if run_dir is None and name == "Keras's backup":
            continue
        settings = {"data": data, "run_dir": run_dir, "resume": "force", "verbose": 0}
        with pytest.raises(errors.ImgclfError):
            clf.fit(**settings | ARGUMENTS[name](data))
        assert state(clf) == before
        assert tree(tmp_path) == files


def other_run(data, run, tmp_path):
    return {"run_dir": run, "epochs": 3}


def other_data(data, run, tmp_path):
    return {"data": data.train[:70], "run_dir": run}


def a_file(data, run, tmp_path):
    (tmp_path / "file").write_text("mine")
    return {"run_dir": tmp_path / "file"}


def in_a_file(data, run, tmp_path):
    (tmp_path / "file").write_text("mine")
    return {"run_dir": tmp_path / "file" / "run"}


def damaged(data, run, tmp_path):
    for path in run.rglob("config.json"):
        path.write_text("{")
    return {"run_dir": run, "resume": "force"}


def other_checkpoints(data, run, tmp_path):
    """The run is forced to continue, but its checkpoints are of no use."""
    for path in run.rglob("*.npz"):
        path.write_bytes(b"")
    return {"run_dir": run, "resume": "force", "epochs": 3}


def other_minutes(data, run, tmp_path):
    return {"run_dir": run, "minutes": 5}


def too_few_minutes_forced(data, run, tmp_path):
    return {"run_dir": run, "minutes": 1e-4, "resume": "force"}


FOLDERS = [
    other_run,
    other_data,
    a_file,
    in_a_file,
    damaged,
    other_checkpoints,
    other_minutes,
    too_few_minutes_forced,
]


@pytest.mark.parametrize("spoil", FOLDERS)
def test_folders_that_are_refused(clf, data, run, tmp_path, spoil):
    settings = {"data": data, "verbose": 0, **spoil(data, run, tmp_path)}
    (run / ".imgclf-left-by-a-kill").write_text("")
    before, files = state(clf), tree(tmp_path)
    with pytest.raises(errors.ImgclfError):
        clf.fit(**settings)
    assert state(clf) == before
    assert tree(tmp_path) == files


def test_a_folder_in_use(clf, data, run, tmp_path):
    with RunFolder(run).lock():
        before, files = state(clf), tree(tmp_path)
        with pytest.raises(errors.RunFolderError, match="is in use by process"):
            clf.fit(data, run_dir=run, verbose=0)
        assert state(clf) == before
        assert tree(tmp_path) == files


def test_a_folder_without_space(clf, data, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    before = state(clf)
    with pytest.raises(errors.RunFolderError, match=r"there are 1\.0 kB left\."):
        clf.fit(data, run_dir=tmp_path / "new" / "run", verbose=0)
    assert state(clf) == before
    assert tree(tmp_path) == {}


def test_the_folder_of_the_other_strategy(kind, clf, data, run, tmp_path):
    other = MAKERS["phases" if kind == "whole network" else "whole network"](data)
    before, files = state(other), tree(tmp_path)
    with pytest.raises(errors.RunFolderError, match="holds another run"):
        other.fit(data, run_dir=run, verbose=0)
    assert state(other) == before
    assert tree(tmp_path) == files


def test_smaller_images_for_a_network_of_one_size(data, tmp_path):
    recipe = RECIPE.replace(progressive_size=0.5, progressive_fraction=0.5)
    clf = Classifier.from_blocks([flatten()], data, recipe)
    before = state(clf)
    with pytest.raises(errors.ArgumentError, match="`progressive_size` needs a network"):
        clf.fit(data, run_dir=tmp_path / "run", verbose=0)
    assert state(clf) == before
    assert tree(tmp_path) == {}


@pytest.mark.parametrize(
    ("given", "shown"),
    [((), "()"), ([[], []], "'list'"), ("d", "'Dataset'")],
    ids=str,
)
def test_validation_data_is_named(clf, data, given, shown):
    given = data if given == "d" else given
    with pytest.raises(errors.ArgumentTypeError) as caught:
        clf.fit(data, validation_data=given)
    assert str(caught.value) == (
        "`validation_data` must be a Split or a pair (images, labels). "
        f"Received: validation_data={shown}."
    )


def test_a_fit_that_is_accepted_drops_what_was_calibrated_but_not_the_recipe(clf, data, tmp_path):
    recipe = clf.recipe
    history = clf.fit(data, epochs=1, run_dir=tmp_path / "run", verbose=0)
    assert clf.recipe == recipe
    assert clf.trained_recipe == history.recipe == recipe.replace(epochs=1)
    assert (clf.temperature, clf.threshold, clf.run_dir) == (1.0, None, tmp_path / "run")
    loaded = imgclf.load(tmp_path / "run")
    assert (loaded.recipe, loaded.trained_recipe) == (recipe, recipe.replace(epochs=1))
    assert loaded.run_dir == tmp_path / "run"


def test_a_fit_that_ends_in_an_error_has_begun(clf, data):
    """The weights have changed: what belonged to those of before is gone."""

    def stop(batch, logs):
        raise KeyboardInterrupt

    stopper = keras.callbacks.LambdaCallback(on_train_batch_end=stop)
    with pytest.raises(KeyboardInterrupt):
        clf.fit(data, callbacks=[stopper], verbose=0)
    assert (clf.temperature, clf.threshold, clf.run_dir) == (1.0, None, None)
