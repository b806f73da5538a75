import subprocess
import sys

import keras
import numpy as np
import pytest
from PIL import Image

import imgclf
from imgclf import Classifier, Recipe, errors, flatten

OPENS_IN_PLAIN_KERAS = """
import sys
sys.modules["imgclf"] = None  # importing it fails
import keras, numpy as np
model = keras.saving.load_model(sys.argv[1])
images = np.load(sys.argv[2])
np.save(sys.argv[3], model.predict(images, verbose=0))
"""


@pytest.fixture(scope="module")
def data():
    return imgclf.load_digits()


@pytest.fixture(scope="module")
def clf(data):
    recipe = Recipe(epochs=3, optimizer="adam", learning_rate=0.01)
    clf = Classifier.from_blocks([flatten()], data, recipe)
    clf.fit(data, verbose=0)
    return clf


def test_it_learns_and_is_evaluated(clf, data):
    evaluation = clf.evaluate(data.test)
    assert evaluation.accuracy > 0.8
    assert evaluation.accuracy_interval[0] < evaluation.accuracy < evaluation.accuracy_interval[1]


def test_metrics_do_not_depend_on_the_batch_size(clf, data):
    one, other = clf.evaluate(data.test, batch_size=7), clf.evaluate(data.test, batch_size=359)
    assert one.accuracy == other.accuracy
    assert one.loss == pytest.approx(other.loss, rel=1e-5)
    assert one.loss == pytest.approx(
        float(
            keras.ops.mean(
                keras.losses.sparse_categorical_crossentropy(
                    data.test.labels, clf.model.predict(data.test.images, verbose=0)
                )
            )
        ),
        rel=1e-5,
    )


def test_a_saved_classifier_is_the_same(clf, data, tmp_path):
    assert clf.save(tmp_path / "d.keras") == tmp_path / "d.keras"
    loaded = imgclf.load(tmp_path / "d.keras")
    np.testing.assert_array_equal(loaded.predict_proba(data.test), clf.predict_proba(data.test))
    assert loaded.class_names == clf.class_names
    assert loaded.recipe == clf.recipe
    assert loaded.blocks == clf.blocks
    assert loaded.history == clf.history


def test_plain_keras_opens_it_where_imgclf_is_not_installed(clf, data, tmp_path):
    clf.save(tmp_path / "d.keras")
    np.save(tmp_path / "images.npy", data.test.images[:5])
    script = [sys.executable, "-c", OPENS_IN_PLAIN_KERAS]
    files = [tmp_path / "d.keras", tmp_path / "images.npy", tmp_path / "scores.npy"]
    subprocess.run([*script, *map(str, files)], check=True, cwd=tmp_path)
    np.testing.assert_allclose(
        np.load(tmp_path / "scores.npy"), clf.predict_proba(data.test.images[:5]), rtol=1e-5
    )


def test_all_kinds_of_sources_give_the_same_answer(clf, data, tmp_path):
    (tmp_path / "images").mkdir()
    images = data.test.images[:3]
    paths = [tmp_path / "images" / f"{number}.png" for number in range(3)]
    drawn_images = [Image.fromarray(image[..., 0]) for image in images]
    for drawn, path in zip(drawn_images, paths, strict=True):
        drawn.save(path)
    expected = [str(prediction) for prediction in clf.predict(images)]
    for source in (paths, list(map(str, paths)), drawn_images, tmp_path / "images", data.test[:3]):
        assert [str(prediction) for prediction in clf.predict(source)] == expected
    for one in (paths[0], str(paths[0]), drawn_images[0], images[0], images[0][..., 0]):
        assert [str(prediction) for prediction in clf.predict(one)] == expected[:1]


def test_a_prediction_unpacks_as_name_and_probability(clf, data):
    (prediction,) = clf.predict(data.test.images[0])
    name, probability = prediction
    assert (name, probability) == (prediction.class_name, prediction.probability)
    assert prediction.top(2)[0] == (name, probability)
    assert prediction.top(2)[1][1] <= probability
    assert sum(prediction.probabilities.values()) == pytest.approx(1, abs=1e-5)
    with pytest.raises(errors.ArgumentError, match="`k` must be an int from 1 to 10"):
        prediction.top(11)


def test_any_keras_model_can_be_wrapped(data):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.Dense(10, "softmax"),
        ]
    )
    clf = Classifier(model, data.class_names)
    clf.fit(data.train.images, data.train.labels, epochs=1, verbose=0)
    assert clf.model is model
    assert len(clf.predict(data.test.images[:2])) == 2


def test_photos_are_fitted_alike_in_training_and_predicting(photo_folder, tmp_path):
    data = imgclf.load_folder(photo_folder, image_size=16, resize="pad")
    clf = Classifier.from_blocks([flatten()], data, Recipe(epochs=1))
    clf.save(tmp_path / "photos.keras")
    loaded = imgclf.load(tmp_path / "photos.keras")
    few = data.test[:3]
    np.testing.assert_array_equal(
        loaded.predict_proba(list(few.images.paths)), loaded.predict_proba(few)
    )
    assert loaded.resize == "pad"


