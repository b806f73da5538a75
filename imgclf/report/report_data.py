"""What a report is made of: measured first, shown later.

What costs much is looked at in a sample, so that a report takes some seconds more than the
evaluation itself. What cannot be had is left out, with the reason.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from imgclf import checks
from imgclf.data.dataset import Dataset
from imgclf.data.image_files import ImageFiles
from imgclf.data.split import Split
from imgclf.errors import ArgumentTypeError, DataError, ImgclfError
from imgclf.evaluation.baselines import Baselines, baselines
from imgclf.evaluation.calibration.temperature import Calibration, fit_temperature
from imgclf.evaluation.deduplicated import DeduplicatedScore, deduplicated_score
from imgclf.evaluation.evaluation import Evaluation
from imgclf.report.run_facts import RunFacts, read_run
from imgclf.report.sections.slices import find_slices

if TYPE_CHECKING:
    from imgclf.classifier.classifier import Classifier
    from imgclf.evaluation.robustness import Robustness
    from imgclf.evaluation.slices import Slice
    from imgclf.explanation.explanation import Explanation

__all__ = ["Material", "gather", "judged_split"]

# Images in the gallery of mistakes, and those of them with a heat map.
_MISTAKES, _HEATED = 24, 12

# Training and test images that baselines see, of each at most.
_FEW = 2_000

# Images that a temperature is fitted on, at most.
_CALIBRATED_ON = 2_000

# Damaged images: of each kind and step; with fewer the figures say nothing.
_DAMAGED, _TOO_FEW = 300, 50

# Images by which the pace is told.
_TIMED = 200

# Seconds that damaged images, and heat maps, may take by the pace of the evaluation.
_SECONDS = 12.0

# What one image costs in predictions: six kinds of damage in five steps, and as it is; a heat map
# with its test by covering.
_PASSES_DAMAGED, _PASSES_HEATED = 31, 40

# Pairs of a judged and a training image that are compared: some 2,000 of CIFAR-10's test images
# with all that were trained on, which takes 11 seconds of one core. And judged ones at least.
_MOST_PAIRS, _LEAST_JUDGED = 100_000_000, 500

# Files that are read for the sake of duplicates, at most.
_MOST_FILES = 5_000

_SMALLEST = np.finfo(np.float32).tiny


@dataclasses.dataclass(frozen=True)
class Material:
    """What was measured. Whatever is None could not be had; `missing` may say why.

    Args:
        title: of the page.
        classifier: whose report it is.
        evaluation: what it is worth.
        split: the name of the split that was evaluated.
        data: the whole data, if it is known.
        facts: what the run folder says.
        watts: what the machine is taken to draw while training.
        mistakes: (N,) the images of the gallery.
        explanation: of the first of them.
        calibrated: what a temperature from the validation images would bring.
        slices: by kind.
        baselines: what can be had without a network.
        duplicates: the accuracy without images that were trained on, too.
        robustness: what is left of it when images are damaged.
        missing: reasons, by the name of a field.
    """

    title: str
    classifier: Classifier
    evaluation: Evaluation
    split: str
    data: Dataset | None
    facts: RunFacts
    watts: float
    mistakes: np.ndarray
    explanation: Explanation | None
    calibrated: Calibration | None
    slices: dict[str, list[Slice]]
    baselines: Baselines | None
    duplicates: DeduplicatedScore | None
    robustness: Robustness | None
    missing: dict[str, str]


def gather(
    classifier: Classifier,
    data: Any,
    *,
    split: str | None,
    title: str | None,
    watts: float,
    tell: Callable[[str], None],
) -> Material:
    """Measures all of it.

    Args:
        classifier: whose report it is.
        data: a `Dataset`, or a `Split` of images that were not trained on.
        split: which images of a data set are evaluated.
        title: of the page; made of the data's name if None.
        watts: what the machine is taken to draw while training.
        tell: is told what is being done.
    """
    checks.number("watts", watts, low=0, above=True)
    name, images = judged_split(data, split)
    tell(f"Evaluating {len(images):,} {name} images")
    evaluation = classifier.evaluate(images)
    each = _seconds_each(classifier, images)
    whole = data if isinstance(data, Dataset) else None
    missing: dict[str, str] = {}

    def tried(field: str, what: str, make: Callable[[], Any]) -> Any:
        tell(what)
        try:
            return make()
        except ImgclfError as error:
            missing[field] = str(error)
            return None

    chosen = evaluation.mistakes(_MISTAKES)
    heated = chosen[: _affordable(_HEATED, _PASSES_HEATED, each)]
    return Material(
        title=title or ("Image classifier" if whole is None else f"Image classifier: {whole.name}"),
        classifier=classifier,
        evaluation=evaluation,
        split=name,
        data=whole,
        facts=read_run(classifier.run_dir),
        watts=watts,
        mistakes=chosen,
        explanation=tried(
            "explanation",
            "Looking at the mistakes",
            lambda: _explain(classifier, images, heated),
        ),
        calibrated=tried(
            "calibrated",
            "Looking at the calibration",
            lambda: _calibrate(classifier, evaluation, whole, name),
        ),
        slices=find_slices(evaluation),
        baselines=tried("baselines", "Training the baselines", lambda: _baselines(whole, name)),
        duplicates=tried(
            "duplicates",
            "Looking for the images among those trained on",
            lambda: _duplicates(evaluation, whole, images, name),
        ),
        robustness=tried(
            "robustness", "Damaging images", lambda: _robustness(classifier, images, each)
        ),
        missing=missing,
    )


def judged_split(data: Any, split: str | None = None) -> tuple[str, Split]:
    """The images to judge by: those that are asked for, else test, validation, or all there are.

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


