"""Every matplotlib figure, drawn from plain arrays and strings.

Figures are made with `matplotlib.figure.Figure` and never with pyplot: nothing global changes,
no window or display is needed, and many can be drawn in one process without being closed. A
function that fills one axes takes `ax=None` and returns the axes; the others return a figure.
Both show themselves in a notebook. Where a figure is stored is the caller's business:
`figure_png` gives the bytes.
"""

from __future__ import annotations

import functools
import io
import math
import numbers
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from imgclf import checks
from imgclf.errors import ArgumentError, ArgumentTypeError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "calibration_change",
    "calibration_curve",
    "confusion_matrix",
    "coverage_curve",
    "differences",
    "figure_png",
    "figure_svg",
    "heat_maps",
    "heat_overlay",
    "image_grid",
    "label_errors",
    "learning_curve",
    "mark_coverage",
    "message",
    "mistakes",
    "neighbours",
    "precision_recall_curves",
    "robustness_card",
    "roc_curves",
    "search_importance",
    "search_parallel",
    "search_progress",
    "search_trade_off",
    "slice_accuracies",
    "softmax_predictions",
    "training_curves",
]

# Colours that stay apart for the colour-blind.
# Source: M. Okabe, K. Ito, "Color Universal Design" (2008).
_BLUE = "#0072B2"
_ORANGE = "#E69F00"
_VERMILLION = "#D55E00"
_GREEN = "#009E73"
_PURPLE = "#CC79A7"
_GREY = "#9A9A9A"
_PALE = "#DDDDDD"
_INK = "#262626"

_DPI = 150

# More cells than this leave no room for numbers that one can read.
_MAX_NUMBERED_CLASSES = 20
# More names than this run into each other along an axis of the largest matrix drawn.
_MAX_CLASS_TICKS = 70
# More rows than this make a figure longer than a page.
_MOST_SLICES = 30


def image_grid(
    images: Any,
    titles: Sequence[str] | None = None,
    *,
    columns: int = 5,
    title: str | None = None,
) -> Figure:
    """Pictures in rows, each with a title if there are any.

    Args:
        images: pictures of (height, width) or (height, width, channels), values 0 to 255; one
            array or a list of pictures of various sizes. One channel is shown in grey, of two the
            first one, of more the first three as red, green, blue.
        titles: one text a picture, of one or more lines.
        columns: how many pictures stand in one row.
        title: a heading above all.

    Returns:
        The figure.

    Raises:
        ArgumentError: if there is no picture, a picture has another shape, or the number of
            titles is another one.

    Example:
        >>> figure = image_grid(np.zeros((3, 8, 8, 1), np.uint8), ["a", "b", "c"])
        >>> [axes.get_title() for axes in figure.axes]
        ['a', 'b', 'c']
    """
    checks.integer("columns", columns, low=1)
    pictures = _pictures(images)
    if titles is not None:
        _check_length("titles", titles, len(pictures))
    columns = min(columns, len(pictures))
    rows = math.ceil(len(pictures) / columns)
    lines = max((text.count("\n") + 1 for text in titles), default=0) if titles else 0
    heading = _plain(title, 80) if title else ""
    tallest = max(picture.shape[0] / picture.shape[1] for picture in pictures)
    cell = 1.75 * min(max(tallest, 0.4), 2.0)
    width = max(1.9 * columns, 0.11 * len(heading))
    height = (cell + 0.17 * lines + 0.1) * rows + (0.4 if heading else 0)
    figure = _figure(width, height)
    if heading:
        figure.suptitle(heading, fontsize=12, color=_INK, parse_math=False)
    for position, picture in enumerate(pictures):
        axes = figure.add_subplot(rows, columns, position + 1)
        _show(axes, picture)
        if titles is not None:
            text = "\n".join(_plain(line, 26) for line in titles[position].split("\n"))
            axes.set_title(text, fontsize=8.5, color=_INK, pad=4, parse_math=False)
    return figure


def mistakes(
    images: Any,
    true_names: Sequence[str],
    predicted_names: Sequence[str],
    confidences: Any,
    *,
    columns: int = 4,
) -> Figure:
    """Pictures that were taken for something else, with the prediction and the truth.

    Args:
        images: pictures as in `image_grid`; there may be none, which the figure then says.
        true_names: the true class of each picture.
        predicted_names: the predicted class of each picture.
        confidences: the probability of each prediction, 0 to 1.
        columns: how many pictures stand in one row.

    Returns:
        The figure.

    Raises:
        ArgumentError: if the numbers of pictures, names and confidences differ.

    Example:
        >>> figure = mistakes(np.zeros((1, 8, 8, 3), np.uint8), ["dog"], ["cat"], [0.97])
        >>> print(figure.axes[0].get_title())
        cat, 97% sure
        true: dog
    """
    for name, values in [
        ("true_names", true_names),
        ("predicted_names", predicted_names),
        ("confidences", confidences),
    ]:
        _check_length(name, values, len(images))
    if len(images) == 0:
        return message("No mistakes")
    titles = [
        f"{_plain(predicted, 15)}, {confidence:.0%} sure\ntrue: {_plain(true, 20)}"
        for true, predicted, confidence in zip(
            true_names, predicted_names, confidences, strict=True
        )
    ]
    return image_grid(images, titles, columns=columns, title="Most confident mistakes")


def message(text: str) -> Figure:
    """A figure that says in words that there is nothing to draw.

    Args:
        text: a few words.

    Returns:
        The figure.

    Example:
        >>> message("No mistakes").texts[0].get_text()
        'No mistakes'
    """
    figure = _figure(max(5.0, 0.12 * len(text)), 1.5)
    figure.text(0.5, 0.5, _plain(text, 80), ha="center", va="center", fontsize=14, color=_INK)
    return figure


def softmax_predictions(
    images: Any, true_names: Sequence[str], top: Sequence[Sequence[tuple[str, float]]]
) -> Figure:
    """Pictures, each with its true class and the most likely classes as bars.

    Args:
        images: pictures as in `image_grid`.
        true_names: the true class of each picture.
        top: for each picture the most likely classes as (name, probability), likeliest first.

    Returns:
        The figure: a row a picture, the picture on the left and the bars on the right. The bar of
        the true class is blue, others are orange.

    Raises:
        ArgumentError: if the numbers of pictures, names and predictions differ.

    Example:
        >>> likely = [("cat", 0.7), ("dog", 0.2), ("frog", 0.1)]
        >>> figure = softmax_predictions(np.zeros((1, 8, 8, 3), np.uint8), ["dog"], [likely])
        >>> [label.get_text() for label in figure.axes[1].get_yticklabels()]
        ['cat', 'dog', 'frog']
    """
    pictures = _pictures(images)
    _check_length("true_names", true_names, len(pictures))
    _check_length("top", top, len(pictures))
    figure = _figure(6.4, 1.75 * len(pictures) + 0.5)
    figure.suptitle("Softmax predictions", fontsize=12, color=_INK)
    grid = figure.add_gridspec(len(pictures), 2, width_ratios=[1, 2])
    for row, (picture, true_name, likely) in enumerate(zip(pictures, true_names, top, strict=True)):
        left = figure.add_subplot(grid[row, 0])
        _show(left, picture)
        left.set_title(f"true: {_plain(true_name, 16)}", fontsize=9, color=_INK, parse_math=False)
        right = figure.add_subplot(grid[row, 1])
        _probability_bars(right, true_name, likely)
    return figure


