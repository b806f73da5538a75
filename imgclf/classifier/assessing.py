"""Evaluates and calibrates a model: how accurate it is, how confident, and on what it fails."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from imgclf import checks
from imgclf.architecture.temperature import logits_model, with_temperature
from imgclf.backend.compiled_model import CompiledModel
from imgclf.classifier.predicting import Predictor, Source
from imgclf.data.dataset import Dataset, check_dataset
from imgclf.data.known_images import KnownImages, image_digests
from imgclf.data.labels import check_labels
from imgclf.data.split import Split
from imgclf.errors import ArgumentTypeError, DataError
from imgclf.evaluation.calibration.temperature import (
    Calibration,
    cross_validated_losses,
    fit_temperature,
)
from imgclf.evaluation.calibration.threshold import Threshold, find_threshold
from imgclf.evaluation.deduplicated import DeduplicatedScore, deduplicated_score
from imgclf.evaluation.evaluation import Evaluation
from imgclf.evaluation.evaluation_log import count_test_evaluation, is_run
from imgclf.evaluation.robustness import Robustness, measure_robustness
from imgclf.explanation import explain as explaining
from imgclf.explanation.explain import Targets
from imgclf.explanation.explanation import Explanation
from imgclf.explanation.nearest import Nearest
from imgclf.formatting import plural
from imgclf.typing import ArrayLike, KerasModel

__all__ = [
    "Images",
    "LabelledImages",
    "Labels",
    "calibrate",
    "check_classes",
    "evaluate",
    "evaluate_deduplicated",
    "evaluate_robustness",
    "explain",
    "fit_threshold",
    "held_out_images",
    "labelled_images",
    "nearest_neighbors",
    "to_split",
    "without_trained",
]

# A split; or images, with labels beside them or in a pair.
LabelledImages: TypeAlias = Split | tuple[ArrayLike, ArrayLike]
Images: TypeAlias = Split | ArrayLike | tuple[ArrayLike, ArrayLike]
Labels: TypeAlias = ArrayLike | None


def to_split(
    data: Images,
    labels: Labels,
    class_names: Sequence[str],
) -> Split:
    """A split of the classifier's classes, from one or from images with labels."""
    if isinstance(data, Split):
        check_classes(data, class_names)
        return data
    if labels is None and isinstance(data, tuple) and len(data) == 2:
        data, labels = data
    if labels is None:
        raise ArgumentTypeError(
            "`data` must be a Dataset, a Split, or images with `labels`. "
            + checks.received("data", type(data).__name__)
        )
    return Split(data, check_labels(labels, class_names, by_value=True), class_names)


def labelled_images(
    data: Images,
    labels: Labels,
    class_names: Sequence[str],
) -> Split:
    """A split to evaluate on: of the classifier's classes, with at least one image."""
    if isinstance(data, Dataset):
        raise ArgumentTypeError(
            "`data` must be a split of the data set, such as data.test. "
            + checks.received("data", "Dataset")
        )
    split = to_split(data, labels, class_names)
    if len(split) == 0:
        raise DataError("`data` must hold at least one image. Received: none.")
    return split


def held_out_images(
    data: Images, labels: Labels, class_names: Sequence[str], run_dir: Path | None
) -> Split:
    """A split to fit a temperature or threshold on: of images that were not trained on."""
    split = labelled_images(data, labels, class_names)
    # Images without a role may be those that were validated on.
    return without_trained(split if split.role else split.as_role("validation"), run_dir)[0]


def evaluate(
    predictor: Predictor, split: Split, run_dir: Path | None, batch_size: int | None
) -> Evaluation:
    """See `Classifier.evaluate`; test images are counted in the run folder."""
    split, left_out = without_trained(split, run_dir)
    scores = predictor.predict_proba(split, batch_size)
    accuracy = float(np.mean(scores.argmax(axis=1) == split.labels))
    number = _count_test_evaluation(split, run_dir, len(split), accuracy)
    return Evaluation(
        split.labels,
        scores,
        predictor.class_names,
        images=split.images,
        test_evaluation_number=number,
        num_left_out=left_out,
    )


def without_trained(split: Split, run_dir: Path | None) -> tuple[Split, int]:
    """Leaves out what the run was trained or validated on, whatever its path is now.

    Args:
        split: images to evaluate on. Of those to validate by, those that were validated on stay;
            training images, called so, are left alone.
        run_dir: of the classifier; without one, or one of an earlier version, nothing is known.

    Returns:
        The rest, and how many were left out.

    Raises:
        DataError: if nothing is left.
    """
    known = None if run_dir is None or split.role == "train" else KnownImages.read(run_dir)
    if known is None:
        return split, 0
    seen = {"train"} if split.role == "validation" else {"train", "validation"}
    left_out = np.array([one in seen for one in known.splits_of(image_digests(split.images))])
    count = int(left_out.sum())
    if count == len(split) > 0:
        raise DataError(
            f"All {plural(count, 'image')} to evaluate on were trained or validated on in "
            f"{str(run_dir)!r}: no image is left that says how accurate the model is on new ones. "
            "Evaluate on others; or say that these are training images: split.as_role('train'), "
            "or --split train."
        )
    return (split[~left_out], count) if count else (split, 0)


