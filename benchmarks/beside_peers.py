"""How long the presets take to reach the accuracy of each peer."""

from __future__ import annotations

import statistics

from result_files import Run, mean, seconds_until, title, trained, values
from run import ROWS
from tables import NOTHING, show, table

_PRESETS = ("quick", "fast", "accurate")

# Shown if the peer is faster.
_WHY = {
    "airbench-muon": "Why airbench94 is faster: its training step is as close to the machine's "
    "peak as that of `accurate` ([Throughput](#throughput)), but it needs fewer epochs, all at "
    "full size, for a network with about as many multiply-adds. Two of the differences were tried "
    "and do not explain it: full size from the start (the row `accurate, fullsize`) is no better "
    "in the same time, and a learning rate 20 times that of the filters for the offsets of batch "
    "normalisation helped `fast` with half of its epochs, but not with all of them. Its batches of "
    "2,000, GELU, and the bias of its first layer were not tried.",
}


def beside_peers(results: dict[str, list[Run]]) -> str:
    """A line per peer: its accuracy and seconds, and the preset that reaches it first."""
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
    heads = ["peer", "test accuracy", "seconds", "fastest preset", "seconds", "ratio"]
    return "\n\n".join(
        [
            "## Time to the accuracy of a peer",
            table(heads, lines),
            "The fastest preset is the one with the shortest median time from the start of the "
            "process to the end of an epoch with at least the peer's test accuracy. The ratio is "
            "the peer's time divided by that; below 1, the peer is faster. For a peer that "
            "searches until its time is up, the time is that until it found its best network.",
            *reasons,
        ]
    )


def _first_there(results: dict[str, list[Run]], accuracy: float) -> tuple[float, str] | None:
    """Seconds and name of the fastest preset that gets there in all of its runs, or None."""
    there = []
    for name in _PRESETS:
        curves = [run for run in results.get(name, []) if run["curve"]]
        times = [at for run in curves if (at := seconds_until(run, accuracy)) is not None]
        if times and len(times) == len(curves):
            there.append((statistics.median(times), name))
    return min(there, default=None)
