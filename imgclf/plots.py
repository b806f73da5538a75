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
    "differences",
    "figure_png",
    "image_grid",
    "learning_curve",
    "message",
    "mistakes",
    "robustness_card",
    "search_progress",
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
    values: Any, best: Any, baseline: float | None = None, ax: Axes | None = None
) -> Axes:
    """Validation accuracy of each trial of a search, and the best so far.

    Args:
        values: (trials,) what each trial reached, 0 to 1; NaN for a trial that failed.
        best: (trials,) the best value up to each trial; NaN as long as there is none.
        baseline: what to beat, drawn as a line.
        ax: where to draw; a figure is made if left out.

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
    trials = np.arange(1, len(reached) + 1)
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
    _whole_numbers(axes, len(reached))
    _finish(axes, "trial", "validation accuracy")
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
