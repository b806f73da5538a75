"""Shows the most confident mistakes, with heat maps."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np

from imgclf.report.page import Section, render
from imgclf.report.thumbnails import thumbnail

if TYPE_CHECKING:
    from imgclf.data.image_files import ImageFiles
    from imgclf.evaluation.evaluation import Evaluation
    from imgclf.explanation.explanation import Explanation

__all__ = ["image_name", "mistakes"]

# Opacity of the heat; with more, the small image under it cannot be recognised.
_STRENGTH = 0.55


def mistakes(
    evaluation: Evaluation, chosen: np.ndarray, explanation: Explanation | None = None
) -> Section | None:
    """Shows a gallery.

    Args:
        evaluation: with the images.
        chosen: (N,) indices, as `Evaluation.mistakes` returns them.
        explanation: heat maps of the first of them.
    """
    if evaluation.images is None:
        return None
    if not len(chosen):
        return Section("mistakes", "Mistakes", "There are none.")
    heat_maps = [] if explanation is None else list(explanation.overlay(_STRENGTH))
    cards = []
    for place, number in enumerate(map(int, chosen)):
        true = evaluation.class_names[evaluation.labels[number]]
        predicted = evaluation.class_names[evaluation.predictions[number]]
        name = image_name(evaluation.images, number)
        alt = f"{name}: {true}, predicted as {predicted}"
        card = {
            "image": thumbnail(evaluation.images[number], alt),
            "heat": "",
            "unconfirmed": False,
            "true": true,
            "predicted": predicted,
            "confidence": f"{evaluation.confidences[number]:.0%}",
            "name": name,
        }
        if explanation is not None and place < len(heat_maps):
            card["heat"] = thumbnail(heat_maps[place], f"{name}: heat map for {predicted}")
            card["unconfirmed"] = not explanation.agreement[place]
        cards.append(card)
    body = render("gallery.html", cards=cards, paired=bool(heat_maps))
    method = explanation.method if explanation is not None and heat_maps else None
    return Section("mistakes", "Mistakes", body, _lead(evaluation, len(chosen), method))


def _lead(evaluation: Evaluation, shown: int, method: str | None) -> str:
    wrong = int(np.sum(~evaluation.correct))
    lead = f"{wrong:,} of {len(evaluation):,} images are misclassified. "
    lead += "All are shown." if shown == wrong else "These are the most confident mistakes."
    if method is not None:
        lead += (
            f" The heat map beside an image shows what led to the prediction ({method}). “Not "
            "confirmed”: covering that region does not lower the probability more than covering "
            "another."
        )
    return f"{lead} In some, the label may be wrong."


def image_name(images: np.ndarray | ImageFiles, number: int) -> str:
    """Returns the end of a file's path, or the index of an image without a file."""
    paths = getattr(images, "paths", None)
    if paths is None:
        return f"image {number}"
    return "/".join(PurePath(paths[number]).parts[-2:])
