"""Two numbers: the accuracy as it is, and without images that were trained on, too."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from imgclf.report.page import Section, render
from imgclf.report.thumbnails import thumbnail

if TYPE_CHECKING:
    from imgclf.evaluation.deduplicated import DeduplicatedScore

__all__ = ["duplicates"]

_PAIRS = 10


def duplicates(score: DeduplicatedScore, of_images: int) -> Section:
    """What was found, with some of the pairs.

    Args:
        score: as `deduplicated_score` gives it.
        of_images: how many images there are, if the score is of a sample.
    """
    title = "Duplicates"
    drawn = ""
    if score.num_images < of_images:
        drawn = (
            f" Looked at: {score.num_images:,} of {of_images:,}, drawn at random; "
            "imgclf evaluate --duplicates looks at all."
        )
    if not score.copies:
        return Section("duplicates", title, f"None is among those trained on.{drawn}")
    clean = "none is left"
    if math.isfinite(score.deduplicated_accuracy):
        low, high = score.deduplicated_interval
        clean = f"{score.deduplicated_accuracy:.1%} ({low:.1%} to {high:.1%})"
    low, high = score.interval
    facts = {
        "all of them": f"{score.accuracy:.1%} ({low:.1%} to {high:.1%})",
        "without duplicates": clean,
        "duplicates alone": f"{score.copies_accuracy:.1%} of {score.copies:,}",
        "with another class in training": f"{score.other_class:,}",
    }
    body = render("facts.html", facts=facts, note="")
    body += render("pairs.html", pairs=_pairs(score))
    lead = (
        f"{score.copies:,} of {score.num_images:,} images are among those trained on: "
        f"{score.exact:,} exactly, {score.near:,} nearly (brighter, shifted, saved anew).{drawn}"
    )
    return Section("duplicates", title, body, lead)


def _pairs(score: DeduplicatedScore) -> list[dict[str, Any]]:
    found = np.flatnonzero(score.partners >= 0)
    found = found[np.argsort(-score.similarity[found], kind="stable")]
    if len(found) > _PAIRS:
        found = found[np.linspace(0, len(found) - 1, _PAIRS).astype(int)]
    pairs = []
    for index in map(int, found):
        other = int(score.partners[index])
        name = score.test.class_names[score.test.labels[index]]
        named = score.train.class_names[score.train.labels[other]]
        pairs.append(
            {
                "image": thumbnail(
                    np.asarray(score.test.images[index]), f"judged image {index}: {name}"
                ),
                "other": thumbnail(
                    np.asarray(score.train.images[other]), f"training image {other}: {named}"
                ),
                "names": name if name == named else f"{name} / {named}",
                "alike": f"{score.similarity[index]:.2f} alike",
            }
        )
    return pairs
