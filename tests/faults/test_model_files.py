"""Model files that are damaged, of another kind, or made to do harm: each is refused by name."""

import contextlib
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import hostile_models as hostile
import pytest
from child_environment import child_environment
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import imgclf
from imgclf import errors
from imgclf.cli.main import main
from imgclf.files import check_model_file

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory):
    """The bytes of an ordinary file, as `clf.save` writes it."""
    model = imgclf.build_classifier((4, 4, 1), 2, [imgclf.flatten()])
    clf = imgclf.Classifier(model, ["cat", "dog"])
    clf.history = {"loss": [1.0, 0.5]}
    return clf.save(tmp_path_factory.mktemp("ordinary") / "m.keras").read_bytes()


@pytest.fixture
def file(tmp_path):
    """Writes a model file, and gives its path."""

    def write(content, name="m.keras"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


def refusal(path):
    """Why a file is not loaded; the file must be as it was, and the report must agree."""
    before = path.read_bytes()
    with pytest.raises(errors.ModelFileError) as caught:
        imgclf.load(path)
    assert path.read_bytes() == before
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 1000
    return str(caught.value)


def test_the_ordinary_file_loads(ordinary, file):
    assert imgclf.load(file(ordinary)).class_names == ("cat", "dog")
    again = hostile.with_config(hostile.with_weights(ordinary, lambda _: None), lambda _: None)
    assert imgclf.load(file(again)).class_names == ("cat", "dog")


# Damaged


def test_any_cut_is_noticed(ordinary, file):
    for size in [*range(0, len(ordinary), 1024), len(ordinary) - 1]:
        assert "is empty" in refusal(file(ordinary[:size])) or size


def test_a_flipped_bit_is_noticed_or_changes_nothing(ordinary, file):
    path = file(ordinary)
    whole = check_model_file(path)
    contents = [
        (hostile.offset_of(ordinary, name), len(content))
        for name, content in hostile.members(ordinary).items()
    ]
    within = {place for start, size in contents for place in range(start, start + size)}
    beside = [place for place in range(len(ordinary)) if place not in within]
    noticed = 0
    for place in [*beside, *range(contents[0][0], len(ordinary), 97)]:
        changed = bytearray(ordinary)
        changed[place] ^= 0x04
        path.write_bytes(changed)
        report = check_model_file(path) if place else None
        if place in within:
            assert report.problems, place
        elif report is not None:
            assert report.problems or report == whole, place
        noticed += report is None or bool(report.problems)
    assert noticed > len(beside) / 2


def test_a_wrong_checksum_names_the_member(ordinary, file):
    changed = bytearray(ordinary)
    changed[hostile.offset_of(ordinary, hostile.WEIGHTS) + 200] ^= 0xFF
    path = file(bytes(changed))
    assert refusal(path) == (
        f"{path}: Member 'model.weights.h5' is damaged: its checksum is wrong. "
        "The file was left as it is."
    )


def test_a_file_that_is_no_archive_is_named_as_such(file):
    path = file(os.urandom(3000))
    assert refusal(path) == (
        f"{path}: It is not a .keras file, or is damaged: expected a zip archive of metadata.json, "
        "config.json, model.weights.h5, found no end of one. The file was left as it is."
    )


def test_a_newer_format_is_refused_with_both_versions(ordinary, file):
    path = file(hostile.with_entry(ordinary, {"format": 3, "version": "9.0"}))
    assert refusal(path) == (
        f"{path}: It was written in format 3 by imgclf '9.0'; this imgclf reads up to format 2. "
        "Upgrade imgclf. The file was left as it is."
    )


# Of another kind


FROM_KERAS = "Open it with keras.saving.load_model(path) and save it by .save('name.keras')."


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.h5", b"\x89HDF\r\n\x1a\n", f"is in the older format of Keras. {FROM_KERAS}"),
        (
            "m.weights.h5",
            b"\x89HDF\r\n\x1a\n",
            "holds weights without a network. Save the whole model by .save('name.keras').",
        ),
        (
            "m.tflite",
            b"....TFL3",
            "is an export for TensorFlow Lite. Load the .keras file that it was made from.",
        ),
        (
            "m.onnx",
            b"\x08\x08",
            "is an export to ONNX. Load the .keras file that it was made from.",
        ),
        ("m.pth", b"PK", "is a file of PyTorch. imgclf loads models of Keras only."),
        (
            "m.pkl",
            b"\x80\x04",
            "is a pickle, which can run any code. imgclf loads models of Keras only.",
        ),
        (
            "h5.keras",
            b"\x89HDF\r\n\x1a\n",
            "is an HDF5 file: the older format of Keras, or weights only. Give it a name that "
            "ends in .h5, open it with keras.saving.load_model(path) and save it by "
            ".save('name.keras').",
        ),
        (
            "page.keras",
            b"\n<!DOCTYPE html><html>404</html>",
            "is a web page or XML, not a model. Download it again.",
        ),
        ("m.keras", b"\x1f\x8b\x08", "is compressed by gzip. Unpack it first."),
        (
            "m.keras",
            b"version https://git-lfs.github.com/spec/v1\n",
            "is what Git LFS leaves in the place of a file. "
            "Fetch the file itself by `git lfs pull`.",
        ),
        ("m.keras", b"", "is empty."),
        ("m.zip", b"PK", "the name of a model file must end in .keras. Rename it."),
    ],
)
def test_a_file_of_another_kind_is_named_with_what_to_do(name, content, message, file):
    path = file(content, name)
    for opened in (imgclf.load, check_model_file):
        with pytest.raises(errors.ModelFileError) as caught:
            opened(path)
        assert str(caught.value) == f"{path}: {message}"


