"""Reads the results of `run.py` and `ablation.py`."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from run import ROWS

Run = dict[str, Any]


def read(folder: Path) -> dict[str, list[Run]]:
    """Row → its runs; rows of `run.py` first and in its order, then others by name."""
    records = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    found = {record["row"]: record["runs"] for record in records if "row" in record}
    known = [name for name in ROWS if name in found]
    return {name: found[name] for name in [*known, *sorted(set(found) - set(known))]}


def read_single(folder: Path, name: str) -> Run | None:
    """The results of another script, such as `startup.py`, if it was run."""
    path = folder / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def title(name: str) -> str:
    """The title of a row in a table; a variant of it, such as `fast-float32`, is appended."""
    if name in ROWS:
        return ROWS[name].title
    row, _, variant = name.rpartition("-")
    return f"{ROWS[row].title}, {variant}" if row in ROWS else name


def trained(results: dict[str, list[Run]]) -> dict[str, list[Run]]:
    """The rows that end with a test accuracy, without ablations and `first-…`."""
    return {
        name: runs
        for name, runs in results.items()
        if all("test_accuracy" in run for run in runs)
        and not name.startswith(("ablation-", "first-"))
    }


def values(runs: Iterable[Run], key: str) -> list[float]:
    """The values of a key, of the runs that have it."""
    return [run[key] for run in runs if run.get(key) is not None]


def mean(runs: Iterable[Run], key: str) -> float | None:
    """Their mean; None if no run has it."""
    found = values(runs, key)
    return statistics.mean(found) if found else None


def seconds_until(run: Run, accuracy: float) -> float | None:
    """When the curve first reaches a test accuracy; None if it never does."""
    return next((seconds for seconds, reached in run["curve"] if reached >= accuracy), None)
