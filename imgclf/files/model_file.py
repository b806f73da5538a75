"""Writes and loads `.keras` files with our entry in their metadata.

A `.keras` file is a zip archive of `metadata.json`, `config.json` and `model.weights.h5`. Our entry
is stored in `metadata.json` under the key `imgclf`, which plain Keras ignores. A fourth member
would make Keras unpack the archive at each load.
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
from imgclf.backend.keras_internals import MISSING_WEIGHTS, is_graph
from imgclf.backend.keras_settings import channels_last, check_backend, spread_rescaling
from imgclf.backend.random_state import seeded
from imgclf.errors import ArgumentError, ModelFileError
from imgclf.files.atomic import LEFTOVER, replacing
from imgclf.files.metadata import FORMAT_VERSION, KEY
from imgclf.files.model_check import check_model
from imgclf.typing import KerasModel, StrPath
from imgclf.untrusted.archive import CONFIG, MEMBERS, METADATA
from imgclf.untrusted.building import building_within
from imgclf.untrusted.check import CheckedFile
from imgclf.untrusted.errors import UnsafeFileError

__all__ = ["load_model", "without_training", "write_model"]

_LEFT = "The file was left as it is."


def write_model(model: KerasModel, path: StrPath, entry: Mapping[str, Any]) -> None:
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
        without_training(model).save(plain)
        _copy(plain, temporary, {"format": FORMAT_VERSION, **entry})


def load_model(path: StrPath, *, trust: bool = False) -> tuple[KerasModel, Mapping[str, Any], Path]:
    """Checks a file and has Keras load it.

    Args:
        path: a `.keras` file or a run folder.
        trust: whether unrecognized layers may be loaded, and code in the file may run.

    Returns:
        The `keras.Model`, our entry (empty for a model that plain Keras saved), and the file.

    Raises:
        MissingFileError: if there is no such file.
        ModelFileError: if it is damaged, no model, written by a newer imgclf, too large to load, or
            holds unrecognized layers and is not trusted.
    """
    checked = check_model(path)
    for problem in checked.report.problems:
        raise ModelFileError(f"{checked.path}: {problem} {_LEFT}")
    if checked.report.unrecognized and not trust:
        raise ModelFileError(_untrusted(checked))

    check_backend()
    import keras

    try:
        with (
            channels_last(),
            _to_load(checked) as file,
            building_within(checked.weights, timed=not trust),
            seeded(0),  # of dropout, which starts over; weights are the file's
            _all_weights(),
        ):
            model = keras.saving.load_model(file, compile=False, safe_mode=not trust)
    except UnsafeFileError as error:
        raise ModelFileError(f"{checked.path}: {error} {_LEFT}") from error
    except Exception as error:  # Keras raises many kinds for what it cannot read
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise ModelFileError(f"{checked.path}: Keras cannot load it ({reason}). {_LEFT}") from error
    spread_rescaling(model)
    return model, checked.entry, checked.path


def _verify(written: Path) -> None:
    """Refuses to replace the old file by one that cannot be read again."""
    for problem in check_model(written).report.problems:
        raise ModelFileError(f"{written}: {problem}")


def _untrusted(checked: CheckedFile) -> str:
    found = checked.report.unrecognized
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return (
        f"{checked.path}: holds what is not among the layers that are known to be harmless: "
        f"{', '.join(found[:3])}{more}. Loading it may run code. If you know who made it: "
        f"imgclf.load(path, trust=True)."
    )


@contextlib.contextmanager
def _to_load(checked: CheckedFile) -> Iterator[Path]:
    """The file to give to Keras: the checked one, or a copy without training settings.

    `compile=False` keeps Keras from compiling only the outermost model.
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
    """Raises where Keras would only warn that weights are missing."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=MISSING_WEIGHTS)
        yield


def without_training(model: KerasModel) -> KerasModel:
    """The same layers without optimiser, loss and metrics, which may be custom code."""
    import keras

    if not is_graph(model):
        return model
    inputs, outputs = model.inputs, model.outputs
    if len(inputs) == len(outputs) == 1:
        return keras.Model(inputs[0], outputs[0], name=model.name)
    return keras.Model(inputs, outputs, name=model.name)


def _copy(source: Path, target: Path, entry: Mapping[str, Any] | None) -> None:
    """Copies an archive with our entry and without training settings."""
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