@pytest.mark.parametrize("address", ["hf://keras/resnet", "https://example.org/m.keras"])
def test_an_address_is_not_followed(address):
    with pytest.raises(errors.ModelFileError) as caught:
        imgclf.load(address)
    assert str(caught.value) == (
        f"{address!r} is an address, not a file. Download it first: imgclf loads no model over the "
        "network."
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "saved_model.pb",
            "is a TensorFlow SavedModel. Load the .keras file that it was made from.",
        ),
        ("model.weights.h5", f"is a .keras file that was unpacked. {FROM_KERAS}"),
        (
            "checkpoints/1",
            "the run is not finished, so there is no model.keras yet. The command that began it "
            "resumes it.",
        ),
        ("cat.png", "is a folder without a model.keras."),
    ],
)
def test_a_folder_of_another_kind_is_named_with_what_to_do(content, message, tmp_path):
    (tmp_path / content).mkdir(parents=True)
    with pytest.raises(errors.ModelFileError) as caught:
        imgclf.load(tmp_path)
    assert str(caught.value) == f"{tmp_path}: {message}"


def test_a_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "m.keras")
    with pytest.raises(errors.ModelFileError) as caught:
        imgclf.load(tmp_path / "m.keras")
    assert str(caught.value) == f"{tmp_path / 'm.keras'}: is not a regular file."


# Made to do harm


def test_hostile_archives_are_refused(ordinary, file):
    reasons = {name: refusal(file(data)) for name, data in hostile.archives(ordinary).items()}
    assert len(reasons) == 18
    assert "'../model.weights.h5'" in reasons["a path upwards"]
    assert "is not a regular file" in reasons["a symbolic link"]
    assert "is compressed" in reasons["a bomb of JSON"]
    assert "4,194,306 bytes" in reasons["too much JSON"]
    assert "described in two different ways" in reasons["overlapping"]


def test_networks_that_are_not_plain_layers_are_refused_unless_trusted(ordinary, file):
    for name, data in hostile.foreign_networks(ordinary).items():
        path = file(data)
        assert "known to be harmless: " in refusal(path), name
        report = check_model_file(path)
        assert report.unrecognized, name
        assert not report.problems, name


def test_keras_runs_what_we_refuse(ordinary, file):
    """Should Keras mend this, the list of layers stays: only this test goes."""
    import keras

    before = keras.config.epsilon()
    network = hostile.calling("keras.config", "set_epsilon")
    path = file(hostile.with_config(ordinary, lambda _: network))
    with contextlib.suppress(Exception):
        keras.saving.load_model(path, compile=False, safe_mode=True)
    after = keras.config.epsilon()
    keras.config.set_epsilon(before)
    assert after is not before
    assert "keras.layers.Lambda, keras.config.function.set_epsilon" in refusal(path)
    assert keras.config.epsilon() is before


def test_bad_weights_files_are_refused(ordinary, file):
    for name, data in hostile.weights_files(ordinary).items():
        assert "model.weights.h5" in refusal(file(data)), name


def test_a_list_that_h5py_never_leaves_is_refused(ordinary, file):
    assert "a list of free space does not end" in refusal(file(hostile.endless_list(ordinary)))


