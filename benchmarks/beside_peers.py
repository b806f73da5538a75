"""How long the presets take to what a peer ended with."""

from __future__ import annotations

import statistics

from result_files import Run, mean, seconds_until, title, trained, values
from run import ROWS
from tables import NOTHING, show, table

_PRESETS = ("quick", "fast", "accurate")

# Told where the peer is the faster one.
_WHY = {
    "airbench-muon": "Why airbench94 is faster: not by its step, which does as much of the "
    "machine's peak as that of `accurate` ([Throughput](#throughput)), but by needing fewer "
    "epochs, all at full size, on a network of about as many multiply-adds. Two of its differences "
    "were tried and do not explain it: full size from the start (the row `accurate, fullsize`) "
    "is no better in as much time, and batch normalisation's offsets learning 20 times as fast as "
    "filters helped `fast` at half its epochs and not at all of them. Untried are its batches of "
    "2,000, gelu, and the bias of its first layer.",
}


def beside_peers(results: dict[str, list[Run]]) -> str:
    """A line a peer: its accuracy and seconds, and the preset that is there first."""
    peers = {
        name: (statistics.mean(values(runs, "test_accuracy")), mean(runs, "seconds"))
        for name, runs in trained(results).items()
        if name in ROWS and ROWS[name].needs != "imgclf"
    }
    if not peers:
        return ""
    lines, reasons = [], []
    for name, (accuracy, seconds) in sorted(peers.items(), key=lambda peer: peer[1][0]):
        line = [title(name), show(accuracy, ".1%"), show(seconds, ",.0f")]
        first = _first_there(results, accuracy)
        if first is None:
            lines.append([*line, "none", NOTHING, NOTHING])
            continue
        ours, preset = first
        ratio = seconds / ours if seconds else None
        lines.append([*line, title(preset), show(ours, ",.0f"), show(ratio, ".1f")])
        if ratio and ratio < 1 and name in _WHY:
            reasons.append(_WHY[name])
    heads = ["peer", "test accuracy", "seconds", "there first", "seconds", "the peer's time / ours"]
    return "\n\n".join(
        [
            "## To what a peer ends with",
            table(heads, lines),
            "There first is the preset of imgclf that takes the fewest seconds from the start of "
            "its process to the end of an epoch with at least the peer's test accuracy, in the "
            "median of its runs. Below 1 in the last column, the peer is faster. Of a peer that "
            "searches until its time is up, the seconds are those until it had its best network.",
            *reasons,
        ]
    )


def _first_there(results: dict[str, list[Run]], accuracy: float) -> tuple[float, str] | None:
    """Seconds and name of the preset that is there first; None if none is, in all of its runs."""
    there = []
    for name in _PRESETS:
        curves = [run for run in results.get(name, []) if run["curve"]]
        times = [at for run in curves if (at := seconds_until(run, accuracy)) is not None]
        if times and len(times) == len(curves):
            there.append((statistics.median(times), name))
    return min(there, default=None)
