"""Shows loss and accuracy by epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from imgclf.formatting import plural, show_percent
from imgclf.markup import table
from imgclf.plots import training_curves
from imgclf.report.charts import chart
from imgclf.report.page import Section, render

__all__ = ["curves"]

# A table of more epochs shows only some of them.
_MOST_ROWS = 30

# A training accuracy that is higher than the validation accuracy by more than this is overfitting.
_OVERFITTING = 0.1


def curves(history: Mapping[str, Sequence[float | None]]) -> Section | None:
    """Shows the learning curves.

    Args:
        history: values by epoch, as in `Classifier.history`.
    """
    metrics = [name for name in ("loss", "accuracy") if _finite(history.get(name, ()))]
    if not metrics:
        return None
    if max(len(values) for values in history.values()) == 1:  # two dots are no curve
        body = table("", ["epoch", *history], _rows(history))
    else:
        charts = [_chart(history, metric) for metric in metrics]
        body = render("charts.html", charts=charts) + _numbers(history)
    return Section("curves", "Learning curves", body, _lead(history))


def _chart(history: Mapping[str, Sequence[float | None]], metric: str) -> Markup:
    labels = {metric: "train", f"val_{metric}": "validation"}
    drawn = {
        name: [math.nan if value is None else value for value in history[name]]
        for name in labels
        if _finite(history.get(name, ()))
    }
    show = show_percent if metric == "accuracy" else "{:.3f}".format
    ends = ", ".join(f"{labels[name]} {show(_finite(drawn[name])[-1])}" for name in drawn)
    caption = f"{metric.capitalize()} by epoch; last: {ends}."
    return chart(training_curves(drawn), f"{metric.capitalize()} by epoch", caption=caption)


def _lead(history: Mapping[str, Sequence[float | None]]) -> str:
    epochs = max(len(values) for values in history.values())
    words = f"{plural(epochs, 'epoch')} of training."
    train = _finite(history.get("accuracy", ()))
    validation = _finite(history.get("val_accuracy", ()))
    if train and validation and train[-1] - validation[-1] > _OVERFITTING:
        words += (
            f" It overfits: in the last epoch the accuracy is {train[-1]:.0%} on the training "
            f"images, but {validation[-1]:.0%} on the validation images."
        )
    return words


def _numbers(history: Mapping[str, Sequence[float | None]]) -> Markup:
    body = table("", ["epoch", *history], _rows(history))
    return render("folded.html", title="As numbers", body=body)


def _rows(history: Mapping[str, Sequence[float | None]]) -> list[list[str]]:
    names = list(history)
    epochs = max(len(values) for values in history.values())
    step = math.ceil(epochs / _MOST_ROWS)
    chosen = sorted({*range(0, epochs, step), epochs - 1})
    return [[str(epoch + 1), *(_cell(history[name], epoch) for name in names)] for epoch in chosen]


def _cell(values: Sequence[float | None], epoch: int) -> str:
    value = values[epoch] if epoch < len(values) else None
    return "–" if value is None else f"{value:.4f}"


def _finite(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None and math.isfinite(value)]
