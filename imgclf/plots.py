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
    "figure_png",
    "image_grid",
    "label_errors",
    "mistakes",
    "precision_recall_curves",
    "roc_curves",
    "search_progress",
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
        return _only_text("No mistakes")
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
        return _only_text("No likely label errors")
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


def _only_text(text: str) -> Any:
    """A figure that says why there is nothing to see."""
    figure = _figure(5, 1.5)
    figure.text(0.5, 0.5, text, ha="center", va="center", fontsize=14, color=_INK)
    return figure


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
