"""Writes the report on a classifier: one HTML page, and a model card beside it."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from imgclf import checks
from imgclf.architecture.describe import describe
from imgclf.errors import ImgclfError
from imgclf.files import atomic
from imgclf.formatting import ordinal, plural, show_duration, show_percent
from imgclf.report.model_card import CardFacts, model_card
from imgclf.report.page import Section, page
from imgclf.report.protocol import ReportableClassifier
from imgclf.report.report_data import ReportData, collect_report_data
from imgclf.report.sections import run
from imgclf.report.sections.baselines import baselines
from imgclf.report.sections.calibration import calibration
from imgclf.report.sections.classes import classes
from imgclf.report.sections.confusion import confusion
from imgclf.report.sections.curves import curves
from imgclf.report.sections.data import data_set
from imgclf.report.sections.duplicates import duplicates
from imgclf.report.sections.label_errors import label_errors
from imgclf.report.sections.metrics import metrics
from imgclf.report.sections.mistakes import mistakes
from imgclf.report.sections.network import architecture, recipe_used
from imgclf.report.sections.robustness import robustness
from imgclf.report.sections.slices import slices
from imgclf.report.sections.summary import summary
from imgclf.training.loop.progress import announce
from imgclf.version import __version__

if TYPE_CHECKING:
    from imgclf.data.dataset import Dataset
    from imgclf.data.split import Split
    from imgclf.typing import StrPath, Verbose

__all__ = ["CARD", "write_report"]

# The name of the model card, beside the page.
CARD = "model-card.md"

# With fewer images the interval is wide.
_FEW = 200


def write_report(
    classifier: ReportableClassifier,
    path: StrPath,
    data: Dataset | Split,
    *,
    split: str | None = None,
    title: str | None = None,
    watts: float = run.WATTS,
    verbose: Verbose = "auto",
) -> Path:
    """Writes the page to `path`, and `model-card.md` beside it.

    Args:
        classifier: what the report is about.
        path: of the page.
        data: a `Dataset`, or a `Split` of images that were not trained on.
        split: which split of a data set is evaluated.
        title: of the page; made from the data's name if None.
        watts: power that the machine is assumed to draw while training.
        verbose: 0 for silence; otherwise each step is announced on stderr.

    Returns:
        The path.
    """
    page_path = checks.path("path", path)
    checks.one_of("verbose", verbose, ["auto", 0, 1, 2])
    if title is not None:
        checks.text("title", title)

    def say(line: str) -> None:
        announce(verbose, line)

    found = collect_report_data(
        classifier, data, split=split, title=title, watts=watts, announce=say
    )
    say("Writing the page")
    text = page(
        found.title,
        summary(found.evaluation, found.split, _warnings(found), _more_metrics(found)),
        _sections(found),
        footer=_footer(),
    )
    atomic.write_text(page_path, text)
    card = model_card(classifier, found.evaluation, _card_facts(found))
    atomic.write_text(page_path.with_name(CARD), card)
    return page_path


def _sections(found: ReportData) -> Iterator[Section | None]:
    """Yields the sections in order; a new one is one file in `sections` and one line here."""
    evaluation, classifier = found.evaluation, found.classifier
    yield confusion(evaluation)
    yield classes(evaluation)
    yield mistakes(evaluation, found.mistakes, found.explanation)
    yield label_errors(evaluation, evaluation.label_errors())
    validation = None if found.data is None else found.data.validation
    num_validation = None if validation is None else len(validation)
    yield calibration(evaluation, found.calibration, classifier.temperature, num_validation)
    yield slices(found.slices)
    yield robustness(found.robustness)
    yield baselines(found.baselines, evaluation)
    yield duplicates(found.duplicates, len(evaluation))
    yield metrics(evaluation)
    yield curves(classifier.history)
    yield data_set(found.data)
    yield _network(classifier)
    yield recipe_used(classifier.trained_recipe or classifier.recipe)
    yield run.test_evaluations(found.run.test_evaluations)
    yield run.cost(found.run.seconds, found.watts, found.num_images_seen)
    yield run.environment(found.run.versions, _left_out(found))


def _network(classifier: ReportableClassifier) -> Section:
    try:
        return architecture(describe(classifier), classifier.blocks)
    except ImgclfError as error:
        return Section("network", "Network", f"It cannot be described: {error}")


def _warnings(found: ReportData) -> list[str]:
    warnings = []
    if found.split == "validation":
        warnings.append(
            "Training used these images, for early stopping or to compare runs: the accuracy on "
            "new images is likely lower."
        )
    if found.split == "train":
        warnings.append(
            "The model was trained on these images: the accuracy says little about new ones."
        )
    number = found.evaluation.test_evaluation_number
    if number is not None and number > 1:
        warnings.append(
            f"This is the {ordinal(number)} evaluation on the test images of this run. Each test "
            "evaluation that guides what you do next makes the accuracy a little too optimistic."
        )
    if len(found.evaluation) < _FEW:
        warnings.append(
            f"Only {plural(len(found.evaluation), 'image')} were evaluated: the interval is wide."
        )
    return warnings


def _more_metrics(found: ReportData) -> dict[str, str]:
    more = {}
    score = found.duplicates
    # The accuracy on a sample does not belong beside that on all images.
    whole = score is not None and score.num_images == len(found.evaluation)
    if score is not None and whole and score.copies and math.isfinite(score.deduplicated_accuracy):
        more["without duplicates"] = show_percent(score.deduplicated_accuracy)
    if found.baselines is not None:
        best, images = found.baselines.best, found.baselines.num_test_images
        of_sample = "" if images == len(found.evaluation) else f", on a sample of {images:,}"
        more[f"best baseline ({best.name}{of_sample})"] = show_percent(best.accuracy)
    return more


def _left_out(found: ReportData) -> list[str]:
    """Says what could not be measured, and why."""
    return [f"No {_NAMES[name]}: {reason}" for name, reason in found.missing.items()]


_NAMES = {
    "explanation": "heat maps",
    "calibration": "temperature",
    "baselines": "baselines",
    "duplicates": "duplicates",
    "robustness": "damaged images",
}


def _card_facts(found: ReportData) -> CardFacts:
    training = []
    if found.run.seconds:
        energy = run.energy(found.run.seconds * found.watts / 3600)
        training.append(
            f"Time: {show_duration(found.run.seconds)}. Energy, estimated at {found.watts:g} W: "
            f"{energy}."
        )
    if found.run.versions:
        training.append(f"With {run.list_versions(found.run.versions)}.")
    return CardFacts(
        name=found.title,
        dataset=found.data.name if found.data else "data",
        split=found.split,
        num_train_images=len(found.data.train) if found.data else None,
        warnings=_warnings(found),
        results=list(_more_metrics(found).items()),
        training=training,
    )


def _footer() -> str:
    now = datetime.datetime.now().astimezone()
    return f"Made by imgclf {__version__} on {now:%Y-%m-%d at %H:%M}. One file; it loads nothing."