def test_the_most_pixels_of_an_image_are_those_of_the_training(photo_folder, tmp_path):
    data = imgclf.load_folder(photo_folder, image_size=16, max_pixels=5_000)
    Classifier.from_blocks([flatten()], data, Recipe(epochs=1)).save(tmp_path / "m.keras")
    clf = imgclf.load(tmp_path / "m.keras")
    assert clf.max_pixels == 5_000
    Image.new("RGB", (100, 51)).save(tmp_path / "large.png")
    with pytest.raises(errors.ImageError, match="has more than 5,000 pixels"):
        clf.predict(tmp_path / "large.png")
    clf.max_pixels = 5_100
    assert len(clf.predict(tmp_path / "large.png")) == 1
    with pytest.raises(
        errors.ArgumentError, match="`max_pixels` must be an int from 1 to 178956970"
    ):
        Classifier(clf.model, clf.class_names, max_pixels=10**9)


@pytest.fixture
def untidy(tmp_path, data):
    folder = tmp_path / "untidy"
    (folder / "inner").mkdir(parents=True)
    for number, name in enumerate(["a.png", "c.png", "inner/d.png"]):
        Image.fromarray(data.test.images[number, ..., 0]).save(folder / name)
    (folder / "b.png").write_bytes(b"")
    return folder


def test_a_file_that_cannot_be_read_is_an_error_or_is_skipped_with_the_reason(clf, data, untidy):
    with pytest.raises(errors.ImageError) as caught:
        clf.predict(untidy)
    assert str(caught.value) == (
        f"{untidy / 'b.png'}: is empty (0 bytes). To continue without such files: "
        "predict(…, skipped=[])."
    )
    skipped = []
    found = clf.predict(untidy, skipped=skipped)
    assert [one.source for one in found] == [
        str(untidy / name) for name in ["a.png", "c.png", "inner/d.png"]
    ]
    assert list(map(str, found)) == list(map(str, clf.predict(data.test.images[:3])))
    assert skipped == [(untidy / "b.png", "is empty (0 bytes).")]


def test_predictions_of_files_come_one_after_the_other(clf, untidy):
    skipped = []
    found = clf.predict_files(untidy, skipped=skipped, batch_size=2)
    assert next(found).source == str(untidy / "a.png")
    assert [one.source for one in found] == [
        str(untidy / name) for name in ["c.png", "inner/d.png"]
    ]
    assert len(skipped) == 1
    arrays = np.zeros((2, 8, 8, 1), np.uint8)
    assert len(list(clf.predict_files(arrays))) == len(clf.predict(arrays)) == 2


def test_images_of_different_sizes_go_to_a_model_that_takes_any(tmp_path):
    model = imgclf.build_classifier((None, None, 3), 2, [imgclf.global_pool("max")])
    clf = Classifier(model, ["a", "b"])
    images = [Image.new("RGB", size, "red") for size in [(9, 5), (4, 4), (9, 5)]]
    together = clf.predict_proba(images)
    alone = np.concatenate([clf.predict_proba(image) for image in images])
    np.testing.assert_allclose(together, alone, rtol=1e-5)


def test_one_output_counts_as_two_classes(rng):
    model = keras.Sequential(
        [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(1, "sigmoid")]
    )
    clf = Classifier(model, ["cat", "dog"])
    images, labels = rng.integers(0, 256, (20, 4, 4, 1)).astype("uint8"), np.arange(20) % 2
    clf.fit(images, labels, epochs=1, verbose=0)
    np.testing.assert_allclose(clf.predict_proba(images).sum(axis=1), 1, rtol=1e-5)


def test_a_plain_keras_file_is_loaded_with_names_given_by_hand(tmp_path, data):
    model = imgclf.build_classifier((8, 8, 1), 10, [flatten()])
    model.save(tmp_path / "plain.keras")
    assert imgclf.load(tmp_path / "plain.keras").class_names[3] == "3"
    named = imgclf.load(tmp_path / "plain.keras", class_names=[f"n{i}" for i in range(10)])
    assert named.class_names[3] == "n3"


def logits_model():
    return Classifier(
        keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)])
    )


WRONG = [
    (
        lambda clf, data: clf.predict("none.jpg"),
        errors.MissingFileError,
        "`source`: there is no file or folder 'none.jpg'.",
    ),
    (
        lambda clf, data: clf.evaluate(data.test[:0]),
        errors.DataError,
        "`data` must hold at least one image. Received: none.",
    ),
    (
        lambda clf, data: clf.evaluate(
            imgclf.Split(data.test.images, data.test.labels, [*"abcdefghij"])
        ),
        errors.DataError,
        "`data` must have the class names of the classifier. Received: "
        "['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'] in place of "
        "['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'].",
    ),
    (
        lambda clf, data: Classifier(clf.model, ["a", "b"]),
        errors.ArgumentError,
        "`class_names` must hold a name for each of the model's 10 classes. Received: 2 names.",
    ),
    (
        lambda clf, data: Classifier(3),
        errors.ArgumentTypeError,
        "`model` must be a built Keras model. Received: model=3.",
    ),
    (
        lambda clf, data: Classifier.from_preset("fast", data.train),
        errors.ArgumentTypeError,
        "`data` must be a Dataset, such as load_digits() gives. "
        "Received: data=Split(1,259 images of 8×8×1, 10 classes).",
    ),
]


@pytest.mark.parametrize(("call", "kind", "message"), WRONG)
def test_bad_arguments_are_named(clf, data, call, kind, message):
    with pytest.raises(kind) as caught:
        call(clf, data)
    assert str(caught.value) == message


def test_logits_are_noticed(data):
    with pytest.raises(errors.DataError, match=r"add keras\.layers\.Softmax"):
        logits_model().predict(data.test.images[:4])
