"""The mistakes that the classifier is surest of, and where it looked."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from imgclf.report.page import Section, render
from imgclf.report.thumbnails import thumbnail

if TYPE_CHECKING:
    from imgclf.evaluation.evaluation import Evaluation
    from imgclf.explanation.explanation import Explanation

__all__ = ["image_name", "mistakes"]

# Of the heat over an image; with more the small image under it cannot be seen.
_STRENGTH = 0.55


def mistakes(
    evaluation: Evaluation, chosen: Any, explanation: Explanation | None = None
) -> Section | None:
    """A gallery.

    Args:
        evaluation: with the images.
        chosen: (N,) which, as `Evaluation.mistakes` gives them.
        explanation: heat maps of the first of them.
    """
    if evaluation.images is None:
        return None
    if not len(chosen):
        return Section("mistakes", "Mistakes", "There are none.")
    overlays = () if explanation is None else explanation.overlay(_STRENGTH)
    cards = []
    for place, number in enumerate(chosen):
        true = evaluation.class_names[evaluation.labels[number]]
        predicted = evaluation.class_names[evaluation.predictions[number]]
        sure = f"{evaluation.confidences[number]:.0%}"
        name = image_name(evaluation.images, int(number))
        image = thumbnail(
            np.asarray(evaluation.images[int(number)]), f"{name}: {true}, taken for {predicted}"
        )
        heat, unsure = "", False
        if explanation is not None and place < len(overlays):
            heat = thumbnail(overlays[place], f"{name}: where it looked for {predicted}")
            unsure = not explanation.agreement[place]
        cards.append(
            {
                "image": image,
                "heat": heat,
                "unsure": unsure,
                "true": true,
                "predicted": predicted,
                "sure": sure,
                "name": name,
            }
        )
    wrong = int(np.sum(~evaluation.correct))
    lead = f"{wrong:,} of {len(evaluation):,} images are named wrongly. "
    lead += "All are shown." if len(chosen) == wrong else "These are the surest of them."
    if explanation is not None and len(overlays):
        lead += (
            f" Beside an image: where it looked for the wrong answer ({explanation.method}). "
            "“Not confirmed”: covering that place does not lower the probability more than "
            "covering another."
        )
    lead += " Some may be the label's mistake, not the network's."
    return Section(
        "mistakes",
        "Mistakes",
        render("gallery.html", cards=cards, paired=bool(len(overlays))),
        lead,
    )


def image_name(images: Any, number: int) -> str:
    """The end of a file's path, or which image it is."""
    paths = getattr(images, "paths", None)
    if paths is None:
        return f"image {number}"
    return "/".join(PurePath(paths[number]).parts[-2:])
