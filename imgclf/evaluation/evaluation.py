"""`Evaluation`: everything that labels and predicted probabilities say about a classifier.

Figures are worked out when they are first asked for, over all samples at once, so the size of
the batches in which the probabilities were predicted cannot matter. Text is in `summary`, drawing
in `imgclf.plots`; how probabilities come about is the classifier's business.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from imgclf import checks, plots
from imgclf.data.split import check_class_names, check_images, check_labels
from imgclf.errors import ArgumentError, DataError
from imgclf.evaluation.calibration import (
    CalibrationBin,
    calibration_bins,
    expected_calibration_error,
)
from imgclf.evaluation.interval import wilson_interval
from imgclf.evaluation.summary import headline, summarize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Evaluation", "are_uneven"]

# Half-precision softmax over a thousand classes strays this far from 1, logits stray further.
_ROW_SUM_TOLERANCE = 1e-3

# A probability of 0 for the true class would make the loss infinite. scikit-learn's `log_loss`
# clips 64-bit probabilities at this value too, so that one such image costs at most 36.04.
_LOSS_EPSILON = float(np.finfo(np.float64).eps)

# The k for which reports give the top-k accuracy, as far as there are more than k classes.
_TOP_K = (2, 3, 5)

_REPORTED_PAIRS = 20

# The largest class has more than so many times the images of the smallest. Below that, always
# naming the largest of two classes is right in 60% at most, and accuracy says little else than the
# figures that count each class alike.
_UNEVEN = 1.5


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """What is known about a classifier from its predictions on labelled images.

    Args:
        labels: (N,) integers from 0, or (N, classes) one-hot: the true classes.
        probabilities: (N, classes), 0 to 1, each row with the sum 1: what was predicted.
        class_names: one name a class, in the order of the label numbers.
        images: (N, height, width, channels), an array or an `ImageFiles`; only figures that show
            pictures need them.

    Raises:
        DataError: if labels, probabilities or images are not as above or differ in number.
        ArgumentError: if the class names are not at least two different names.

    Example:
        >>> probabilities = [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]]
        >>> ev = Evaluation([0, 1, 1, 1], probabilities, class_names=["cat", "dog"])
        >>> ev.accuracy
        0.75
        >>> print(ev)
        75.0% accuracy (30.1% to 95.4%, 95% interval) on 4 images
          balanced accuracy 83.3%, macro F1 73.3% (from 1 to 3 images a class, each counted alike)
          loss 0.4004
        ...
    """

    labels: Any
    probabilities: Any
    class_names: Sequence[str]
    images: Any = None

    def __post_init__(self) -> None:
        names = check_class_names(self.class_names)
        labels = check_labels(self.labels, len(names))
        if len(labels) == 0:
            raise DataError("`labels` must hold at least one label. Received: none.")
        probabilities = _check_probabilities(self.probabilities, len(names))
        _check_length("probabilities", probabilities, labels)
        images = self.images
        if images is not None:
            images = check_images(images)
            _check_length("images", images, labels)
        object.__setattr__(self, "class_names", names)
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "probabilities", probabilities)
        object.__setattr__(self, "images", images)

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"Evaluation({headline(self)}, {len(self.class_names)} classes)"

    def __str__(self) -> str:
        return summarize(self)

    # The predictions themselves.

    @functools.cached_property
    def predictions(self) -> np.ndarray:
        """(N,) the most likely class of each image; the first one where several are equal."""
        return np.argmax(self.probabilities, axis=1)

    @functools.cached_property
    def confidences(self) -> np.ndarray:
        """(N,) the probability of each prediction."""
        return np.max(self.probabilities, axis=1).astype(np.float64)

    @functools.cached_property
    def correct(self) -> np.ndarray:
        """(N,) whether each prediction is the true class."""
        return self.predictions == self.labels

    # One figure for all.

    @functools.cached_property
    def accuracy(self) -> float:
        """The part of the images whose prediction is right, 0 to 1."""
        return float(np.mean(self.correct))

    @functools.cached_property
    def accuracy_interval(self) -> tuple[float, float]:
        """95% Wilson interval of the accuracy: (low, high)."""
        return wilson_interval(int(np.sum(self.correct)), len(self))

    @functools.cached_property
    def balanced_accuracy(self) -> float:
        """The mean recall of the classes that have images: each class counts alike."""
        there = self.confusion_matrix.sum(axis=1)
        right = np.diag(self.confusion_matrix)
        return float(np.mean(right[there > 0] / there[there > 0]))

    @functools.cached_property
    def macro_f1(self) -> float:
        """The mean F1 of the classes that occur: each counts alike, as in `averages`."""
        return self.averages["macro"]["f1"]

    @functools.cached_property
    def uneven(self) -> bool:
        """Whether one class has more than 1.5 times the images of another, of those that have any.

        Then accuracy says most about the large classes, and `balanced_accuracy` and `macro_f1` are
        shown beside it.
        """
        return are_uneven(self.labels)

    def top_k(self, k: int) -> float:
        """The part of the images whose true class is among the `k` most likely ones.

        Where several classes are equally likely the first of them comes first, as in
        `predictions`, so `top_k(1)` is the accuracy.

        Args:
            k: from 1 to the number of classes.

        Returns:
            The share, 0 to 1.

        Raises:
            ArgumentError: if `k` is out of this range.

        Example:
            >>> ev = Evaluation([2, 1], [[0.5, 0.2, 0.3], [0.6, 0.1, 0.3]], ["a", "b", "c"])
            >>> ev.top_k(1), ev.top_k(2), ev.top_k(3)
            (0.0, 0.5, 1.0)
        """
        num_classes = len(self.class_names)
        checks.integer("k", k, low=1, high=num_classes)
        if k == 1:
            return self.accuracy
        if k == num_classes:
            return 1.0
        from sklearn.metrics import top_k_accuracy_score

        # scikit-learn puts the last of equal classes first, argmax the first of them: with the
        # classes counted backwards the two agree.
        last = num_classes - 1
        backwards = self.probabilities[:, ::-1]
        score = top_k_accuracy_score(
            last - self.labels, backwards, k=int(k), labels=np.arange(num_classes)
        )
        return float(score)

    def top_k_accuracies(self) -> dict[int, float]:
        """`top_k` for 2, 3 and 5, as far as there are more classes than that."""
        return {k: self.top_k(k) for k in _TOP_K if k < len(self.class_names)}

    @functools.cached_property
    def loss(self) -> float:
        """Mean cross-entropy over the images, natural logarithm.

        Probabilities below 2.2e-16 count as 2.2e-16 (the step of 64-bit floats at 1), as in
        scikit-learn's `log_loss`. Label smoothing and penalties of the training are not in it.
        """
        of_truth = self.probabilities[np.arange(len(self)), self.labels].astype(np.float64)
        return float(-np.mean(np.log(np.clip(of_truth, _LOSS_EPSILON, 1 - _LOSS_EPSILON))))

    @functools.cached_property
    def calibration_error(self) -> float:
        """Expected calibration error (Guo et al. 2017), 15 bins of equal width, 0 to 1."""
        return expected_calibration_error(np.minimum(self.confidences, 1), self.correct)

    @functools.cached_property
    def calibration_bins(self) -> list[CalibrationBin]:
        """Confidence and accuracy by range of confidence: what `plot_calibration` draws."""
        return calibration_bins(np.minimum(self.confidences, 1), self.correct)

    # Class by class.

    @functools.cached_property
    def confusion_matrix(self) -> np.ndarray:
        """(classes, classes) counts: a row a true class, a column a predicted one."""
        from sklearn.metrics import confusion_matrix

        return confusion_matrix(self.labels, self.predictions, labels=self._class_numbers)

    @functools.cached_property
    def per_class(self) -> list[dict[str, Any]]:
        """A record a class: class_name, precision, recall, f1, support, recall_interval.

        `support` counts the images of the class; `recall_interval` is the 95% Wilson interval.
        What cannot be computed (no image, never predicted) is 0, as scikit-learn has it.
        """
        right = np.diag(self.confusion_matrix)
        columns = zip(self.class_names, *self._scores(None), right, strict=True)
        return [
            {
                "class_name": name,
                "precision": float(precision),
                "recall": float(recall),
                "f1": float(f1),
                "support": int(support),
                "recall_interval": wilson_interval(int(hits), int(support)),
            }
            for name, precision, recall, f1, support, hits in columns
        ]

    @functools.cached_property
    def averages(self) -> dict[str, dict[str, float]]:
        """Precision, recall and F1 over all classes, each with a weight.

        "macro" counts each class alike, "weighted" by how many images it has. A class without an
        image that is never predicted counts in neither, as scikit-learn has it.
        """
        return {
            average: {
                name: float(value)
                for name, value in zip(
                    ("precision", "recall", "f1"), self._scores(average)[:3], strict=True
                )
            }
            for average in ("macro", "weighted")
        }

    def confused_pairs(self, n: int = 10) -> list[tuple[str, str, int]]:
        """The confusions that happen most often.

        Args:
            n: at most so many.

        Returns:
            (true class, predicted class, how many images), the most frequent first.

        Example:
            >>> ev = Evaluation([1, 1, 0], [[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]], ["cat", "dog"])
            >>> ev.confused_pairs()
            [('dog', 'cat', 2)]
        """
        checks.integer("n", n, low=1)
        wrong = self.confusion_matrix - np.diag(np.diag(self.confusion_matrix))
        true, predicted = np.nonzero(wrong)
        counts = wrong[true, predicted]
        order = np.argsort(-counts, kind="stable")[:n]
        return [
            (self.class_names[true[i]], self.class_names[predicted[i]], int(counts[i]))
            for i in order
        ]

    def mistakes(self, n: int = 12) -> np.ndarray:
        """The images that the classifier gets wrong while it is most sure of itself.

        Args:
            n: at most so many.

        Returns:
            Indices of the images, the most confident mistake first.

        Example:
            >>> ev = Evaluation([1, 1, 0], [[0.6, 0.4], [0.8, 0.2], [0.7, 0.3]], ["cat", "dog"])
            >>> ev.mistakes()
            array([1, 0])
        """
        checks.integer("n", n, low=1)
        wrong = np.flatnonzero(~self.correct)
        return wrong[np.argsort(-self.confidences[wrong], kind="stable")[:n]]

    def to_dict(self) -> dict[str, Any]:
        """All figures in plain types that `json.dumps` takes; of arrays only the confusion matrix.

        Example:
            >>> ev = Evaluation([0, 1], [[0.9, 0.1], [0.4, 0.6]], ["cat", "dog"])
            >>> figures = ev.to_dict()
            >>> figures["num_images"], figures["accuracy"], figures["confusion_matrix"]
            (2, 1.0, [[1, 0], [0, 1]])
        """
        return {
            "num_images": len(self),
            "class_names": list(self.class_names),
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.accuracy_interval),
            "balanced_accuracy": self.balanced_accuracy,
            "macro_f1": self.macro_f1,
            "uneven": self.uneven,
            "top_k": {str(k): share for k, share in self.top_k_accuracies().items()},
            "loss": self.loss,
            "calibration_error": self.calibration_error,
            "averages": {average: dict(scores) for average, scores in self.averages.items()},
            "per_class": [
                {**record, "recall_interval": list(record["recall_interval"])}
                for record in self.per_class
            ],
            "confused_pairs": [list(pair) for pair in self.confused_pairs(_REPORTED_PAIRS)],
            "confusion_matrix": self.confusion_matrix.tolist(),
        }

    # Figures.

    def plot_confusion(self, ax: Axes | None = None) -> Axes:
        """The confusion matrix; colours are shares of the true class, numbers are images.

        Args:
            ax: where to draw; a figure is made if left out.

        Returns:
            The axes; `ax.figure` is the figure.
        """
        return plots.confusion_matrix(self.confusion_matrix, self.class_names, ax=ax)

    def plot_calibration(self, ax: Axes | None = None) -> Axes:
        """Accuracy over confidence, with the 95% interval of each range.

        Args:
            ax: where to draw; a figure is made if left out.

        Returns:
            The axes; `ax.figure` is the figure.
        """
        return plots.calibration_curve(
            [one.confidence for one in self.calibration_bins],
            [one.accuracy for one in self.calibration_bins],
            [one.count for one in self.calibration_bins],
            [one.accuracy_interval for one in self.calibration_bins],
            ax=ax,
        )

    def plot_mistakes(self, n: int = 12) -> Figure:
        """The most confident mistakes as pictures, with what was predicted and what is true.

        Args:
            n: at most so many pictures.

        Returns:
            The figure.

        Raises:
            ArgumentError: if this evaluation was made without images.
        """
        chosen = self.mistakes(n)
        return plots.mistakes(
            self._pictures("plot_mistakes", chosen),
            self._names(self.labels[chosen]),
            self._names(self.predictions[chosen]),
            self.confidences[chosen],
        )

    def plot_predictions(self, n: int = 4, seed: int = 0) -> Figure:
        """Random images, each with its true name and the three most likely classes as bars.

        Args:
            n: at most so many pictures.
            seed: decides which; the same seed gives the same pictures.

        Returns:
            The figure.

        Raises:
            ArgumentError: if this evaluation was made without images.
        """
        checks.integer("n", n, low=1)
        checks.integer("seed", seed, low=0)
        rng = np.random.default_rng(seed)
        chosen = rng.choice(len(self), size=min(n, len(self)), replace=False)
        top = []
        for row in self.probabilities[chosen]:
            likely = np.argsort(-row, kind="stable")[:3]
            top.append(list(zip(self._names(likely), map(float, row[likely]), strict=True)))
        pictures = self._pictures("plot_predictions", chosen)
        return plots.softmax_predictions(pictures, self._names(self.labels[chosen]), top)

    @property
    def _class_numbers(self) -> np.ndarray:
        return np.arange(len(self.class_names))

    def _names(self, numbers: np.ndarray) -> list[str]:
        return [self.class_names[number] for number in numbers]

    def _scores(self, average: str | None) -> tuple[Any, ...]:
        from sklearn.metrics import precision_recall_fscore_support

        return precision_recall_fscore_support(
            self.labels,
            self.predictions,
            labels=self._class_numbers if average is None else None,
            average=average,
            zero_division=0,
        )

    def _pictures(self, method: str, indices: np.ndarray) -> np.ndarray:
        if self.images is None:
            raise ArgumentError(
                f"`{method}` needs the pictures: make the Evaluation with `images`. "
                "Received: images=None."
            )
        return np.asarray(self.images[indices])


def are_uneven(labels: np.ndarray) -> bool:
    """`Evaluation.uneven`, of labels that count the classes from 0."""
    counts = np.bincount(labels)
    there = counts[counts > 0]
    return bool(there.max() > _UNEVEN * there.min())


def _check_probabilities(probabilities: Any, num_classes: int) -> np.ndarray:
    """Probabilities as a float32 or float64 array of (N, num_classes)."""
    try:
        array = np.asarray(probabilities)
    except ValueError as error:
        raise DataError(
            "`probabilities` must be one array: every row needs one value a class."
        ) from error
    if array.dtype.kind not in "fiu":
        raise DataError(f"`probabilities` must be floats. Received: dtype={array.dtype}.")
    if array.ndim != 2 or array.shape[1] != num_classes:
        raise DataError(
            f"`probabilities` must have the shape (N, {num_classes}), a column a class name. "
            f"Received: shape={array.shape}."
        )
    array = array.astype(np.result_type(array.dtype, np.float32), copy=False)
    if not np.isfinite(array).all():
        raise DataError("`probabilities` holds values that are not finite (NaN or infinity).")
    sums = array.sum(axis=1, dtype=np.float64)
    if array.size and (array.min() < 0 or np.abs(sums - 1).max() > _ROW_SUM_TOLERANCE):
        raise DataError(
            "`probabilities` must be 0 or above, each row with the sum 1 (outputs of a softmax, "
            f"not logits). Received: a lowest value of {array.min():g}, "
            f"sums from {sums.min():g} to {sums.max():g}."
        )
    return array


def _check_length(name: str, values: Any, labels: np.ndarray) -> None:
    if len(values) != len(labels):
        raise DataError(
            f"`{name}` and `labels` must have one entry an image. "
            f"Received: {len(values)} {name} and {len(labels)} labels."
        )
