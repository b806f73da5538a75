"""Draws learning curves by epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgclf import checks
from imgclf.errors import ArgumentError
from imgclf.plots.style import BLUE, INK, ORANGE, finish, new_figure, percent_format, whole_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "training_curves",
]


def training_curves(history: Mapping[str, Sequence[float]]) -> Figure:
    """Draws loss and accuracy by epoch, of training and validation.

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
    figure = new_figure(4.8 * len(panels), 3.6)
    for place, metric in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), place + 1)
        _draw_curves(axes, _curves(history, metric))
        finish(axes, "epoch", "loss" if metric == "loss" else "accuracy")
        if metric != "loss":
            axes.yaxis.set_major_formatter(percent_format(whole=False))
        axes.legend(frameon=False, fontsize=9, labelcolor=INK)
    return figure


def _accuracy_name(history: Mapping[str, Sequence[float]]) -> str:
    """The metric to draw as accuracy: "accuracy" itself, else the first with "acc" in its name."""
    metrics = [name.removeprefix("val_") for name in history]
    return next((name for name in ["accuracy", *metrics] if name in metrics and "acc" in name), "")


def _curves(
    history: Mapping[str, Sequence[float]], metric: str
) -> dict[str, tuple[str, Sequence[float]]]:
    """The curves of one panel by label, each with its color; those without an epoch left out."""
    found = {
        "train": (BLUE, history.get(metric, ())),
        "validation": (ORANGE, history.get(f"val_{metric}", ())),
    }
    return {label: (color, values) for label, (color, values) in found.items() if len(values)}


def _draw_curves(axes: Axes, curves: dict[str, tuple[str, Sequence[float]]]) -> None:
    for label, (color, values) in curves.items():
        epochs = range(1, len(values) + 1)
        marker = "o" if len(values) <= 25 else None  # a single epoch has no line
        axes.plot(epochs, values, color=color, marker=marker, markersize=4, label=label)
    whole_numbers(axes, max(len(values) for _, values in curves.values()))
