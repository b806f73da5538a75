"""Shows the metrics of each class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from imgclf.evaluation.scores.by_class import ClassRecord
from imgclf.formatting import plural, show_interval, show_percent
from imgclf.markup import table
from imgclf.report.page import Section, render, scrolling

if TYPE_CHECKING:
    from imgclf.evaluation.evaluation import Evaluation

__all__ = ["bar", "classes"]

# Of more classes only the weakest are shown at once; the others are folded.
_SHOWN = 30

_HEADS = ("class", "images", "recall", "95% interval", "precision", "F1")


def classes(evaluation: Evaluation) -> Section:
    """Shows a row for each class, the weakest first."""
    records = sorted(
        (record for record in evaluation.per_class if record["support"]),
        key=lambda record: record["recall"],
    )
    body = scrolling("Classes", table("", _HEADS, map(_row, records[:_SHOWN])))
    if records[_SHOWN:]:
        rest = table("", _HEADS, map(_row, records[_SHOWN:]))
        body += render("folded.html", title=f"The other {len(records) - _SHOWN:,}", body=rest)
    return Section("classes", "Classes", body, _lead(evaluation, records))


def bar(share: float) -> Markup:
    """Shows a share as a number on a bar of that length."""
    return Markup('<span class="bar" style="--w:{:.1f}%">{:.1%}</span>').format(100 * share, share)


def _row(record: ClassRecord) -> list[Markup | str]:
    return [
        record["class_name"],
        f"{record['support']:,}",
        bar(record["recall"]),
        show_interval(record["recall_interval"]),
        show_percent(record["precision"]),
        show_percent(record["f1"]),
    ]


def _lead(evaluation: Evaluation, records: list[ClassRecord]) -> str:
    words = (
        "Recall: the share of a class's images that are classified correctly. Precision: the share "
        "of predictions of a class that are correct. The weakest classes come first."
    )
    without = len(evaluation.class_names) - len(records)
    if without:
        words += f" {plural(without, 'class')} without images left out."
    return words
