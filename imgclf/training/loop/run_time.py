"""How long a run took, over all its sessions: `time.json` in its folder."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from imgclf.files import atomic

__all__ = ["seconds_of", "timed"]

_RECORD = "time.json"

# The folders of the two phases of learning on from a trained network.
_PHASES = ("head", "fine-tune")


@contextlib.contextmanager
def timed(folder: Path | None) -> Iterator[None]:
    """Adds the time within it to the folder's record; without a folder it does nothing.

    A session that is killed is not in the record, and one that cannot be written down is no reason
    to lose a run.
    """
    started = time.monotonic()
    try:
        yield
    finally:
        if folder is not None:
            record = _read(folder)
            record["seconds"] += time.monotonic() - started
            record["sessions"] += 1
            with contextlib.suppress(OSError):
                atomic.write_text(folder / _RECORD, json.dumps(record) + "\n")


def seconds_of(folder: Path) -> float | None:
    """Seconds that are known to have gone into a run; None if nobody noted them."""
    seconds = sum(_read(place)["seconds"] for place in (folder, *(folder / one for one in _PHASES)))
    return seconds or None


def _read(folder: Path) -> dict[str, Any]:
    try:
        stored = json.loads((folder / _RECORD).read_text())
        record = {"seconds": float(stored["seconds"]), "sessions": int(stored["sessions"])}
    except (OSError, ValueError, TypeError, KeyError):
        return {"seconds": 0.0, "sessions": 0}
    return record if math.isfinite(record["seconds"]) else {"seconds": 0.0, "sessions": 0}
