"""Models are loaded in several threads at once, and Keras is afterwards as it was."""

import os
import random
import signal
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest

import imgclf
from imgclf import conv_maxpool, flatten

THREADS, LOADS = 8, 6


def patched_by_a_load():
    return keras.layers.Layer.add_weight, keras.KerasTensor.__init__, keras.Sequential.add


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    model = imgclf.build_classifier((6, 6, 1), 3, [conv_maxpool(2), flatten()])
    clf = imgclf.Classifier(model, ["a", "b", "c"])
    path = tmp_path_factory.mktemp("threads") / "model.keras"
    clf.save(path)
    return clf, path


@pytest.fixture(autouse=True)
def keras_as_it_was():
    before = patched_by_a_load()
    yield
    assert patched_by_a_load() == before
    layer = keras.layers.Dense(3, kernel_initializer="ones")
    layer.build((None, 3))
    assert np.asarray(layer.kernel).sum() == 9


def test_eight_threads_load_at_once(saved, rng):
    clf, path = saved
    images = rng.integers(0, 256, (4, 6, 6, 1), np.uint8)
    expected = [weight.tobytes() for weight in clf.model.get_weights()]
    answer = clf.predict_proba(images)
    start = threading.Barrier(THREADS)

    def load(number):
        start.wait()
        for _ in range(LOADS):
            loaded = imgclf.load(path)
            assert [weight.tobytes() for weight in loaded.model.get_weights()] == expected
            # Meanwhile layers are made as ever in every thread, larger than any file allows, too.
            layer = keras.layers.Dense(100 + number, kernel_initializer="ones")
            layer.build((None, 100))
            assert np.asarray(layer.kernel).all()
        np.testing.assert_allclose(loaded.predict_proba(images), answer, atol=1e-5)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(load, range(THREADS)))


def test_refused_files_between_good_ones_leave_keras_alone(saved, tmp_path):
    clf, path = saved
    rotten = tmp_path / "rotten.keras"
    rotten.write_bytes(path.read_bytes()[:-40])

    def load(number):
        for turn in range(5):
            if (number + turn) % 2:
                with pytest.raises(imgclf.errors.ModelFileError):
                    imgclf.load(rotten)
            else:
                assert imgclf.load(path).class_names == clf.class_names

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(load, range(THREADS)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_while_another_thread_loads_finds_keras_as_it_was(saved):
    _, path = saved
    originals = patched_by_a_load()
    over = threading.Event()

    def load():
        while not over.is_set():
            imgclf.load(path)

    thread = threading.Thread(target=load)
    thread.start()
    codes = []
    try:
        for _ in range(5):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of forks beside threads, in Python 3.12
                child = os.fork()
            if child == 0:
                from imgclf.untrusted.building import building_within

                code = 2
                if patched_by_a_load() == originals:
                    with building_within([]):  # the lock is free
                        code = 0
                os._exit(code)
            codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    finally:
        over.set()
        thread.join(60)
    assert codes == [0] * 5


def test_one_classifier_predicts_in_eight_threads(saved, rng):
    clf, _ = saved
    batches = [rng.integers(0, 256, (number + 1, 6, 6, 1), np.uint8) for number in range(THREADS)]
    expected = [clf.predict_proba(images) for images in batches]
    unused = imgclf.Classifier(clf.model)
    start = threading.Barrier(THREADS)

    def predict_first(number):
        start.wait()
        return unused.predict_proba(batches[number])

    def predict(number):
        # More calls than it takes until the weights are frozen into a graph.
        return [clf.predict_proba(batches[number]) for _ in range(12)]

    with ThreadPoolExecutor(THREADS) as pool:
        for answer, right in zip(pool.map(predict_first, range(THREADS)), expected, strict=True):
            np.testing.assert_allclose(answer, right, atol=1e-6)
        for answers, right in zip(pool.map(predict, range(THREADS)), expected, strict=True):
            for answer in answers:
                np.testing.assert_allclose(answer, right, atol=1e-6)


def test_two_trainings_at_once_leave_the_callers_random_numbers(saved, rng):
    images = rng.integers(0, 256, (20, 6, 6, 1), np.uint8)
    model = imgclf.build_classifier((6, 6, 1), 2, [flatten()])
    classifiers = [imgclf.Classifier(keras.models.clone_model(model)) for _ in range(2)]
    keras.utils.set_random_seed(3)
    expected = random.random(), np.random.random()
    keras.utils.set_random_seed(3)
    start = threading.Barrier(2)

    def fit(number):
        start.wait()
        # Of different lengths, so that they overlap rather than enclose each other.
        classifiers[number].fit(images, [0, 1] * 10, epochs=1 + 3 * number, verbose=0)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(fit, range(2)))
    assert (random.random(), np.random.random()) == expected


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize(
    "use",
    [
        lambda clf, path: clf.predict_proba(np.zeros((300, 6, 6, 1), np.uint8)),
        lambda clf, path: imgclf.load(path),
        lambda clf, path: clf.fit(np.zeros((4, 6, 6, 1), np.uint8), [0, 1, 2, 0], verbose=0),
        lambda clf, path: imgclf.build_classifier((6, 6, 1), 2, [flatten()]),
    ],
    ids=["predict", "load", "fit", "build"],
)
def test_a_forked_process_says_that_it_must_be_spawned_where_tensorflow_would_hang(use, saved):
    clf, path = saved
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        child = os.fork()
    if child == 0:
        signal.alarm(20)
        try:
            use(clf, path)
        except imgclf.errors.BackendError as error:
            os.write(write, str(error).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as file:
        message = file.read()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert message == (
        "This process was forked after TensorFlow had started, so that TensorFlow would hang in "
        'it. Start it by multiprocessing.get_context("spawn"), or fork before the first model is '
        "made or loaded. A Classifier can be sent to a spawned process."
    )
