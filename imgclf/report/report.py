"""Gathers what is known about a classifier and writes it as one page, with a model card beside it.

Each section is made of one thing. What is not there is left out; what costs much is looked at in a
sample; and what fails is named on the page, where it would have stood.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgclf import checks
from imgclf.architecture.describe import describe
from imgclf.data.dataset import Dataset
from imgclf.data.split import Split
from imgclf.errors import ArgumentTypeError, ImgclfError
from imgclf.files import atomic
from imgclf.report.model_card import CardFacts, model_card
from imgclf.report.page import Section, page
from imgclf.report.run_facts import RunFacts, read_run
from imgclf.report.sections import run
from imgclf.report.sections.calibration import calibration
from imgclf.report.sections.classes import classes
from imgclf.report.sections.confusion import confusion
from imgclf.report.sections.curves import curves
from imgclf.report.sections.data import data_ledger
from imgclf.report.sections.mistakes import mistakes
from imgclf.report.sections.network import architecture, recipe_used
from imgclf.report.sections.summary import summary
from imgclf.training.progress import announce

if TYPE_CHECKING:
    from imgclf.classifier import Classifier
    from imgclf.evaluation.evaluation import Evaluation

__all__ = ["CARD", "Material", "gather", "judged_split", "write_report"]

# The name of the model card, beside the page.
CARD = "model-card.md"

# Pictures in the gallery.
_MISTAKES = 24


@dataclasses.dataclass(frozen=True)
class Material:
    """What a report is made of.

    Args:
        title: of the page.
        classifier: whose report it is.
        evaluation: what it is worth.
        split: the name of the split that was evaluated.
        data: the whole data, if it is known.
        run: what the run folder says.
        watts: what the machine is taken to draw while training.
    """

    title: str
    classifier: Classifier
    evaluation: Evaluation
    split: str
    data: Dataset | None = None
    facts: RunFacts = dataclasses.field(default_factory=RunFacts)
    watts: float = run.WATTS


def write_report(
    classifier: Classifier,
    path: Path,
    data: Any,
    *,
    split: str | None = None,
    run_dir: Any = None,
    title: str | None = None,
    watts: float = run.WATTS,
    verbose: Any = "auto",
) -> Path:
    """`Classifier.report`: the page, and beside it `model-card.md`."""

    def tell(what: str) -> None:
        announce(verbose, what)

    material = gather(
        classifier, data, split=split, run_dir=run_dir, title=title, watts=watts, tell=tell
    )
    _write(path, _html(material, tell))
    _write(path.with_name(CARD), model_card(classifier, material.evaluation, _facts(material)))
    return path


def judged_split(data: Any, split: str | None = None) -> tuple[str, Split]:
    """The pictures to judge by: those that are asked for, else test, validation, or all there are.

    Args:
        data: a `Dataset` or a `Split`; a split is taken for pictures that were not trained on.
        split: "train", "validation" or "test".
    """
    if isinstance(data, Split):
        return "test", data
    if not isinstance(data, Dataset):
        raise ArgumentTypeError(
            "`data` must be a Dataset, such as load_digits() gives, or a Split. "
            + checks.received("data", data)
        )
    splits = data.splits()
    if split is not None:
        return split, splits[checks.one_of("split", split, list(splits))]
    return next((name, splits[name]) for name in ("test", "validation", "train") if name in splits)


def gather(
    classifier: Classifier,
    data: Any,
    *,
    split: str | None,
    run_dir: Any,
    title: str | None,
    watts: float,
    tell: Callable[[str], None],
) -> Material:
    """Evaluates, and reads what else there is."""
    checks.number("watts", watts, low=0, above=True)
    name, pictures = judged_split(data, split)
    tell(f"Evaluating {len(pictures):,} {name} pictures")
    return Material(
        title=title or _title(data),
        classifier=classifier,
        evaluation=classifier.evaluate(pictures),
        split=name,
        data=data if isinstance(data, Dataset) else None,
        facts=read_run(None if run_dir is None else checks.existing_path("run_dir", run_dir)),
        watts=watts,
    )


def _html(material: Material, tell: Callable[[str], None]) -> str:
    return page(
        material.title,
        summary(material.evaluation, material.split, _warnings(material)),
        _sections(material, tell),
        footer=_footer(),
    )


def _write(path: Path, text: str) -> None:
    atomic.write_text(path, text)


def _sections(material: Material, tell: Callable[[str], None]) -> Iterator[Section | None]:
    evaluation, classifier = material.evaluation, material.classifier
    yield confusion(evaluation)
    yield classes(evaluation)
    tell("Looking at the mistakes")
    yield mistakes(evaluation, evaluation.mistakes(_MISTAKES))
    yield calibration(evaluation)
    yield curves(classifier.history) if classifier.history else None
    yield None if material.data is None else data_ledger(material.data)
    yield _or_why(
        "network", "Network", lambda: architecture(describe(classifier), classifier.blocks)
    )
    yield recipe_used(classifier.recipe)
    yield run.cost(material.facts.seconds, material.watts, _seen(material))
    yield run.environment(material.facts.versions)


def _or_why(name: str, title: str, make: Callable[[], Section | None]) -> Section | None:
    """The section, or one that says why it is not there."""
    try:
        return make()
    except ImgclfError as error:
        return Section(name, title, f"Not here: {error}")


def _warnings(material: Material) -> list[str]:
    warnings = []
    if material.split == "validation":
        warnings.append(
            "These pictures were looked at while training: for stopping, and for choosing between "
            "runs. On new ones the accuracy will be lower, if anything."
        )
    if material.split == "train":
        warnings.append("It was trained on these pictures: the figure says little about new ones.")
    few = len(material.evaluation)
    if few < 200:
        warnings.append(f"{few:,} pictures are few: mind the interval.")
    return warnings


def _facts(material: Material) -> CardFacts:
    training = []
    if material.facts.seconds:
        hours = material.facts.seconds / 3600
        training.append(
            f"Time: {run.duration(material.facts.seconds)}. Energy, estimated at "
            f"{material.watts:g} W: {hours * material.watts:.3g} Wh."
        )
    if material.facts.versions:
        training.append(f"With {run.listed(material.facts.versions)}.")
    return CardFacts(
        name=material.title,
        dataset=material.data.name if material.data else "data",
        split=material.split,
        train_images=len(material.data.train) if material.data else None,
        warnings=_warnings(material),
        training=training,
    )


def _seen(material: Material) -> int | None:
    epochs = max((len(values) for values in material.classifier.history.values()), default=0)
    if material.data is None or not epochs:
        return None
    return epochs * len(material.data.train)


def _title(data: Any) -> str:
    return f"Image classifier: {data.name}" if isinstance(data, Dataset) else "Image classifier"


def _footer() -> str:
    from imgclf import __version__

    now = datetime.datetime.now().astimezone()
    return f"Made by imgclf {__version__} on {now:%Y-%m-%d at %H:%M}. One file; it loads nothing."
