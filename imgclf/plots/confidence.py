"""Draws calibration and coverage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from imgclf.formatting import plural
from imgclf.plots.style import (
    BLUE,
    GREY,
    ORANGE,
    PALE,
    VERMILLION,
    Numbers,
    Pairs,
    check_length,
    finish,
    legend_above,
    new_axes,
    percent_format,
    show_title,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes


# So few points of a curve are marked; and the range of a curve is not narrower than from here to 1.
_FEW_POINTS, _HIGHEST_FOOT = 3, 0.95

__all__ = [
    "calibration_change",
    "calibration_curve",
    "coverage_curve",
    "mark_coverage",
]


def calibration_curve(
    confidences: Numbers,
    accuracies: Numbers,
    num_images: Numbers,
    intervals: Pairs | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draws accuracy over confidence, range by range: the reliability diagram.

    Args:
        confidences: (bins,) mean confidence of the predictions in each range, 0 to 1.
        accuracies: (bins,) the share of them that is right, 0 to 1.
        num_images: (bins,) numbers of images.
        intervals: (bins, 2) low and high ends of the accuracies' intervals, drawn as bars.
        ax: where to draw; a new figure if left out.

    Returns:
        The axes. Points under the diagonal are overconfident.

    Raises:
        ArgumentError: if the lengths differ.

    Example:
        >>> axes = calibration_curve([0.5, 0.9], [0.4, 0.8], [10, 90])
        >>> axes.get_xlabel(), axes.get_ylabel()
        ('confidence', 'accuracy')
    """
    check_length("accuracies", accuracies, len(confidences))
    check_length("num_images", num_images, len(confidences))
    axes = new_axes(ax, 5, 4.6)
    levels, right = np.asarray(confidences, float), np.asarray(accuracies, float)
    spread = None
    if intervals is not None:
        check_length("intervals", intervals, len(confidences))
        low, high = np.asarray(intervals, float).reshape(-1, 2).T
        spread = np.maximum([right - low, high - right], 0)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--", label="perfect")
    shares = np.asarray(num_images, float) / max(np.sum(num_images), 1)
    axes.bar(levels, shares, width=0.035, color=PALE, label="share of images", zorder=0)
    axes.errorbar(
        levels,
        right,
        yerr=spread,
        color=BLUE,
        marker="o",
        markersize=5,
        linewidth=1.5,
        elinewidth=1,
        label="accuracy" if spread is None else "accuracy, 95% interval",
    )
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.02)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(percent_format())
    finish(axes, "confidence", "accuracy")
    legend_above(axes)
    result = _result(levels, right, np.asarray(num_images, float))
    show_title(axes, "Calibration", result, legend_rows=1)
    return axes


def _result(confidences: np.ndarray, accuracies: np.ndarray, num_images: np.ndarray) -> str:
    """Images, accuracy and calibration error, from the ranges of confidence."""
    total = float(num_images.sum())
    if total == 0:
        return "no images"
    shares = num_images / total
    error = float(shares @ np.abs(confidences - accuracies))
    return (
        f"{plural(round(total), 'image')}, accuracy {shares @ accuracies:.1%}, "
        f"calibration error {error:.1%}"
    )