def _seconds_each(classifier: Classifier, images: Split) -> float:
    """What one image takes, without what the first of all takes once."""
    few = images[:_TIMED]
    started = time.perf_counter()
    classifier.predict_proba(few)
    return (time.perf_counter() - started) / len(few)


def _affordable(wanted: int, passes: int, each: float) -> int:
    """So many images as the time is enough for, at most those wanted."""
    return int(min(wanted, _SECONDS / (passes * each)))


def _explain(classifier: Classifier, images: Split, chosen: np.ndarray) -> Explanation | None:
    return classifier.explain(np.asarray(images.images[chosen])) if len(chosen) else None


def _calibrate(
    classifier: Classifier, evaluation: Evaluation, data: Dataset | None, split: str
) -> Calibration | None:
    """What `Classifier.calibrate` would find; the classifier stays as it is."""
    if data is None or data.validation is None or split == "validation":
        return None
    if classifier.temperature != 1.0:
        return None
    validation = _draw(data.validation, _CALIBRATED_ON)
    scores = classifier.predict_proba(validation)
    fitted = fit_temperature(_logits(scores), validation.labels)
    logits = _logits(evaluation.probabilities)
    return Calibration.measured(fitted, len(validation), logits, evaluation.labels, on_others=True)


def _logits(probabilities: np.ndarray) -> np.ndarray:
    """Logarithms: logits but for a constant an image, which the softmax takes off."""
    return np.log(np.maximum(probabilities, _SMALLEST))


def _baselines(data: Dataset | None, split: str) -> Baselines | None:
    if data is None or split == "train":
        return None
    return baselines(data, split, max_images=_FEW)


def _duplicates(
    evaluation: Evaluation, data: Dataset | None, images: Split, split: str
) -> DeduplicatedScore | None:
    if data is None or split == "train":
        return None
    files = len(data.train) + len(images)
    if isinstance(data.train.images, ImageFiles) and files > _MOST_FILES:
        raise DataError(
            f"all {files:,} files would have to be read. `imgclf evaluate --duplicates` does it."
        )
    rows = _rows(len(images), max(_MOST_PAIRS // len(data.train), _LEAST_JUDGED))
    judged = Evaluation(
        evaluation.labels[rows], evaluation.probabilities[rows], evaluation.class_names
    )
    return deduplicated_score(judged, data.train, images[rows], mirrored=data.flip_safe)


def _robustness(classifier: Classifier, images: Split, each: float) -> Robustness | None:
    count = _affordable(_DAMAGED, _PASSES_DAMAGED, each)
    if count < _TOO_FEW:
        seconds = _DAMAGED * _PASSES_DAMAGED * each
        raise DataError(
            f"it would take {seconds:,.0f} s. `imgclf evaluate --robustness` measures it."
        )
    # Without a role: the look at these images is counted already.
    return classifier.evaluate_robustness(dataclasses.replace(images, role=None), sample=count)


def _draw(split: Split, most: int) -> Split:
    return split if len(split) <= most else split[_rows(len(split), most)]


def _rows(count: int, most: int) -> np.ndarray:
    """All rows, or so many drawn at random."""
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, most, replace=False))
