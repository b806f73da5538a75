"""`time.json` in a run folder: how long the run took, over all its sessions."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from imgclf.errors import RunFolderError
from imgclf.files import atomic
from imgclf.files.stored_json import Check, check_record, number, read_object, whole

__all__ = ["add_time", "seconds_of", "timed"]

_RECORD = "time.json"
_STORED: dict[str, Check] = {"seconds": number(0, 1e12), "sessions": whole(0, 10**9)}

# The folders of the two phases of transfer learning.
_PHASES = ("head", "fine-tune")


@contextlib.contextmanager
def timed(folder: Path) -> Iterator[None]:
    """Adds the time within it to the folder's record.

    A session that is killed is not in the record.
    """
    started = time.monotonic()
    try:
        yield
    finally:
        add_time(folder, time.monotonic() - started)


def add_time(folder: Path, seconds: float) -> None:
    """Adds a session to the folder's record; a run does not end because it cannot be written."""
    record = _read(folder)
    record["seconds"] += seconds
    record["sessions"] += 1
    with contextlib.suppress(OSError):
        atomic.write_text(folder / _RECORD, json.dumps(record) + "\n")


def seconds_of(folder: Path) -> float | None:
    """Seconds that a run took, over all its sessions; None if there is no record."""
    seconds = sum(_read(place)["seconds"] for place in (folder, *(folder / one for one in _PHASES)))
    return seconds or None


def _read(folder: Path) -> dict[str, Any]:
    try:
        stored = read_object(folder / _RECORD, "")
        check_record(stored, _STORED, tuple(_STORED))
    except (RunFolderError, ValueError, KeyError):
        return {"seconds": 0.0, "sessions": 0}
    return {**stored, "seconds": float(stored["seconds"])}