CHILD = """
    import json, pathlib, re, sys
    import imgclf

    def peak():
        found = re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())
        return int(found[1]) / 1024

    imgclf.load(sys.argv[1])
    before = peak()
    told = {}
    for path in pathlib.Path(sys.argv[2]).iterdir():
        for trust in (False, True):
            try:
                imgclf.load(path, trust=trust)
                told[path.stem] = "loaded"
                break
            except imgclf.errors.ModelFileError as error:
                told[path.stem] = str(error)
    print(json.dumps([told, peak() - before]))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_small_files_that_ask_for_much_get_nothing(ordinary, file, tmp_path):
    """Not even if they are trusted; all of them together take less than 100 MiB."""
    bombs = tmp_path / "bombs"
    bombs.mkdir()
    files = hostile.large_networks(ordinary) | hostile.archives(ordinary)
    for name, content in files.items():
        (bombs / f"{name}.keras").write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CHILD), file(ordinary), bombs],
        env=child_environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told, mebibytes = json.loads(done.stdout.splitlines()[-1])
    assert set(told) == set(files)
    assert "loaded" not in told.values()
    assert "units is 60,000,000" in told["units"]
    assert (
        "asks for weights of 3×3×3×16000000; with those before it" in told["units not in the file"]
    )
    assert "?×8,000,000×8,000,000×3 values" in told["up-sampling"]
    assert "?×120,008×120,008×3 values" in told["padding"]
    assert "takes about 18 seconds to build; at most 15 are spent" in told["layers"]
    assert "seconds to build; at most 15 are spent" in told["layers in the wrong order"]
    assert mebibytes < 100


def test_a_layer_that_says_another_width_than_its_weights_is_told_without_keras(ordinary, file):
    wide = hostile.with_config(
        ordinary, lambda config: hostile.layers(config, "Dense")[0]["config"].update(units=9)
    )
    assert check_model_file(file(wide)).problems == (
        "Layer 'logits' has units=9, but its weights are 16×2, 2.",
        "metadata.json: imgclf.class_names holds 2 names, but the network has 9 outputs.",
    )


# Our entry


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"class_names": ["a"]}, ".class_names must be a list of 2 to 100,000 names."),
        ({"class_names": ["a", "a"]}, ".class_names must be a list of names that all differ."),
        ({"class_names": ["a", " "]}, ".class_names[…] must be a name that is not empty."),
        (
            {"class_names": ["a", "b" * 256]},
            ".class_names[…] must be a text of at most 255 characters.",
        ),
        ({"max_pixels": 0}, ".max_pixels must be a whole number above 0."),
        ({"max_pixels": True}, ".max_pixels must be a whole number above 0."),
        ({"class_names": ["a", 3]}, ".class_names[…] must be a text of at most 255 characters."),
        ({"format": True}, ".format must be a whole number above 0."),
        ({"format": "1"}, ".format must be a whole number above 0."),
        ({"version": ["9"]}, ".version must be a text of at most 255 characters."),
        ({"recipe": [1]}, ".recipe must be an object."),
        ({"blocks": {"a": 1}}, ".blocks must be a list of objects, or null."),
        ({"history": [1]}, ".history must be an object."),
        ({"history": {"loss": ["1"]}}, ".history['loss'] must be a list of numbers."),
    ],
)
def test_an_entry_that_is_not_ours_is_refused(change, message, ordinary, file):
    path = file(hostile.with_entry(ordinary, change))
    assert refusal(path) == f"{path}: metadata.json: imgclf{message} The file was left as it is."


@pytest.mark.parametrize(
    "change",
    [
        {"recipe": {"epochs": -1}},
        {"blocks": [{"block": "x"}]},
        {"resize": "no"},
        {"max_pixels": 10**9},
    ],
)
def test_an_entry_with_values_that_cannot_be_used_is_refused(change, ordinary, file):
    assert "m.keras: cannot be used: " in refusal(file(hostile.with_entry(ordinary, change)))


def test_more_names_than_outputs_are_refused(ordinary, file):
    entry = {"class_names": ["a", "b", "c"]}
    assert "holds 3 names, but the network has 2 outputs" in refusal(
        file(hostile.with_entry(ordinary, entry))
    )


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=300),
    lambda values: (
        st.lists(values, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["class_names", "history", "format", "layers", "config", "class_name", "a"]
            )
            | st.text(max_size=5),
            values,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(entry=JSON, metadata=JSON)
def test_any_entry_ends_in_a_report(ordinary, tmp_path_factory, entry, metadata):
    path = tmp_path_factory.getbasetemp() / "entry.keras"
    for data in (
        hostile.with_entry(ordinary, entry),
        hostile.with_member(ordinary, hostile.METADATA, json.dumps(metadata).encode()),
    ):
        path.write_bytes(data)
        report = check_model_file(path)
        json.dumps(report.to_dict())
        assert all(line.isprintable() for line in str(report).splitlines())


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_change_to_the_network_ends_in_a_report(ordinary, tmp_path_factory, data):
    """A part of the description is replaced by anything, or by another part of it."""
    config = json.loads(hostile.members(ordinary)[hostile.CONFIG])
    places = list(_places(config))
    for _ in range(data.draw(st.integers(1, 3))):
        container, key = data.draw(st.sampled_from(places))
        container[key] = data.draw(JSON | st.sampled_from([c[k] for c, k in places]).map(_plain))
    path = tmp_path_factory.getbasetemp() / "network.keras"
    path.write_bytes(hostile.with_member(ordinary, hostile.CONFIG, json.dumps(config).encode()))
    report = check_model_file(path)
    assert all(line.isprintable() for line in str(report).splitlines())
    if report.is_safe:
        with contextlib.suppress(errors.ImgclfError):
            imgclf.load(path)


def _places(value):
    keys = value if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from _places(value[key])


def _plain(value):
    return json.loads(json.dumps(value))


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_bytes_in_the_weights_end_in_a_report(ordinary, tmp_path_factory, data):
    """The checksums are right again, so that only the reader stands in the way."""
    start = hostile.offset_of(ordinary, hostile.WEIGHTS)
    size = len(hostile.members(ordinary)[hostile.WEIGHTS])
    place = data.draw(st.integers(0, size - 8))
    path = tmp_path_factory.getbasetemp() / "weights.keras"
    path.write_bytes(
        hostile.reseal(ordinary, start + place, data.draw(st.binary(min_size=1, max_size=8)))
    )
    if check_model_file(path).is_safe:
        with contextlib.suppress(errors.ImgclfError):
            imgclf.load(path)


# On the command line


def call(*arguments):
    return CliRunner().invoke(main, [str(one) for one in arguments])


def test_inspect_prints_what_is_in_a_file(ordinary, file):
    result = call("inspect", file(ordinary))
    assert result.exit_code == 0
    assert "  classes     2: cat, dog\n" in result.stdout
    assert result.stdout.endswith("  safe to load\n")
    record = json.loads(call("inspect", file(ordinary), "--json").stdout)
    assert (record["is_safe"], record["class_names"]) == (True, ["cat", "dog"])


def test_inspect_takes_the_folder_of_a_run(ordinary, file, tmp_path):
    file(ordinary, "model.keras")
    assert call("inspect", tmp_path).stdout == call("inspect", tmp_path / "model.keras").stdout


def test_inspect_exits_1_if_anything_speaks_against_loading(ordinary, file):
    network = hostile.calling("keras.config", "set_backend")
    result = call("inspect", file(hostile.with_config(ordinary, lambda _: network)))
    assert result.exit_code == 1
    assert result.stdout.endswith(
        "  unrecognized: keras.layers.Lambda\n  unrecognized: keras.config.function.set_backend\n"
        "  Unrecognized objects may run code: use trust=True if you know who made the file.\n"
    )
    result = call("inspect", file(ordinary[:-1]), "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["problems"] == [
        "It is not a .keras file, or is damaged: expected a zip archive of metadata.json, "
        "config.json, model.weights.h5, found no end of one."
    ]


def test_inspect_refuses_options_that_go_with_images(ordinary, file):
    result = call("inspect", file(ordinary), "--image-size", "3")
    assert result.exit_code == 2
    assert "Error: --image-size requires images, not a model file.\n" in result.stderr


def test_names_that_would_steer_the_terminal_are_escaped(ordinary, file):
    entry = {"class_names": ["\x1b[2J", "\u202eexe\udcff"], "recipe": {"\x07": "\r"}}
    path = file(hostile.with_entry(ordinary, entry))
    result = call("inspect", path)
    assert result.exit_code == 0
    assert "2: \\x1b[2J, \\u202eexe\\udcff\n" in result.stdout
    assert "\x07" not in result.stdout
    assert json.loads(call("inspect", path, "--json").stdout)["class_names"] == [
        "\x1b[2J",
        "\u202eexe\\udcff",
    ]


def test_inspecting_a_model_needs_neither_keras_nor_hdf5(ordinary, file):
    code = (
        "import sys; from imgclf.cli.main import main; "
        f"main(['inspect', {str(file(ordinary))!r}], standalone_mode=False); "
        "print(sorted({'tensorflow', 'keras', 'h5py', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=HERE.parents[1],
    )
    assert done.stdout.splitlines()[-1] == "[]"
