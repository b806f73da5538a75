"""Model files from strangers: what asks for much gets little, and what is harmless loads."""

import json
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import keras
import keras_samples
import numpy as np
import pytest
from child_environment import child_environment
from hostile_networks import hostile_files

import imgclf
from imgclf.errors import ModelFileError
from imgclf.files import check_model_file
from imgclf.untrusted.allowed_layers import ALLOWED

HERE = Path(__file__).parent
LAYERS, OTHERS = keras_samples.layer_samples(), keras_samples.other_samples()

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="memory is read from /proc"
)


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory):
    """A file as plain Keras saves it: without class names, which would refuse most of them."""
    path = tmp_path_factory.mktemp("ordinary") / "m.keras"
    keras_samples.classifier().save(path)
    return path


# What asks for much


@pytest.fixture(scope="module")
def tried(ordinary, tmp_path_factory):
    """(kind, place, what it took) of each hostile file, loaded in a process with limits."""
    folder, names = tmp_path_factory.mktemp("hostile"), {}
    for number, (kind, place, data) in enumerate(hostile_files(ordinary.read_bytes())):
        (folder / f"{number:04}.keras").write_bytes(data)
        names[f"{number:04}"] = kind, place
    seconds, mebibytes = 150, 400
    done = subprocess.run(
        [
            sys.executable,
            HERE / "trying_hostile_models.py",
            *map(str, (ordinary, folder, seconds, mebibytes)),
        ],
        env=child_environment(),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, (names[f"{len(rows):04}"], done.stderr[-2000:])
    assert len(rows) == len(names)
    return [(*names[row["file"]], row) for row in rows]


@needs_proc
def test_files_that_ask_for_much_are_refused_early(tried):
    for kind, place, row in tried:
        assert row["result"] != "loaded", (kind, place)
        assert row["trusted"] != "loaded" or place.startswith("an unrolled"), (kind, place)
        for result in (row["result"], row["trusted"] or "m.keras: "):
            assert "m.keras: " in result or f"{row['file']}.keras: " in result, (kind, place)
        assert row["mebibytes"] < 64, (kind, place, row)
        assert row["all_seconds"] < 10, (kind, place, row)
    counts = Counter(kind for kind, *_ in tried)
    assert min(counts.values()) >= 10, counts
    assert len(tried) > 800


@needs_proc
def test_what_is_refused_is_named(tried):
    results = {(kind, place): row["result"] for kind, place, row in tried}
    for kind, place, message in (
        ("weights without end", "LSTM alone", "asks for weights of 32768×131072; with those befor"),
        ("weights without end", "Dense of LoRA in a Pipeline", "asks for weights of 3×16777216"),
        ("tensors without end", "UpSampling2D alone", "a tensor of ?×65,536×65,536×3 values"),
        ("calls of constants", "an array, RepeatVector in a model", "call of layer 'one' has cons"),
        ("broadcasts", "nine sides, a number, in a Pipeline", "which is no shape"),
        ("broadcasts", "three sides, a list, alone", "make 4,294,967,296 bytes of given numbers"),
        ("broadcasts", "one long side, a list, alone", "make 268,435,456 bytes of given numbers"),
        ("slow networks", "layers side by side", "seconds to build; at most 15 are spent on a f"),
        ("slow members", "lists in config.json", "config.json holds more than 200,000 values"),
        ("polyglots", "last key twice in metadata.json", "'keras_version' twice in one object"),
        ("polyglots", "another time of config.json", "'config.json' is described in two diffe"),
        ("polyglots", "a script before the archive", "17 bytes before member 'metadata.json' th"),
    ):
        assert message in results[kind, place], (kind, place, results[kind, place])


# What is harmless


def predictions(model):
    images = np.random.default_rng(0).integers(0, 256, (2, *keras_samples.IMAGE), np.uint8)
    return np.asarray(model(images.astype("float32"), training=False))


def test_every_harmless_layer_is_tried():
    listed = {name for module, name in ALLOWED if module == "keras.layers"}
    within = {"GRUCell", "InputLayer", "LSTMCell", "SimpleRNNCell", "StackedRNNCells"}
    # Keras 3.15 cannot connect it: its output is its input, and it calls that a cycle.
    assert set(LAYERS) | within | {"Equalization"} == listed


@pytest.fixture(scope="module")
def all_layers(tmp_path_factory):
    """A classifier of all harmless layers, side by side, and its file."""
    model = keras_samples.graph(*LAYERS.values())
    path = tmp_path_factory.mktemp("layers") / "m.keras"
    model.save(path)
    return model, path


def test_all_harmless_layers_load_and_predict_as_before(all_layers):
    model, path = all_layers
    report = check_model_file(path)
    assert report.is_safe, (report.problems, report.unrecognized)
    np.testing.assert_allclose(
        predictions(imgclf.load(path).model), predictions(model), rtol=1e-4, atol=1e-6
    )


def test_no_harmless_layer_computes_while_it_is_loaded(all_layers):
    """Only zeros are made, and the values of the file assigned to them: nothing that could grow."""
    from tensorflow.python.framework import op_callbacks

    seen = Counter()

    def note(kind, _inputs, _attributes, _outputs, op_name=None, graph=None):
        if graph is None:
            seen[kind if isinstance(kind, str) else kind.decode()] += 1

    op_callbacks.add_op_callback(note)
    try:
        imgclf.load(all_layers[1])
    finally:
        op_callbacks.remove_op_callback(note)
    assert seen["AssignVariableOp"] > 100
    assert set(seen) <= {
        "AssignVariableOp",
        "Cast",  # of seeds
        "Fill",  # with zeros
        "Identity",
        "ReadVariableOp",
        "Reshape",  # of the mean and variance that `Normalization` has learned
        "VarHandleOp",
        "VarIsInitializedOp",
    }


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method")
@pytest.mark.parametrize("name", OTHERS)
def test_what_people_save_loads_with_and_without_trust(name, tmp_path):
    path = tmp_path / "m.keras"
    OTHERS[name]().save(path)
    report = check_model_file(path)
    assert report.is_safe, (report.problems, report.unrecognized)
    expected = predictions(keras.saving.load_model(path, compile=False))
    for trust in (False, True):
        np.testing.assert_array_equal(predictions(imgclf.load(path, trust=trust).model), expected)


def test_a_long_row_of_layers_is_connected_once(tmp_path):
    """Keras connects all of them anew with each one: 50 blocks take it 11,000 calls of layers."""
    model = keras_samples.many_layers(50)
    model.save(tmp_path / "m.keras")
    calls = Counter()
    compute = keras.layers.ReLU.compute_output_shape

    def counted(self, shape):
        calls[self.name] += 1
        return compute(self, shape)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.layers.ReLU, "compute_output_shape", counted)
        loaded = imgclf.load(tmp_path / "m.keras").model
    assert len(calls) == 50
    assert max(calls.values()) <= 4
    np.testing.assert_allclose(predictions(loaded), predictions(model), atol=1e-6)


