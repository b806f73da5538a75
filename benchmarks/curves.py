"""Plots test accuracy against wall-clock seconds for all rows of `run.py` with results.

    python benchmarks/curves.py

The plot is written to `docs/img/accuracy-vs-time.svg`; the same results give the same file.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import Any

from result_files import Run, read, title, trained, values
from run import HERE, RESULTS, ROWS

IMAGE = HERE.parent / "docs" / "img" / "accuracy-vs-time.svg"
TUTORIAL = 0.6734  # what the tutorial of 2017 reports

_OURS = ("#0b6e4f", "#0072b2", "#7b3294", "#1a9e96")  # imgclf; the others are grey and brown
_OTHERS = ("#8c510a", "#d95f02", "#5f6b7a", "#b8860b", "#a63d40", "#3d3d3d", "#997c95", "#6b8e23")
_LOWEST = 0.1  # chance, with ten classes
_GAP = 0.033  # between two labels, as a fraction of the height of the plot


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--out", type=Path, default=IMAGE)
    options = parser.parse_args()
    rows = {
        name: runs
        for name, runs in trained(read(options.results)).items()
        if name in ROWS and any(run["curve"] for run in runs)
    }
    if not rows:
        raise SystemExit("No run with a curve was found: run benchmarks/run.py first.")
    draw(rows, options.out)


def draw(rows: dict[str, list[Run]], out: Path) -> None:
    """A line per run that has times, a label per row with the mean of all its runs."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "imgclf"
    # A white background, so that it is readable on a dark page too.
    figure = Figure(figsize=(9, 5.4), layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    ends = {}
    for name, color in _colors(list(rows)).items():
        drawn = [run for run in rows[name] if run["curve"]]
        for run in drawn:
            seconds, accuracies = zip(*run["curve"], strict=True)
            axes.plot(
                *(seconds, accuracies),
                color=color,
                linewidth=2.2 if _ours(name) else 1.3,
                alpha=0.9,
                marker="o" if len(seconds) < 20 else None,
                markersize=3 if len(seconds) > 1 else 7,
            )
        last = max(drawn, key=lambda run: run["seconds"])
        reached = statistics.mean(values(rows[name], "test_accuracy"))
        ends[name] = (last["seconds"], reached, color)
    axes.set_xscale("log")
    axes.axhline(TUTORIAL, color="#888888", linewidth=1, linestyle=(0, (4, 3)), zorder=0)
    _style(axes)
    _label(axes, ends)
    axes.text(
        *(axes.get_xlim()[0] * 1.04, TUTORIAL + 0.006, "tutorial: 67.3%"),
        fontsize=8.5,
        color="#666666",
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, metadata={"Date": None} if out.suffix == ".svg" else None, dpi=150)


def _ours(name: str) -> bool:
    return title(name).startswith("imgclf")


def _colors(names: list[str]) -> dict[str, str]:
    ours = [name for name in names if _ours(name)]
    others = [name for name in names if not _ours(name)]
    colors = {name: _OURS[position % len(_OURS)] for position, name in enumerate(ours)}
    return colors | {name: _OTHERS[place % len(_OTHERS)] for place, name in enumerate(others)}


def _style(axes: Any) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, PercentFormatter

    axes.set_ylim(_LOWEST, 1.0)
    axes.set_xlabel("seconds since the start of the process, without evaluations")
    axes.set_title("CIFAR-10 test accuracy", loc="left", fontsize=11)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(color="#e6e6e6", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _label(axes: Any, ends: dict[str, tuple[float, float, str]]) -> None:
    """Next to the plot, at the height of each line's end, moved apart if they are close."""
    low, high = axes.get_ylim()
    height = 2.0
    for name, (seconds, accuracy, color) in sorted(ends.items(), key=lambda end: -end[1][1]):
        height = min(height - _GAP, (max(accuracy, low) - low) / (high - low))
        axes.annotate(
            f"{title(name)}  {accuracy:.1%}",
            xy=(seconds, accuracy),
            xytext=(1.02, height),
            textcoords="axes fraction",
            va="center",
            fontsize=9,
            color=color,
            weight="bold" if _ours(name) else "normal",
            arrowprops={
                "arrowstyle": "-",
                "relpos": (0, 0.5),  # to the beginning of the text
                "color": color,
                "linewidth": 0.6,
                "alpha": 0.45,
            },
        )


if __name__ == "__main__":
    main()
