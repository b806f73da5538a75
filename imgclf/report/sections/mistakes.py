"""The mistakes that the classifier is surest of, and where it looked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from imgclf.report.page import Section, render
from imgclf.report.thumbnails import thumbnail

if TYPE_CHECKING:
    from imgclf.evaluation.evaluation import Evaluation

__all__ = ["mistakes"]


def mistakes(evaluation: Evaluation, chosen: Any, overlays: Sequence[Any] = ()) -> Section | None:
    """A gallery.

    Args:
        evaluation: with the pictures.
        chosen: (N,) which, as `Evaluation.mistakes` gives them.
        overlays: for each of the first of them the picture under a heat map of what its
            prediction rests on, (height, width, 3) uint8.
    """
    if evaluation.images is None:
        return None
    if not len(chosen):
        return Section("mistakes", "Mistakes", "There are none.")
    cards = []
    for place, number in enumerate(chosen):
        true = evaluation.class_names[evaluation.labels[number]]
        predicted = evaluation.class_names[evaluation.predictions[number]]
        sure = f"{evaluation.confidences[number]:.0%}"
        name = _name(evaluation.images, int(number))
        picture = thumbnail(
            np.asarray(evaluation.images[int(number)]), f"{name}: {true}, taken for {predicted}"
        )
        heat = ""
        if place < len(overlays):
            heat = thumbnail(overlays[place], f"{name}: where it looked for {predicted}")
        cards.append(
            {
                "picture": picture,
                "heat": heat,
                "true": true,
                "predicted": predicted,
                "sure": sure,
                "name": name,
            }
        )
    wrong = int(np.sum(~evaluation.correct))
    lead = f"{wrong:,} of {len(evaluation):,} pictures are named wrongly. "
    lead += "It is all of them." if len(chosen) == wrong else "These are the surest of them."
    if len(overlays):
        lead += " Beside a picture: bright is what the wrong answer rests on (Grad-CAM)."
    lead += " Some may be the label's mistake, not the network's."
    return Section(
        "mistakes",
        "Mistakes",
        render("gallery.html", cards=cards, paired=bool(len(overlays))),
        lead,
    )


def _name(images: Any, number: int) -> str:
    paths = getattr(images, "paths", None)
    if paths is None:
        return f"picture {number}"
    return "/".join(PurePath(paths[number]).parts[-2:])
