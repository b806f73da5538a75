"""Draws a search: its progress, the trade-off with costs, and its hyperparameters."""

from __future__ import annotations

import math
import numbers
from typing import TYPE_CHECKING, Any

import numpy as np

from imgclf.errors import ArgumentError
from imgclf.formatting import shorten
from imgclf.plots.style import (
    BLUE,
    GREY,
    INK,
    PLAIN,
    VERMILLION,
    Numbers,
    check_length,
    finish,
    legend_above,
    new_axes,
    percent_format,
    whole_numbers,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes


__all__ = [
    "is_number",
    "search_importance",
    "search_parallel",
    "search_progress",
    "search_trade_off",
]


def search_progress(
    values: Numbers,
    best: Numbers,
    baseline: float | None = None,
    ax: Axes | None = None,
    seconds: Numbers | None = None,
) -> Axes:
    """Draws the validation accuracy of each trial of a search, and the best so far.

    Args:
        values: (trials,) the score of each trial, 0 to 1; NaN for a failed one.
        best: (trials,) the best score up to each trial; NaN without any.
        baseline: the score of a baseline, drawn as a line.
        ax: where to draw; a new figure if left out.
        seconds: (trials,) the end of each trial, to draw by time instead of by number.

    Returns:
        The axes; trials count from 1. Failed trials are crosses at the bottom.

    Raises:
        ArgumentError: if the lengths differ or there is no trial.

    Example:
        >>> axes = search_progress([0.5, 0.7, 0.6], [0.5, 0.7, 0.7], baseline=0.65)
        >>> [text.get_text() for text in axes.get_legend().get_texts()]
        ['trial', 'best so far', 'baseline 65.0%']
    """
    reached = np.asarray(values, float)
    if reached.ndim != 1 or len(reached) == 0:
        raise ArgumentError(
            "`values` must be numbers of the shape (trials,), at least one. "
            f"Received: shape={reached.shape}."
        )
    check_length("best", best, len(reached))
    axes = new_axes(ax, 6.4, 3.8)
    trials: Any = np.arange(1, len(reached) + 1)
    unit = "trial"
    if seconds is not None:
        check_length("seconds", seconds, len(reached))
        scale, unit = (60, "minutes") if max(seconds) >= 120 else (1, "seconds")
        trials = np.asarray(seconds, float) / scale
    axes.plot(trials, reached, "o", color=GREY, markersize=5, label="trial")
    axes.step(
        trials, np.asarray(best, float), where="post", color=BLUE, linewidth=2, label="best so far"
    )
    if baseline is not None:
        label = f"baseline {baseline:.1%}"
        axes.axhline(baseline, color=VERMILLION, linewidth=1.2, linestyle="--", label=label)
    failed = trials[np.isnan(reached)]
    if len(failed):
        across = axes.get_xaxis_transform()  # x in trials, y as a part of the axes' height
        style: dict[str, Any] = {
            "color": VERMILLION,
            "markersize": 6,
            "label": "failed",
            "clip_on": False,
        }
        axes.plot(failed, np.full(len(failed), 0.02), "x", transform=across, **style)
    axes.yaxis.set_major_formatter(percent_format(whole=False))
    if seconds is None:
        whole_numbers(axes, len(reached))
    else:
        axes.set_xlim(left=0)
    finish(axes, unit, "validation accuracy")
    legend_above(axes)
    return axes


def search_trade_off(
    costs: Numbers,
    scores: Numbers,
    front: Sequence[int],
    names: Sequence[str],
    label: str,
    ax: Axes | None = None,
) -> Axes:
    """Draws accuracy over cost, and the Pareto front of the trials.

    Args:
        costs: (trials,) the cost of an image, above 0.
        scores: (trials,) accuracies, 0 to 1.
        front: which trials are on the front, the cheapest first.
        names: (trials,) short names, written beside those on the front.
        label: what the cost is, with its unit.
        ax: where to draw; a new figure if left out.

    Returns:
        The axes; costs on a logarithmic scale where they spread over more than a factor of ten.

    Raises:
        ArgumentError: if the lengths differ or there is no trial.

    Example:
        >>> axes = search_trade_off([1.0, 2.0], [0.8, 0.7], [0], ["1", "2"], "ms")
        >>> [text.get_text() for text in axes.texts], axes.get_xlabel()
        (['1'], 'ms')
    """
    prices, reached = np.asarray(costs, float), np.asarray(scores, float)
    if prices.ndim != 1 or len(prices) == 0:
        raise ArgumentError(
            "`costs` must be numbers of the shape (trials,), at least one. "
            f"Received: shape={prices.shape}."
        )
    check_length("scores", scores, len(prices))
    check_length("names", names, len(prices))
    axes = new_axes(ax, 6.4, 4.0)
    axes.plot(prices, reached, "o", color=GREY, markersize=5, label="trial")
    chosen = list(front)
    if prices.max() > 10 * prices.min():
        axes.set_xscale("log")
    axes.step(
        prices[chosen], reached[chosen], where="post", marker="o", color=BLUE, markersize=6,
        linewidth=1.5, label="none is better and cheaper",
    )  # fmt: skip
    for place in chosen:
        axes.annotate(
            shorten(names[place], 12), (prices[place], reached[place]), xytext=(0, 6),
            textcoords="offset points", ha="center", fontsize=8.5, color=INK, **PLAIN,
        )  # fmt: skip
    axes.margins(y=0.12)
    axes.yaxis.set_major_formatter(percent_format(whole=False))
    finish(axes, label, "validation accuracy")
    legend_above(axes)
    return axes


def search_importance(
    names: Sequence[str], points: Numbers, spreads: Numbers, ax: Axes | None = None
) -> Axes:
    """Draws the permutation importance of hyperparameters.

    Args:
        names: of the hyperparameters, the most important first.
        points: (hyperparameters,) in points of accuracy.
        spreads: (hyperparameters,) the standard deviation of each.
        ax: where to draw; a new figure if left out.

    Returns:
        The axes: a bar for each hyperparameter.

    Raises:
        ArgumentError: if the lengths differ.

    Example:
        >>> axes = search_importance(["filters", "rate"], [2.0, 0.1], [0.5, 0.2])
        >>> [label.get_text() for label in axes.get_yticklabels()]
        ['filters', 'rate']
    """
    check_length("points", points, len(names))
    check_length("spreads", spreads, len(names))
    axes = new_axes(ax, 6.4, 0.9 + 0.32 * len(names))
    places = np.arange(len(names))
    style = {"elinewidth": 1.2, "ecolor": INK, "capsize": 3}
    axes.barh(places, points, xerr=spreads, color=BLUE, height=0.6, error_kw=style)
    axes.set_yticks(places, [shorten(name, 34) for name in names], **PLAIN)
    axes.invert_yaxis()
    axes.axvline(0, color=GREY, linewidth=1)
    finish(axes, "points of accuracy, ± standard deviation", "")
    axes.grid(visible=False)
    return axes


def search_parallel(
    values: Sequence[Mapping[str, Any]], scores: Sequence[float], ax: Axes | None = None
) -> Axes:
    """Draws each trial as a line through its hyperparameters; the best one stands out.

    Args:
        values: the hyperparameters of each trial; numbers, texts or booleans. Where a trial lacks
            one, its line is broken.
        scores: (trials,) accuracies, 0 to 1.
        ax: where to draw; a new figure if left out.

    Returns:
        The axes: a vertical line for each hyperparameter that varies, and for the score at the end.
        The lower the score, the fainter the line.

    Raises:
        ArgumentError: if the lengths differ or there is no trial.

    Example:
        >>> axes = search_parallel([{"filters": 8}, {"filters": 16}], [0.5, 0.7])
        >>> [label.get_text() for label in axes.get_xticklabels()]
        ['filters', 'accuracy']
    """
    if len(values) == 0:
        raise ArgumentError("`values` must hold at least one trial. Received: none.")
    check_length("scores", scores, len(values))
    names = list(dict.fromkeys(name for one in values for name in one))
    columns = [[one.get(name) for one in values] for name in names]
    varied = [place for place, column in enumerate(columns) if len(set(map(repr, column))) > 1]
    scales = [_scale(columns[place]) for place in varied]
    heights, ticks = _scale([float(score) for score in scores])
    scales.append((heights, [(height, f"{float(text):.0%}") for height, text in ticks]))
    labels = [*(names[place] for place in varied), "accuracy"]
    axes = new_axes(ax, max(6.4, 1.15 * len(labels) + 1), 4.4)
    places = np.arange(len(labels))
    low, high = min(scores), max(scores)
    order = np.argsort(scores, kind="stable")
    for trial in order:
        heights = [scale[0][trial] for scale in scales]
        share = (scores[trial] - low) / (high - low) if high > low else 1.0
        best = trial == order[-1]
        axes.plot(
            places, heights, color=VERMILLION if best else BLUE, marker="o", markersize=2.5,
            alpha=1.0 if best else 0.08 + 0.6 * share**2, linewidth=2.2 if best else 1.2,
        )  # fmt: skip
    for place, (_, ticks) in enumerate(scales):
        axes.axvline(place, color=GREY, linewidth=0.8, zorder=0)
        for height, text in ticks:
            axes.annotate(
                shorten(text, 12), (place, height), xytext=(-4, 0), textcoords="offset points",
                ha="right", va="center", fontsize=7.5, color=INK, **PLAIN,
            )  # fmt: skip
    axes.set_xticks(
        places, [shorten(label, 30) for label in labels], **PLAIN, rotation=30,
        ha="right", rotation_mode="anchor", fontsize=8.5, color=INK,
    )  # fmt: skip
    axes.set_xlim(-0.6, len(labels) - 0.8)
    axes.set_yticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return axes


def is_number(value: object) -> bool:
    """Tells whether a value is a number, of Python or NumPy, and not True or False."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _scale(column: Sequence[Any]) -> tuple[list[float], list[tuple[float, str]]]:
    """Heights from 0 to 1 for the values of a hyperparameter, NaN for none; and its ticks."""
    known = [value for value in column if value is not None]
    numeric = all(
        isinstance(value, (int, float)) and not isinstance(value, bool) for value in known
    )
    options = sorted(set(known)) if numeric else sorted(set(known), key=repr)
    if numeric and len(options) > 6:
        low, high = float(options[0]), float(options[-1])
        logarithmic = low > 0 and high >= 20 * low
        ends = np.log([low, high]) if logarithmic else np.array([low, high])

        def height(value: float) -> float:
            at = math.log(value) if logarithmic else value
            return float((at - ends[0]) / (ends[1] - ends[0]))

        middle = math.sqrt(low * high) if logarithmic else (low + high) / 2
        ticks = [(height(value), f"{value:.3g}") for value in (low, middle, high)]
        return [math.nan if value is None else height(value) for value in column], ticks
    step = 1 / max(1, len(options) - 1)
    heights = {repr(option): place * step for place, option in enumerate(options)}
    ticks = [(heights[repr(one)], f"{one:g}" if numeric else str(one)) for one in options]
    return [math.nan if value is None else heights[repr(value)] for value in column], ticks
