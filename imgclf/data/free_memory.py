"""Measures the free memory."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["available_memory"]


def available_memory(
    meminfo: Path = Path("/proc/meminfo"), group: Path = Path("/sys/fs/cgroup")
) -> int | None:
    """Returns the bytes that a process can still use, of machine or container; None if unknown."""
    known = [_machine(meminfo), _container(group)]
    return min((count for count in known if count is not None), default=None)


def _machine(meminfo: Path) -> int | None:
    try:
        found = re.search(r"^MemAvailable:\s*(\d+) kB", meminfo.read_text(), re.MULTILINE)
    except OSError:  # not Linux
        return None
    return int(found[1]) * 1024 if found else None


def _container(group: Path) -> int | None:
    try:
        limit = (group / "memory.max").read_text().strip()
        used = int((group / "memory.current").read_text())
    except (OSError, ValueError):
        return None
    return max(0, int(limit) - used) if limit.isdigit() else None
