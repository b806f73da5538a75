"""Shows the accuracy without images that are in the training data, too."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from imgclf.formatting import show_percent
from imgclf.report.page import Section, render
from imgclf.report.thumbnails import thumbnail

if TYPE_CHECKING:
    from imgclf.evaluation.deduplicated import DeduplicatedScore

__all__ = ["duplicates"]

_PAIRS = 10


def duplicates(score: DeduplicatedScore | None, num_images: int) -> Section | None:
    """Shows what was found, with some of the pairs.

    Args:
        score: as `deduplicated_score` returns it.
        num_images: how many images there are; the score may be of a sample.
    """
    if score is None:
        return None
    title, sampled = "Duplicates", ""
    if score.num_images < num_images:
        sampled = (
            f" Searched: a random sample of {score.num_images:,} of {num_images:,}; "
            "imgclf evaluate --duplicates searches all."
        )
    if not score.copies:
        return Section("duplicates", title, f"No image is in the training data.{sampled}")
    clean = "none left"
    if math.isfinite(score.deduplicated_accuracy):
        clean = show_percent(score.deduplicated_accuracy, score.deduplicated_interval)
    everything = "this sample" if sampled else "all images"
    facts = {
        everything: show_percent(score.accuracy, score.interval),
        "without duplicates": clean,
        "duplicates only": f"{score.copies_accuracy:.1%} of {score.copies:,}",
        "with another label in training": f"{score.other_class:,}",
    }
    body = render("facts.html", facts=facts, note="")
    body += render("pairs.html", pairs=_pairs(score))
    lead = (
        f"{score.copies:,} of {score.num_images:,} images are in the training data: "
        f"{score.exact:,} exactly, {score.near:,} nearly (brighter, shifted, compressed again)."
        f"{sampled}"
    )
    return Section("duplicates", title, body, lead)


def _pairs(score: DeduplicatedScore) -> list[dict[str, Markup | str]]:
    found = np.flatnonzero(score.partners >= 0)
    found = found[np.argsort(-score.similarity[found], kind="stable")]
    if len(found) > _PAIRS:
        found = found[np.linspace(0, len(found) - 1, _PAIRS).astype(int)]
    return [_pair(score, int(index), int(score.partners[index])) for index in found]


def _pair(score: DeduplicatedScore, index: int, partner: int) -> dict[str, Markup | str]:
    name = score.test.class_names[score.test.labels[index]]
    other = score.train.class_names[score.train.labels[partner]]
    return {
        "image": thumbnail(score.test.images[index], f"evaluated image {index}: {name}"),
        "other": thumbnail(score.train.images[partner], f"training image {partner}: {other}"),
        "names": name if name == other else f"{name} / {other}",
        "similarity": f"similarity {score.similarity[index]:.2f}",
    }
