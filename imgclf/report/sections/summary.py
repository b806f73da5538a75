"""What the reader should know if nothing else is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from imgclf.report.page import render

if TYPE_CHECKING:
    from imgclf.evaluation.evaluation import Evaluation

__all__ = ["plus_minus", "sentence", "summary"]

_PAIRS = 2

_KINDS = {
    "test": "unseen images",
    "validation": "validation images",
    "train": "images that it was trained on",
}  # else nobody knows whether it has seen them


def summary(
    evaluation: Evaluation,
    split: str,
    warnings: Sequence[str] = (),
    more: Mapping[str, str] | None = None,
) -> Markup:
    """The first card of a report.

    Args:
        evaluation: what was measured.
        split: the name of the split that it was measured on.
        warnings: what else has to be known before the figure is believed.
        more: figures by name, to stand among the others.
    """
    low, high = evaluation.accuracy_interval
    figures: dict[str, str] = {}
    if evaluation.imbalanced:
        figures["balanced accuracy"] = f"{evaluation.balanced_accuracy:.1%}"
        figures["macro F1"] = f"{evaluation.macro_f1:.1%}"
    figures |= more or {}
    tops = evaluation.top_k_accuracies()
    figures |= {f"top-{k}": f"{tops[k]:.1%}" for k in list(tops)[:2]}
    figures["log loss"] = f"{evaluation.loss:.3f}"
    figures["calibration error"] = f"{evaluation.calibration_error:.1%}"
    weakest = _weakest(evaluation)
    return render(
        "summary.html",
        accuracy=f"{evaluation.accuracy:.1%}",
        margin=f"± {plus_minus(evaluation):.1f}",
        on=f"on {len(evaluation):,} {_KINDS.get(split, 'images')}",
        interval=f"95% interval: {low:.1%} to {high:.1%}",
        weakest=weakest and f"{weakest['class_name']}, {weakest['recall']:.0%}",
        pairs=_pairs(evaluation),
        figures=figures,
        warnings=warnings,
    )


def sentence(evaluation: Evaluation, split: str) -> str:
    """The same in one line.

    Example:
        >>> from imgclf import Evaluation
        >>> ev = Evaluation([0, 1, 1], [[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]], ["cat", "dog"])
        >>> sentence(ev, "test")
        '66.7% ± 36.5 on 3 unseen images; weakest: dog, 50%; mistakes it shows: cat for dog'
    """
    parts = [
        f"{evaluation.accuracy:.1%} ± {plus_minus(evaluation):.1f} on {len(evaluation):,} "
        f"{_KINDS.get(split, 'images')}"
    ]
    weakest = _weakest(evaluation)
    if weakest:
        parts.append(f"weakest: {weakest['class_name']}, {weakest['recall']:.0%}")
    pairs = _pairs(evaluation)
    if pairs:
        parts.append(f"mistakes it shows: {', '.join(pairs)}")
    return "; ".join(parts)


def plus_minus(evaluation: Evaluation) -> float:
    """Half of the accuracy's 95% interval, in points of per cent."""
    low, high = evaluation.accuracy_interval
    return 50 * (high - low)


def _weakest(evaluation: Evaluation) -> dict[str, Any] | None:
    seen = [record for record in evaluation.per_class if record["support"]]
    weakest = min(seen, key=lambda record: record["recall"])
    return weakest if weakest["recall"] < 1 else None


def _pairs(evaluation: Evaluation) -> list[str]:
    if np.all(evaluation.correct):
        return []
    return [f"{predicted} for {true}" for true, predicted, _ in evaluation.confused_pairs(_PAIRS)]
