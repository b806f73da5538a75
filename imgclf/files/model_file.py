"""Writes and loads `.keras` files with our entry in them.

A `.keras` file is a zip archive of `metadata.json`, `config.json` and `model.weights.h5`. Our entry
stands in `metadata.json` under the key `imgclf`: plain Keras ignores it, and there is no further
member, which would make Keras unpack the archive at each load.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from imgclf import checks
from imgclf.errors import ArgumentError, ModelFileError
from imgclf.files.atomic import LEFTOVER, replacing
from imgclf.files.metadata import FORMAT_VERSION, KEY
from imgclf.untrusted.archive import CONFIG, MEMBERS, METADATA
from imgclf.untrusted.building import building_within
from imgclf.untrusted.check import Checked, check

__all__ = ["load_model", "write_model"]

_LEFT = "The file was left as it is."


def write_model(model: Any, path: str | Path, entry: Mapping[str, Any]) -> None:
    """Saves a Keras model with our entry in its metadata, atomically.

    Args:
        model: a `keras.Model`.
        path: the file, ending in `.keras`.
        entry: plain values, stored as JSON under the key `imgclf`.

    Raises:
        ArgumentError: if the path does not end in `.keras`, or the model stores more than weights.
    """
    target = checks.path("path", path)
    if target.suffix != ".keras":
        raise ArgumentError(f"`path` must end in .keras. {checks.received('path', str(path))}")
    with (
        replacing(target, _verify) as temporary,
        tempfile.TemporaryDirectory(prefix=LEFTOVER, dir=target.parent) as folder,
    ):
        plain = Path(folder) / "plain.keras"
        _without_training(model).save(plain)
        _copy(plain, temporary, {"format": FORMAT_VERSION, **entry})


def load_model(path: Any, *, trust: bool = False) -> tuple[Any, Mapping[str, Any], Path]:
    """Checks a file, and has Keras load what is in it.

    Args:
        path: a `.keras` file, or the folder of a run.
        trust: whether layers that are not known may be loaded, and code in the file may run.

    Returns:
        The `keras.Model`, our entry (empty for a model that plain Keras saved), and the file.

    Raises:
        MissingFileError: if there is no such file.
        ModelFileError: if it is damaged, no model, written by a newer imgclf, too large to load, or
            holds more than known layers and is not trusted.
    """
    checked = check(path)
    for problem in checked.report.problems:
        raise ModelFileError(f"{checked.path}: {problem} {_LEFT}")
    if checked.report.foreign and not trust:
        raise ModelFileError(_foreign(checked))

    import keras

    try:
        with _to_load(checked) as file, building_within(checked.weights), _all_weights():
            model = keras.saving.load_model(file, compile=False, safe_mode=not trust)
    except ModelFileError as error:
        raise ModelFileError(f"{checked.path}: {error} {_LEFT}") from error
    except Exception as error:  # Keras raises many kinds for what it cannot read
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise ModelFileError(f"{checked.path}: Keras cannot load it ({reason}). {_LEFT}") from error
    return model, checked.entry, checked.path


def _verify(written: Path) -> None:
    """A file that cannot be read again never takes the old one's place."""
    for problem in check(written).report.problems:
        raise ModelFileError(f"{written}: {problem}")


def _foreign(checked: Checked) -> str:
    found = checked.report.foreign
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return (
        f"{checked.path}: holds what is not among the layers that are known to be harmless: "
        f"{', '.join(found[:3])}{more}. Loading it may run code. If you know who made it: "
        f"imgclf.load(path, trust=True)."
    )


@contextlib.contextmanager
def _to_load(checked: Checked) -> Iterator[Path]:
    """The file to give to Keras: the one that was checked, or a copy that says nothing of training.

    `compile=False` keeps Keras from compiling the outermost model only.
    """
    if not checked.compiled_within:
        yield checked.path
        return
    with tempfile.TemporaryDirectory(prefix=LEFTOVER) as folder:
        copy = Path(folder) / "model.keras"
        _copy(checked.path, copy, None)
        yield copy


@contextlib.contextmanager
def _all_weights() -> Iterator[None]:
    """Where Keras only warns that weights are missing, and goes on without them, it fails."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Skipping nested container")
        yield


def _without_training(model: Any) -> Any:
    """The same layers without optimiser, loss and metrics, which may be anyone's code."""
    import keras

    if not isinstance(model, (keras.models.Sequential, keras.src.models.functional.Functional)):
        return model
    inputs, outputs = model.inputs, model.outputs
    if len(inputs) == len(outputs) == 1:
        return keras.Model(inputs[0], outputs[0], name=model.name)
    return keras.Model(inputs, outputs, name=model.name)


def _copy(source: Path, target: Path, entry: Mapping[str, Any] | None) -> None:
    """Copies an archive with our entry, and without a word on training."""
    with zipfile.ZipFile(source) as before, zipfile.ZipFile(target, "w") as after:
        if sorted(before.namelist()) != sorted(MEMBERS):
            raise ArgumentError(
                "The model stores files besides its weights, such as the vocabulary of a text "
                "layer; imgclf stores models of images only. Save it by model.save(path)."
            )
        metadata = json.loads(before.read(METADATA))
        if entry is not None:
            metadata[KEY] = entry
        after.writestr(METADATA, json.dumps(metadata))
        after.writestr(CONFIG, json.dumps(_untrained(json.loads(before.read(CONFIG)))))
        for name in MEMBERS[2:]:
            with before.open(name) as read, after.open(name, "w", force_zip64=True) as write:
                while block := read.read(2**20):
                    write.write(block)


def _untrained(value: Any) -> Any:
    """The description of a network, without how its models were compiled."""
    if isinstance(value, dict):
        return {key: _untrained(part) for key, part in value.items() if key != "compile_config"}
    if isinstance(value, list):
        return [_untrained(part) for part in value]
    return value
