"""Draws learning curves by epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imgclf import checks
from imgclf.errors import ArgumentError
from imgclf.plots.style import (
    BLUE,
    ORANGE,
    PALE,
    finish,
    new_figure,
    percent_format,
    plain_legend,
    whole_numbers,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# So few values are no curve.
_FEW_EPOCHS = 3

__all__ = [
    "training_curves",
]


def training_curves(
    history: Mapping[str, Sequence[float]],
    *,
    by_step: Mapping[str, Sequence[tuple[float, float]]] | None = None,
) -> Figure:
    """Draws loss and accuracy by epoch, of training and validation.

    Args:
        history: values by epoch as Keras names them: "loss", "val_loss", "accuracy",
            "val_accuracy" (or another metric with "acc" in its name). Only what is there is drawn.
        by_step: of the training, by name, (step, value) of some steps over all epochs. Up to three
            epochs these are drawn, since so few values by epoch show no course.

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
        curves = _curves(history, metric)
        epochs = max(len(values) for _, values in curves.values())
        steps = (by_step or {}).get(metric, ())
        if len(steps) > epochs and epochs <= _FEW_EPOCHS:
            _draw_steps(axes, curves, steps, epochs)
        else:
            _draw_curves(axes, curves)
        finish(axes, axes.get_xlabel(), "loss" if metric == "loss" else "accuracy")
        if metric != "loss":
            axes.yaxis.set_major_formatter(percent_format(whole=False))
        plain_legend(axes)
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
    axes.set_xlabel("epoch")
    whole_numbers(axes, max(len(values) for _, values in curves.values()))


def _draw_steps(
    axes: Axes,
    curves: dict[str, tuple[str, Sequence[float]]],
    steps: Sequence[tuple[float, float]],
    epochs: int,
) -> None:
    """Draws the training by step, and the validation at the end of each epoch."""
    across, up = zip(*steps, strict=True)
    # The points stand in the middle of their steps: the last one ends with the epoch.
    last = across[-1] + (across[-1] - across[-2]) / 2 if len(across) > 1 else across[-1]
    axes.plot(across, up, color=BLUE, linewidth=1.5, label="train")
    if "validation" in curves:
        color, values = curves["validation"]
        ends = [last * (epoch + 1) / epochs for epoch in range(len(values))]
        style: dict[str, Any] = {"marker": "o", "markersize": 5, "clip_on": False, "zorder": 3}
        axes.plot(ends, values, color=color, label="validation", **style)
    for epoch in range(1, epochs):
        axes.axvline(last * epoch / epochs, color=PALE, linewidth=1)
    axes.set_xlim(0, last * 1.02)
    axes.set_xlabel("step" if epochs == 1 else f"step ({epochs} epochs)")
