"""Draws accuracies side by side: of slices, classifiers, damaged images, learning curves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

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
    Pairs,
    check_length,
    finish,
    legend_above,
    new_axes,
    new_figure,
    percent_format,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


__all__ = [
    "differences",
    "learning_curve",
    "robustness_card",
    "slice_accuracies",
]

# More rows than this make a figure longer than a page.
_MOST_SLICES = 30


def slice_accuracies(
    names: Sequence[str],
    accuracies: Numbers,
    intervals: Pairs,
    num_images: Numbers,
    worse: Sequence[bool] | np.ndarray,
    *,
    overall: float,
    ax: Axes | None = None,
) -> Axes:
    """Draws the accuracy of groups of images, each with its interval.

    Args:
        names: what the images of each slice have in common; the first is drawn at the top.
        accuracies: (slices,) 0 to 1.
        intervals: (slices, 2) low and high ends.
        num_images: (slices,) numbers of images.
        worse: (slices,) which are significantly worse than the rest: vermillion diamonds.
        overall: the accuracy on all images, drawn as a line.
        ax: where to draw; a new figure if left out.

    Returns:
        The axes. Of more than 30 slices the first ones are drawn.

    Raises:
        ArgumentError: if the lengths differ.

    Example:
        >>> axes = slice_accuracies(
        ...     ["dark", "light"], [0.6, 0.9], [(0.5, 0.7), (0.8, 1)], [80, 90], [True, False],
        ...     overall=0.76,
        ... )
        >>> [label.get_text() for label in axes.get_yticklabels()]
        ['dark (80)', 'light (90)']
    """
    for name, values in [
        ("accuracies", accuracies),
        ("intervals", intervals),
        ("num_images", num_images),
        ("worse", worse),
    ]:
        check_length(name, values, len(names))
    shown = range(min(len(names), _MOST_SLICES))
    axes = new_axes(ax, 6.4, 1.1 + 0.3 * len(shown))
    kinds = [
        (False, BLUE, "o", "accuracy, 95% interval"),
        (True, VERMILLION, "D", "significantly worse"),
    ]
    for kind, color, marker, label in kinds:
        places = [place for place in shown if bool(worse[place]) is kind]
        if places:
            right = np.array([accuracies[place] for place in places])
            low, high = np.array([intervals[place] for place in places]).T
            axes.errorbar(
                right,
                places,
                xerr=np.maximum([right - low, high - right], 0),
                fmt=marker,
                color=color,
                markersize=5,
                elinewidth=1.2,
                label=label,
            )
    axes.axvline(overall, color=GREY, linewidth=1, linestyle="--", label=f"all {overall:.1%}")
    labels = [f"{shorten(names[place], 28)} ({num_images[place]:,})" for place in shown]
    axes.set_yticks(shown, labels, **PLAIN)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.xaxis.set_major_formatter(percent_format())
    cut = f"; the first {len(shown)} of {len(names)}" if len(names) > len(shown) else ""
    finish(axes, f"accuracy{cut}", "")
    legend_above(axes)
    return axes


def differences(
    names: Sequence[str],
    values: Sequence[float],
    intervals: Sequence[tuple[float, float]],
    certain: Sequence[bool],
    ax: Axes | None = None,
) -> Axes:
    """Draws differences of accuracies with their intervals: a forest plot.

    Args:
        names: one a difference.
        values: (N,) the differences, -1 to 1.
        intervals: (N, 2) low and high ends.
        certain: whether each is significant; the others are gray.
        ax: where to draw; a new figure if left out.

    Returns:
        The axes, in points (hundredths); the first difference is at the top.

    Raises:
        ArgumentError: if the lengths differ.

    Example:
        >>> axes = differences(["B − A"], [0.012], [(0.004, 0.02)], [True])
        >>> [label.get_text() for label in axes.get_yticklabels()]
        ['B − A']
    """
    for name, given in [("values", values), ("intervals", intervals), ("certain", certain)]:
        check_length(name, given, len(names))
    axes = new_axes(ax, 6.4, 1.0 + 0.42 * len(names))
    axes.axvline(0, color=GREY, linewidth=1, linestyle="--")
    for place, (value, (low, high), sure) in enumerate(
        zip(values, intervals, certain, strict=True)
    ):
        axes.errorbar(
            100 * value,
            place,
            xerr=[[100 * max(value - low, 0)], [100 * max(high - value, 0)]],
            color=BLUE if sure else GREY,
            marker="o",
            markersize=6,
            linewidth=2,
            capsize=3,
        )
    axes.set_yticks(range(len(names)), [shorten(name, 60) for name in names], **PLAIN)
    axes.set_ylim(len(names) - 0.4, -0.6)
    finish(axes, "difference in accuracy, points (95% interval)", "")
    axes.grid(visible=False, axis="y")
    return axes


def robustness_card(
    accuracies: Mapping[str, Sequence[float]],
    intervals: Mapping[str, Sequence[tuple[float, float]]],
    clean: float,
    chance: float,
) -> Figure:
    """Draws the accuracy by kind and severity of damage, a small panel each.

    Args:
        accuracies: by kind of damage, one value a step, 0 to 1.
        intervals: low and high ends of each.
        clean: the accuracy on undamaged images, drawn as a line.
        chance: the accuracy by chance, drawn as a line.

    Returns:
        The figure; all panels have the same scale.

    Raises:
        ArgumentError: if there is no damage or the lengths differ.

    Example:
        >>> steps = [0.9, 0.8, 0.6, 0.4, 0.2]
        >>> around = [(step - 0.05, step + 0.05) for step in steps]
        >>> figure = robustness_card({"blur": steps}, {"blur": around}, 0.92, 0.1)
        >>> figure.axes[0].get_title()
        'blur'
    """
    if not accuracies:
        raise ArgumentError("`accuracies` must hold at least one kind of damage. Received: none.")
    columns = min(3, len(accuracies))
    rows = math.ceil(len(accuracies) / columns)
    figure = new_figure(2.9 * columns, 2.3 * rows + 0.3)
    for place, (name, values) in enumerate(accuracies.items()):
        check_length("intervals", intervals[name], len(values))
        axes = figure.add_subplot(rows, columns, place + 1)
        steps = np.arange(len(values) + 1)
        low, high = np.asarray([(clean, clean), *intervals[name]], float).T
        axes.axhline(clean, color=GREY, linewidth=1, linestyle="--", label="undamaged")
        axes.axhline(chance, color=VERMILLION, linewidth=1, linestyle=":", label="chance")
        axes.fill_between(steps, low, high, color=BLUE, alpha=0.18, linewidth=0)
        axes.plot(steps, [clean, *values], color=BLUE, marker="o", markersize=4)
        axes.set_title(shorten(name, 24), fontsize=10, color=INK, **PLAIN)
        axes.set_ylim(0, 1.02)
        axes.set_xticks(steps)
        axes.yaxis.set_major_formatter(percent_format())
        finish(axes, "severity" if place >= len(accuracies) - columns else "", "")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    above = {"loc": "outside upper center", "ncols": 2}
    figure.legend(handles, labels, frameon=False, fontsize=9, labelcolor=INK, **above)
    return figure


def learning_curve(
    sizes: Sequence[int],
    accuracies: Sequence[float],
    curve: tuple[Numbers, Numbers, Numbers, Numbers],
    ax: Axes | None = None,
) -> Axes:
    """Draws accuracy by the number of training images, with an extrapolation.

    Args:
        sizes: (points,) numbers of training images.
        accuracies: (points,) validation accuracy of each training.
        curve: four arrays of one length: numbers of images, the fitted accuracy, and the low and
            high ends of its interval.
        ax: where to draw; a new figure if left out.

    Returns:
        The axes; images are on a logarithmic scale, the extrapolation is dashed.

    Raises:
        ArgumentError: if the lengths differ.

    Example:
        >>> fitted = ([10, 40], [0.5, 0.7], [0.4, 0.6], [0.6, 0.8])
        >>> axes = learning_curve([10, 20], [0.5, 0.6], fitted)
        >>> axes.get_xscale()
        'log'
    """
    from matplotlib.ticker import FuncFormatter, NullFormatter

    check_length("accuracies", accuracies, len(sizes))
    numbers, middle, low, high = (np.asarray(values, float) for values in curve)
    axes = new_axes(ax, 6.0, 3.8)
    seen = numbers <= max(sizes)
    axes.fill_between(numbers, low, high, color=BLUE, alpha=0.18, linewidth=0, label="95% interval")
    axes.plot(numbers[seen], middle[seen], color=BLUE, linewidth=1.8, label="fitted")
    start = max(0, int(seen.sum()) - 1)
    axes.plot(
        numbers[start:],
        middle[start:],
        "--",
        color=BLUE,
        linewidth=1.8,
        label="with more images",
    )
    axes.plot(sizes, accuracies, "o", color=VERMILLION, markersize=6, label="trained")
    axes.set_xscale("log")
    ticks = sorted({int(size) for size in sizes} | {int(numbers[-1])})
    axes.set_xticks(ticks)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(percent_format(whole=False))
    finish(axes, "training images", "validation accuracy")
    legend_above(axes)
    return axes
