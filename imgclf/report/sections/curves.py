"""How the training went: loss and accuracy by epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from imgclf.formatting import plural, show_percent
from imgclf.markup import table
from imgclf.report.charts import Chart, Line, draw
from imgclf.report.page import Section, render

__all__ = ["curves"]

# A table of more epochs is thinned out.
_ROWS = 30


def curves(history: Mapping[str, Sequence[float]]) -> Section | None:
    """Learning curves.

    Args:
        history: values by epoch, as `Classifier.history` has them.
    """
    metrics = [name for name in ("loss", "accuracy") if _finite(history.get(name, ()))]
    charts = [_chart(history, metric) for metric in metrics]
    if not charts:
        return None
    body = render("charts.html", charts=[(chart, draw(chart)) for chart in charts])
    return Section("curves", "Learning curves", body + _numbers(history), _lead(history))


def _chart(history: Mapping[str, Sequence[float]], metric: str) -> Chart:
    named = [(metric, "train", "first"), (f"val_{metric}", "validation", "second")]
    lines = [
        Line(label, range(1, len(history[name]) + 1), history[name], kind=kind)
        for name, label, kind in named
        if _finite(history.get(name, ()))
    ]
    show = show_percent if metric == "accuracy" else "{:.3f}".format
    ends = ", ".join(f"{line.label} {show(_finite(line.y)[-1])}" for line in lines)
    return Chart(
        alt=f"{metric.capitalize()} by epoch, at the end: {ends}.",
        lines=lines,
        x_label="epoch",
        y_label=metric,
        percent=metric == "accuracy",
        whole=True,
    )


def _lead(history: Mapping[str, Sequence[float]]) -> str:
    epochs = max(len(values) for values in history.values())
    words = f"{plural(epochs, 'epoch')} of training."
    train = _finite(history.get("accuracy", ()))
    validation = _finite(history.get("val_accuracy", ()))
    if train and validation and train[-1] - validation[-1] > 0.1:
        words += (
            f" At the end it knows {train[-1]:.0%} of the images that it learned from, but "
            f"{validation[-1]:.0%} of those set aside: it has learned some by heart."
        )
    return words


def _numbers(history: Mapping[str, Sequence[float]]) -> Markup:
    names = list(history)
    epochs = max(len(values) for values in history.values())
    step = math.ceil(epochs / _ROWS)
    chosen = sorted({*range(0, epochs, step), epochs - 1})
    rows = [[str(epoch + 1), *(_cell(history[name], epoch) for name in names)] for epoch in chosen]
    return render("folded.html", title="As numbers", body=table("", ["epoch", *names], rows))


def _cell(values: Sequence[float], epoch: int) -> str:
    value = values[epoch] if epoch < len(values) else None
    return "–" if value is None else f"{value:.4f}"


def _finite(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None and math.isfinite(value)]
