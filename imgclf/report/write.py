"""Writes what is known about a classifier as one page, with a model card beside it."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgclf.architecture.describe import describe
from imgclf.errors import ImgclfError
from imgclf.files import atomic
from imgclf.formatting import ordinal, show_duration
from imgclf.report.model_card import CardFacts, model_card
from imgclf.report.page import Section, page
from imgclf.report.report_data import Material, gather
from imgclf.report.sections import run
from imgclf.report.sections.baselines import baselines_beaten
from imgclf.report.sections.calibration import calibration
from imgclf.report.sections.classes import classes
from imgclf.report.sections.confusion import confusion
from imgclf.report.sections.curves import curves
from imgclf.report.sections.data import data_ledger
from imgclf.report.sections.duplicates import duplicates
from imgclf.report.sections.label_errors import label_errors
from imgclf.report.sections.metrics import figures
from imgclf.report.sections.mistakes import mistakes
from imgclf.report.sections.network import architecture, recipe_used
from imgclf.report.sections.robustness import robustness
from imgclf.report.sections.slices import slices
from imgclf.report.sections.summary import summary
from imgclf.training.loop.progress import announce

if TYPE_CHECKING:
    from imgclf.classifier.classifier import Classifier

__all__ = ["CARD", "write_report"]

# The name of the model card, beside the page.
CARD = "model-card.md"

# With fewer images the interval is wide.
_FEW = 200


def write_report(
    classifier: Classifier,
    path: Path,
    data: Any,
    *,
    split: str | None = None,
    title: str | None = None,
    watts: float = run.WATTS,
    verbose: Any = "auto",
) -> Path:
    """`Classifier.report`: the page, and beside it `model-card.md`."""

    def tell(what: str) -> None:
        announce(verbose, what)

    material = gather(classifier, data, split=split, title=title, watts=watts, tell=tell)
    tell("Writing the page")
    text = page(
        material.title,
        summary(material.evaluation, material.split, _warnings(material), _more(material)),
        _sections(material),
        footer=_footer(),
    )
    atomic.write_text(path, text)
    card = model_card(classifier, material.evaluation, _facts(material))
    atomic.write_text(path.with_name(CARD), card)
    return path


def _sections(material: Material) -> Iterator[Section | None]:
    evaluation, classifier = material.evaluation, material.classifier
    yield confusion(evaluation)
    yield classes(evaluation)
    yield mistakes(evaluation, material.mistakes, material.explanation)
    yield label_errors(evaluation, evaluation.label_errors())
    yield calibration(evaluation, material.calibrated, classifier.temperature)
    yield slices(material.slices)
    if material.robustness is not None:
        yield robustness(material.robustness)
    if material.baselines is not None:
        yield baselines_beaten(material.baselines, evaluation)
    if material.duplicates is not None:
        yield duplicates(material.duplicates, len(evaluation))
    yield figures(evaluation)
    yield curves(classifier.history) if classifier.history else None
    yield None if material.data is None else data_ledger(material.data)
    yield _network(classifier)
    yield recipe_used(classifier.recipe)
    yield run.looks(material.facts.looks)
    yield run.cost(material.facts.seconds, material.watts, _seen(material))
    yield run.environment(material.facts.versions, _left_out(material))


def _network(classifier: Classifier) -> Section:
    try:
        return architecture(describe(classifier), classifier.blocks)
    except ImgclfError as error:
        return Section("network", "Network", f"It cannot be described: {error}")


def _warnings(material: Material) -> list[str]:
    warnings = []
    if material.split == "validation":
        warnings.append(
            "These images were looked at while training: for stopping, and for choosing between "
            "runs. On new ones the accuracy will be lower, if anything."
        )
    if material.split == "train":
        warnings.append("It was trained on these images: the figure says little about new ones.")
    look = material.evaluation.test_evaluation_number
    if look is not None and look > 1:
        warnings.append(
            f"This is the {ordinal(look)} look at the test images of this run. Each look that "
            "changes what is done next makes the figure a little too good."
        )
    few = len(material.evaluation)
    if few < _FEW:
        warnings.append(f"{few:,} images are few: mind the interval.")
    return warnings


def _more(material: Material) -> dict[str, str]:
    more = {}
    score = material.duplicates
    # The figure of a sample does not belong beside that of all.
    whole = score is not None and score.num_images == len(material.evaluation)
    if score is not None and whole and score.copies and math.isfinite(score.deduplicated_accuracy):
        more["without duplicates"] = f"{score.deduplicated_accuracy:.1%}"
    if material.baselines is not None:
        best = material.baselines.best
        more[f"best baseline ({best.name})"] = f"{best.accuracy:.1%}"
    return more


def _left_out(material: Material) -> list[str]:
    """What could not be had, in words."""
    return [f"No {_IN_WORDS[name]}: {reason}" for name, reason in material.missing.items()]


_IN_WORDS = {
    "explanation": "heat maps",
    "calibrated": "temperature",
    "baselines": "baselines",
    "duplicates": "duplicates",
    "robustness": "damaged images",
}


def _facts(material: Material) -> CardFacts:
    training = []
    if material.facts.seconds:
        training.append(
            f"Time: {show_duration(material.facts.seconds)}. Energy, estimated at "
            f"{material.watts:g} W: {run.energy(material.facts.seconds * material.watts / 3600)}."
        )
    if material.facts.versions:
        training.append(f"With {run.listed(material.facts.versions)}.")
    return CardFacts(
        name=material.title,
        dataset=material.data.name if material.data else "data",
        split=material.split,
        train_images=len(material.data.train) if material.data else None,
        warnings=_warnings(material),
        results=list(_more(material).items()),
        training=training,
    )


def _seen(material: Material) -> int | None:
    epochs = max((len(values) for values in material.classifier.history.values()), default=0)
    if material.data is None or not epochs:
        return None
    return epochs * len(material.data.train)


def _footer() -> str:
    from imgclf import __version__

    now = datetime.datetime.now().astimezone()
    return f"Made by imgclf {__version__} on {now:%Y-%m-%d at %H:%M}. One file; it loads nothing."
