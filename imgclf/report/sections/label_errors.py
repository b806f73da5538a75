"""Labels that are likely wrong: a person has to look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from imgclf.report.page import Section, render
from imgclf.report.sections.mistakes import image_name
from imgclf.report.thumbnails import thumbnail

if TYPE_CHECKING:
    from imgclf.evaluation.evaluation import Evaluation
    from imgclf.evaluation.label_errors import LabelError

__all__ = ["label_errors"]

_SHOWN = 12


def label_errors(evaluation: Evaluation, suspected: Sequence[LabelError]) -> Section | None:
    """The likeliest, as images.

    Args:
        evaluation: with the images.
        suspected: as `Evaluation.label_errors` gives them.
    """
    if evaluation.images is None:
        return None
    title = "Labels in doubt"
    if not suspected:
        return Section("labels", title, "None, by confident learning.")
    cards = []
    for one in suspected[:_SHOWN]:
        name = image_name(evaluation.images, one.index)
        alt = f"{name}: labelled {one.label}, perhaps {one.suggested}"
        cards.append(
            {
                "image": thumbnail(np.asarray(evaluation.images[one.index]), alt),
                "label": one.label,
                "suggested": one.suggested,
                "sure": f"{one.suggested_probability:.0%}",
                "name": name,
            }
        )
    lead = (
        f"{len(suspected):,} of {len(evaluation):,} labels may be wrong, by confident learning. "
        "The network's own systematic mistakes are among them: only looking tells."
    )
    return Section("labels", title, render("doubts.html", cards=cards), lead)
