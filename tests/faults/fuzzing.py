"""What the programs that fuzz have in common: limits of time and memory, and a report."""

from __future__ import annotations

import collections
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path

from imgclf.training.budget.memory import peak_memory

SECONDS = 10  # for one file


def fuzz(minutes: float, kind_of: Callable[[int], str], outcome: Callable[[int], str]) -> None:
    """Tries file after file, and prints how many ended in what.

    Args:
        minutes: for how long.
        kind_of: makes the changed file of a number, and says what was changed in it.
        outcome: what became of that file.

    Raises:
        BaseException: whatever `outcome` raises, also when it takes more than ten seconds or 2 GiB;
            the number of the file is printed before.
    """
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    end, number, slowest = time.monotonic() + 60 * minutes, 0, 0.0
    start = peak_memory() or 0
    resource.setrlimit(resource.RLIMIT_AS, (_virtual() + 2**31, resource.RLIM_INFINITY))
    while time.monotonic() < end:
        number += 1
        kind = kind_of(number)
        signal.alarm(SECONDS)
        began = time.monotonic()
        try:
            counts[kind, outcome(number)] += 1
        except BaseException:
            print(f"file {number}: {kind}", flush=True)
            raise
        slowest = max(slowest, time.monotonic() - began)
        signal.alarm(0)
    peak = peak_memory() or 0
    for (kind, result), count in sorted(counts.items()):
        print(f"{kind:<28}{result:<24}{count:>8,}")
    print(
        f"{number:,} files in {minutes:g} minutes, none crashed; the slowest took {slowest:.2f} s"
    )
    print(
        f"peak memory {peak / 2**20:.0f} MiB, {(peak - start) / 2**20:.0f} above that at the start"
    )


def _virtual() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
