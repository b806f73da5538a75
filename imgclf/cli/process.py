"""When this process began, by the clock of `time.monotonic`."""

from __future__ import annotations

import os
import time
from pathlib import Path

__all__ = ["PROCESS_STARTED"]


def _started() -> float:
    """As Linux tells it, Python's own start included; elsewhere from now on."""
    try:
        # After the name, which is in brackets and may hold blanks: the 20th is the start in ticks
        # since the machine was switched on (proc_pid_stat(5)).
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError, IndexError, ValueError):
        age = 0.0
    return time.monotonic() - max(age, 0.0)


PROCESS_STARTED = _started()
