"""Shows the accuracy on damaged images: blurred, dark, rotated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from imgclf.formatting import plural, show_percent
from imgclf.markup import table
from imgclf.report.page import Section, scrolling

if TYPE_CHECKING:
    from imgclf.evaluation.robustness import Robustness

__all__ = ["robustness"]


def robustness(card: Robustness | None) -> Section | None:
    """Shows a row for each kind of damage, a column for each severity.

    Args:
        card: as `Classifier.evaluate_robustness` returns it.
    """
    if card is None:
        return None
    rows = []
    for name, accuracies in card.accuracies.items():
        cells = [_cell(value, card.accuracy) for value in accuracies]
        rows.append([name, *cells, show_percent(float(np.mean(accuracies)))])
    steps = len(next(iter(card.accuracies.values())))
    heads = ["damage", *(f"severity {step}" for step in range(1, steps + 1)), "mean"]
    body = scrolling("Robustness", table("", heads, rows))
    undamaged = show_percent(card.accuracy, card.accuracy_interval)
    images, these = plural(card.num_images, "image"), ""
    if card.num_images < card.num_available:
        images = f"a random sample of {card.num_images:,} of {card.num_available:,} images"
        these = " these images"
    lead = (
        f"Accuracy on {images} that are damaged, from mild (1) to severe ({steps}). "
        f"Undamaged{these}: {undamaged}. Weakest against {card.weakest}."
    )
    return Section("robustness", "Robustness", body, lead)


def _cell(accuracy: float, whole: float) -> Markup:
    """Colors a cell by the share of the accuracy that is lost."""
    lost = min(max(1 - accuracy / whole, 0.0), 1.0) if whole else 0.0
    return Markup('<span class="lost" style="--a:{:.3f}">{:.1%}</span>').format(
        0.65 * lost, accuracy
    )
