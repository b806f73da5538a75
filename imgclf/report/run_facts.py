"""Reads what a run folder knows and a model does not: versions, training time, test evaluations."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imgclf.errors import RunFolderError
from imgclf.evaluation.evaluation_log import EvaluationRecord, read_test_evaluations
from imgclf.files.migrations import migrate_run_config
from imgclf.files.stored_json import read_object
from imgclf.formatting import shorten
from imgclf.training.loop.run_time import seconds_of

__all__ = ["RunFacts", "read_run"]


# Packages whose versions are shown; imgclf records two.
_PACKAGES = 20


@dataclasses.dataclass(frozen=True)
class RunFacts:
    """What a run folder holds, as far as it is known.

    Args:
        seconds: spent in training.
        versions: of the packages that the model was trained with.
        test_evaluations: the oldest first.
    """

    seconds: float | None = None
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    test_evaluations: tuple[EvaluationRecord, ...] = ()


def read_run(folder: Path | None) -> RunFacts:
    """Reads a run folder; skips whatever is missing or damaged."""
    if folder is None:
        return RunFacts()
    config = _config(folder) or _config(folder / "head")
    versions = config.get("versions")
    known = versions if isinstance(versions, dict) else {}
    return RunFacts(
        seconds_of(folder),
        {shorten(name): shorten(str(version)) for name, version in list(known.items())[:_PACKAGES]},
        _test_evaluations(folder),
    )


def _test_evaluations(folder: Path) -> tuple[EvaluationRecord, ...]:
    try:
        return tuple(read_test_evaluations(folder))
    except (OSError, RunFolderError):
        return ()


def _config(folder: Path) -> dict[str, Any]:
    try:
        return migrate_run_config(read_object(folder / "config.json", ""))
    except RunFolderError:
        return {}
