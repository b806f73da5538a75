import json
import zipfile

import keras
import numpy as np
import pytest

import imgclf
from imgclf import errors
from imgclf.architecture.blocks.block import known_blocks
from imgclf.files import check_model_file, model_file

NAMES = ["cat", "dog"]


@pytest.fixture
def model():
    return imgclf.build_classifier((4, 4, 1), 2, [imgclf.flatten()])


def test_the_entry_comes_back_and_plain_keras_opens_the_file(model, tmp_path):
    path = tmp_path / "m.keras"
    model_file.write_model(model, path, {"class_names": NAMES})
    loaded, entry, file = model_file.load_model(path)
    assert (entry, file) == ({"class_names": NAMES}, path)
    assert loaded.count_params() == model.count_params()
    assert keras.saving.load_model(path).count_params() == model.count_params()
    assert [file.name for file in tmp_path.iterdir()] == ["m.keras"]


def test_a_file_of_plain_keras_has_no_entry(model, tmp_path):
    model.save(tmp_path / "m.keras")
    assert model_file.load_model(tmp_path / "m.keras")[1] == {}


def test_how_a_model_was_compiled_is_not_stored_not_even_of_one_within(tmp_path):
    inner = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten()])
    model = keras.Sequential([keras.Input((4, 4, 1)), inner, keras.layers.Dense(2, "softmax")])
    for one in (inner, model):
        one.compile("adam", "sparse_categorical_crossentropy")
    imgclf.Classifier(model, NAMES).save(tmp_path / "m.keras")
    assert imgclf.load(tmp_path / "m.keras").model.count_params() == model.count_params()
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        assert b"compile_config" not in archive.read("config.json")


def test_how_a_model_within_was_compiled_is_not_looked_at(tmp_path):
    inner = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten()])
    inner.compile(keras.optimizers.Adam(), "mse")
    model = keras.Sequential([keras.Input((4, 4, 1)), inner, keras.layers.Dense(2, "softmax")])
    model.save(tmp_path / "m.keras")
    before = (tmp_path / "m.keras").read_bytes()
    loaded = imgclf.load(tmp_path / "m.keras").model
    assert loaded.layers[0].compiled is False
    for ours, theirs in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert (tmp_path / "m.keras").read_bytes() == before


def test_figures_that_are_not_finite_are_stored_and_come_back(model, tmp_path):
    clf = imgclf.Classifier(model, NAMES)
    clf.history = {"loss": [1.5, float("nan")], "val_loss": [float("inf"), 2]}
    clf.save(tmp_path / "m.keras")
    history = imgclf.load(tmp_path / "m.keras").history
    np.testing.assert_array_equal(history["loss"], [1.5, np.nan])
    np.testing.assert_array_equal(history["val_loss"], [np.nan, 2])


def test_a_model_with_files_of_its_own_is_not_stored_by_halves(tmp_path):
    lookup = keras.layers.StringLookup()
    lookup.adapt(["a", "b"])
    words = keras.Input((1,), dtype="string")
    model = keras.Model(words, keras.layers.Dense(2)(keras.ops.cast(lookup(words), "float32")))
    with pytest.raises(errors.ArgumentError) as caught:
        model_file.write_model(model, tmp_path / "m.keras", {})
    assert str(caught.value) == (
        "The model stores files besides its weights, such as the vocabulary of a text layer; "
        "imgclf stores models of images only. Save it by model.save(path)."
    )
    assert list(tmp_path.iterdir()) == []


def test_a_layer_of_ones_own_needs_trust(tmp_path):
    @keras.saving.register_keras_serializable("tests")
    class Halve(keras.layers.Layer):
        def build(self, shape):
            self.factor = self.add_weight((1,), "ones")

        def call(self, inputs):
            return inputs * self.factor / 2

    inputs = keras.Input((4, 4, 1))
    outputs = keras.layers.Dense(2, "softmax")(keras.layers.Flatten()(Halve()(inputs)))
    model = keras.Model(inputs, outputs)
    model.layers[1].set_weights([np.array([3.0])])
    path = imgclf.Classifier(model, NAMES).save(tmp_path / "m.keras")
    with pytest.raises(errors.ModelFileError) as caught:
        imgclf.load(path)
    here = Halve.__module__
    assert str(caught.value) == (
        f"{path}: holds what is not among the layers that are known to be harmless: {here}.Halve "
        "registered as tests>Halve. Loading it may run code. If you know who made it: "
        "imgclf.load(path, trust=True)."
    )
    images = np.full((1, 4, 4, 1), 9.0)
    loaded = imgclf.load(path, trust=True)
    np.testing.assert_allclose(
        loaded.predict_proba(images), model.predict(images, verbose=0), rtol=1e-6
    )
    with pytest.raises(errors.ArgumentTypeError, match="`trust` must be True or False"):
        imgclf.load(path, trust="yes")


