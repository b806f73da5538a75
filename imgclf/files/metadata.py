"""imgclf's entry in the `metadata.json` of a model file: its version, and what it may hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from imgclf.files.migrations import migrate_threshold
from imgclf.untrusted.errors import UnsafeFileError

__all__ = ["FORMAT_VERSION", "KEY", "MAX_NAME", "STRATEGIES", "read_entry", "storable_history"]

# Plain Keras ignores what stands under this key.
KEY = "imgclf"

# Raised when an older imgclf could not read what a newer one writes.
FORMAT_VERSION = 2

MAX_NAME = 255  # characters

# How a model is trained: all of it at once, or first its output layer, then its upper layers.
STRATEGIES = ("whole-network", "phases")

_MAX_CLASSES = 100_000


def read_entry(metadata: object) -> dict[str, Any]:
    """Reads imgclf's entry and checks it.

    Args:
        metadata: the parsed `metadata.json`.

    Returns:
        The entry without unknown keys; empty if plain Keras wrote the file.

    Raises:
        UnsafeFileError: if it is not as `Classifier.save` writes it.
    """
    if not isinstance(metadata, dict):
        raise UnsafeFileError("metadata.json must hold an object.")
    entry = metadata.get(KEY)
    if entry is None:
        return {}
    if not isinstance(entry, dict):
        raise _wrong("", "an object")
    _check_format(entry)
    return {name: check(entry[name]) for name, check in _CHECKS.items() if name in entry}


def storable_history(history: Mapping[str, Any]) -> dict[str, list[float | None]]:
    """Writes a history as JSON can hold it, with null for what is not finite."""
    return {
        str(name): [float(value) if math.isfinite(value) else None for value in values]
        for name, values in history.items()
    }


def _check_format(entry: Mapping[str, Any]) -> None:
    number, version = entry.get("format", 1), entry.get("version")
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise _wrong(".format", "a whole number above 0")
    if number > FORMAT_VERSION:
        raise UnsafeFileError(
            f"It was written in format {number} by imgclf {str(version)[:40]!r}; this imgclf reads "
            f"up to format {FORMAT_VERSION}. Upgrade imgclf."
        )


def _wrong(name: str, expected: str) -> UnsafeFileError:
    return UnsafeFileError(f"metadata.json: imgclf{name} must be {expected}.")


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_NAME:
        raise _wrong(name, f"a text of at most {MAX_NAME} characters")
    return value


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise _wrong(name, "a whole number above 0")
    return value


def _class_names(value: Any) -> list[str]:
    if not isinstance(value, list) or not 2 <= len(value) <= _MAX_CLASSES:
        raise _wrong(".class_names", f"a list of 2 to {_MAX_CLASSES:,} names")
    for name in value:
        if not _text(".class_names[…]", name).strip():
            raise _wrong(".class_names[…]", "a name that is not empty")
    if len(set(value)) < len(value):
        raise _wrong(".class_names", "a list of names that all differ")
    return value


def _recipe(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(".recipe", "an object")
    return value


def _trained_recipe(value: Any) -> dict[str, Any] | None:
    if value is not None and not isinstance(value, dict):
        raise _wrong(".trained_recipe", "an object, or null")
    return value


def _strategy(value: Any) -> str:
    if value not in STRATEGIES:
        raise _wrong(".strategy", f"one of {', '.join(STRATEGIES)}")
    return str(value)


def _blocks(value: Any) -> list[dict[str, Any]] | None:
    if value is not None and not (
        isinstance(value, list) and all(isinstance(block, dict) for block in value)
    ):
        raise _wrong(".blocks", "a list of objects, or null")
    return value


def _history(value: Any) -> dict[str, list[float]]:
    if not isinstance(value, dict):
        raise _wrong(".history", "an object")
    for name, epochs in value.items():
        _text(".history names", name)
        if not isinstance(epochs, list) or not all(map(_is_number, epochs)):
            raise _wrong(f".history[{name!r}]", "a list of numbers")
    return {
        name: [math.nan if number is None else number for number in epochs]
        for name, epochs in value.items()
    }


def _white_level(value: Any) -> float | None:
    if value is not None and not (_is_number(value) and 0 < value < math.inf):
        raise _wrong(".white_level", "a number above 0, or null")
    return value


def _threshold(value: Any) -> dict[str, Any] | None:
    """Checks what `Threshold.to_dict` writes: fractions of images, and how many there were."""
    if value is None:
        return None
    value = migrate_threshold(value) if isinstance(value, dict) else value
    if not isinstance(value, dict) or not set(value) >= _THRESHOLD:
        raise _wrong(".threshold", f"null, or an object of {', '.join(sorted(_THRESHOLD))}")
    for name in _THRESHOLD:
        _check_threshold(name, value[name])
    return {name: value[name] for name in _THRESHOLD}


def _check_threshold(name: str, value: Any) -> None:
    if name == "num_images":
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**53:
            raise _wrong(".threshold.num_images", "a whole number above 0")
    elif name.endswith("_interval"):
        if not (isinstance(value, list) and len(value) == 2 and all(map(_is_fraction, value))):
            raise _wrong(f".threshold.{name}", "two numbers from 0 to 1")
    elif not (_is_fraction(value) or (name == "certainty" and value is None)):
        raise _wrong(f".threshold.{name}", "a number from 0 to 1")


def _is_fraction(value: Any) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and 0 <= value <= 1


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


_THRESHOLD = {
    "certainty",
    "num_images",
    "coverage",
    "coverage_interval",
    "precision",
    "precision_interval",
    "probability",
    "wanted",
}

_CHECKS = {
    "version": lambda value: _text(".version", value),
    "class_names": _class_names,
    "resize": lambda value: _text(".resize", value),
    "max_pixels": lambda value: _whole(".max_pixels", value),
    "background": lambda value: _text(".background", value),
    "white_level": _white_level,
    "recipe": _recipe,
    "trained_recipe": _trained_recipe,
    "strategy": _strategy,
    "blocks": _blocks,
    "history": _history,
    "threshold": _threshold,
}
