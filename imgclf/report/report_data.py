"""Collects what a report shows: measures first, so that sections only display.

Expensive measurements use a sample, so that a report takes some seconds more than the evaluation.
What cannot be measured is left out, with the reason.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from imgclf import checks
from imgclf.data.dataset import Dataset
from imgclf.data.image_files import ImageFiles
from imgclf.data.split import Split
from imgclf.errors import ArgumentTypeError, DataError, ImgclfError
from imgclf.evaluation.baselines import Baselines, baselines
from imgclf.evaluation.calibration.temperature import (
    Calibration,
    cross_validated_losses,
    fit_temperature,
)
from imgclf.evaluation.deduplicated import DeduplicatedScore, deduplicated_score
from imgclf.evaluation.evaluation import Evaluation
from imgclf.evaluation.robustness import SAMPLE
from imgclf.report.protocol import ReportableClassifier
from imgclf.report.run_facts import RunFacts, read_run
from imgclf.report.sections.slices import find_slices

if TYPE_CHECKING:
    from imgclf.evaluation.robustness import Robustness
    from imgclf.evaluation.slices import Slice
    from imgclf.explanation.explanation import Explanation

__all__ = ["ReportData", "collect_report_data", "evaluated_split"]

# Mistakes in the gallery, and those of them that get a heat map.
_MISTAKES, _HEAT_MAPS = 24, 12

# Images that a temperature is fitted on.
_CALIBRATION_IMAGES = 2_000

# Images that the time of a prediction is measured on.
_TIMED_IMAGES = 200

# Seconds that heat maps, and damaged images, may take, estimated from the time of a prediction.
_SECONDS, _SECONDS_DAMAGED = 12.0, 30.0

# Predictions per image: six kinds of damage at five severities, and undamaged; a heat map with its
# occlusion test.
_PREDICTIONS_DAMAGED, _PREDICTIONS_HEAT_MAP = 31, 40

# Pairs of an evaluated and a training image that are compared: some 2,000 of CIFAR-10's test images
# with all training images, which takes 11 seconds of one core. The second is the least number of
# evaluated images.
_MAX_PAIRS, _MIN_IMAGES = 100_000_000, 500

# Files that are read to find duplicates.
_MAX_FILES = 5_000

_SMALLEST = np.finfo(np.float32).tiny

_Measured = TypeVar("_Measured")


@dataclasses.dataclass(frozen=True)
class ReportData:
    """What a report shows. A field is None if it could not be measured; `missing` may say why.

    Args:
        title: of the page.
        classifier: what the report is about.
        evaluation: on `split`.
        split: the name of the split that was evaluated; "" if it has no role.
        data: the whole data set, if it is known.
        run: what the run folder says.
        watts: power that the machine is assumed to draw while training.
        mistakes: (N,) indices of the images in the gallery.
        explanation: heat maps of the first of them.
        calibration: what a temperature fitted on the validation images would change.
        slices: by kind.
        baselines: what simple methods reach.
        duplicates: the accuracy without images that are in the training data.
        robustness: the accuracy on damaged images.
        missing: reasons, by the name of a field.
    """

    title: str
    classifier: ReportableClassifier
    evaluation: Evaluation
    split: str
    data: Dataset | None
    run: RunFacts
    watts: float
    mistakes: np.ndarray
    explanation: Explanation | None
    calibration: Calibration | None
    slices: dict[str, list[Slice]]
    baselines: Baselines | None
    duplicates: DeduplicatedScore | None
    robustness: Robustness | None
    missing: dict[str, str]

    @property
    def num_images_seen(self) -> int | None:
        """Training images times epochs, if both are known."""
        epochs = max((len(values) for values in self.classifier.history.values()), default=0)
        return epochs * len(self.data.train) if self.data is not None and epochs else None


def collect_report_data(
    classifier: ReportableClassifier,
    data: Dataset | Split,
    *,
    split: str | None,
    title: str | None,
    watts: float,
    announce: Callable[[str], None],
) -> ReportData:
    """Measures everything that a report shows.

    Args:
        classifier: what the report is about.
        data: a `Dataset`, or a `Split` of images that were not trained on.
        split: which split of a data set is evaluated.
        title: of the page; made from the data's name if None.
        watts: power that the machine is assumed to draw while training.
        announce: called with a line on each step.
    """
    checks.number("watts", watts, low=0, above=True)
    name, images = evaluated_split(data, split)
    announce(f"Evaluating {len(images):,} {name} images")
    evaluation = classifier.evaluate(images)
    if evaluation.num_left_out:  # what was trained on is in no section
        images = Split(evaluation.images, evaluation.labels, evaluation.class_names, images.role)
    seconds = _seconds_per_image(classifier, images)
    whole = data if isinstance(data, Dataset) else None
    missing: dict[str, str] = {}

    def attempt(field: str, step: str, measure: Callable[[], _Measured]) -> _Measured | None:
        announce(step)
        try:
            return measure()
        except ImgclfError as error:
            missing[field] = str(error)
            return None

    mistakes = evaluation.mistakes(_MISTAKES)
    explained = mistakes[: _affordable(_HEAT_MAPS, _PREDICTIONS_HEAT_MAP, seconds)]
    return ReportData(
        title=title or ("Image classifier" if whole is None else f"Image classifier: {whole.name}"),
        classifier=classifier,
        evaluation=evaluation,
        split=name,
        data=whole,
        run=read_run(classifier.run_dir),
        watts=watts,
        mistakes=mistakes,
        explanation=attempt(
            "explanation", "Explaining mistakes", lambda: _explain(classifier, images, explained)
        ),
        calibration=attempt(
            "calibration",
            "Measuring calibration",
            lambda: _calibrate(classifier, evaluation, whole, name),
        ),
        slices=find_slices(evaluation),
        baselines=attempt("baselines", "Training baselines", lambda: _baselines(whole, name)),
        duplicates=attempt(
            "duplicates",
            "Searching the training images for duplicates",
            lambda: _duplicates(evaluation, whole, images, name),
        ),
        robustness=attempt(
            "robustness",
            "Evaluating on damaged images",
            lambda: _robustness(classifier, images, seconds),
        ),
        missing=missing,
    )


def evaluated_split(data: Dataset | Split, split: str | None = None) -> tuple[str, Split]:
    """Returns the split to evaluate on: the one asked for, else test, validation or train.

    Args:
        data: a `Dataset` or a `Split`.
        split: of a data set: "train", "validation" or "test".

    Returns:
        The name of the split, "" if it has no role, and the split.
    """
    if isinstance(data, Split):
        return data.role or "", data
    if not isinstance(data, Dataset):
        raise ArgumentTypeError(
            "`data` must be a Dataset, such as load_digits() gives, or a Split. "
            + checks.received("data", data)
        )
    splits = data.splits()
    if split is not None:
        return split, splits[checks.one_of("split", split, list(splits))]
    return next((name, splits[name]) for name in ("test", "validation", "train") if name in splits)


def _seconds_per_image(classifier: ReportableClassifier, images: Split) -> float:
    """Times a prediction, start-up not counted: `evaluate` has run before."""
    few = images[:_TIMED_IMAGES]
    started = time.perf_counter()
    classifier.predict_proba(few)
    return (time.perf_counter() - started) / len(few)


def _affordable(wanted: int, predictions: int, seconds: float) -> int:
    """Returns how many of the images wanted fit the time."""
    return int(min(wanted, _SECONDS / (predictions * seconds)))


def _explain(
    classifier: ReportableClassifier, images: Split, chosen: np.ndarray
) -> Explanation | None:
    return classifier.explain(np.asarray(images.images[chosen])) if len(chosen) else None


def _calibrate(
    classifier: ReportableClassifier, evaluation: Evaluation, data: Dataset | None, split: str
) -> Calibration | None:
    """Measures what `Classifier.calibrate` would change; leaves the classifier as it is."""
    if data is None or data.validation is None or split == "validation":
        return None
    if classifier.temperature != 1.0:
        return None
    validation = _sample(data.validation, _CALIBRATION_IMAGES)
    scores = classifier.predict_proba(validation)
    fitted = fit_temperature(_logits(scores), validation.labels)
    return Calibration.measured(
        fitted,
        len(validation),
        _logits(evaluation.probabilities),
        evaluation.labels,
        on_others=True,
        cross_validated=cross_validated_losses(_logits(scores), validation.labels),
    )


def _logits(probabilities: np.ndarray) -> np.ndarray:
    """Returns logits up to a constant per image, which a softmax cancels."""
    return np.log(np.maximum(probabilities, _SMALLEST))


def _baselines(data: Dataset | None, split: str) -> Baselines | None:
    if data is None or split == "train":
        return None
    return baselines(data, split)


def _duplicates(
    evaluation: Evaluation, data: Dataset | None, images: Split, split: str
) -> DeduplicatedScore | None:
    if data is None or split == "train":
        return None
    files = len(data.train) + len(images)
    if isinstance(data.train.images, ImageFiles) and files > _MAX_FILES:
        raise DataError(
            f"all {files:,} files would have to be read. `imgclf evaluate --duplicates` does so."
        )
    rows = _rows(len(images), max(_MAX_PAIRS // len(data.train), _MIN_IMAGES))
    sampled = Evaluation(
        evaluation.labels[rows], evaluation.probabilities[rows], evaluation.class_names
    )
    return deduplicated_score(sampled, data.train, images[rows], mirrored=data.flip_safe)


def _robustness(
    classifier: ReportableClassifier, images: Split, seconds: float
) -> Robustness | None:
    # The images that `imgclf evaluate --robustness` takes, or none: each metric has one value.
    total = min(len(images), SAMPLE) * _PREDICTIONS_DAMAGED * seconds
    if total > _SECONDS_DAMAGED:
        raise DataError(
            f"it would take {total:,.0f} s. `imgclf evaluate --robustness` measures it."
        )
    # Without a role: this evaluation of the test images has been counted already.
    return classifier.evaluate_robustness(dataclasses.replace(images, role=None), sample=SAMPLE)


def _sample(split: Split, most: int) -> Split:
    return split if len(split) <= most else split[_rows(len(split), most)]


def _rows(count: int, most: int) -> np.ndarray:
    """Returns all rows, or a random sample of them."""
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, most, replace=False))
