"""Line charts as SVG within a page: in the page's own colours, light or dark, sharp in print."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from markupsafe import Markup

from imgclf.report.page import render

__all__ = ["Chart", "Line", "draw"]

# The drawing's own units; a page scales it.
_WIDTH, _HEIGHT = 480.0, 330.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 62.0, 22.0, 14.0, 52.0

# More points than these are shown as a line without dots.
_DOTS = 40


@dataclasses.dataclass(frozen=True)
class Line:
    """One curve.

    Args:
        label: what it is.
        x: where its points are.
        y: as many; None or NaN where there is none.
        intervals: low and high of each point, drawn as bars.
        kind: "first" or "second" of the colours, or "grey" and dashed.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float | None]
    intervals: Sequence[tuple[float, float]] = ()
    kind: str = "first"


@dataclasses.dataclass(frozen=True)
class Chart:
    """What is drawn.

    Args:
        alt: what the chart shows, in a sentence.
        lines: the curves.
        x_label: what is counted to the right.
        y_label: what is counted upwards.
        percent: whether the values upwards are parts of 1.
        x_percent: the same to the right.
        x_range: from where to where; from the points if left out.
        y_range: the same upwards.
        whole: whether there is nothing between two numbers to the right.
    """

    alt: str
    lines: Sequence[Line]
    x_label: str
    y_label: str
    percent: bool = False
    x_percent: bool = False
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    whole: bool = False


def draw(chart: Chart) -> Markup:
    """A chart as SVG.

    Example:
        >>> line = Line("accuracy", [1, 2, 3], [0.5, 0.7, 0.8])
        >>> svg = draw(Chart("It rises.", [line], "epoch", "accuracy", percent=True, whole=True))
        >>> svg.startswith("<svg"), ">80%<" in svg
        (True, True)
    """
    points = [
        [(x, y) for x, y in zip(line.x, line.y, strict=True) if y is not None and math.isfinite(y)]
        for line in chart.lines
    ]
    xs = [x for some in points for x, _ in some]
    ys = [y for some in points for _, y in some]
    ys += [end for line in chart.lines for interval in line.intervals for end in interval]
    x_ticks = _ticks(*(chart.x_range or _widened(min(xs), max(xs))), whole=chart.whole)
    y_ticks = _ticks(*(chart.y_range or _widened(min(ys), max(ys))))
    across = _Scale(chart.x_range or _ends(xs, chart.whole), (_LEFT, _WIDTH - _RIGHT))
    upwards = _Scale(chart.y_range or (y_ticks[0], y_ticks[-1]), (_HEIGHT - _BOTTOM, _TOP))
    return render(
        "chart.svg",
        chart=chart,
        width=_WIDTH,
        height=_HEIGHT,
        left=_LEFT,
        right=_WIDTH - _RIGHT,
        top=_TOP,
        bottom=_HEIGHT - _BOTTOM,
        x_ticks=[(across(at), _number(at, chart.x_percent)) for at in x_ticks if at in across],
        y_ticks=[(upwards(at), _number(at, chart.percent)) for at in y_ticks if at in upwards],
        curves=[
            {
                "kind": line.kind,
                "label": line.label,
                "points": [(across(x), upwards(y)) for x, y in some],
                "dots": len(some) <= _DOTS and line.kind != "grey",
                "bars": [
                    (across(x), upwards(low), upwards(high))
                    for (x, _), (low, high) in zip(some, line.intervals, strict=False)
                ],
            }
            for line, some in zip(chart.lines, points, strict=True)
        ],
    )


@dataclasses.dataclass(frozen=True)
class _Scale:
    values: tuple[float, float]
    places: tuple[float, float]

    def __call__(self, value: float) -> float:
        low, high = self.values
        begin, end = self.places
        return round(begin + (value - low) / (high - low) * (end - begin), 1)

    def __contains__(self, value: float) -> bool:
        low, high = self.values
        slack = 1e-9 * (high - low)
        return low - slack <= value <= high + slack


def _widened(low: float, high: float) -> tuple[float, float]:
    largest = max(abs(low), abs(high), 1.0)
    if high - low > 1e-6 * largest:
        return low, high
    return low - 0.5 * largest, high + 0.5 * largest


def _ends(xs: Sequence[float], whole: bool) -> tuple[float, float]:
    low, high = min(xs), max(xs)
    margin = max(0.03 * (high - low), 0.3 if whole else 1e-9)
    return low - margin, high + margin


def _ticks(low: float, high: float, *, whole: bool = False) -> list[float]:
    from matplotlib.ticker import MaxNLocator

    locator = MaxNLocator(nbins=6, steps=[1, 2, 5, 10], integer=whole, min_n_ticks=2)
    return [round(float(at), 10) for at in locator.tick_values(low, high)]


def _number(value: float, percent: bool) -> str:
    return f"{100 * value:.6g}%" if percent else f"{value:.6g}"