def _probability_bars(axes: Any, true_name: str, likely: Sequence[tuple[str, float]]) -> None:
    names = [name for name, _ in likely]
    shares = [share for _, share in likely]
    places = range(len(names))
    colours = [_BLUE if name == true_name else _ORANGE for name in names]
    axes.barh(places, shares, color=colours, height=0.62)
    axes.set_yticks(places, [_plain(name, 20) for name in names], parse_math=False)
    axes.tick_params(axis="y", length=0, labelsize=9, labelcolor=_INK)
    axes.set_xticks([])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(0, 1.16)  # room for "100.0%" beside a full bar
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.spines["left"].set_color(_GREY)
    for place, share in zip(places, shares, strict=True):
        axes.text(share + 0.015, place, f"{share:.1%}", va="center", fontsize=9, color=_INK)


def confusion_matrix(matrix: Any, class_names: Sequence[str], ax: Axes | None = None) -> Axes:
    """How often each class was taken for each other one.

    Args:
        matrix: (classes, classes) counts, a row a true class, a column a predicted one.
        class_names: one name a class.
        ax: where to draw; a figure is made if left out.

    Returns:
        The axes. Colours are shares of the row; up to 20 classes the counts are written too.

    Raises:
        ArgumentError: if the matrix is not square, holds negative values, or has another size
            than there are names.

    Example:
        >>> axes = confusion_matrix([[8, 2], [1, 9]], ["cat", "dog"])
        >>> [text.get_text() for text in axes.texts]
        ['8', '2', '1', '9']
    """
    from matplotlib.colors import PowerNorm

    counts = np.asarray(matrix)
    size = len(class_names)
    if counts.shape != (size, size) or size == 0 or counts.dtype.kind not in "iuf":
        raise ArgumentError(
            "`matrix` must be square, numbers with a row and a column a class name. "
            f"Received: shape={counts.shape}, dtype={counts.dtype}, {size} class names."
        )
    if not counts.min() >= 0:
        raise ArgumentError(
            f"`matrix` must hold counts of at least 0. Received: values from {counts.min():g}."
        )
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.where(totals > 0, totals, 1)
    side = float(np.clip(2.6 + 0.5 * size, 4.0, 11.0))
    axes = _axes(ax, side, side)
    # The square root gives a confusion of a few per cent a colour that one can see.
    scale = PowerNorm(0.5, vmin=0, vmax=1)
    picture = axes.imshow(shares, cmap="Blues", norm=scale, interpolation="nearest")
    _name_classes(axes, class_names)
    if size <= _MAX_NUMBERED_CLASSES:
        _write_counts(axes, counts, shares)
    else:
        bar = axes.figure.colorbar(picture, ax=axes, shrink=0.6, aspect=35, pad=0.02)
        bar.set_label("share of the true class", color=_INK)
        bar.ax.yaxis.set_major_formatter(_percent())
        bar.outline.set_visible(False)
    return axes


def _name_classes(axes: Any, class_names: Sequence[str]) -> None:
    ticks = range(0, len(class_names), math.ceil(len(class_names) / _MAX_CLASS_TICKS))
    names = [_plain(class_names[tick], 24) for tick in ticks]
    fontsize = float(np.clip(220 / len(names), 5.5, 9.5))
    slanted = max(map(len, names)) * 0.65 * fontsize > _cell_points(axes, len(names))
    turn = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
    style = {"fontsize": fontsize, "color": _INK, "parse_math": False}
    axes.set_xticks(ticks, names, **style, **turn)
    axes.set_yticks(ticks, names, **style)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("predicted", color=_INK)
    axes.set_ylabel("true", color=_INK)


def _write_counts(axes: Any, counts: np.ndarray, shares: np.ndarray) -> None:
    texts = [f"{count:,g}" if counts.dtype.kind == "f" else f"{count:,}" for count in counts.flat]
    cell = _cell_points(axes, len(counts))
    fontsize = float(np.clip(cell / (0.75 * max(map(len, texts))), 4, 10))
    for (row, column), text in zip(np.ndindex(counts.shape), texts, strict=True):
        colour = "white" if shares[row, column] > 0.35 else _INK
        if counts[row, column] == 0:
            colour = _GREY
        axes.text(column, row, text, ha="center", va="center", fontsize=fontsize, color=colour)


def _cell_points(axes: Any, columns: int) -> float:
    """About how wide a cell is, in points, as fonts are measured."""
    return float(axes.get_window_extent().width / axes.figure.dpi * 72 / columns)