@keras.saving.register_keras_serializable("tests")
class Doubled(keras.layers.Layer):
    """A layer of one's own that holds a model and computes while it is built."""

    def __init__(self, inner, **settings):
        super().__init__(**settings)
        self.inner = inner

    def build(self, shape):
        self.inner.build(shape)
        self.two = keras.ops.sum(keras.ops.ones((100, 100))) / 5000

    def call(self, inputs):
        return self.inner(inputs) * self.two

    def get_config(self):
        return super().get_config() | {"inner": keras.saving.serialize_keras_object(self.inner)}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config.pop("inner")), **config)


def test_a_layer_of_ones_own_with_a_model_in_it_loads_if_trusted(tmp_path):
    inner = keras.Sequential([keras.Input(keras_samples.IMAGE), keras.layers.Conv2D(2, 3)])
    model = keras_samples.classifier(Doubled(inner))
    model.save(tmp_path / "m.keras")
    with pytest.raises(ModelFileError, match=r"known to be harmless: .*Doubled"):
        imgclf.load(tmp_path / "m.keras")
    loaded = imgclf.load(tmp_path / "m.keras", trust=True).model
    np.testing.assert_allclose(predictions(loaded), predictions(model), atol=1e-6)


def test_an_archive_that_was_packed_again_loads(ordinary, tmp_path):
    """`zip -0` stores times and owners beside each member."""
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(ordinary) as before, zipfile.ZipFile(path, "w") as after:
        for info in before.infolist():
            again = zipfile.ZipInfo(info.filename, (2024, 5, 6, 7, 8, 9))
            again.extra = b"UT\5\0\3abcdux\x0b\0\1\4abcd\4abcd"
            again.external_attr = 0o100644 << 16
            after.writestr(again, before.read(info))
    assert check_model_file(path).is_safe
    imgclf.load(path)
