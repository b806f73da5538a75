"""A call leaves the process as it found it: each public function is called, and all compared.

The functions are listed from `imgclf.__all__` and the methods of `Classifier`: a new one fails here
until it is added to `CALLS`.
"""

import decimal
import gc
import locale
import logging
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import keras
import keras_tuner
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import tensorflow as tf

import imgclf
from imgclf import conv_maxpool, flatten
from imgclf.training.loop import timing
from imgclf.training.recipe import grouped_optimizers, scalable_rate

BLOCKS = [conv_maxpool(4), flatten(dropout=0.2)]


def draws():
    """The next numbers of every global stream; two of each, since normal ones come in pairs."""
    operation = [float(tf.random.uniform([], seed=5)) for _ in range(2)]  # counts its calls
    return {
        "Python": [random.random(), random.gauss(0, 1)],
        "NumPy": [np.random.random(), np.random.normal()],
        "TensorFlow": [float(tf.random.normal([])), float(tf.random.uniform([]))],
        "TensorFlow's operations with a seed": operation,
        "Keras": [float(keras.random.normal(())), float(keras.random.uniform(()))],
        "Keras's layers": np.asarray(keras.initializers.GlorotUniform()((2, 2))).tolist(),
    }


@pytest.fixture(autouse=True)
def keras_set_otherwise():
    """Keras's settings are not the ones that it starts with."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    keras.config.set_epsilon(1e-6)
    keras.config.disable_traceback_filtering()
    keras.config.disable_interactive_logging()
    with keras.saving.custom_object_scope({"scoped": quick}):
        yield
    keras.config.set_dtype_policy("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.enable_traceback_filtering()
    keras.config.enable_interactive_logging()


def seed_all():
    keras.utils.set_random_seed(2017)
    draws()  # generators are made, pairs are open
    np.random.normal()


def settings():
    """All that a call could leave changed, by name."""
    loggers = {"root": logging.root} | logging.root.manager.loggerDict
    return {
        "warnings filters": list(warnings.filters),
        "warnings.showwarning": warnings.showwarning,
        "environment": dict(os.environ),
        "working directory": Path.cwd(),
        "umask": umask(),
        "locale": locale.setlocale(locale.LC_ALL),
        "signal handlers": [signal.getsignal(one) for one in sorted(signal.valid_signals())],
        "sys": [
            getattr(sys, name)
            for name in ("excepthook", "unraisablehook", "displayhook", "stdin", "stdout", "stderr")
        ],
        "sys.path and argv": [list(sys.path), list(sys.argv)],
        "hooks": [threading.excepthook, sys.gettrace(), sys.getprofile()],
        "recursion limit": sys.getrecursionlimit(),
        "gc": [gc.isenabled(), gc.get_threshold(), list(gc.callbacks)],
        # Python 3.12 freezes some 400 objects itself, now and then; a caller's freeze, thousands.
        "gc.freeze": gc.get_freeze_count() > 1_000,
        "multiprocessing": multiprocessing.get_start_method(allow_none=True),
        "processes": multiprocessing.active_children(),
        "threads": {thread.name for thread in threading.enumerate()},
        "decimal": repr(decimal.getcontext()),
        "NumPy's errors": np.geterr(),
        "NumPy's printing": np.get_printoptions(),
        "Keras": [
            keras.config.backend(),
            keras.config.floatx(),
            keras.config.epsilon(),
            keras.config.image_data_format(),
            keras.config.dtype_policy().name,
            keras.config.is_interactive_logging_enabled(),
            keras.config.is_traceback_filtering_enabled(),
            keras.saving.get_registered_object("scoped"),
            dict(keras.saving.get_custom_objects()),
        ],
        "Keras's classes and functions": [
            {key: value for key, value in vars(owner).items() if key != "__annotations__"}
            for owner in (
                keras.Layer,
                keras.KerasTensor,
                keras.Model,
                keras.optimizers.Optimizer,
                keras.src.backend,
                keras.src.backend.numpy,
                keras.src.backend.nn,
                keras.ops,
            )
        ],
        "TensorFlow": [
            tf.config.threading.get_inter_op_parallelism_threads(),
            tf.config.threading.get_intra_op_parallelism_threads(),
            tf.config.functions_run_eagerly(),
            tf.config.get_soft_device_placement(),
            tf.config.optimizer.get_jit(),
            tf.autograph.get_verbosity() if hasattr(tf.autograph, "get_verbosity") else None,
            tf.get_logger().level,
        ],
        "logging": {
            name: [logger.level, logger.handlers[:], logger.filters[:], logger.disabled]
            for name, logger in loggers.items()
            if isinstance(logger, logging.Logger)
        },
        "logging.disable": logging.root.manager.disable,
        "matplotlib's rc": dict(mpl.rcParams),
        "matplotlib's backend": mpl.get_backend(),
        "pyplot's figures": plt.get_fignums(),
        "files in the working directory": sorted(Path.cwd().iterdir()),
    }


def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def differences(before, after):
    """The names of what differs; of a dict only keys of before count: loggers come by import."""
    found = []
    for name, old in before.items():
        new = after[name]
        if isinstance(old, dict) and name == "logging":
            new = {key: value for key, value in new.items() if key in old}
        if old != new:
            found.append(name)
    return found


@pytest.fixture(scope="module")
def data():
    full = imgclf.load_digits()
    splits = full.train[:90], full.validation[:40], full.test[:40]
    return imgclf.Dataset(*splits)


@pytest.fixture(scope="module")
def world(data, tmp_path_factory):
    """What the calls need: a trained classifier, another, files."""
    folder = tmp_path_factory.mktemp("state")
    recipe = imgclf.Recipe(epochs=1, batch_size=45, precision="float32")
    clf = imgclf.Classifier.from_blocks(BLOCKS, data, recipe)
    clf.fit(data, epochs=4, verbose=0)
    # Some labels are what the network says, so that calibration finds a temperature.
    answers = clf.predict_proba(data.validation).argmax(axis=1)
    labels = np.where(np.arange(len(answers)) % 4, answers, data.validation.labels)
    solved = imgclf.Split(data.validation.images, labels, data.class_names)
    path = folder / "saved.keras"
    clf.save(path)
    photos = folder / "photos"
    from PIL import Image

    for name in "ab":
        (photos / name).mkdir(parents=True)
        for number in range(6):
            grey = np.random.default_rng(ord(name) * 100 + number).integers(0, 256, (9, 9), "u1")
            Image.fromarray(grey).save(photos / name / f"{number}.png")
    table = folder / "table.csv"
    rows = [f"photos/{name}/{number}.png,{name}" for name in "ab" for number in range(6)]
    table.write_text("\n".join(["path,label", *rows]))
    # Imports that register classes with Keras.
    keras_tuner.HyperParameters()
    assert grouped_optimizers.GroupedSGD
    assert scalable_rate.ScalableRate
    return {
        "clf": clf,
        "path": path,
        "photos": photos,
        "table": table,
        "recipe": recipe,
        "solved": solved,
    }


def quick(hp):
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Flatten()(inputs)
    x = keras.layers.Dense(hp.Int("units", 4, 8, step=4), activation="relu")(x)
    x = keras.layers.Dropout(0.1)(x)
    return keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(x))


def fresh(world):
    """A classifier with the same weights that a call may change."""
    return imgclf.load(world["path"])


def search_blocks(d, w, folder, **settings):
    blocks = [conv_maxpool(imgclf.choice(2, 3)), flatten()]
    return imgclf.search(
        d,
        blocks=blocks,
        recipe=w["recipe"],
        max_trials=2,
        run_dir=folder / "search",
        verbose=0,
        **settings,
    )


def update_of_a_run(d, w, folder):
    run = folder / "updated"
    fresh(w).fit(d, run_dir=run, verbose=0)
    splits = [d.train, d.validation, d.test, imgclf.load_digits().train[90:120]]
    images = np.concatenate([split.images for split in splits])
    labels = np.concatenate([split.labels for split in splits])
    more = imgclf.Dataset.from_arrays(images, labels, class_names=d.class_names, split_like=run)
    return imgclf.update_run(run, more, epochs=1, verbose=0)


def no_cifar10(folder):
    with pytest.raises(imgclf.errors.ImgclfError):
        imgclf.load_cifar10(archive=folder / "none.tar.gz")


PRESET = {"epochs": 1, "batch_size": 45}
# Modules, and what others return.
NOTHING = {"__version__", "errors", "files", "presets", "Block", "Plan", "Prediction"}
NOTHING |= {"TransferPlan", "load_cifar10_batch"}

# name → a call of (data, world, folder)
CALLS = {
    "Augmentation": lambda d, w, f: imgclf.Augmentation(shift=1),
    "CacheSettings": lambda d, w, f: imgclf.CacheSettings(),
    "Dataset": lambda d, w, f: imgclf.Dataset.from_arrays(d.train.images, d.train.labels),
    "Evaluation": lambda d, w, f: imgclf.Evaluation(
        d.test.labels, np.eye(10, dtype="f4")[d.test.labels], d.class_names
    ).to_dict(),
    "Preset": lambda d, w, f: imgclf.presets.get_preset("quick").recipe(d),
    "Recipe": lambda d, w, f: imgclf.Recipe(epochs=2).replace(seed=3),
    "Split": lambda d, w, f: imgclf.Split(d.test.images, d.test.labels, d.class_names)[:3],
    "adapt_whitening": lambda d, w, f: imgclf.adapt_whitening(
        imgclf.Classifier.from_blocks([imgclf.whitening(), *BLOCKS], d).model, d.train.images
    ),
    "baselines": lambda d, w, f: imgclf.baselines(d),
    "between": lambda d, w, f: imgclf.between(0.0, 0.5),
    "choice": lambda d, w, f: imgclf.choice(1, 2),
    "compare": lambda d, w, f: imgclf.compare(w["clf"], fresh(w), d.test),
    "describe": lambda d, w, f: str(imgclf.describe(w["clf"].model)),
    "eject": lambda d, w, f: imgclf.eject(w["clf"]),
    "initializer": lambda d, w, f: imgclf.initializer("he_normal"),
    "inspect": lambda d, w, f: imgclf.inspect(d),
    "learning_curve": lambda d, w, f: imgclf.learning_curve(
        d, "quick", train_fractions=(0.5, 0.7, 1.0), verbose=False, **PRESET
    ),
    "load": lambda d, w, f: imgclf.load(w["path"]),
    "load_cifar10": lambda d, w, f: no_cifar10(f),
    "load_csv": lambda d, w, f: imgclf.load_csv(w["table"]),
    "load_digits": lambda d, w, f: imgclf.load_digits(),
    "load_folder": lambda d, w, f: imgclf.load_folder(w["photos"]),
    "optional": lambda d, w, f: imgclf.optional(imgclf.dense(3)),
    "repeat": lambda d, w, f: imgclf.repeat(imgclf.dense(3), 1, 2),
    "search": search_blocks,
    "search of a hypermodel": lambda d, w, f: imgclf.search(
        d, quick, recipe=w["recipe"], max_trials=1, run_dir=f / "hyper", verbose=0
    ),
    "update_run": update_of_a_run,
    "Classifier": lambda d, w, f: imgclf.Classifier(w["clf"].model, d.class_names),
    "Classifier.from_preset": lambda d, w, f: imgclf.Classifier.from_preset("quick", d),
    "Classifier.from_model": lambda d, w, f: imgclf.Classifier.from_model(w["path"], d),
    "Classifier.from_blocks": lambda d, w, f: imgclf.Classifier.from_blocks(BLOCKS, d),
    "Classifier.fit": lambda d, w, f: fresh(w).fit(d, run_dir=f / "run", verbose=2),
    "Classifier.fit in phases": lambda d, w, f: imgclf.Classifier.from_model(
        w["clf"], d, fine_tune_epochs=1, **PRESET
    ).fit(d, verbose=0),
    "Classifier.plan": lambda d, w, f: fresh(w).plan(d),
    "Classifier.predict": lambda d, w, f: w["clf"].predict(w["photos"]),
    "Classifier.predict_files": lambda d, w, f: list(w["clf"].predict_files(w["photos"])),
    "Classifier.predict_proba": lambda d, w, f: w["clf"].predict_proba(d.test),
    "Classifier.evaluate": lambda d, w, f: w["clf"].evaluate(d.test).to_dict(),
    "Classifier.evaluate_deduplicated": lambda d, w, f: w["clf"].evaluate_deduplicated(d),
    "Classifier.evaluate_robustness": lambda d, w, f: w["clf"].evaluate_robustness(
        d.test, sample=10
    ),
    "Classifier.calibrate": lambda d, w, f: fresh(w).calibrate(w["solved"]),
    "Classifier.fit_threshold": lambda d, w, f: fresh(w).fit_threshold(
        d.validation, precision=0.1, certainty=None
    ),
    "Classifier.explain": lambda d, w, f: w["clf"].explain(d.test[:2]).plot().savefig(f / "a.png"),
    "Classifier.explain by occlusion": lambda d, w, f: w["clf"].explain(
        d.test[:1], method="occlusion"
    ),
    "Classifier.nearest_neighbors": lambda d, w, f: w["clf"].nearest_neighbors(d.test[:2], d.train),
    "Classifier.report": lambda d, w, f: w["clf"].report(f / "report.html", d, verbose=0),
    "Classifier.model_card": lambda d, w, f: w["clf"].model_card(
        f / "card.md", w["clf"].evaluate(d.test)
    ),
    "Classifier.save": lambda d, w, f: w["clf"].save(f / "again.keras"),
}
# Values are made, and draw nothing.
CALLS |= {
    "activation": lambda d, w, f: imgclf.activation("relu"),
    "avgpool": lambda d, w, f: imgclf.avgpool(),
    "batch_norm": lambda d, w, f: imgclf.batch_norm(),
    "conv": lambda d, w, f: imgclf.conv(2),
    "conv_maxpool": lambda d, w, f: conv_maxpool(2),
    "dense": lambda d, w, f: imgclf.dense(2),
    "dense_dropout": lambda d, w, f: imgclf.dense_dropout(2),
    "dropout": lambda d, w, f: imgclf.dropout(0.5),
    "flatten": lambda d, w, f: imgclf.flatten(),
    "global_pool": lambda d, w, f: imgclf.global_pool(),
    "maxpool": lambda d, w, f: imgclf.maxpool(),
    "residual": lambda d, w, f: imgclf.residual([imgclf.conv(2)]),
    "separable_conv": lambda d, w, f: imgclf.separable_conv(2),
    "whitening": lambda d, w, f: imgclf.whitening(),
}
# It takes no seed: weights are drawn from the caller's stream, as those of Keras's own layers.
DRAWING = {
    "build_classifier": lambda d, w, f: imgclf.build_classifier((8, 8, 1), 10, BLOCKS),
}


def test_every_public_function_is_called_here():
    methods = {
        f"Classifier.{name}"
        for name, value in vars(imgclf.Classifier).items()
        if not name.startswith("_") and not isinstance(value, property)
    }
    missing = {*imgclf.__all__, *methods} - NOTHING - CALLS.keys() - DRAWING.keys()
    assert not missing, f"add calls of {sorted(missing)} to CALLS"


@pytest.mark.parametrize("name", [*CALLS, *DRAWING])
def test_nothing_outside_is_changed(name, data, world, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    monkeypatch.setattr(timing, "_SECONDS", 0.05)
    seed_all()
    expected = draws()
    seed_all()
    before = settings()
    (CALLS | DRAWING)[name](data, world, out)
    assert differences(before, settings()) == []
    if name in CALLS:
        assert draws() == expected


IN_A_FRESH_PROCESS = """
import random, sys
import numpy as np
random.seed(1)
np.random.seed(1)
expected = random.random(), np.random.random()
random.seed(1)
np.random.seed(1)
import imgclf
{call}
assert "tensorflow" in sys.modules
assert (random.random(), np.random.random()) == expected
"""


@pytest.mark.parametrize(
    "call",
    [
        "imgclf.Classifier.from_preset('quick', imgclf.load_digits())",
        "imgclf.load(sys.argv[1]).predict(np.zeros((8, 8, 1), np.uint8))",
    ],
    ids=["from_preset", "load"],
)
def test_neither_does_the_first_call_which_imports_tensorflow(call, world):
    script = IN_A_FRESH_PROCESS.format(call=call)
    command = [sys.executable, "-c", script, str(world["path"])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
