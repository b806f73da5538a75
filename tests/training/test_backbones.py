import keras
import numpy as np
import pytest

import imgclf
from imgclf import errors
from imgclf.training.transfer.backbones import BACKBONES

SMALL = "mobilenetv3-small"


def colour_data(count=40, side=32, channels=3):
    """Images of two classes that differ in their brightness."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 2
    images = rng.integers(0, 120, (count, side, side, channels), np.uint8)
    images[labels == 1] += 100
    return imgclf.Dataset.from_arrays(
        images, labels, class_names=["dark", "light"], validation=0.25, test=0.25
    )


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory):
    keras.utils.set_random_seed(5)
    network = keras.applications.MobileNetV3Small(
        include_top=False, weights=None, input_shape=(64, 64, 3)
    )
    path = tmp_path_factory.mktemp("weights") / "small.weights.h5"
    network.save_weights(path)
    return path, network


def test_weights_from_a_file_are_those_of_the_file(weights_file):
    path, network = weights_file
    clf = imgclf.Classifier.from_preset(SMALL, colour_data(), weights=path)
    body = next(layer for layer in clf.model.layers if hasattr(layer, "layers"))
    for mine, theirs in zip(body.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_pixels_reach_the_network_as_keras_wants_them(weights_file):
    path, network = weights_file
    data = colour_data(side=64)
    clf = imgclf.Classifier.from_preset(SMALL, data, weights=path, precision="float32")
    mine = keras.Model(clf.model.input, clf.model.get_layer("features").output)
    images = data.test.images.astype("float32")
    expected = network(keras.applications.mobilenet_v3.preprocess_input(images))
    np.testing.assert_allclose(
        mine.predict_on_batch(images), np.mean(expected, axis=(1, 2)), atol=1e-5
    )


@pytest.mark.parametrize("name", ["mobilenetv2", "densenet121", "resnet50v2", "xception"])
def test_own_rescaling_is_that_of_keras(name):
    package = {"densenet121": "densenet", "resnet50v2": "resnet_v2", "mobilenetv2": "mobilenet_v2"}
    scale, offset = BACKBONES[name].rescaling
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3)).astype("float32")
    expected = getattr(keras.applications, package.get(name, name)).preprocess_input(pixels.copy())
    mine = keras.layers.Rescaling(scale, offset)(pixels)
    np.testing.assert_allclose(mine, expected, atol=1e-4)


def test_grey_images_become_three_equal_channels(weights_file):
    path, _ = weights_file
    grey = colour_data(channels=1)
    clf = imgclf.Classifier.from_preset(SMALL, grey, weights=path)
    assert clf.image_shape == (32, 32, 1)
    coloured = imgclf.Classifier.from_preset(SMALL, colour_data(), weights=path)
    np.testing.assert_array_equal(
        clf.predict_proba(grey.test),
        coloured.predict_proba(np.repeat(grey.test.images, 3, axis=-1)),
    )


def test_images_too_small_are_enlarged_inside_the_model():
    clf = imgclf.Classifier.from_preset(SMALL, colour_data(side=20), weights=None)
    assert clf.image_shape == (20, 20, 3)
    assert clf.model.get_layer("enlarge").output.shape == (None, 32, 32, 3)


def test_imagenet_weights_without_a_network_say_what_to_fetch(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(errors.DownloadError) as caught:
        imgclf.Classifier.from_preset("densenet121", colour_data())
    file = "densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5"
    address = f"https://storage.googleapis.com/tensorflow/keras-applications/densenet/{file}"
    assert f"Fetch {address} on a computer with a network" in str(caught.value)
    assert f"weights='{file}'" in str(caught.value)


def test_weights_of_another_network_name_the_first_that_does_not_fit(weights_file):
    path, _ = weights_file
    with pytest.raises(errors.ModelFileError) as caught:
        imgclf.Classifier.from_preset("mobilenetv2", colour_data(), weights=path)
    assert "small.weights.h5: does not hold the weights of 'mobilenetv2'" in str(caught.value)
    assert "layer" in str(caught.value).lower()


def test_a_damaged_weights_file_is_named(tmp_path):
    path = tmp_path / "cut.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n and no more")
    with pytest.raises(errors.ModelFileError, match=r"cut\.h5"):
        imgclf.Classifier.from_preset(SMALL, colour_data(), weights=path)


def test_weights_must_be_a_file_of_weights(tmp_path):
    path = tmp_path / "weights.txt"
    path.write_text("")
    with pytest.raises(errors.ArgumentError) as caught:
        imgclf.Classifier.from_preset(SMALL, colour_data(), weights=path)
    assert str(caught.value) == (
        '`weights` must be "imagenet", None, or a file ending in .weights.h5 or .h5. '
        f"Received: weights={str(path)!r}."
    )


def test_weights_do_not_go_with_a_preset_that_starts_from_nothing(weights_file):
    with pytest.raises(errors.ArgumentError, match="The preset 'fast' starts from nothing"):
        imgclf.Classifier.from_preset("fast", colour_data(), weights=weights_file[0])


def test_a_misspelt_backbone_proposes_the_nearest():
    with pytest.raises(errors.ArgumentError, match="Did you mean 'mobilenetv3-small'"):
        imgclf.Classifier.from_preset("mobilenetv3-smal", colour_data())


def test_two_channels_are_refused():
    with pytest.raises(errors.ArgumentError, match="takes images of 1 or 3 channels"):
        imgclf.Classifier.from_preset(SMALL, colour_data(channels=2), weights=None)


@pytest.mark.parametrize("name", ["mobilenetv3-small", "mobilenetv2", "resnet50v2"])
@pytest.mark.filterwarnings("ignore:`input_shape` is undefined")
def test_file_and_feature_count_are_those_of_keras(monkeypatch, name):
    backbone = BACKBONES[name]
    constructor = getattr(keras.applications, backbone.constructor)
    asked = []

    def note(file, address, *arguments, **settings):
        asked.append((file, address))
        raise ConnectionError("no network")

    monkeypatch.setattr("keras.src.utils.file_utils.get_file", note)
    with pytest.raises(ConnectionError):
        constructor(include_top=False, weights="imagenet", input_shape=(None, None, 3))
    network = constructor(include_top=False, weights=None, input_shape=(None, None, 3))

    assert asked == [(backbone.file, backbone.address)]
    assert network.output_shape[-1] == backbone.features
