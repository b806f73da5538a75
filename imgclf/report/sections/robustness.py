"""What is left of the accuracy when images are blurred, dark, askew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from imgclf.markup import table
from imgclf.report.page import Section, render

if TYPE_CHECKING:
    from imgclf.evaluation.robustness import Robustness

__all__ = ["robustness"]


def robustness(card: Robustness) -> Section:
    """A row a kind of damage, a column a step.

    Args:
        card: as `Classifier.robustness` gives it.
    """
    rows = []
    for name, accuracies in card.accuracies.items():
        cells = [_cell(value, card.accuracy) for value in accuracies]
        rows.append([name, *cells, f"{np.mean(accuracies):.1%}"])
    steps = len(next(iter(card.accuracies.values())))
    heads = ["damage", *(f"step {step}" for step in range(1, steps + 1)), "mean"]
    body = render("scroll.html", title="Robustness", body=table("", heads, rows))
    low, high = card.accuracy_interval
    lead = (
        f"Accuracy on {card.num_images:,} images that were damaged in steps from mild (1) to "
        f"severe ({steps}); as they are: {card.accuracy:.1%} ({low:.1%} to {high:.1%}). "
        f"Worst: {card.weakest}."
    )
    return Section("robustness", "Robustness", body, lead)


def _cell(accuracy: float, whole: float) -> Markup:
    """The colour says how much of the accuracy is lost."""
    lost = min(max(1 - accuracy / whole, 0.0), 1.0) if whole else 0.0
    return Markup('<span class="lost" style="--a:{:.3f}">{:.1%}</span>').format(
        0.65 * lost, accuracy
    )
