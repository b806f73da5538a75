"""What a notebook shows for an `Evaluation`: its metrics, classes and confusions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from imgclf.evaluation.metrics import Interval, metric_rows
from imgclf.evaluation.protocol import EvaluationLike
from imgclf.evaluation.scores.by_class import ClassRecord
from imgclf.evaluation.summary import headline
from imgclf.formatting import show_interval, show_percent
from imgclf.markup import notebook, table

__all__ = ["evaluation_html", "metric_table"]

# Of more classes the weakest are shown.
_CLASSES = 30
_PAIRS = 5


def evaluation_html(evaluation: EvaluationLike) -> str:
    """HTML of an evaluation."""
    parts: list[Any] = [
        headline(evaluation),
        metric_table("Metrics", evaluation.metrics, evaluation.intervals),
        _class_table(evaluation.per_class),
    ]
    pairs = evaluation.confused_pairs(_PAIRS)
    if pairs:
        rows = [(true, predicted, f"{count:,}") for true, predicted, count in pairs]
        parts.append(table("Most confused", ["true", "taken for", "images"], rows))
    return notebook(*parts)


def metric_table(
    caption: str, values: Mapping[str, float], intervals: Mapping[str, Interval]
) -> Markup:
    """A table of all metrics; pointing at a name shows what it means.

    Args:
        caption: what the table shows.
        values: `Evaluation.metrics`.
        intervals: `Evaluation.intervals`.
    """
    rows = [
        (Markup('<abbr title="{}">{}</abbr>').format(metric.description, metric.title), *texts)
        for metric, *texts in metric_rows(values, intervals)
    ]
    return table(caption, ["metric", "value", "95% interval"], rows)


def _class_table(records: Sequence[ClassRecord]) -> Markup:
    caption = "Class by class"
    if len(records) > _CLASSES:
        caption = f"The weakest of {len(records):,} classes"
        seen = sorted((one for one in records if one["support"]), key=lambda one: one["recall"])
        records = seen[:_CLASSES]
    rows = [
        [
            one["class_name"],
            show_percent(one["precision"]),
            show_percent(one["recall"]),
            show_interval(one["recall_interval"]),
            show_percent(one["f1"]),
            f"{one['support']:,}",
        ]
        for one in records
    ]
    return table(caption, ["class", "precision", "recall", "95% interval", "F1", "images"], rows)
