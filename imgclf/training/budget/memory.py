"""How much memory this process has used, and how numbers of bytes are shown."""

from __future__ import annotations

import re
import sys
from pathlib import Path

__all__ = ["peak_memory", "show_bytes"]


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


def show_bytes(count: float) -> str:
    """A number of bytes for people.

    Example:
        >>> show_bytes(4_400_000), show_bytes(13_000_000), show_bytes(1_234_000_000)
        ('4.4 MB', '13 MB', '1.2 GB')
    """
    if count >= 1e9:
        return f"{count / 1e9:.1f} GB"
    return f"{count / 1e6:.0f} MB" if count >= 1e7 else f"{count / 1e6:.1f} MB"