def evaluate_deduplicated(
    predictor: Predictor,
    data: Dataset,
    run_dir: Path | None,
    split: str,
    mirrored: bool | None,
    batch_size: int | None,
) -> DeduplicatedScore:
    """See `Classifier.evaluate_deduplicated`."""
    check_dataset(data)
    images = data.splits().get(checks.one_of("split", split, ("test", "validation")))
    if images is None:
        raise DataError(f"{data.name} has no {split} images.")
    images = labelled_images(images, None, predictor.class_names)
    labelled, _ = without_trained(images, run_dir)
    evaluation = evaluate(predictor, labelled, run_dir, batch_size)
    either = data.flip_safe if mirrored is None else mirrored
    return deduplicated_score(evaluation, data.train, labelled, mirrored=either)


def evaluate_robustness(
    predictor: Predictor,
    split: Split,
    run_dir: Path | None,
    sample: int | None,
    damages: Sequence[str],
    seed: int,
) -> Robustness:
    """See `Classifier.evaluate_robustness`."""
    split, _ = without_trained(split, run_dir)
    result = measure_robustness(
        predictor.probabilities, split, sample=sample, damages=damages, seed=seed
    )
    _count_test_evaluation(split, run_dir, result.num_images, result.accuracy)
    return result


def calibrate(
    predictor: Predictor,
    current: float,
    model: KerasModel,
    split: Split,
    measured_on: Split | None,
    batch_size: int | None,
) -> tuple[KerasModel, Calibration]:
    """Fits a temperature and compares it with the present one; see `Classifier.calibrate`.

    Args:
        predictor: of the classifier.
        current: the temperature of the classifier.
        model: as it was trained, without a temperature.
        split: to fit it on.
        measured_on: to measure its effect on; None for those that it is fitted on.
        batch_size: images in one step; by their size if None.

    Returns:
        The model with the temperature, and what was found.
    """
    network = CompiledModel(logits_model(model))
    logits = _logits(predictor, network, split, batch_size)
    fitted = fit_temperature(logits, split.labels)
    losses = cross_validated_losses(logits, split.labels, current)
    measured = split
    if measured_on is not None:
        measured, logits = measured_on, _logits(predictor, network, measured_on, batch_size)
    calibration = Calibration.measured(
        fitted,
        len(split),
        logits,
        measured.labels,
        on_others=measured_on is not None,
        current=current,
        cross_validated=losses,
    )
    return with_temperature(model, fitted[0]), calibration


def fit_threshold(evaluation: Evaluation, precision: float, certainty: float | None) -> Threshold:
    """Finds the probability below which to answer "unknown"; see `Classifier.fit_threshold`."""
    confidences = np.minimum(evaluation.confidences, 1)
    return find_threshold(confidences, evaluation.correct, precision=precision, certainty=certainty)


def explain(
    predictor: Predictor,
    model: KerasModel,
    source: Source,
    method: str,
    targets: Targets,
    layer: str | None,
    batch_size: int | None,
) -> Explanation:
    """Makes and tests a heat map of each image; see `Classifier.explain`."""
    return explaining.explain(
        model,
        predictor.decoded(source),
        predictor.class_names,
        lambda images: predictor.probabilities(images, batch_size),
        method=method,
        targets=targets,
        layer=layer,
        batch_size=batch_size,
    )


def nearest_neighbors(
    predictor: Predictor,
    model: KerasModel,
    source: Source,
    split: Split,
    k: int,
    batch_size: int | None,
) -> Nearest:
    """Finds the most similar images of a split; see `Classifier.nearest_neighbors`."""
    return explaining.nearest(
        model,
        predictor.decoded(source),
        labelled_images(split, None, predictor.class_names),
        lambda images: predictor.probabilities(images, batch_size),
        predictor.class_names,
        k=k,
        batch_size=batch_size,
    )


def _logits(
    predictor: Predictor, network: CompiledModel, split: Split, batch_size: int | None
) -> np.ndarray:
    """(N, classes) what the softmax takes; of one output, with 0 for the first class."""
    logits = predictor.outputs(split.images, batch_size, network)
    if not np.isfinite(logits).all():
        raise DataError("The model gives values that are not finite: its weights are unusable.")
    if logits.shape[1] == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
    return logits


def check_classes(data: Split | Dataset, class_names: Sequence[str]) -> None:
    """Raises `DataError` unless data has the classes of the classifier, in the same order."""
    if data.class_names != class_names:
        raise DataError(
            "`data` must have the class names of the classifier. "
            f"Received: {list(data.class_names)} in place of {list(class_names)}."
        )


def _count_test_evaluation(
    split: Split, run_dir: Path | None, num_images: int, accuracy: float
) -> int | None:
    """The number of this evaluation of test images; None if these are others, or without a run."""
    if split.role != "test" or run_dir is None or not is_run(run_dir):
        return None
    try:
        return count_test_evaluation(run_dir, num_images, accuracy)
    except OSError as error:
        warnings.warn(
            f"Run folder {str(run_dir)!r} cannot be written to ({error.strerror}): this test "
            "evaluation is not counted.",
            stacklevel=4,
        )
        return None
