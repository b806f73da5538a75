"""Measures how much memory this process has used."""

from __future__ import annotations

import re
import sys
from pathlib import Path

__all__ = ["peak_memory"]


def peak_memory(status: Path = Path("/proc/self/status")) -> int | None:
    """The most bytes that were in memory at once since the process began; None if nobody tells."""
    try:
        found = re.search(r"^VmHWM:\s*(\d+) kB", status.read_text(), re.MULTILINE)
    except OSError:
        found = None
    if found:
        return int(found[1]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
