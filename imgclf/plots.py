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
    "calibration_curve",
    "confusion_matrix",
    "figure_png",
    "figure_svg",
    "image_grid",
    "mistakes",
    "search_importance",
    "search_parallel",
    "search_progress",
    "search_trade_off",
    "softmax_predictions",
    "training_curves",
]

# Colours that stay apart for the colour-blind.
# Source: M. Okabe, K. Ito, "Color Universal Design" (2008).
_BLUE = "#0072B2"
_ORANGE = "#E69F00"
_VERMILLION = "#D55E00"
_GREY = "#9A9A9A"
_PALE = "#DDDDDD"
_INK = "#262626"

_DPI = 150

# More cells than this leave no room for numbers that one can read.
_MAX_NUMBERED_CLASSES = 20
# More names than this run into each other along an axis of the largest matrix drawn.
_MAX_CLASS_TICKS = 70


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
        figure = _figure(5, 1.5)
        figure.text(0.5, 0.5, "No mistakes", ha="center", va="center", fontsize=14, color=_INK)
        return figure
    titles = [
        f"{_plain(predicted, 15)}, {confidence:.0%} sure\ntrue: {_plain(true, 20)}"
        for true, predicted, confidence in zip(
            true_names, predicted_names, confidences, strict=True
        )
    ]
    return image_grid(images, titles, columns=columns, title="Most confident mistakes")


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


def _legend_above(axes: Any) -> None:
    """A legend in one row over the axes, where it hides no point."""
    columns = len(axes.get_legend_handles_labels()[1])
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
