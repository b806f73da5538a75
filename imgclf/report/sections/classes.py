"""Class by class: what is found, what is right, and how sure one can be of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from imgclf.formatting import plural
from imgclf.markup import table
from imgclf.report.page import Section, render

if TYPE_CHECKING:
    from imgclf.evaluation.evaluation import Evaluation

__all__ = ["bar", "classes"]

# Of more classes only the weakest are shown at once, the others when they are asked for.
_SHOWN = 30

_HEADS = ("class", "images", "recall", "95% interval", "precision", "F1")


def classes(evaluation: Evaluation) -> Section:
    """A row a class, the weakest first."""
    records = sorted(
        (record for record in evaluation.per_class if record["support"]),
        key=lambda record: record["recall"],
    )
    body = _scrolling(records[:_SHOWN])
    if records[_SHOWN:]:
        rest = table("", _HEADS, map(_row, records[_SHOWN:]))
        body += render("folded.html", title=f"The other {len(records) - _SHOWN:,}", body=rest)
    return Section("classes", "Class by class", body, _lead(evaluation, records))


def bar(share: float) -> Markup:
    """A part of 1 as a number and as the length of a bar."""
    return Markup('<span class="bar" style="--w:{:.1f}%">{:.1%}</span>').format(100 * share, share)


def _scrolling(records: list[dict[str, Any]]) -> Markup:
    return render("scroll.html", title="Class by class", body=table("", _HEADS, map(_row, records)))


def _row(record: dict[str, Any]) -> list[Any]:
    low, high = record["recall_interval"]
    return [
        record["class_name"],
        f"{record['support']:,}",
        bar(record["recall"]),
        f"{low:.1%} to {high:.1%}",
        f"{record['precision']:.1%}",
        f"{record['f1']:.1%}",
    ]


def _lead(evaluation: Evaluation, records: list[dict[str, Any]]) -> str:
    words = (
        "Recall is the part of a class that is named right; precision is the part of what gets "
        "the name that is right. The weakest classes come first."
    )
    without = len(evaluation.class_names) - len(records)
    if without:
        words += f" {plural(without, 'class')} without an image left out."
    return words
