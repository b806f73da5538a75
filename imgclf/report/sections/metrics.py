"""Every single figure with its doubt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgclf.evaluation.notebook import figure_rows
from imgclf.markup import table
from imgclf.report.page import Section, render

if TYPE_CHECKING:
    from imgclf.evaluation.evaluation import Evaluation

__all__ = ["figures"]


def figures(evaluation: Evaluation) -> Section:
    """A row a figure."""
    rows = table("", ["figure", "value", "95% interval"], figure_rows(evaluation))
    lead = (
        "Macro: each class counts alike. Weighted: as often as it has images. Other images of "
        "the same kind would give other figures; the interval says how far off."
    )
    return Section("figures", "Figures", render("scroll.html", title="Figures", body=rows), lead)