def calibration_change(
    before: Sequence[Sequence[float]],
    after: Sequence[Sequence[float]],
    names: Sequence[str],
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draws accuracy over confidence before and after calibration.

    Args:
        before: (confidence, accuracy, low, high, images) of each range of confidence, low and high
            being the ends of the accuracy's interval.
        after: the same afterwards.
        names: of the two in the legend.
        title: one or two lines above it.
        ax: where to draw; a new figure if left out.

    Returns:
        The axes. The larger a point, the more images lie in its range; bars are intervals.

    Example:
        >>> points = [(0.6, 0.9, 0.8, 0.95, 50)], [(0.9, 0.9, 0.8, 0.95, 50)]
        >>> axes = calibration_change(*points, ["before", "after"])
        >>> [text.get_text() for text in axes.get_legend().get_texts()]
        ['perfect', 'before', 'after']
    """
    axes = new_axes(ax, 5.2, 5)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--", label="perfect")
    for points, name, color, marker in zip(
        (before, after), names, (ORANGE, BLUE), ("s", "o"), strict=True
    ):
        levels, right, low, high, counts = np.asarray(points, float).reshape(-1, 5).T
        sizes = 14 + 420 * counts / max(counts.sum(), 1)
        axes.vlines(levels, low, high, color=color, linewidth=1, alpha=0.55)
        style: dict[str, Any] = {"color": color, "marker": marker, "alpha": 0.85, "linewidths": 0}
        axes.scatter(levels, right, s=sizes, clip_on=False, zorder=3, **style)
        axes.scatter([], [], s=40, label=name, **style)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(percent_format())
    finish(axes, "confidence (larger point: more images; bar: 95% interval)", "accuracy")
    legend_above(axes)
    if title:
        show_title(axes, *title.split("\n"), legend_rows=1)
    return axes


def coverage_curve(
    coverages: Numbers, accuracies: Numbers, intervals: Pairs | None = None, ax: Axes | None = None
) -> Axes:
    """Draws accuracy over the share of the images that is answered, the most confident first.

    Args:
        coverages: (points,) 0 to 1, increasing; may be empty.
        accuracies: (points,) 0 to 1.
        intervals: (points, 2) low and high ends of the accuracies' intervals, drawn as a band.
        ax: where to draw; a new figure if left out.

    Returns:
        The axes.

    Example:
        >>> axes = coverage_curve([0.5, 1.0], [1.0, 0.9])
        >>> axes.get_xlabel()
        'answered images, the most confident first'
    """
    check_length("accuracies", accuracies, len(coverages))
    axes = new_axes(ax, 5.4, 3.8)
    if intervals is not None and len(coverages):
        check_length("intervals", intervals, len(coverages))
        low, high = np.asarray(intervals, float).T
        axes.fill_between(
            coverages, low, high, color=BLUE, alpha=0.18, linewidth=0, label="95% interval"
        )
    if len(coverages):
        marker = "o" if len(coverages) <= _FEW_POINTS else None  # a single point has no line
        style: dict[str, Any] = {"linewidth": 2, "marker": marker, "clip_on": marker is None}
        axes.plot(coverages, accuracies, color=BLUE, label="right answers", **style)
        # The first few answers are left out of the range: their intervals reach far down.
        settled = np.asarray(accuracies)[np.asarray(coverages) >= min(0.05, np.max(coverages))]
        low = settled.min() - 0.25 * (1 - settled.min()) - 0.02
        axes.set_ylim(float(np.clip(low, 0, _HIGHEST_FOOT)), 1.005)
        legend_above(axes)
    axes.set_xlim(0, 1.01)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(percent_format(whole=axis is axes.xaxis))
    finish(axes, "answered images, the most confident first", "right answers")
    return axes


def mark_coverage(axes: Axes, coverage: float, precision: float, wanted: float, name: str) -> Axes:
    """Marks a threshold on a `coverage_curve`.

    Args:
        axes: as `coverage_curve` returns them.
        coverage: the share of the images that is answered, 0 to 1.
        precision: the share of the answers that is right.
        wanted: the precision that was asked for, drawn as a line.
        name: of the point in the legend.

    Returns:
        The axes.
    """
    axes.axhline(wanted, color=GREY, linewidth=1, linestyle="--", label=f"wanted {wanted:.1%}")
    style: dict[str, Any] = {"color": VERMILLION, "markersize": 9, "label": name, "zorder": 5}
    axes.plot([coverage], [precision], "D", clip_on=False, **style)
    axes.set_ylim(min(axes.get_ylim()[0], wanted - 0.02, precision - 0.02), 1.005)
    legend_above(axes, columns=2)
    return axes
