"""The plots of an `Evaluation`: each function here is a method of it, such as `ev.plot_roc("cat")`.

They choose what is drawn; drawing itself is in `imgclf.plots`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

import numpy as np

from imgclf import checks, plots
from imgclf.data.image_files import ImageFiles
from imgclf.errors import ArgumentError
from imgclf.evaluation.protocol import EvaluationLike
from imgclf.evaluation.scores.curves import named_pr_curves, named_roc_curves
from imgclf.evaluation.scores.outcomes import Outcomes
from imgclf.typing import ArrayLike, Axes, Figure

__all__ = [
    "plot_calibration",
    "plot_confusion",
    "plot_coverage",
    "plot_label_errors",
    "plot_mistakes",
    "plot_pr",
    "plot_predictions",
    "plot_roc",
    "plot_slices",
]

# Classes beside each image of `plot_predictions`.
_MOST_LIKELY = 3

# Characters of a file's name with its folder; of a longer one the folder is left out.
_NAME_WIDTH = 26


def plot_confusion(evaluation: EvaluationLike, ax: Axes | None = None) -> Axes:
    """Draws the confusion matrix: colors are shares of the true class, numbers are images.

    Args:
        evaluation: the one to draw.
        ax: where to draw; a new figure if left out.

    Returns:
        The axes; `ax.figure` is the figure.

    Example:
        >>> import imgclf
        >>> ev = imgclf.Evaluation([0, 1], [[0.9, 0.1], [0.4, 0.6]], ["cat", "dog"])
        >>> ev.plot_confusion().get_xlabel()
        'predicted'
    """
    return plots.confusion_matrix(evaluation.confusion_matrix, evaluation.class_names, ax=ax)


def plot_calibration(evaluation: EvaluationLike, ax: Axes | None = None) -> Axes:
    """Draws accuracy over confidence, with the 95% interval of each range.

    Args:
        evaluation: the one to draw.
        ax: where to draw; a new figure if left out.

    Returns:
        The axes; `ax.figure` is the figure.
    """
    bins = evaluation.calibration_bins
    return plots.calibration_curve(
        [one.confidence for one in bins],
        [one.accuracy for one in bins],
        [one.num_images for one in bins],
        [one.accuracy_interval for one in bins],
        ax=ax,
    )


def plot_coverage(evaluation: EvaluationLike, ax: Axes | None = None) -> Axes:
    """Draws accuracy over coverage: what is gained by leaving uncertain images unanswered.

    Args:
        evaluation: the one to draw.
        ax: where to draw; a new figure if left out.

    Returns:
        The axes; `ax.figure` is the figure.
    """
    return evaluation.coverage_curve().plot(ax)


def plot_roc(
    evaluation: EvaluationLike, class_name: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draws the ROC curves of the classes, or of one; the worst are named.

    Args:
        evaluation: the one to draw.
        class_name: the only class to draw.
        ax: where to draw; a new figure if left out.

    Returns:
        The axes; `ax.figure` is the figure.

    Raises:
        DataError: if there is no class to draw: it needs images, and so does the rest.
    """
    outcomes = Outcomes(evaluation.labels, evaluation.probabilities)
    return plots.roc_curves(named_roc_curves(outcomes, evaluation.class_names, class_name), ax=ax)


