"""How often the test images were looked at: a record in the run folder, a line a look.

Each look at them, followed by a change, makes their figure a little too good; so the run folder
counts, and whoever reads a figure can see which look it was.
"""

from __future__ import annotations

import csv
import datetime
import io
from typing import TYPE_CHECKING, NamedTuple

from imgclf.errors import RunFolderError
from imgclf.files import atomic
from imgclf.files.migrations import stored_under

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["EvaluationRecord", "count_test_evaluation", "is_run", "read_test_evaluations"]

_NAME = "test-evaluations.csv"
_LOCK = "test-evaluations.lock"

# A look is noted in milliseconds; a disk on a network may take longer.
_LOCK_SECONDS = 30


class EvaluationRecord(NamedTuple):
    """One look at the test images of a run.

    Args:
        date: when, in UTC, as ISO 8601 has it.
        num_images: how many images were looked at.
        accuracy: what was seen, 0 to 1.
    """

    date: str
    num_images: int
    accuracy: float


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a training or of a search, and not just one with a model."""
    return any((folder / name).is_file() for name in ("config.json", "journal.jsonl"))


def read_test_evaluations(run: Path) -> list[EvaluationRecord]:
    """The looks at the test images of a run, the first one first.

    Args:
        run: its folder; there are none if it has no record.

    Raises:
        RunFolderError: if the record is damaged.
    """
    path = stored_under(run, _NAME)
    if not path.is_file():
        return []
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
        return [
            EvaluationRecord(row["date"], int(row["num_images"]), float(row["accuracy"]))
            for row in rows
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise RunFolderError(
            f"{path}: is damaged ({error}). Put it right, or delete it to count from one again."
        ) from error


def count_test_evaluation(run: Path, num_images: int, accuracy: float) -> int:
    """Writes a look down.

    Two processes that look at the same time are both counted: one waits for the other.

    Args:
        run: the run folder.
        num_images: how many images were looked at.
        accuracy: what was seen.

    Returns:
        Which look it was, from 1.

    Raises:
        RunFolderError: if the record is damaged, or another process holds it for half a minute.
        OSError: if it cannot be written.
    """
    import filelock

    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    try:
        with filelock.FileLock(run / _LOCK, timeout=_LOCK_SECONDS):
            looks = [*read_test_evaluations(run), EvaluationRecord(now, num_images, accuracy)]
            table = io.StringIO()
            writer = csv.writer(table, lineterminator="\n")
            writer.writerow(EvaluationRecord._fields)
            writer.writerows(looks)
            atomic.write_text(run / _NAME, table.getvalue())
    except filelock.Timeout as error:
        raise RunFolderError(
            f"{run / _NAME}: another process holds it. Try again when that one is over."
        ) from error
    return len(looks)
