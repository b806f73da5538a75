"""Checks the path of a model file, and explains what other kinds of files are."""

from __future__ import annotations

import stat
from pathlib import Path

from imgclf import checks
from imgclf.errors import MissingFileError, ModelFileError
from imgclf.typing import StrPath

__all__ = ["looks_like_model", "model_path"]

_FROM_KERAS = "Open it with keras.saving.load_model(path) and save it by .save('name.keras')."
_WHOLE = "Save the whole model by .save('name.keras')."
_EXPORTED = "Load the .keras file that it was made from."
_KERAS_ONLY = "imgclf loads models of Keras only."

# By the end of the name: what it is, and what to do.
_NAMES = {
    ".weights.h5": ("holds weights without a network", _WHOLE),
    ".weights.json": ("holds weights without a network", _WHOLE),
    ".h5": ("is in the older format of Keras", _FROM_KERAS),
    ".hdf5": ("is in the older format of Keras", _FROM_KERAS),
    ".tflite": ("is an export for TensorFlow Lite", _EXPORTED),
    ".onnx": ("is an export to ONNX", _EXPORTED),
    ".pb": ("is part of a TensorFlow SavedModel", _EXPORTED),
    ".pt": ("is a file of PyTorch", _KERAS_ONLY),
    ".pth": ("is a file of PyTorch", _KERAS_ONLY),
    ".safetensors": ("holds weights without a network", _KERAS_ONLY),
    ".pkl": ("is a pickle, which can run any code", _KERAS_ONLY),
    ".pickle": ("is a pickle, which can run any code", _KERAS_ONLY),
    ".joblib": ("is a pickle, which can run any code", _KERAS_ONLY),
}

# By the first bytes, for files that carry a wrong name.
_BEGINNINGS = {
    b"\x89HDF\r\n\x1a\n": (
        "is an HDF5 file: the older format of Keras, or weights only",
        "Give it a name that ends in .h5, open it with keras.saving.load_model(path) and save it "
        "by .save('name.keras').",
    ),
    b"\x1f\x8b": ("is compressed by gzip", "Unpack it first."),
    b"<": ("is a web page or XML, not a model", "Download it again."),
    b"version https://git-lfs": (
        "is what Git LFS leaves in the place of a file",
        "Fetch the file itself by `git lfs pull`.",
    ),
}


def looks_like_model(source: str) -> bool:
    """Whether a path is meant as a model, by its name or by what the folder holds."""
    place = Path(source).expanduser()
    if place.is_dir():
        return (place / "model.keras").exists() or (place / "saved_model.pb").exists()
    return place.name.lower().endswith((".keras", *_NAMES))


def model_path(value: StrPath) -> Path:
    """Returns the path of a file that may be a `.keras` file, by its name and first bytes.

    Args:
        value: the path of a file, or of a run folder for the `model.keras` in it.

    Raises:
        MissingFileError: if there is no such file.
        ModelFileError: if it is of another kind; the message says what to do.
    """
    if isinstance(value, str) and "://" in value:
        raise ModelFileError(
            f"{value!r} is an address, not a file. Download it first: imgclf loads no model over "
            "the network."
        )
    path = checks.path("path", value)
    if path.is_dir():
        path = _within(path)
    if not path.exists():
        raise MissingFileError(f"There is no model file {str(path)!r}.")
    if not stat.S_ISREG(path.stat().st_mode):
        raise ModelFileError(f"{path}: is not a regular file.")
    _refuse_name(path)
    _refuse_beginning(path)
    if path.suffix != ".keras":
        raise ModelFileError(f"{path}: the name of a model file must end in .keras. Rename it.")
    return path


def _within(folder: Path) -> Path:
    path = folder / "model.keras"
    if path.exists():
        return path
    if (folder / "saved_model.pb").exists():
        raise ModelFileError(f"{folder}: is a TensorFlow SavedModel. {_EXPORTED}")
    if (folder / "model.weights.h5").exists():
        raise ModelFileError(f"{folder}: is a .keras file that was unpacked. {_FROM_KERAS}")
    if (folder / "checkpoints").is_dir():
        raise ModelFileError(
            f"{folder}: the run is not finished, so there is no model.keras yet. The command that "
            "began it resumes it."
        )
    raise ModelFileError(f"{folder}: is a folder without a model.keras.")


def _refuse_name(path: Path) -> None:
    for ending, (what, advice) in _NAMES.items():
        if path.name.lower().endswith(ending):
            raise ModelFileError(f"{path}: {what}. {advice}")


def _refuse_beginning(path: Path) -> None:
    try:
        with path.open("rb") as file:
            beginning = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read ({error.strerror or error}).") from error
    if path.stat().st_size == 0:
        raise ModelFileError(f"{path}: is empty.")
    for start, (what, advice) in _BEGINNINGS.items():
        if beginning.startswith(start):
            raise ModelFileError(f"{path}: {what}. {advice}")
