"""How long the presets take to what a peer ended with."""

from __future__ import annotations

import statistics

from result_files import Run, mean, seconds_until, title, trained
from run import ROWS
from tables import show, table

PRESETS = ("quick", "fast", "accurate")

# Told where the peer is the faster one.
WHY = {
    "airbench-muon": "Why airbench94 is faster: not by its step, which does as much of the "
    "machine's peak as that of `accurate` ([Throughput](#throughput)), but by needing fewer: 8 "
    "epochs at full size, in place of 14 of which most are at three quarters, on a network of as "
    "many multiply-adds. Which part of its recipe saves them is not found yet.",
}


def beside_peers(results: dict[str, list[Run]]) -> str:
    """A line a peer: its accuracy and seconds, and the preset that is there first."""
    peers = {
        name: runs
        for name, runs in trained(results).items()
        if name in ROWS and ROWS[name].needs != "imgclf"
    }
    if not peers:
        return ""
    lines, reasons = [], []
    for name, runs in sorted(peers.items(), key=lambda row: mean(row[1], "test_accuracy") or 0):
        accuracy, seconds = mean(runs, "test_accuracy"), mean(runs, "seconds")
        preset, ours = first_there(results, accuracy or 1.0)
        if seconds and ours and seconds < ours and name in WHY:
            reasons.append(WHY[name])
        lines.append(
            [
                title(name),
                show(accuracy, ".1%"),
                show(seconds, ",.0f"),
                title(preset) if preset else "none",
                show(ours, ",.0f"),
                show(seconds / ours if seconds and ours else None, ".1f"),
            ]
        )
    heads = ["peer", "test accuracy", "seconds", "there first", "seconds", "the peer's time / ours"]
    return "\n\n".join(
        [
            "## To what a peer ends with",
            table(heads, lines),
            "There first is the preset of imgclf that takes the fewest seconds from the start of "
            "its process to the end of an epoch with at least the peer's test accuracy, in the "
            "median of its runs. Below 1 in the last column, the peer is faster.",
            *reasons,
        ]
    )


def first_there(
    results: dict[str, list[Run]], accuracy: float
) -> tuple[str, float] | tuple[None, None]:
    """The preset that reaches an accuracy first, in all of its runs, and the seconds it takes."""
    there = []
    for name in PRESETS:
        runs = [run for run in results.get(name, []) if run["curve"]]
        times = [seconds_until(run, accuracy) for run in runs]
        reached = [seconds for seconds in times if seconds is not None]
        if reached and len(reached) == len(times):
            there.append((statistics.median(reached), name))
    if not there:
        return None, None
    seconds, name = min(there)
    return name, seconds