def test_a_python_lambda_runs_only_with_trust(tmp_path):
    inputs = keras.Input((4, 4, 1))
    halved = keras.layers.Lambda(lambda x: x / 2)(inputs)
    outputs = keras.layers.Dense(2, "softmax")(keras.layers.Flatten()(halved))
    keras.Model(inputs, outputs).save(tmp_path / "m.keras")
    with pytest.raises(errors.ModelFileError, match=r"keras\.layers\.Lambda, __lambda__\. Loading"):
        imgclf.load(tmp_path / "m.keras")
    assert imgclf.load(tmp_path / "m.keras", trust=True).num_classes == 2


def test_errors_of_paths_are_whole(model, tmp_path):
    with pytest.raises(errors.MissingFileError) as missing:
        imgclf.load(tmp_path / "none.keras")
    assert str(missing.value) == f"There is no model file {str(tmp_path / 'none.keras')!r}."
    with pytest.raises(errors.ArgumentError) as suffix:
        model_file.write_model(model, tmp_path / "m.h5", {})
    assert str(suffix.value) == (
        f"`path` must end in .keras. Received: path={str(tmp_path / 'm.h5')!r}."
    )


def test_what_is_wrong_with_the_names_is_said(model, tmp_path):
    model.save(tmp_path / "plain.keras")
    with pytest.raises(errors.ArgumentError) as caught:
        imgclf.load(tmp_path / "plain.keras", class_names=["a", "b", "c"])
    assert str(caught.value) == (
        "`class_names` must hold a name for each of the model's 2 classes. Received: 3 names."
    )


def test_a_report_says_what_is_in_the_file(model, tmp_path):
    clf = imgclf.Classifier(model, NAMES, recipe=imgclf.Recipe(epochs=3))
    clf.history = {"accuracy": [0.25, 0.5]}
    path = clf.save(tmp_path / "m.keras")
    report = check_model_file(path)
    assert report.is_safe
    assert report.class_names == ("cat", "dog")
    assert report.image_shape == (4, 4, 1)
    assert report.recipe == imgclf.Recipe(epochs=3).to_dict()
    assert report.metrics == {"accuracy": 0.5}
    assert report.parameters == model.count_params() == 34
    dense = next(layer for layer in report.layers if layer.class_name == "Dense")
    assert (dense.weights, dense.parameters) == (((16, 2), (2,)), 34)
    lines = str(report).splitlines()
    assert lines[0] == (
        f"{path}: written by imgclf {imgclf.__version__} (Keras {keras.__version__})"
    )
    assert lines[1:5] == [
        "  images      4×4×1",
        "  classes     2: cat, dog",
        "  parameters  34",
        "  metrics     accuracy 0.5",
    ]
    assert lines[-1] == "  safe to load"
    assert json.loads(json.dumps(report.to_dict()))["layers"][-2]["parameters"] == 34


def test_layers_of_models_within_and_shared_ones_are_told_with_their_weights(tmp_path):
    inputs = keras.Input((4, 4, 3))
    inner = keras.Sequential(
        [keras.Input((4, 4, 3)), keras.layers.Conv2D(2, 3, name="c"), keras.layers.Flatten()],
        name="base",
    )
    shared = keras.layers.Dense(5, name="twice")
    features = inner(inputs)
    both = shared(features) + shared(keras.layers.ReLU()(features))
    model = keras.Model(inputs, keras.layers.Dense(3, "softmax", name="last")(both))
    model.compile("adam", "mse")
    model.save(tmp_path / "m.keras")
    report = check_model_file(tmp_path / "m.keras")
    counts = {layer.name: layer.parameters for layer in report.layers if layer.parameters}
    assert counts == {"base/c": 56, "twice": 45, "last": 18}
    assert report.parameters == model.count_params()
    assert report.imgclf_version is None
    assert report.is_safe


