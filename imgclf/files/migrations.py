"""Renames what files of earlier versions call by other names; all in one place.

Model files, run folders and journals of each version stay readable. `tests/saved_models` has some
of each, and the tests beside them read them all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = [
    "migrate_job",
    "migrate_recipe",
    "migrate_run_config",
    "migrate_strategy",
    "migrate_threshold",
    "migrate_trial",
    "stored_under",
]

# Names of 0.1.0 and what they are called since 0.2.0.
_RECIPE = {
    "averaging": "ema_momentum",
    "exact_statistics": "precise_batch_norm",
    "early_size": "progressive_size",
    "early_part": "progressive_fraction",
    "fine_tune_part": "fine_tune_fraction",
}
_RECIPE_FIELDS = {"epochs", "batch_size", "optimizer"}  # by which a recipe is recognised
_SEARCH = {"parts": "train_fractions"}
_TRIAL = {"values": "hyperparameters", "part": "train_fraction"}
_JOB = {**_TRIAL, "floors": "stopping_thresholds"}
_THRESHOLD = {"count": "num_images"}
_FILES = {"test-evaluations.csv": "test-looks.csv"}


def migrate_recipe(values: Mapping[str, Any]) -> dict[str, Any]:
    """A stored recipe under the names of today.

    Example:
        >>> migrate_recipe({"epochs": 3, "averaging": 0.9})
        {'epochs': 3, 'ema_momentum': 0.9}
    """
    return _renamed(values, _RECIPE)


def migrate_threshold(values: Mapping[str, Any]) -> dict[str, Any]:
    """A stored threshold under the names of today."""
    return _renamed(values, _THRESHOLD)


def migrate_strategy(last_layer: str) -> str:
    """The strategy of training of a file of 0.1.0, which left it out.

    Args:
        last_layer: the name of the network's last layer, without that of a temperature.

    Example:
        >>> migrate_strategy("new_head")
        'phases'
    """
    return "phases" if last_layer == "new_head" else "whole-network"


def migrate_trial(values: Mapping[str, Any]) -> dict[str, Any]:
    """The record of a trial in a journal under the names of today.

    Example:
        >>> migrate_trial({"number": 1, "values": {"recipe.early_size": 0.5}, "part": 1.0})
        {'number': 1, 'hyperparameters': {'recipe.progressive_size': 0.5}, 'train_fraction': 1.0}
    """
    return _with_renamed_paths(_renamed(values, _TRIAL))


def migrate_job(values: Mapping[str, Any]) -> dict[str, Any]:
    """The plan of a trial under the names of today.

    Example:
        >>> migrate_job({"number": 1, "values": {}, "part": 0.5, "floors": []})
        {'number': 1, 'hyperparameters': {}, 'train_fraction': 0.5, 'stopping_thresholds': []}
    """
    return _with_renamed_paths(_renamed(values, _JOB))


def migrate_run_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """The `config.json` of a run or of a search under the names of today."""
    migrated = dict(config)
    if isinstance(config.get("recipe"), Mapping):
        migrated["recipe"] = migrate_recipe(config["recipe"])
    search = config.get("search")
    if isinstance(search, Mapping):
        migrated["search"] = _migrate_settings(_renamed(search, _SEARCH))
    if isinstance(config.get("confirm"), Mapping):
        migrated["confirm"] = _migrate_settings(config["confirm"])
    return migrated


def stored_under(folder: Path, name: str) -> Path:
    """The path of a file, or of the one that an earlier version wrote in its place.

    Args:
        folder: in which it is.
        name: of today, such as "test-evaluations.csv".
    """
    old = folder / _FILES.get(name, name)
    return old if old.is_file() and not (folder / name).is_file() else folder / name


def _renamed(values: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in values.items()}


def _migrate_settings(value: Any) -> Any:
    """Settings of a search, in which recipes and names of hyperparameters may be anywhere."""
    if isinstance(value, Mapping):
        renamed = migrate_recipe(value) if value.keys() >= _RECIPE_FIELDS else value
        return {_renamed_text(name): _migrate_settings(each) for name, each in renamed.items()}
    if isinstance(value, list):
        return [_migrate_settings(each) for each in value]
    return _renamed_text(value) if isinstance(value, str) else value


def _with_renamed_paths(trial: dict[str, Any]) -> dict[str, Any]:
    """The hyperparameters of a trial are named after fields of the recipe."""
    if isinstance(trial.get("hyperparameters"), Mapping):
        trial["hyperparameters"] = {
            _renamed_text(name): _migrate_settings(value)
            for name, value in trial["hyperparameters"].items()
        }
    return trial


def _renamed_text(text: str) -> str:
    """The name of a hyperparameter, such as "recipe[1].averaging", or the repr of a recipe."""
    if text.startswith("Recipe("):
        return re.sub(r"\b\w+(?==)", lambda found: _RECIPE.get(found[0], found[0]), text)
    first, *rest = text.split(".")
    if not re.fullmatch(r"recipe(\[\d+\])*", first):
        return text
    return ".".join([first, *(_RECIPE.get(word, word) for word in rest)])
