"""Every single figure with its doubt."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from imgclf.markup import table
from imgclf.report.page import Section, render

if TYPE_CHECKING:
    from imgclf.evaluation.evaluation import Evaluation

__all__ = ["figures"]

# Figures that are no parts of 1.
_PLAIN = ("loss", "brier_score")

_NAMES = {
    "roc_auc": "area under the ROC curve",
    "average_precision": "average precision",
    "brier_score": "Brier score",
    "loss": "log loss",
}


def figures(evaluation: Evaluation) -> Section:
    """A row a figure."""
    rows = []
    for name, value in evaluation.figures.items():
        if math.isfinite(value):
            low, high = evaluation.intervals[name]
            rows.append(
                [_title(name), _show(name, value), f"{_show(name, low)} to {_show(name, high)}"]
            )
    body = render(
        "scroll.html", title="Figures", body=table("", ["figure", "value", "95% interval"], rows)
    )
    lead = (
        "Macro: each class counts alike. Weighted: as often as it has pictures. Other pictures of "
        "the same kind would give other figures; the interval says how far off."
    )
    return Section("figures", "Figures", body, lead)


def _title(name: str) -> str:
    if name.startswith("top_"):
        return f"top-{name[4:]} accuracy"
    return _NAMES.get(name, name.replace("_", " ").replace("f1", "F1"))


def _show(name: str, value: float) -> str:
    return f"{value:.3f}" if name in _PLAIN else f"{value:.1%}"
