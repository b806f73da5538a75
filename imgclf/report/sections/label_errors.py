"""Shows label error candidates: labels that a person should check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from imgclf.report.page import Section, render
from imgclf.report.sections.mistakes import image_name
from imgclf.report.thumbnails import thumbnail

if TYPE_CHECKING:
    from imgclf.evaluation.evaluation import Evaluation
    from imgclf.evaluation.label_errors import LabelError

__all__ = ["label_errors"]

_SHOWN = 12


def label_errors(evaluation: Evaluation, candidates: Sequence[LabelError]) -> Section | None:
    """Shows the likeliest as images.

    Args:
        evaluation: with the images.
        candidates: as `Evaluation.label_errors` returns them.
    """
    if evaluation.images is None:
        return None
    title = "Label error candidates"
    if not candidates:
        return Section("label-errors", title, "None found by confident learning.")
    cards = []
    for one in candidates[:_SHOWN]:
        name = image_name(evaluation.images, one.index)
        alt = f"{name}: labelled {one.label}, perhaps {one.suggested}"
        cards.append(
            {
                "image": thumbnail(evaluation.images[one.index], alt),
                "label": one.label,
                "suggested": one.suggested,
                "probability": f"{one.suggested_probability:.0%}",
                "name": name,
            }
        )
    lead = (
        f"{len(candidates):,} of {len(evaluation):,} labels may be wrong, by confident learning. "
        "Systematic mistakes of the network look the same: check the images."
    )
    return Section("label-errors", title, render("label_errors.html", cards=cards), lead)
