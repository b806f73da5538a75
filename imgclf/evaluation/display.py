"""What a notebook shows for an `Evaluation`: the figures, the classes, the confusions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imgclf.evaluation.summary import headline
from imgclf.markup import notebook, table

if TYPE_CHECKING:
    from imgclf.evaluation.evaluation import Evaluation

__all__ = ["evaluation_html"]

# Of more classes the weakest are shown.
_CLASSES = 30
_PAIRS = 5


def evaluation_html(evaluation: Evaluation) -> str:
    """HTML of an evaluation."""
    figures = {
        "balanced accuracy": f"{evaluation.balanced_accuracy:.1%}",
        "macro F1": f"{evaluation.macro_f1:.1%}",
        **{f"top-{k}": f"{share:.1%}" for k, share in evaluation.top_k_accuracies().items()},
        "loss": f"{evaluation.loss:.4f}",
        "calibration error": f"{evaluation.calibration_error:.1%}",
    }
    parts: list[Any] = [
        headline(evaluation),
        ", ".join(f"{name} {value}" for name, value in figures.items()),
        _classes(evaluation),
    ]
    pairs = evaluation.confused_pairs(_PAIRS)
    if pairs:
        rows = [(true, predicted, f"{count:,}") for true, predicted, count in pairs]
        parts.append(table("Most confused", ["true", "taken for", "images"], rows))
    return notebook(*parts)


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
