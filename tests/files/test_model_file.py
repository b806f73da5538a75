import json
import zipfile

import keras
import pytest

import imgclf
from imgclf import errors
from imgclf.files import model_file


@pytest.fixture
def model():
    return imgclf.build_classifier((4, 4, 1), 2, [imgclf.flatten()])


def test_the_entry_comes_back_and_plain_keras_opens_the_file(model, tmp_path):
    path = tmp_path / "m.keras"
    model_file.write_model(model, path, {"class_names": ["cat", "dog"]})
    assert model_file.read_entry(path)["class_names"] == ["cat", "dog"]
    assert keras.saving.load_model(path).count_params() == model.count_params()
    assert [file.name for file in tmp_path.iterdir()] == ["m.keras"]


def test_a_file_of_plain_keras_has_no_entry(model, tmp_path):
    model.save(tmp_path / "m.keras")
    assert model_file.read_entry(tmp_path / "m.keras") == {}


def test_a_compiled_model_is_saved_without_its_optimiser(model, tmp_path):
    model.compile("adam", "sparse_categorical_crossentropy")
    model_file.write_model(model, tmp_path / "m.keras", {})
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        assert not json.loads(archive.read("config.json")).get("compile_config")


def test_any_cut_is_noticed(model, tmp_path):
    path = tmp_path / "m.keras"
    model_file.write_model(model, path, {})
    whole = path.read_bytes()
    for size in range(0, len(whole) - 1, 1024):
        path.write_bytes(whole[:size])
        with pytest.raises(errors.ModelFileError):
            imgclf.load(path)
        assert path.read_bytes() == whole[:size]


def test_a_flipped_byte_in_the_weights_is_noticed(model, tmp_path):
    path = tmp_path / "m.keras"
    model_file.write_model(model, path, {})
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("model.weights.h5").header_offset + 200
    content = bytearray(path.read_bytes())
    content[start] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(errors.ModelFileError, match="damaged"):
        imgclf.load(path)


def test_errors_are_whole(model, tmp_path):
    page = tmp_path / "page.keras"
    page.write_text("<html>404</html>")
    with pytest.raises(errors.ModelFileError) as caught:
        imgclf.load(page)
    assert str(caught.value) == (
        f"{page}: is not a .keras file, or is damaged. Expected a zip archive of metadata.json, "
        "config.json, model.weights.h5. The file was left as it is."
    )
    with pytest.raises(errors.MissingFileError) as missing:
        imgclf.load(tmp_path / "none.keras")
    assert str(missing.value) == f"There is no model file {str(tmp_path / 'none.keras')!r}."
    with pytest.raises(errors.ArgumentError) as suffix:
        model_file.write_model(model, tmp_path / "m.h5", {})
    assert str(suffix.value) == (
        f"`path` must end in .keras. Received: path={str(tmp_path / 'm.h5')!r}."
    )


def test_a_newer_format_is_refused_with_both_versions(model, tmp_path):
    path = tmp_path / "m.keras"
    model_file.write_model(model, path, {"version": "9.0"})
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    metadata = json.loads(members["metadata.json"])
    metadata["imgclf"]["format"] = 2
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (members | {"metadata.json": json.dumps(metadata)}).items():
            archive.writestr(name, content)
    with pytest.raises(errors.ModelFileError) as caught:
        imgclf.load(path)
    assert str(caught.value) == (
        f"{path}: was written in format 2 by imgclf '9.0'; this imgclf reads up to format 1. "
        "Upgrade imgclf."
    )
