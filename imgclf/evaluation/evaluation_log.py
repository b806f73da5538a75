"""Counts test evaluations in the run folder, one row each.

A test evaluation that is followed by a change makes the next one a little too optimistic. So the
run folder counts them, and each `Evaluation` of a run's test images has its number.
"""

from __future__ import annotations

import csv
import datetime
import io
from pathlib import Path
from typing import NamedTuple

from imgclf.errors import RunFolderError
from imgclf.files import atomic
from imgclf.files.csv_file import read_rows
from imgclf.files.migrations import stored_under
from imgclf.files.stored_json import show_error
from imgclf.formatting import show_path

__all__ = ["EvaluationRecord", "count_test_evaluation", "is_run", "read_test_evaluations"]

_NAME = "test-evaluations.csv"
_LOCK = "test-evaluations.lock"

# "2026-11-30T22:41:10+00:00" has 25.
_DATE_CHARACTERS = 40

# A row is written in milliseconds; a network drive may take longer.
_LOCK_SECONDS = 30


class EvaluationRecord(NamedTuple):
    """One test evaluation of a run.

    Args:
        date: when, in UTC, as ISO 8601 has it.
        num_images: how many images were evaluated.
        accuracy: of the classifier, 0 to 1.
    """

    date: str
    num_images: int
    accuracy: float


def is_run(folder: Path) -> bool:
    """Tells whether a folder is a run folder, of a training or a search."""
    return any((folder / name).is_file() for name in ("config.json", "journal.jsonl"))


def read_test_evaluations(run: Path) -> list[EvaluationRecord]:
    """Reads the test evaluations of a run, the first one first.

    Args:
        run: the run folder; without a record there are none.

    Raises:
        RunFolderError: if the record is damaged.
    """
    path = stored_under(run, _NAME)
    if not path.is_file():
        return []
    try:
        return [_record(row) for row in read_rows(path, EvaluationRecord._fields)]
    except ValueError as error:
        raise RunFolderError(
            f"{show_path(path)}: is damaged ({show_error(error)}). Repair it, or delete it to "
            "count from 1 again."
        ) from error


def _record(row: dict[str, str]) -> EvaluationRecord:
    num_images, accuracy = int(row["num_images"]), float(row["accuracy"])
    if num_images < 1 or not 0 <= accuracy <= 1:
        raise ValueError(f"{num_images} images, accuracy {accuracy}")
    if len(row["date"]) > _DATE_CHARACTERS or not row["date"].isprintable():
        raise ValueError(f"{row['date']!r} is no date")
    return EvaluationRecord(row["date"], num_images, accuracy)


def count_test_evaluation(run: Path, num_images: int, accuracy: float) -> int:
    """Counts a test evaluation.

    Two processes that evaluate at the same time are both counted: one waits for the other.

    Args:
        run: the run folder.
        num_images: how many images were evaluated.
        accuracy: of the classifier, 0 to 1.

    Returns:
        The number of test evaluations, this one included.

    Raises:
        RunFolderError: if the record is damaged, or another process holds it for half a minute.
        OSError: if it cannot be written.
    """
    import filelock

    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    try:
        with filelock.FileLock(run / _LOCK, timeout=_LOCK_SECONDS):
            records = [*read_test_evaluations(run), EvaluationRecord(now, num_images, accuracy)]
            table = io.StringIO()
            writer = csv.writer(table, lineterminator="\n")
            writer.writerow(EvaluationRecord._fields)
            writer.writerows(records)
            atomic.write_text(run / _NAME, table.getvalue())
    except filelock.Timeout as error:
        raise RunFolderError(
            f"{run / _NAME}: another process holds it. Try again when that process has ended."
        ) from error
    return len(records)
