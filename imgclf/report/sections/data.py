"""Shows the data: splits, classes, and what happened to each file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgclf.data.notebook import count_rows
from imgclf.markup import table
from imgclf.report.page import Section, render

if TYPE_CHECKING:
    from imgclf.data.dataset import Dataset

__all__ = ["data_set"]

_EXAMPLES = 12
_CLASSES = 60


def data_set(data: Dataset | None) -> Section | None:
    """Shows images by class and split, the notes, and the ledger of the files if there is one."""
    if data is None:
        return None
    lost = []
    if data.ledger is not None:
        lost = [row for row in data.ledger if row.fate in ("skipped", "duplicate")]
    height, width, channels = data.image_shape
    body = render(
        "data.html",
        table=table("", ["class", *data.splits()], count_rows(data.splits(), _CLASSES)),
        notes=data.notes,
        totals={} if data.ledger is None else data.ledger.totals(),
        files=0 if data.ledger is None else len(data.ledger),
        losses=[(row.path, row.fate, row.reason) for row in lost[:_EXAMPLES]],
        more=len(lost) - _EXAMPLES,
    )
    lead = f"{data.name}: images of {height}×{width}×{channels}, as the network takes them."
    return Section("data", "Data", body, lead)
