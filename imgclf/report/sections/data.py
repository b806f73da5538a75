"""What it was trained and judged on: splits, classes, and what became of every file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgclf.markup import table
from imgclf.report.page import Section, render

if TYPE_CHECKING:
    from imgclf.data.dataset import Dataset

__all__ = ["data_ledger"]

_EXAMPLES = 12
_CLASSES = 60


def data_ledger(data: Dataset) -> Section:
    """The splits by class, the notes, and the ledger of the files if there is one."""
    splits = data.splits()
    counts = {title: split.label_counts() for title, split in splits.items()}
    rows = [
        [name, *(f"{counts[title][name]:,}" for title in splits)]
        for name in data.class_names[:_CLASSES]
    ]
    more = len(data.class_names) - len(rows)
    if more:
        rows.append([f"{more:,} more classes", *("" for _ in splits)])
    rows.append(["all", *(f"{len(split):,}" for split in splits.values())])
    losses = []
    if data.ledger is not None:
        losses = [row for row in data.ledger if row.fate in ("skipped", "duplicate")]
    height, width, channels = data.image_shape
    body = render(
        "data.html",
        table=table("", ["class", *splits], rows),
        notes=data.notes,
        totals={} if data.ledger is None else data.ledger.totals(),
        files=0 if data.ledger is None else len(data.ledger),
        losses=[(row.path, row.fate, row.reason) for row in losses[:_EXAMPLES]],
        more=len(losses) - _EXAMPLES,
    )
    lead = f"{data.name}: images of {height}×{width}×{channels}, as the network sees them."
    return Section("data", "Data", body, lead)
