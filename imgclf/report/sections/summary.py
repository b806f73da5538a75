"""Shows the result at a glance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from imgclf.evaluation.metrics import summary_metrics
from imgclf.evaluation.scores.by_class import ClassRecord
from imgclf.formatting import show_interval, show_percent
from imgclf.report.page import render

if TYPE_CHECKING:
    from imgclf.evaluation.evaluation import Evaluation

__all__ = ["plus_minus", "sentence", "summary"]

_PAIRS = 2

_KINDS = {
    "test": "test images",
    "validation": "validation images",
    "train": "training images",
}  # else the role of the images is unknown


def summary(
    evaluation: Evaluation,
    split: str,
    warnings: Sequence[str] = (),
    more: Mapping[str, str] | None = None,
) -> Markup:
    """Shows the first card of a report.

    Args:
        evaluation: on the split.
        split: its name.
        warnings: what readers must know to interpret the accuracy.
        more: further metrics by name.
    """
    chosen = summary_metrics(len(evaluation.class_names), imbalanced=evaluation.imbalanced)
    metrics = {metric.title: metric.show(evaluation.metric(metric.name)) for metric in chosen}
    metrics |= more or {}
    weakest = _weakest(evaluation)
    return render(
        "summary.html",
        accuracy=show_percent(evaluation.accuracy),
        margin=f"± {plus_minus(evaluation):.1f}",
        on=f"on {len(evaluation):,} {_KINDS.get(split, 'images')}",
        interval=f"95% interval: {show_interval(evaluation.accuracy_interval)}",
        weakest=weakest and f"{weakest['class_name']}, {weakest['recall']:.0%}",
        pairs=_pairs(evaluation),
        metrics=metrics,
        warnings=warnings,
    )


def sentence(evaluation: Evaluation, split: str) -> str:
    """Says the same in one line.

    Example:
        >>> from imgclf import Evaluation
        >>> ev = Evaluation([0, 1, 1], [[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]], ["cat", "dog"])
        >>> sentence(ev, "test")
        '66.7% ± 36.5 on 3 test images; weakest class: dog, 50%; most confused: dog as cat'
    """
    parts = [
        f"{evaluation.accuracy:.1%} ± {plus_minus(evaluation):.1f} on {len(evaluation):,} "
        f"{_KINDS.get(split, 'images')}"
    ]
    weakest = _weakest(evaluation)
    if weakest:
        parts.append(f"weakest class: {weakest['class_name']}, {weakest['recall']:.0%}")
    pairs = _pairs(evaluation)
    if pairs:
        parts.append(f"most confused: {', '.join(pairs)}")
    return "; ".join(parts)


def plus_minus(evaluation: Evaluation) -> float:
    """Returns half the width of the accuracy's 95% interval, in percentage points."""
    low, high = evaluation.accuracy_interval
    return 50 * (high - low)


def _weakest(evaluation: Evaluation) -> ClassRecord | None:
    seen = [record for record in evaluation.per_class if record["support"]]
    weakest = min(seen, key=lambda record: record["recall"])
    return weakest if weakest["recall"] < 1 else None


def _pairs(evaluation: Evaluation) -> list[str]:
    if np.all(evaluation.correct):
        return []
    return [f"{true} as {predicted}" for true, predicted, _ in evaluation.confused_pairs(_PAIRS)]
