"""What a run folder knows that a model does not: versions, the time it took, looks at the test."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from imgclf.errors import RunFolderError
from imgclf.evaluation.test_evaluations import EvaluationRecord, read_test_evaluations
from imgclf.files.migrations import migrate_run_config
from imgclf.training.loop.run_time import seconds_of

__all__ = ["RunFacts", "read_run"]


@dataclasses.dataclass(frozen=True)
class RunFacts:
    """As far as it is known.

    Args:
        seconds: in training.
        versions: of the packages that it was trained with.
        looks: at the test images, the first one first.
    """

    seconds: float | None = None
    versions: dict[str, str] = dataclasses.field(default_factory=dict)
    looks: tuple[EvaluationRecord, ...] = ()


def read_run(folder: Path | None) -> RunFacts:
    """Reads a run folder; whatever is not there or damaged is left out."""
    if folder is None:
        return RunFacts()
    config = _config(folder) or _config(folder / "head")
    versions = config.get("versions")
    known = versions if isinstance(versions, dict) else {}
    return RunFacts(
        seconds_of(folder),
        {str(name): str(one) for name, one in known.items()},
        _looks(folder),
    )


def _looks(folder: Path) -> tuple[EvaluationRecord, ...]:
    try:
        return tuple(read_test_evaluations(folder))
    except (OSError, RunFolderError):
        return ()


def _config(folder: Path) -> dict[str, Any]:
    try:
        stored = migrate_run_config(json.loads((folder / "config.json").read_text()))
    except (OSError, ValueError):
        return {}
    return stored if isinstance(stored, dict) else {}
