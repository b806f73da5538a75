"""What a notebook shows for an `Evaluation`: the figures, the classes, the confusions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from imgclf.evaluation.summary import headline
from imgclf.formatting import show_percent
from imgclf.markup import notebook, table

if TYPE_CHECKING:
    from imgclf.evaluation.evaluation import Evaluation

__all__ = ["evaluation_html", "figure_rows"]

# Of more classes the weakest are shown.
_CLASSES = 30
_PAIRS = 5

# Figures that are no parts of 1.
_PLAIN = ("loss", "brier_score")

_NAMES = {
    "roc_auc": "area under the ROC curve",
    "average_precision": "average precision",
    "brier_score": "Brier score",
    "loss": "log loss",
}


def evaluation_html(evaluation: Evaluation) -> str:
    """HTML of an evaluation."""
    parts: list[Any] = [
        headline(evaluation),
        table("Figures", ["figure", "value", "95% interval"], figure_rows(evaluation)),
        _classes(evaluation),
    ]
    pairs = evaluation.confused_pairs(_PAIRS)
    if pairs:
        rows = [(true, predicted, f"{count:,}") for true, predicted, count in pairs]
        parts.append(table("Most confused", ["true", "taken for", "images"], rows))
    return notebook(*parts)


def figure_rows(evaluation: Evaluation) -> list[list[str]]:
    """Every single figure as texts: its name, its value, its 95% interval.

    Example:
        >>> from imgclf import Evaluation
        >>> ev = Evaluation([0, 1, 1], [[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]], ["cat", "dog"])
        >>> figure_rows(ev)[0]
        ['accuracy', '66.7%', '20.8% to 93.9%']
    """
    rows = []
    for name, value in evaluation.metrics.items():
        if math.isfinite(value):
            low, high = evaluation.interval(name)
            show = _plain if name in _PLAIN else show_percent
            rows.append([_title(name), show(value), f"{show(low)} to {show(high)}"])
    return rows


def _title(name: str) -> str:
    if name.startswith("top_"):
        return f"top-{name[4:]} accuracy"
    return _NAMES.get(name, name.replace("_", " ").replace("f1", "F1"))


def _plain(value: float) -> str:
    return f"{value:.3f}"


def _classes(evaluation: Evaluation) -> Any:
    records = evaluation.per_class
    caption = "Class by class"
    if len(records) > _CLASSES:
        seen = sorted((one for one in records if one["support"]), key=lambda one: one["recall"])
        records = seen[:_CLASSES]
        caption = f"The weakest of {len(evaluation.class_names):,} classes"
    rows = []
    for record in records:
        low, high = record["recall_interval"]
        rows.append(
            [
                record["class_name"],
                f"{record['precision']:.1%}",
                f"{record['recall']:.1%}",
                f"{low:.1%} to {high:.1%}",
                f"{record['f1']:.1%}",
                f"{record['support']:,}",
            ]
        )
    heads = ["class", "precision", "recall", "95% interval", "F1", "images"]
    return table(caption, heads, rows)