@pytest.mark.parametrize(
    "make", [keras.applications.MobileNetV3Small, keras.applications.ConvNeXtTiny]
)
def test_networks_of_keras_applications_are_known(make):
    from imgclf.untrusted.network_config import read_network

    with keras.StatelessScope(initialize_variables=False):  # no weights: the description is enough
        config = json.loads(make(weights=None).to_json())
    network = read_network(config)
    assert network.unrecognized == ()
    assert network.image_shape is not None
    assert len(network.layers) > 100


def test_each_name_on_the_list_is_what_keras_writes():
    from keras.src import api_export

    from imgclf.untrusted.allowed_layers import ACTIVATIONS, ALLOWED

    for module, name in ALLOWED:
        if module.startswith("keras.src"):
            found = vars(__import__(module, fromlist=[name]))[name]
            assert (found.__module__, found.__name__) == (module, name)
        elif module == "keras.dtype_policies":  # Keras writes those of one's own choice so
            assert vars(keras.dtype_policies)[name].__module__.startswith(f"keras.src.{module[6:]}")
        elif name != "FloatDTypePolicy":  # written by Keras before 3.4
            found = api_export.get_symbol_from_name(f"{module}.{name}")
            assert api_export.get_name_from_symbol(found) == f"{module}.{name}"
    for name in ACTIVATIONS:
        assert callable(keras.activations.get(name))


def every_block():
    """A network in which each block stands once, and each activation and initialiser."""
    from imgclf.architecture.blocks.constraints import ACTIVATIONS
    from imgclf.architecture.initializer import INITIALIZERS

    settings = {"constant": {"value": 0.1}}
    starts = [
        imgclf.conv(4, kernel_initializer=imgclf.initializer(name, **settings.get(name, {})))
        for name in INITIALIZERS
    ]
    return [
        imgclf.whitening(),
        *starts,
        *[imgclf.activation(name) for name in sorted(ACTIVATIONS)],
        imgclf.conv_maxpool(4, pool_size=2, normalization="batch", dropout=0.1),
        imgclf.separable_conv(4, activation="silu"),
        imgclf.residual([imgclf.conv(6, strides=2), imgclf.conv(6, activation=None)]),
        imgclf.maxpool(2),
        imgclf.avgpool(2),
        imgclf.batch_norm(momentum=0.6, scale=False),
        imgclf.dropout(0.1),
        imgclf.residual([imgclf.conv(6, activation=None)]),
        imgclf.global_pool("max", dropout=0.1),
        imgclf.dense(8, normalization="batch"),
        imgclf.dense_dropout(8, dropout=0.1),
        imgclf.flatten(dropout=0.5),
    ]


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_what_imgclf_builds_it_loads_without_being_told_to_trust(dtype, tmp_path):
    blocks = every_block()
    known = known_blocks().items()
    built_in = {name for name, kind in known if kind.__module__.startswith("imgclf.")}
    assert {block.block_name for block in blocks} == built_in
    model = imgclf.build_classifier((40, 40, 3), 3, blocks, dtype=dtype)
    clf = imgclf.Classifier(model, ["a", "b", "c"], blocks=blocks)
    path = clf.save(tmp_path / "m.keras")
    report = check_model_file(path)
    assert (report.problems, report.unrecognized) == ((), ())
    assert sum(layer.parameters for layer in report.layers) == model.count_params()
    loaded = imgclf.load(path)
    assert loaded.blocks == clf.blocks
    for ours, theirs in zip(loaded.model.weights, model.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert [layer.dtype_policy.name for layer in loaded.model.layers[1:]] == [
        layer.dtype_policy.name for layer in model.layers[1:]
    ]


@pytest.mark.parametrize("preset", sorted(imgclf.presets.PRESETS))
def test_what_a_preset_builds_is_loaded_without_being_told_to_trust(preset, tmp_path):
    data = imgclf.load_digits()
    for precision in ("float32", "bfloat16"):
        clf = imgclf.Classifier.from_preset(preset, data, precision=precision)
        report = check_model_file(clf.save(tmp_path / "m.keras"))
        assert (report.problems, report.unrecognized) == ((), ())
        assert report.parameters == clf.model.count_params()


def test_names_too_long_to_store_are_refused_before_the_training(model):
    with pytest.raises(errors.ArgumentError) as caught:
        imgclf.Classifier(model, ["a", "b" * 256])
    assert str(caught.value) == (
        "`class_names` must hold names of at most 255 characters. Received: one of 256."
    )