def plot_pr(
    evaluation: EvaluationLike, class_name: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draws the precision-recall curves of the classes, or of one; the worst are named.

    Args:
        evaluation: the one to draw.
        class_name: the only class to draw.
        ax: where to draw; a new figure if left out.

    Returns:
        The axes; `ax.figure` is the figure.

    Raises:
        DataError: if there is no class to draw: it needs images, and so does the rest.
    """
    outcomes = Outcomes(evaluation.labels, evaluation.probabilities)
    curves = named_pr_curves(outcomes, evaluation.class_names, class_name)
    return plots.precision_recall_curves(curves, ax=ax)


def plot_slices(
    evaluation: EvaluationLike,
    by: str | ArrayLike | Mapping[str, ArrayLike] = "class",
    *,
    bins: int = 4,
    ax: Axes | None = None,
) -> Axes:
    """Draws the accuracy of each slice with its interval; significantly worse ones stand out.

    Args:
        evaluation: the one to draw.
        by: as for `Evaluation.slices`.
        bins: ranges of a column of numbers.
        ax: where to draw; a new figure if left out.

    Returns:
        The axes. Of more than 30 slices the least accurate ones are drawn.
    """
    records = evaluation.slices(by, bins=bins)
    several = len({record.by for record in records}) > 1
    return plots.slice_accuracies(
        [f"{one.by}: {one.name}" if several else one.name for one in records],
        [one.accuracy for one in records],
        [one.interval for one in records],
        [one.num_images for one in records],
        [one.is_worse for one in records],
        overall=float(np.mean(evaluation.correct)),
        ax=ax,
    )


def plot_label_errors(evaluation: EvaluationLike, n: int = 12) -> Figure:
    """Draws label error candidates, each with its label and the suggested class.

    Args:
        evaluation: the one to draw.
        n: at most so many images.

    Returns:
        The figure.

    Raises:
        ArgumentError: if the evaluation was made without images.
    """
    checks.integer("n", n, low=1)
    found = evaluation.label_errors()[:n]
    chosen = np.array([one.index for one in found], np.int64)
    return plots.label_errors(
        _images(evaluation, "plot_label_errors", chosen),
        [one.label for one in found],
        [one.suggested for one in found],
        [one.suggested_probability for one in found],
        names=_image_names(evaluation, chosen),
    )


def plot_mistakes(evaluation: EvaluationLike, n: int = 12) -> Figure:
    """Draws the most confident mistakes, each with its predicted and its true class.

    Args:
        evaluation: the one to draw.
        n: at most so many images.

    Returns:
        The figure.

    Raises:
        ArgumentError: if the evaluation was made without images.
    """
    chosen = evaluation.mistakes(n)
    return plots.mistakes(
        _images(evaluation, "plot_mistakes", chosen),
        _names(evaluation, evaluation.labels[chosen]),
        _names(evaluation, evaluation.predictions[chosen]),
        evaluation.confidences[chosen],
        names=_image_names(evaluation, chosen),
        num_mistakes=int(np.sum(~np.asarray(evaluation.correct))),
    )


def plot_predictions(evaluation: EvaluationLike, n: int = 4, seed: int = 0) -> Figure:
    """Draws random images, each with its true class and the three most likely ones as bars.

    Args:
        evaluation: the one to draw.
        n: at most so many images.
        seed: decides which; the same seed gives the same images.

    Returns:
        The figure.

    Raises:
        ArgumentError: if the evaluation was made without images.
    """
    checks.integer("n", n, low=1)
    checks.integer("seed", seed, low=0)
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(evaluation), size=min(n, len(evaluation)), replace=False)
    top = []
    for row in evaluation.probabilities[chosen]:
        likely = np.argsort(-row, kind="stable")[:_MOST_LIKELY]
        top.append(list(zip(_names(evaluation, likely), map(float, row[likely]), strict=True)))
    images = _images(evaluation, "plot_predictions", chosen)
    return plots.softmax_predictions(images, _names(evaluation, evaluation.labels[chosen]), top)


def _names(evaluation: EvaluationLike, numbers: np.ndarray) -> list[str]:
    return [evaluation.class_names[number] for number in numbers]


def _image_names(evaluation: EvaluationLike, indices: np.ndarray) -> list[str]:
    """The file of each image, with its folder where there is room; of arrays the index."""
    images = evaluation.images
    if not isinstance(images, ImageFiles):
        return [f"image {index:,}" for index in indices]
    names = []
    for index in indices:
        path = PurePath(images.paths[index])
        folder = "/".join(path.parts[-2:])
        names.append(folder if len(folder) <= _NAME_WIDTH else path.name)
    return names


def _images(evaluation: EvaluationLike, method: str, indices: np.ndarray) -> np.ndarray:
    if evaluation.images is None:
        raise ArgumentError(
            f"`{method}` needs the images: make the Evaluation with `images`. "
            "Received: images=None."
        )
    return np.asarray(evaluation.images[indices])
