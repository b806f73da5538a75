"""A classifier goes into other processes, and copies of it are trained as it would be."""

import copy
import multiprocessing
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

import joblib
import keras
import numpy as np
import pytest

import imgclf
from imgclf import conv_maxpool, flatten

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 6, 6, 1), np.uint8)
LABELS = np.arange(40) % 2


def made(**settings):
    recipe = imgclf.Recipe(
        epochs=1, batch_size=20, precision="float32", schedule="cosine", **settings
    )
    model = imgclf.build_classifier((6, 6, 1), 2, [conv_maxpool(2), flatten(dropout=0.2)])
    clf = imgclf.Classifier(model, ["cat", "dog"], recipe=recipe, resize="pad")
    clf.fit(IMAGES, LABELS, verbose=0)
    return clf


@pytest.fixture(scope="module")
def trained():
    return made(optimizer="muon")


def answer(clf):
    return clf.predict_proba(IMAGES[:5])


IN_A_FRESH_PROCESS = """
import sys, numpy
{load}
answer = clf.predict_proba(numpy.load(sys.argv[2]))
numpy.save(sys.argv[3], answer)
"""


@pytest.mark.parametrize(
    "load",
    [
        "import pickle; clf = pickle.load(open(sys.argv[1], 'rb'))",
        "import joblib; clf = joblib.load(sys.argv[1])",
    ],
    ids=["pickle", "joblib"],
)
def test_a_fresh_process_reads_it(load, trained, tmp_path):
    joblib.dump(trained, tmp_path / "clf") if "joblib" in load else (tmp_path / "clf").write_bytes(
        pickle.dumps(trained)
    )
    np.save(tmp_path / "images.npy", IMAGES[:5])
    script = IN_A_FRESH_PROCESS.format(load=load)
    files = [str(tmp_path / name) for name in ("clf", "images.npy", "answer.npy")]
    subprocess.run([sys.executable, "-c", script, *files], check=True, timeout=120)
    np.testing.assert_allclose(np.load(files[2]), answer(trained), atol=1e-6)


def test_a_spawned_pool_takes_it(trained):
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        np.testing.assert_allclose(
            pool.submit(answer, trained).result(), answer(trained), atol=1e-6
        )


@pytest.mark.parametrize("optimizer", ["adam", "muon", "sgd"])
@pytest.mark.parametrize(
    "duplicate",
    [copy.deepcopy, lambda clf: pickle.loads(pickle.dumps(clf))],
    ids=["copy", "pickle"],
)
def test_a_copy_knows_what_it_was_made_of_and_is_trained_alike(duplicate, optimizer):
    clf = made(optimizer=optimizer)
    if optimizer == "adam":  # calibrated, by labels that are mostly what the network says
        answers = clf.predict_proba(IMAGES).argmax(axis=1)
        clf.calibrate(IMAGES, np.where(np.arange(40) % 4, answers, 1 - answers))
    twin = duplicate(clf)
    for name in ("class_names", "recipe", "trained_recipe", "history", "resize", "temperature"):
        assert getattr(twin, name) == getattr(clf, name), name
    np.testing.assert_allclose(answer(twin), answer(clf), atol=1e-6)
    before = [weight.copy() for weight in clf.model.get_weights()]
    twin.fit(IMAGES, LABELS, verbose=0)
    # The schedule begins anew: it is not the end of the first training, whose rate is 0.
    assert int(twin.model.optimizer.iterations) == 2
    assert any((a != b).any() for a, b in zip(before, twin.model.get_weights(), strict=False))
    # The first one shares nothing with it.
    for a, b in zip(before, clf.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_copied_model_is_trained_by_the_recipe_too(trained):
    twin = imgclf.Classifier(copy.deepcopy(trained.model), recipe=trained.recipe)
    twin.fit(IMAGES, LABELS, verbose=0)
    assert int(twin.model.optimizer.iterations) == 2


def test_what_the_user_compiled_stays():
    clf = made()
    clf.model.compile(keras.optimizers.SGD(0.125), "sparse_categorical_crossentropy")
    twin = pickle.loads(pickle.dumps(clf))
    assert type(twin.model.optimizer) is keras.optimizers.SGD
    assert float(twin.model.optimizer.learning_rate) == 0.125


def test_a_copy_draws_no_random_numbers(trained):
    keras.utils.set_random_seed(1)
    expected = np.random.random(), keras.random.uniform(()), keras.initializers.HeNormal()((2,))
    keras.utils.set_random_seed(1)
    copy.deepcopy(trained)
    drawn = np.random.random(), keras.random.uniform(()), keras.initializers.HeNormal()((2,))
    for one, other in zip(drawn, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_data_from_files_and_its_evaluation_can_be_copied_and_sent(photo_folder):
    data = imgclf.load_folder(photo_folder, image_size=(8, 8))
    blocks = [conv_maxpool(2), flatten()]
    clf = imgclf.Classifier.from_blocks(blocks, data, imgclf.Recipe(epochs=1, batch_size=8))
    clf.fit(data, verbose=0)  # images are kept in memory or on disk from here on
    evaluation = clf.evaluate(data.test)
    for duplicate in (copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))):
        twin = duplicate(data)
        assert twin.class_names == data.class_names
        np.testing.assert_array_equal(twin.train.images[:4], data.train.images[:4])
        assert duplicate(evaluation).to_dict() == evaluation.to_dict()