def calibration_curve(
    confidences: Any,
    accuracies: Any,
    counts: Any,
    intervals: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Whether confidence can be believed: accuracy over confidence, range by range.

    Args:
        confidences: (bins,) mean confidence of the predictions in each range, 0 to 1.
        accuracies: (bins,) the part of them that is right, 0 to 1.
        counts: (bins,) how many there are.
        intervals: (bins, 2) low and high end of each accuracy's interval, drawn as bars.
        ax: where to draw; a figure is made if left out.

    Returns:
        The axes. Points under the diagonal are too sure of themselves.

    Raises:
        ArgumentError: if the lengths differ.

    Example:
        >>> axes = calibration_curve([0.5, 0.9], [0.4, 0.8], [10, 90])
        >>> axes.get_xlabel(), axes.get_ylabel()
        ('confidence', 'accuracy')
    """
    _check_length("accuracies", accuracies, len(confidences))
    _check_length("counts", counts, len(confidences))
    axes = _axes(ax, 5, 4.6)
    levels, right = np.asarray(confidences, float), np.asarray(accuracies, float)
    spread = None
    if intervals is not None:
        _check_length("intervals", intervals, len(confidences))
        low, high = np.asarray(intervals, float).reshape(-1, 2).T
        spread = np.maximum([right - low, high - right], 0)
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=1, linestyle="--", label="perfect")
    shares = np.asarray(counts, float) / max(np.sum(counts), 1)
    axes.bar(levels, shares, width=0.035, color=_PALE, label="share of images", zorder=0)
    axes.errorbar(
        levels,
        right,
        yerr=spread,
        color=_BLUE,
        marker="o",
        markersize=5,
        linewidth=1.5,
        elinewidth=1,
        label="accuracy" if spread is None else "accuracy, 95% interval",
    )
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.02)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(_percent())
    _finish(axes, "confidence", "accuracy")
    _legend_above(axes)
    return axes


def calibration_change(
    before: Sequence[Sequence[float]],
    after: Sequence[Sequence[float]],
    names: Sequence[str],
    ax: Axes | None = None,
) -> Axes:
    """Accuracy over confidence before and after a correction.

    Args:
        before: (confidence, accuracy, low, high, count) of each range of confidence, low and high
            being the ends of the accuracy's interval.
        after: the same afterwards.
        names: how the two are called in the legend.
        ax: where to draw; a figure is made if left out.

    Returns:
        The axes. The larger a point, the more pictures lie in its range; bars are intervals.

    Example:
        >>> points = [(0.6, 0.9, 0.8, 0.95, 50)], [(0.9, 0.9, 0.8, 0.95, 50)]
        >>> axes = calibration_change(*points, ["before", "after"])
        >>> [text.get_text() for text in axes.get_legend().get_texts()]
        ['perfect', 'before', 'after']
    """
    axes = _axes(ax, 5.2, 5)
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=1, linestyle="--", label="perfect")
    for points, name, colour, marker in zip(
        (before, after), names, (_ORANGE, _BLUE), ("s", "o"), strict=True
    ):
        levels, right, low, high, counts = np.asarray(points, float).reshape(-1, 5).T
        sizes = 14 + 420 * counts / max(counts.sum(), 1)
        axes.vlines(levels, low, high, color=colour, linewidth=1, alpha=0.55)
        style: dict[str, Any] = {"color": colour, "marker": marker, "alpha": 0.85, "linewidths": 0}
        axes.scatter(levels, right, s=sizes, clip_on=False, zorder=3, **style)
        axes.scatter([], [], s=40, label=name, **style)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(_percent())
    _finish(axes, "confidence (larger point: more pictures; bar: 95% interval)", "accuracy")
    _legend_above(axes)
    return axes


def coverage_curve(
    coverages: Any, accuracies: Any, intervals: Any = None, ax: Axes | None = None
) -> Axes:
    """Accuracy over the part of the pictures that is answered, the surest first.

    Args:
        coverages: (points,) 0 to 1, rising; there may be none.
        accuracies: (points,) 0 to 1.
        intervals: (points, 2) low and high end of each accuracy's interval, drawn as a band.
        ax: where to draw; a figure is made if left out.

    Returns:
        The axes.

    Example:
        >>> axes = coverage_curve([0.5, 1.0], [1.0, 0.9])
        >>> axes.get_xlabel()
        'answered pictures, the surest first'
    """
    _check_length("accuracies", accuracies, len(coverages))
    axes = _axes(ax, 5.4, 3.8)
    if intervals is not None and len(coverages):
        _check_length("intervals", intervals, len(coverages))
        low, high = np.asarray(intervals, float).T
        axes.fill_between(
            coverages, low, high, color=_BLUE, alpha=0.18, linewidth=0, label="95% interval"
        )
    if len(coverages):
        axes.plot(coverages, accuracies, color=_BLUE, linewidth=2, label="right answers")
        # The first few answers say nothing: their intervals reach far down.
        settled = np.asarray(accuracies)[np.asarray(coverages) >= min(0.05, np.max(coverages))]
        axes.set_ylim(max(0, settled.min() - 0.25 * (1 - settled.min()) - 0.02), 1.005)
        _legend_above(axes)
    axes.set_xlim(0, 1.01)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(_percent(whole=axis is axes.xaxis))
    _finish(axes, "answered pictures, the surest first", "right answers")
    return axes


def mark_coverage(axes: Axes, coverage: float, precision: float, wanted: float, name: str) -> Axes:
    """Puts a threshold onto `coverage_curve`.

    Args:
        axes: as `coverage_curve` gives them.
        coverage: the part of the pictures that is answered, 0 to 1.
        precision: the part of the answers that is right.
        wanted: what was asked for, drawn as a line.
        name: how the point is called in the legend.

    Returns:
        The axes.
    """
    axes.axhline(wanted, color=_GREY, linewidth=1, linestyle="--", label=f"wanted {wanted:.1%}")
    style: dict[str, Any] = {"color": _VERMILLION, "markersize": 9, "label": name, "zorder": 5}
    axes.plot([coverage], [precision], "D", clip_on=False, **style)
    axes.set_ylim(min(axes.get_ylim()[0], wanted - 0.02, precision - 0.02), 1.005)
    _legend_above(axes, columns=2)
    return axes


def heat_overlay(images: Any, heatmaps: Any, strength: float = 0.7) -> np.ndarray:
    """Pictures in grey with heat on them.

    Args:
        images: (N, height, width, channels), 0 to 255.
        heatmaps: (N, height, width), 0 to 1.
        strength: how much of a pixel the hottest colour covers, 0 to 1.

    Returns:
        (N, height, width, 3) uint8. Heat goes from violet over red to yellow, and gets lighter all
        the way, so that it can be read without telling colours apart. Where there is none the
        picture stays grey.

    Example:
        >>> heat_overlay(np.zeros((1, 2, 2, 1), np.uint8), np.zeros((1, 2, 2)))[0, 0, 0].tolist()
        [0, 0, 0]
    """
    from matplotlib import colormaps

    _check_length("heatmaps", heatmaps, len(images))
    heat = np.asarray(heatmaps, np.float32)
    colours = colormaps["plasma"](heat)[..., :3].astype(np.float32) * 255
    pictures = np.stack([_grey(picture) for picture in _pictures(images)])[..., np.newaxis]
    # What is hardly warm is hardly coloured: the picture must be seen.
    part = strength * heat[..., np.newaxis]
    return np.rint((1 - part) * pictures + part * colours).astype(np.uint8)


def _grey(picture: np.ndarray) -> np.ndarray:
    """(height, width) float32: the brightness of a picture, by ITU-R BT.601."""
    if picture.ndim == 2:
        return picture.astype(np.float32)
    return picture.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)


def heat_maps(
    images: Any,
    overlays: Any,
    titles: Sequence[str],
    notes: Sequence[str],
    *,
    columns: int = 4,
    ax: Axes | None = None,
) -> Figure | Axes:
    """Each picture beside itself with its heat.

    Args:
        images: pictures as in `image_grid`.
        overlays: (N, height, width, 3) uint8, as `heat_overlay` gives them.
        titles: one text a pair.
        notes: one text a pair, written below it; may be empty.
        columns: how many pairs stand in one row.
        ax: where to draw the first pair; if left out, a figure of all is made.

    Returns:
        The figure, or `ax`.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap

    checks.integer("columns", columns, low=1)
    pictures = _pictures(images)
    for name, values in (("overlays", overlays), ("titles", titles), ("notes", notes)):
        _check_length(name, values, len(pictures))
    pairs = [
        _beside(picture, np.asarray(overlay))
        for picture, overlay in zip(pictures, overlays, strict=True)
    ]
    if ax is not None:
        axes = _axes(ax, 0, 0)
        _show_pair(axes, pairs[0], titles[0], notes[0])
        return axes
    columns = min(columns, len(pairs))
    rows = math.ceil(len(pairs) / columns)
    height, width = pairs[0].shape[:2]
    figure = _figure(3.2 * columns, (3.0 * height / width + 0.42) * rows + 0.45)
    figure.get_layout_engine().set(w_pad=0.12, wspace=0)
    places = [figure.add_subplot(rows, columns, place + 1) for place in range(len(pairs))]
    for place, pair, title, note in zip(places, pairs, titles, notes, strict=True):
        _show_pair(place, pair, title, note)
    # As the heat looks on a grey of middle brightness.
    heat = np.linspace(0, 1, 64)[np.newaxis]
    shades = heat_overlay([np.full((1, 64), 128)], heat[np.newaxis])[0, 0] / 255
    scale = ScalarMappable(cmap=ListedColormap(shades))
    bar = figure.colorbar(
        scale, ax=places, location="bottom", shrink=min(1.0, 1.4 / columns), aspect=30, pad=0.02
    )
    bar.set_ticks([0, 1], labels=["does not speak for the class", "speaks most for it"])
    bar.ax.tick_params(length=0, labelsize=8.5, labelcolor=_INK)
    bar.outline.set_visible(False)
    return figure


def _beside(picture: np.ndarray, overlay: np.ndarray) -> np.ndarray:
    colour = picture if picture.ndim == 3 else np.repeat(picture[..., np.newaxis], 3, axis=2)
    gap = np.full((len(colour), max(1, colour.shape[1] // 24), 3), 255, np.uint8)
    return np.concatenate([colour, gap, overlay], axis=1)


def _show_pair(axes: Any, pair: np.ndarray, title: str, note: str) -> None:
    _show(axes, pair)
    axes.set_title(_plain(title, 34), fontsize=9, color=_INK, pad=4, parse_math=False)
    if note:
        below = {"ha": "center", "va": "top", "fontsize": 8, "color": _VERMILLION}
        axes.text(0.5, -0.03, note, transform=axes.transAxes, **below)


def neighbours(
    images: Any,
    names: Sequence[str],
    others: Any,
    other_names: Sequence[Sequence[str]],
    distances: Any,
    ax: Axes | None = None,
) -> Figure | Axes:
    """A row a picture: itself, then those that are most like it.

    Args:
        images: pictures as in `image_grid`.
        names: what each was taken for.
        others: for each picture a list of k pictures, the nearest first.
        other_names: for each picture k true classes.
        distances: (N, k).
        ax: where to draw the first row; if left out, a figure of all is made.

    Returns:
        The figure, or `ax`. Neighbours of another class than the prediction have their name in
        vermillion, with "≠" before it.
    """
    pictures = _pictures(images)
    for name, values in (("names", names), ("others", others), ("other_names", other_names)):
        _check_length(name, values, len(pictures))
    count = len(others[0]) + 1
    rows = [
        _neighbour_row(*row)
        for row in zip(pictures, names, others, other_names, distances, strict=True)
    ]
    if ax is not None:
        axes = _axes(ax, 0, 0)
        axes.set_axis_off()
        for column, cell in enumerate(rows[0]):
            _show_cell(axes.inset_axes((column / count, 0, 0.94 / count, 0.8)), *cell)
        return axes
    figure = _figure(1.5 * count, 1.75 * len(rows) + 0.5)
    figure.suptitle("The nearest pictures, with their cosine distances", fontsize=12, color=_INK)
    cells = [cell for row in rows for cell in row]
    for place, cell in enumerate(cells):
        _show_cell(figure.add_subplot(len(rows), count, place + 1), *cell)
    return figure


def _neighbour_row(
    picture: np.ndarray, name: str, others: Any, other_names: Sequence[str], distances: Any
) -> list[tuple[np.ndarray, str, str]]:
    """Picture, text and colour of the text of each cell."""
    cells = [(picture, f"taken for\n{_plain(name, 17)}", _BLUE)]
    for one, other, distance in zip(_pictures(others), other_names, distances, strict=True):
        same = other == name
        text = f"{'' if same else '≠ '}{_plain(other, 15)}\n{distance:.3f}"
        cells.append((one, text, _INK if same else _VERMILLION))
    return cells


def _show_cell(axes: Any, picture: np.ndarray, text: str, colour: str) -> None:
    _show(axes, picture)
    axes.set_title(text, fontsize=8.5, color=colour, pad=4, parse_math=False)


def roc_curves(curves: Mapping[str, tuple[Any, Any, float]], ax: Axes | None = None) -> Axes:
    """ROC curves: what a threshold finds over what it takes along wrongly.

    Args:
        curves: by class name (false positive rates, true positive rates, area under the curve), in
            the order of importance: the first five are coloured and named.
        ax: where to draw; a figure is made if left out.

    Returns:
        The axes.

    Raises:
        ArgumentError: if there is no curve.

    Example:
        >>> axes = roc_curves({"cat": ([0, 0, 1], [0, 1, 1], 1.0)})
        >>> [text.get_text() for text in axes.get_legend().get_texts()]
        ['cat, area 1.000']
    """
    axes = _axes(ax, 5, 4.6)
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=1, linestyle="--")
    _named_curves(axes, curves, "default")
    _finish(axes, "false positives: share of other classes", "true positives: share of the class")
    axes.legend(frameon=False, fontsize=9, labelcolor=_INK, loc="lower right")
    return axes


def precision_recall_curves(
    curves: Mapping[str, tuple[Any, Any, float]], ax: Axes | None = None
) -> Axes:
    """Precision over recall, threshold by threshold.

    Args:
        curves: by class name (recalls, precisions, average precision), in the order of importance:
            the first five are coloured and named.
        ax: where to draw; a figure is made if left out.

    Returns:
        The axes.

    Raises:
        ArgumentError: if there is no curve.

    Example:
        >>> axes = precision_recall_curves({"cat": ([1, 1, 0], [0.5, 1, 1], 1.0)})
        >>> axes.get_xlabel()
        'recall'
    """
    axes = _axes(ax, 5, 4.6)
    # Precision between two thresholds is not on the line between them.
    _named_curves(axes, curves, "steps-post")
    _finish(axes, "recall", "precision")
    axes.legend(frameon=False, fontsize=9, labelcolor=_INK, loc="lower left")
    return axes


def _named_curves(axes: Any, curves: Mapping[str, tuple[Any, Any, float]], style: str) -> None:
    if not curves:
        raise ArgumentError("`curves` must hold at least one curve. Received: none.")
    colours = [_BLUE, _ORANGE, _VERMILLION, _GREEN, _PURPLE]
    for place, (name, (across, up, area)) in enumerate(curves.items()):
        if place < len(colours):
            label = f"{_plain(name, 24)}, area {area:.3f}"
            look = {"color": colours[place], "linewidth": 1.8, "label": label, "zorder": 3}
        else:
            look = {"color": _PALE, "linewidth": 1}
        axes.plot(across, up, drawstyle=style, **look)
    if len(curves) > len(colours):
        axes.plot([], [], color=_PALE, label=f"{len(curves) - len(colours)} more classes")
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(0, 1.02)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(_percent())


def slice_accuracies(
    names: Sequence[str],
    accuracies: Any,
    intervals: Any,
    counts: Any,
    worse: Any,
    *,
    overall: float,
    ax: Axes | None = None,
) -> Axes:
    """The accuracy of parts of the pictures, each with its interval.

    Args:
        names: what the pictures of each part have in common; the first is drawn on top.
        accuracies: (parts,) 0 to 1.
        intervals: (parts, 2) low and high end.
        counts: (parts,) how many pictures there are.
        worse: (parts,) which are really worse than the rest: they are vermillion diamonds.
        overall: the accuracy of all, a line.
        ax: where to draw; a figure is made if left out.

    Returns:
        The axes. Of more than 30 parts the first ones are drawn.

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
        ("counts", counts),
        ("worse", worse),
    ]:
        _check_length(name, values, len(names))
    shown = range(min(len(names), _MOST_SLICES))
    axes = _axes(ax, 6.4, 1.1 + 0.3 * len(shown))
    kinds = [
        (False, _BLUE, "o", "accuracy, 95% interval"),
        (True, _VERMILLION, "D", "really worse than the rest"),
    ]
    for kind, colour, marker, label in kinds:
        places = [place for place in shown if bool(worse[place]) is kind]
        if places:
            right = np.array([accuracies[place] for place in places])
            low, high = np.array([intervals[place] for place in places]).T
            axes.errorbar(
                right,
                places,
                xerr=np.maximum([right - low, high - right], 0),
                fmt=marker,
                color=colour,
                markersize=5,
                elinewidth=1.2,
                label=label,
            )
    axes.axvline(overall, color=_GREY, linewidth=1, linestyle="--", label=f"all {overall:.1%}")
    labels = [f"{_plain(names[place], 28)} ({counts[place]:,})" for place in shown]
    axes.set_yticks(shown, labels, parse_math=False)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.xaxis.set_major_formatter(_percent())
    cut = f"; the first {len(shown)} of {len(names)}" if len(names) > len(shown) else ""
    _finish(axes, f"accuracy{cut}", "")
    _legend_above(axes)
    return axes


def label_errors(
    images: Any, labels: Sequence[str], suggested: Sequence[str], probabilities: Any
) -> Figure:
    """Pictures whose labels are likely wrong, each with its label and what it likely is.

    Args:
        images: pictures as in `image_grid`; there may be none, which the figure then says.
        labels: the label of each picture.
        suggested: the class that each likely is.
        probabilities: the probability of that class, 0 to 1.

    Returns:
        The figure.

    Raises:
        ArgumentError: if the numbers of pictures, names and probabilities differ.

    Example:
        >>> figure = label_errors(np.zeros((1, 8, 8, 3), np.uint8), ["dog"], ["cat"], [0.97])
        >>> print(figure.axes[0].get_title())
        labelled dog
        likely cat (97%)
    """
    for name, values in [
        ("labels", labels),
        ("suggested", suggested),
        ("probabilities", probabilities),
    ]:
        _check_length(name, values, len(images))
    if len(images) == 0:
        return message("No likely label errors")
    titles = [
        f"labelled {_plain(label, 17)}\nlikely {_plain(other, 12)} ({share:.0%})"
        for label, other, share in zip(labels, suggested, probabilities, strict=True)
    ]
    return image_grid(images, titles, columns=4, title="Likely label errors")


def training_curves(history: Mapping[str, Sequence[float]]) -> Figure:
    """Loss and accuracy by epoch, of training and validation.

    Args:
        history: values by epoch as Keras names them: "loss", "val_loss", "accuracy",
            "val_accuracy" (or another metric with "acc" in its name). Only what is there is drawn.

    Returns:
        The figure: a panel for the loss and one for the accuracy; epochs count from 1.

    Raises:
        ArgumentError: if there is neither a loss nor an accuracy of any epoch.

    Example:
        >>> figure = training_curves({"loss": [2.0, 1.5], "accuracy": [0.3, 0.5]})
        >>> [axes.get_ylabel() for axes in figure.axes]
        ['loss', 'accuracy']
    """
    panels = [metric for metric in ("loss", _accuracy_name(history)) if _curves(history, metric)]
    if not panels:
        raise ArgumentError(
            "`history` must hold a loss or an accuracy for at least one epoch. "
            + checks.received("history", dict(history))
        )
    figure = _figure(4.8 * len(panels), 3.6)
    for place, metric in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), place + 1)
        _draw_curves(axes, _curves(history, metric))
        _finish(axes, "epoch", "loss" if metric == "loss" else "accuracy")
        if metric != "loss":
            axes.yaxis.set_major_formatter(_percent(whole=False))
        axes.legend(frameon=False, fontsize=9, labelcolor=_INK)
    return figure


def _accuracy_name(history: Mapping[str, Sequence[float]]) -> str:
    """The metric to draw as accuracy: "accuracy" itself, else the first with "acc" in its name."""
    metrics = [name.removeprefix("val_") for name in history]
    return next((name for name in ["accuracy", *metrics] if name in metrics and "acc" in name), "")


def _curves(
    history: Mapping[str, Sequence[float]], metric: str
) -> dict[str, tuple[str, Sequence[float]]]:
    """The curves of one panel by label, each with its colour; those without an epoch left out."""
    found = {
        "train": (_BLUE, history.get(metric, ())),
        "validation": (_ORANGE, history.get(f"val_{metric}", ())),
    }
    return {label: (colour, values) for label, (colour, values) in found.items() if len(values)}


def _draw_curves(axes: Any, curves: dict[str, tuple[str, Sequence[float]]]) -> None:
    for label, (colour, values) in curves.items():
        epochs = range(1, len(values) + 1)
        marker = "o" if len(values) <= 25 else None  # a single epoch has no line
        axes.plot(epochs, values, color=colour, marker=marker, markersize=4, label=label)
    _whole_numbers(axes, max(len(values) for _, values in curves.values()))


def search_progress(
    values: Any,
    best: Any,
    baseline: float | None = None,
    ax: Axes | None = None,
    seconds: Any = None,
) -> Axes:
    """Validation accuracy of each trial of a search, and the best so far.

    Args:
        values: (trials,) what each trial reached, 0 to 1; NaN for a trial that failed.
        best: (trials,) the best value up to each trial; NaN as long as there is none.
        baseline: what to beat, drawn as a line.
        ax: where to draw; a figure is made if left out.
        seconds: (trials,) when each trial ended, to draw by time instead of by number.

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
    _check_length("best", best, len(reached))
    axes = _axes(ax, 6.4, 3.8)
    trials: Any = np.arange(1, len(reached) + 1)
    unit = "trial"
    if seconds is not None:
        _check_length("seconds", seconds, len(reached))
        scale, unit = (60, "minutes") if max(seconds) >= 120 else (1, "seconds")
        trials = np.asarray(seconds, float) / scale
    axes.plot(trials, reached, "o", color=_GREY, markersize=5, label="trial")
    axes.step(
        trials, np.asarray(best, float), where="post", color=_BLUE, linewidth=2, label="best so far"
    )
    if baseline is not None:
        label = f"baseline {baseline:.1%}"
        axes.axhline(baseline, color=_VERMILLION, linewidth=1.2, linestyle="--", label=label)
    failed = trials[np.isnan(reached)]
    if len(failed):
        across = axes.get_xaxis_transform()  # x in trials, y as a part of the axes' height
        style = {"color": _VERMILLION, "markersize": 6, "label": "failed", "clip_on": False}
        axes.plot(failed, np.full(len(failed), 0.02), "x", transform=across, **style)
    axes.yaxis.set_major_formatter(_percent(whole=False))
    if seconds is None:
        _whole_numbers(axes, len(reached))
    else:
        axes.set_xlim(left=0)
    _finish(axes, unit, "validation accuracy")
    _legend_above(axes)
    return axes


def differences(
    names: Sequence[str],
    values: Sequence[float],
    intervals: Sequence[tuple[float, float]],
    certain: Sequence[bool],
    ax: Axes | None = None,
) -> Axes:
    """Differences of accuracies with their intervals beside the line of none: a forest plot.

    Args:
        names: what each one is.
        values: (N,) the differences, -1 to 1.
        intervals: (N, 2) low and high end of each.
        certain: whether each is told from none; those that are not are grey.
        ax: where to draw; a figure is made if left out.

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
        _check_length(name, given, len(names))
    axes = _axes(ax, 6.4, 1.0 + 0.42 * len(names))
    axes.axvline(0, color=_GREY, linewidth=1, linestyle="--")
    for place, (value, (low, high), sure) in enumerate(
        zip(values, intervals, certain, strict=True)
    ):
        axes.errorbar(
            100 * value,
            place,
            xerr=[[100 * max(value - low, 0)], [100 * max(high - value, 0)]],
            color=_BLUE if sure else _GREY,
            marker="o",
            markersize=6,
            linewidth=2,
            capsize=3,
        )
    axes.set_yticks(range(len(names)), [_plain(name, 60) for name in names], parse_math=False)
    axes.set_ylim(len(names) - 0.4, -0.6)
    _finish(axes, "difference in accuracy, points (95% interval)", "")
    axes.grid(visible=False, axis="y")
    return axes


def robustness_card(
    accuracies: Mapping[str, Sequence[float]],
    intervals: Mapping[str, Sequence[tuple[float, float]]],
    clean: float,
    chance: float,
) -> Figure:
    """Accuracy under each kind of damage by its severity, a small panel each.

    Args:
        accuracies: by the name of the damage, one value a step, 0 to 1.
        intervals: low and high end of each of them.
        clean: the accuracy on the pictures as they are, drawn as a line.
        chance: the accuracy of guessing, drawn as a line.

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
    figure = _figure(2.9 * columns, 2.3 * rows + 0.3)
    for place, (name, values) in enumerate(accuracies.items()):
        _check_length("intervals", intervals[name], len(values))
        axes = figure.add_subplot(rows, columns, place + 1)
        steps = np.arange(len(values) + 1)
        low, high = np.asarray([(clean, clean), *intervals[name]], float).T
        axes.axhline(clean, color=_GREY, linewidth=1, linestyle="--", label="as they are")
        axes.axhline(chance, color=_VERMILLION, linewidth=1, linestyle=":", label="guessing")
        axes.fill_between(steps, low, high, color=_BLUE, alpha=0.18, linewidth=0)
        axes.plot(steps, [clean, *values], color=_BLUE, marker="o", markersize=4)
        axes.set_title(_plain(name, 24), fontsize=10, color=_INK, parse_math=False)
        axes.set_ylim(0, 1.02)
        axes.set_xticks(steps)
        axes.yaxis.set_major_formatter(_percent())
        _finish(axes, "severity" if place >= len(accuracies) - columns else "", "")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    above = {"loc": "outside upper center", "ncols": 2}
    figure.legend(handles, labels, frameon=False, fontsize=9, labelcolor=_INK, **above)
    return figure


def learning_curve(
    sizes: Sequence[int],
    accuracies: Sequence[float],
    curve: tuple[Any, Any, Any, Any],
    ax: Axes | None = None,
) -> Axes:
    """Accuracy by the number of training pictures, and where the curve goes on to.

    Args:
        sizes: (points,) training pictures of each training.
        accuracies: (points,) validation accuracy of each.
        curve: four arrays of one length: numbers of pictures, the fitted accuracy, and the low and
            high end of its interval.
        ax: where to draw; a figure is made if left out.

    Returns:
        The axes; pictures are on a logarithmic scale, what lies beyond the data is dashed.

    Raises:
        ArgumentError: if the lengths differ.

    Example:
        >>> fitted = ([10, 40], [0.5, 0.7], [0.4, 0.6], [0.6, 0.8])
        >>> axes = learning_curve([10, 20], [0.5, 0.6], fitted)
        >>> axes.get_xscale()
        'log'
    """
    from matplotlib.ticker import FuncFormatter, NullFormatter

    _check_length("accuracies", accuracies, len(sizes))
    numbers, middle, low, high = (np.asarray(values, float) for values in curve)
    axes = _axes(ax, 6.0, 3.8)
    seen = numbers <= max(sizes)
    axes.fill_between(
        numbers, low, high, color=_BLUE, alpha=0.18, linewidth=0, label="95% interval"
    )
    axes.plot(numbers[seen], middle[seen], color=_BLUE, linewidth=1.8, label="fitted")
    start = max(0, int(seen.sum()) - 1)
    axes.plot(
        numbers[start:],
        middle[start:],
        "--",
        color=_BLUE,
        linewidth=1.8,
        label="with more pictures",
    )
    axes.plot(sizes, accuracies, "o", color=_VERMILLION, markersize=6, label="trained")
    axes.set_xscale("log")
    ticks = sorted({int(size) for size in sizes} | {int(numbers[-1])})
    axes.set_xticks(ticks)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(_percent(whole=False))
    _finish(axes, "training pictures", "validation accuracy")
    _legend_above(axes)
    return axes


def search_trade_off(
    costs: Any,
    scores: Any,
    front: Sequence[int],
    names: Sequence[str],
    label: str,
    ax: Axes | None = None,
) -> Axes:
    """Accuracy of each trial against its cost, and the front of those that no other beats in both.

    Args:
        costs: (trials,) what a picture costs, above 0.
        scores: (trials,) accuracies, 0 to 1.
        front: which trials are on the front, the cheapest first.
        names: (trials,) short names, written beside those on the front.
        label: what the cost is, with its unit.
        ax: where to draw; a figure is made if left out.

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
    _check_length("scores", scores, len(prices))
    _check_length("names", names, len(prices))
    axes = _axes(ax, 6.4, 4.0)
    axes.plot(prices, reached, "o", color=_GREY, markersize=5, label="trial")
    chosen = list(front)
    if prices.max() > 10 * prices.min():
        axes.set_xscale("log")
    axes.step(
        prices[chosen], reached[chosen], where="post", marker="o", color=_BLUE, markersize=6,
        linewidth=1.5, label="none is better and cheaper",
    )  # fmt: skip
    for place in chosen:
        axes.annotate(
            _plain(names[place], 12), (prices[place], reached[place]), xytext=(0, 6),
            textcoords="offset points", ha="center", fontsize=8.5, color=_INK, parse_math=False,
        )  # fmt: skip
    axes.margins(y=0.12)
    axes.yaxis.set_major_formatter(_percent(whole=False))
    _finish(axes, label, "validation accuracy")
    _legend_above(axes)
    return axes


def search_importance(
    names: Sequence[str], points: Any, spreads: Any, ax: Axes | None = None
) -> Axes:
    """How much worse accuracy is foretold where the values of a setting are mixed up.

    Args:
        names: of the settings, the most important first.
        points: (settings,) in points of accuracy.
        spreads: (settings,) the standard deviation of each.
        ax: where to draw; a figure is made if left out.

    Returns:
        The axes: a bar a setting.

    Raises:
        ArgumentError: if the lengths differ.

    Example:
        >>> axes = search_importance(["filters", "rate"], [2.0, 0.1], [0.5, 0.2])
        >>> [label.get_text() for label in axes.get_yticklabels()]
        ['filters', 'rate']
    """
    _check_length("points", points, len(names))
    _check_length("spreads", spreads, len(names))
    axes = _axes(ax, 6.4, 0.9 + 0.32 * len(names))
    places = np.arange(len(names))
    style = {"elinewidth": 1.2, "ecolor": _INK, "capsize": 3}
    axes.barh(places, points, xerr=spreads, color=_BLUE, height=0.6, error_kw=style)
    axes.set_yticks(places, [_plain(name, 34) for name in names], parse_math=False)
    axes.invert_yaxis()
    axes.axvline(0, color=_GREY, linewidth=1)
    _finish(axes, "points of accuracy, ± standard deviation", "")
    axes.grid(visible=False)
    return axes


def search_parallel(
    values: Sequence[Mapping[str, Any]], scores: Sequence[float], ax: Axes | None = None
) -> Axes:
    """Each trial as a line through its settings: the fainter, the worse; the best one stands out.

    Args:
        values: the settings of each trial; numbers, texts or booleans. Where a trial lacks one, its
            line is broken.
        scores: (trials,) accuracies, 0 to 1.
        ax: where to draw; a figure is made if left out.

    Returns:
        The axes: a vertical line a setting that varies, and the score as the last one.

    Raises:
        ArgumentError: if the lengths differ or there is no trial.

    Example:
        >>> axes = search_parallel([{"filters": 8}, {"filters": 16}], [0.5, 0.7])
        >>> [label.get_text() for label in axes.get_xticklabels()]
        ['filters', 'accuracy']
    """
    if len(values) == 0:
        raise ArgumentError("`values` must hold at least one trial. Received: none.")
    _check_length("scores", scores, len(values))
    names = list(dict.fromkeys(name for one in values for name in one))
    columns = [[one.get(name) for one in values] for name in names]
    varied = [place for place, column in enumerate(columns) if len(set(map(repr, column))) > 1]
    scales = [_scale(columns[place]) for place in varied]
    heights, ticks = _scale([float(score) for score in scores])
    scales.append((heights, [(height, f"{float(text):.0%}") for height, text in ticks]))
    labels = [*(names[place] for place in varied), "accuracy"]
    axes = _axes(ax, max(6.4, 1.15 * len(labels) + 1), 4.4)
    places = np.arange(len(labels))
    low, high = min(scores), max(scores)
    order = np.argsort(scores, kind="stable")
    for trial in order:
        heights = [scale[0][trial] for scale in scales]
        share = (scores[trial] - low) / (high - low) if high > low else 1.0
        best = trial == order[-1]
        axes.plot(
            places, heights, color=_VERMILLION if best else _BLUE, marker="o", markersize=2.5,
            alpha=1.0 if best else 0.08 + 0.6 * share**2, linewidth=2.2 if best else 1.2,
        )  # fmt: skip
    for place, (_, ticks) in enumerate(scales):
        axes.axvline(place, color=_GREY, linewidth=0.8, zorder=0)
        for height, text in ticks:
            axes.annotate(
                _plain(text, 12), (place, height), xytext=(-4, 0), textcoords="offset points",
                ha="right", va="center", fontsize=7.5, color=_INK, parse_math=False,
            )  # fmt: skip
    axes.set_xticks(
        places, [_plain(label, 30) for label in labels], parse_math=False, rotation=30, ha="right",
        rotation_mode="anchor", fontsize=8.5, color=_INK,
    )  # fmt: skip
    axes.set_xlim(-0.6, len(labels) - 0.8)
    axes.set_yticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return axes


def is_number(value: Any) -> bool:
    """Whether a setting's value is a number, Python's or NumPy's, and not True or False."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _scale(column: Sequence[Any]) -> tuple[list[float], list[tuple[float, str]]]:
    """Heights from 0 to 1 for the values of a setting, NaN where it has none; and its labels."""
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


# What the colours of a figure are called in the style of a page, light or dark.
_PAGE_COLOURS = {_INK: "--ink", _GREY: "--grey", _PALE: "--line", _BLUE: "--first"}
_PAGE_COLOURS |= {_VERMILLION: "--second", _ORANGE: "--second"}


def figure_svg(figure: Figure | Axes, alt: str) -> str:
    """A figure as an SVG element for a page, whose colours are those of the page's style.

    Args:
        figure: a figure, or axes, which stand for the figure they are in.
        alt: what it shows, for those who do not see it.

    Returns:
        `<svg …>` with nothing around it. It holds no time, no version, no address and no id that
        another figure could have. Colours that the page's style names (`--ink`, `--first`, …) are
        taken from there.

    Raises:
        ArgumentTypeError: if it is neither.

    Example:
        >>> svg = figure_svg(confusion_matrix([[8, 2], [1, 9]], ["cat", "dog"]), "a & b")
        >>> svg.startswith('<svg role="img" aria-label="a &amp; b"'), "http" in svg
        (True, False)
    """
    from xml.sax.saxutils import quoteattr

    import matplotlib as mpl
    from matplotlib.figure import Figure

    whole = figure if isinstance(figure, Figure) else getattr(figure, "figure", None)
    if not isinstance(whole, Figure):
        raise ArgumentTypeError(
            f"`figure` must be a matplotlib figure or axes. {checks.received('figure', figure)}"
        )
    file = io.StringIO()
    nothing = dict.fromkeys(["Creator", "Date", "Format", "Type"])
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": alt}):
        whole.savefig(file, format="svg", transparent=True, metadata=nothing)
    text = file.getvalue()
    _, _, text = text.partition("<svg ")
    head, _, body = text.partition(">")
    view = re.search(r'viewBox="([\d. -]+)"', head)
    width = re.search(r'width="([\d.]+)pt"', head)
    box = view[1] if view else "0 0 1 1"
    points = float(width[1]) if width else 1.0
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r' id="[A-Za-z0-9.]+_\d+"', "", body)
    body = body.replace("xlink:href", "href")
    for colour, name in _PAGE_COLOURS.items():
        body = body.replace(colour.lower(), f"var({name})")
    return (
        f'<svg role="img" aria-label={quoteattr(alt)} viewBox="{box}" '
        f'style="width: {points / 0.75:.0f}px; '
        f'min-width: {points / 1.5:.0f}px; max-width: 100%; height: auto">{body.strip()}'
    )


def figure_png(figure: Figure | Axes) -> bytes:
    r"""A figure as the bytes of a PNG file, at 150 dots an inch.

    Args:
        figure: a figure, or axes, which stand for the figure they are in.

    Returns:
        The content of the file. It holds no time and no version of matplotlib.

    Raises:
        ArgumentTypeError: if it is neither.

    Example:
        >>> figure_png(confusion_matrix([[8, 2], [1, 9]], ["cat", "dog"]))[:8]
        b'\x89PNG\r\n\x1a\n'
    """
    from matplotlib.figure import Figure

    whole = figure if isinstance(figure, Figure) else getattr(figure, "figure", None)
    if not isinstance(whole, Figure):
        raise ArgumentTypeError(
            f"`figure` must be a matplotlib figure or axes. {checks.received('figure', figure)}"
        )
    file = io.BytesIO()
    whole.savefig(file, format="png", dpi=_DPI, metadata={"Software": None})
    return file.getvalue()


def _figure(width: float, height: float) -> Any:
    """An empty figure, inches, that belongs to no window and shows itself in a notebook."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    return _shown_in_notebooks(figure)


def _axes(ax: Any, width: float, height: float) -> Any:
    """The axes given, or those of a new figure of that size."""
    from matplotlib.axes import Axes

    if ax is None:
        return _shown_in_notebooks(_figure(width, height).add_subplot())
    if not isinstance(ax, Axes):
        raise ArgumentTypeError(f"`ax` must be matplotlib axes. {checks.received('ax', ax)}")
    return ax


def _shown_in_notebooks(drawing: Any) -> Any:
    # A notebook draws by itself only figures that pyplot made.
    drawing._repr_png_ = functools.partial(figure_png, drawing)
    return drawing


def _finish(axes: Any, xlabel: str, ylabel: str) -> None:
    axes.set_xlabel(xlabel, color=_INK)
    axes.set_ylabel(ylabel, color=_INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_GREY)
    axes.tick_params(color=_GREY, labelcolor=_INK, labelsize=9)
    axes.grid(visible=True, axis="y", color=_PALE, linewidth=0.6)
    axes.set_axisbelow(True)


def _legend_above(axes: Any, columns: int | None = None) -> None:
    """A legend over the axes, where it hides no point; in one row, or in so many columns."""
    columns = columns or len(axes.get_legend_handles_labels()[1])
    place = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": columns}
    axes.legend(frameon=False, fontsize=9, labelcolor=_INK, columnspacing=1.2, **place)


def _whole_numbers(axes: Any, last: int) -> None:
    """An x axis from 1 to `last` without halves."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(
        MaxNLocator(nbins=8, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1)
    )
    margin = min(max(0.03 * (last - 1), 0.3), 0.9)  # below 1: there is no epoch 0 to mark
    axes.set_xlim(1 - margin, last + margin)


def _percent(*, whole: bool = True) -> Any:
    from matplotlib.ticker import PercentFormatter

    return PercentFormatter(1.0, decimals=0 if whole else None)


def _pictures(images: Any) -> list[np.ndarray]:
    if len(images) == 0:
        raise ArgumentError("`images` must hold at least one picture. Received: none.")
    return [_pixels(image) for image in images]


def _pixels(image: Any) -> np.ndarray:
    """One picture as uint8, (height, width) for grey and (height, width, 3) for colour."""
    array = np.asarray(image)
    if array.ndim not in (2, 3) or 0 in array.shape or array.dtype.kind not in "fiu":
        raise ArgumentError(
            "`images` must be pictures of (height, width) or (height, width, channels), values "
            f"0 to 255. Received: a picture of shape={array.shape}, dtype={array.dtype}."
        )
    if array.ndim == 3:
        array = array[..., 0] if array.shape[2] < 3 else array[..., :3]
    if array.dtype == np.uint8:
        return array
    return np.clip(np.rint(np.nan_to_num(array)), 0, 255).astype(np.uint8)


def _show(axes: Any, picture: np.ndarray) -> None:
    # "antialiased" keeps the pixels of a thumbnail square and smooths a photo that is made smaller.
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
    axes.set_axis_off()


def _plain(name: str, width: int) -> str:
    """A text that is safe to draw: control characters escaped, cut in the middle to `width`."""
    text = "".join(char if char.isprintable() else repr(char)[1:-1] for char in str(name))
    if len(text) <= width:
        return text
    return f"{text[: width // 2]}…{text[len(text) - (width - width // 2 - 1) :]}"


def _check_length(name: str, values: Any, wanted: int) -> None:
    if len(values) != wanted:
        raise ArgumentError(
            f"`{name}` must have {wanted} entries, as many as there are to draw. "
            f"Received: {len(values)} entries."
        )
