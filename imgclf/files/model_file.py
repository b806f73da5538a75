"""What imgclf adds to a `.keras` file, and the check before Keras reads one.

A `.keras` file is a zip archive of `metadata.json`, `config.json` and `model.weights.h5`. Our entry
stands in `metadata.json` under the key `imgclf`: plain Keras ignores it, and there is no further
member, which would make Keras unpack the archive at each load.
"""

from __future__ import annotations

import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from imgclf import checks
from imgclf.errors import ArgumentError, MissingFileError, ModelFileError
from imgclf.files.atomic import replacing

__all__ = ["FORMAT_VERSION", "read_entry", "write_model"]

# Raised when an older imgclf could not read what a newer one writes.
FORMAT_VERSION = 1

_MEMBERS = ("metadata.json", "config.json", "model.weights.h5")
_MAX_JSON = 4 * 2**20  # bytes; the largest of keras.applications has 0.3 MB


def write_model(model: Any, path: str | Path, entry: dict[str, Any]) -> None:
    """Saves a Keras model with our entry in its metadata, atomically.

    Args:
        model: a `keras.Model`.
        path: the file, ending in `.keras`.
        entry: plain values, stored as JSON under the key `imgclf`.

    Raises:
        ArgumentError: if the path does not end in `.keras`.
    """
    target = checks.path("path", path)
    if target.suffix != ".keras":
        raise ArgumentError(f"`path` must end in .keras. {checks.received('path', str(path))}")
    with replacing(target) as temporary:
        with tempfile.TemporaryDirectory(prefix=".saving-", dir=target.parent) as folder:
            plain = Path(folder) / "plain.keras"
            _without_training(model).save(plain)
            _copy_with_entry(plain, temporary, {"format": FORMAT_VERSION, **entry})
        read_entry(temporary)  # a file that cannot be read again never takes the old one's place


def read_entry(path: str | Path) -> dict[str, Any]:
    """Checks that a file is a whole `.keras` file, and reads our entry.

    Args:
        path: the file.

    Returns:
        What was written as `entry`; empty for a model that plain Keras saved.

    Raises:
        MissingFileError: if there is no such file.
        ModelFileError: if it is damaged, is no model, or was written by a newer imgclf.
    """
    target = checks.path("path", path)
    if not target.exists():
        raise MissingFileError(f"There is no model file {str(target)!r}.")
    if not zipfile.is_zipfile(target):
        raise ModelFileError(
            f"{target}: is not a .keras file, or is damaged. Expected a zip archive of "
            f"{', '.join(_MEMBERS)}. The file was left as it is."
        )
    try:
        with zipfile.ZipFile(target) as archive:
            metadata = _checked_metadata(archive, target)
    except (zipfile.BadZipFile, OSError, EOFError, ValueError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(
            f"{target}: is damaged ({error}). The file was left as it is."
        ) from error
    entry = metadata.get("imgclf", {})
    if not isinstance(entry, dict):
        raise ModelFileError(f"{target}: metadata.json: `imgclf` must be an object.")
    version = entry.get("format", FORMAT_VERSION)
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise ModelFileError(
            f"{target}: was written in format {version!r} by imgclf {entry.get('version')!r}; this "
            f"imgclf reads up to format {FORMAT_VERSION}. Upgrade imgclf."
        )
    return entry


def _without_training(model: Any) -> Any:
    """The same layers without optimiser, loss and metrics, which may be anyone's code."""
    import keras

    if not isinstance(model, (keras.models.Sequential, keras.src.models.functional.Functional)):
        return model
    return keras.Model(model.input, model.output, name=model.name)


def _checked_metadata(archive: zipfile.ZipFile, target: Path) -> dict[str, Any]:
    names = archive.namelist()
    if sorted(names) != sorted(_MEMBERS):
        raise ModelFileError(
            f"{target}: is not a .keras file. Expected the members {', '.join(_MEMBERS)}; "
            f"found {', '.join(map(repr, names[:6])) or 'none'}."
        )
    damaged = archive.testzip()
    if damaged:
        raise ModelFileError(f"{target}: member {damaged!r} is damaged (wrong checksum).")
    if archive.getinfo("metadata.json").file_size > _MAX_JSON:
        raise ModelFileError(f"{target}: metadata.json is larger than {_MAX_JSON:,} bytes.")
    metadata = json.loads(archive.read("metadata.json"))
    if not isinstance(metadata, dict):
        raise ModelFileError(f"{target}: metadata.json must hold an object.")
    return metadata


def _copy_with_entry(source: Path, target: Path, entry: dict[str, Any]) -> None:
    with zipfile.ZipFile(source) as before, zipfile.ZipFile(target, "w") as after:
        metadata = json.loads(before.read("metadata.json"))
        metadata["imgclf"] = entry
        after.writestr("metadata.json", json.dumps(metadata))
        for name in _MEMBERS[1:]:
            with before.open(name) as read, after.open(name, "w", force_zip64=True) as write:
                while block := read.read(2**20):
                    write.write(block)
