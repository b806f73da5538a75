"""Knows when this process started, on the clock of `time.monotonic`."""

from __future__ import annotations

import os
import time
from pathlib import Path

__all__ = ["PROCESS_STARTED"]


def _start_time() -> float:
    """Returns the start as Linux records it, with Python's own; elsewhere the present."""
    try:
        # The name is in parentheses and may hold spaces. The 20th field after it is the start, in
        # clock ticks since boot (proc_pid_stat(5)).
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError, IndexError, ValueError):
        age = 0.0
    return time.monotonic() - max(age, 0.0)


PROCESS_STARTED = _start_time()
