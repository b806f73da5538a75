"""`Evaluation`: everything that labels and predicted probabilities say about a classifier.

Metrics are rows of `metrics`, computed over all images at once, so that the batches of the
prediction cannot matter. Texts are in `summary`, drawing is in `imgclf.plots`.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from imgclf import checks
from imgclf.data.image_files import ImageFiles
from imgclf.data.labels import check_labels
from imgclf.data.split import check_class_names, check_images
from imgclf.errors import DataError
from imgclf.evaluation import evaluation_plots
from imgclf.evaluation.calibration.coverage import CoverageCurve, coverage_curve
from imgclf.evaluation.calibration.reliability import CalibrationBin, calibration_bins
from imgclf.evaluation.label_errors import LabelError, label_error_records
from imgclf.evaluation.metrics import TOP_K, Interval, MetricValues
from imgclf.evaluation.scores.by_class import (
    ClassRecord,
    are_imbalanced,
    class_records,
    confused_pairs,
)
from imgclf.evaluation.scores.curves import Curve, pr_points, roc_points
from imgclf.evaluation.scores.outcomes import Outcomes
from imgclf.evaluation.scores.probabilities import check_probabilities
from imgclf.evaluation.slices import Slice, columns_by, slice_records
from imgclf.evaluation.summary import evaluation_record, headline, summarize
from imgclf.typing import ArrayLike

__all__ = ["Evaluation"]


@dataclasses.dataclass(frozen=True, eq=False, repr=False, init=False)
class Evaluation:
    """What is known about a classifier from its predictions on labelled images.

    Args:
        labels: (N,) integers from 0 or names, or (N, classes) one-hot: the true classes.
        probabilities: (N, classes), 0 to 1, each row with the sum 1: what was predicted.
        class_names: one name a class, in the order of the label numbers.
        images: (N, height, width, channels), an array or an `ImageFiles`; only plots that show
            images need them.
        test_evaluation_number: how often the test images of a run have been evaluated, this
            evaluation included; None if that is not counted.
        num_left_out: images that were given, but had been trained or validated on.

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
          1 to 3 images a class: see balanced accuracy and macro F1
          balanced accuracy    83.3%    32.1% to   95.2%
          macro F1             73.3%    29.3% to   95.2%
          loss                0.4004   0.1937 to  0.7764
        ...
    """

    labels: np.ndarray
    probabilities: np.ndarray
    class_names: Sequence[str]
    images: np.ndarray | ImageFiles | None
    test_evaluation_number: int | None
    num_left_out: int

    def __init__(
        self,
        labels: ArrayLike,
        probabilities: ArrayLike,
        class_names: Sequence[str],
        images: ArrayLike | ImageFiles | None = None,
        test_evaluation_number: int | None = None,
        num_left_out: int = 0,
    ) -> None:
        names = check_class_names(class_names)
        numbers = check_labels(labels, names)
        if len(numbers) == 0:
            raise DataError("`labels` must hold at least one label. Received: none.")
        rows = check_probabilities(probabilities, len(names))
        _check_length("probabilities", len(rows), len(numbers))
        if images is not None:
            images = check_images(images)
            _check_length("images", len(images), len(numbers))
        for name, value in {
            "labels": numbers,
            "probabilities": rows,
            "class_names": names,
            "images": images,
            "test_evaluation_number": test_evaluation_number,
            "num_left_out": checks.integer("num_left_out", num_left_out, low=0),
        }.items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"Evaluation({headline(self)}, {len(self.class_names)} classes)"

    def __str__(self) -> str:
        return summarize(self)

    def _repr_html_(self) -> str:
        from imgclf.evaluation.evaluation_html import evaluation_html

        return evaluation_html(self)

    @property
    def predictions(self) -> np.ndarray:
        """(N,) the most likely class of each image; the first one where several are equal."""
        return self._outcomes.predictions

    @property
    def confidences(self) -> np.ndarray:
        """(N,) the probability of each prediction."""
        return self._outcomes.confidences

    @property
    def correct(self) -> np.ndarray:
        """(N,) whether each prediction is the true class."""
        return self._outcomes.correct

    @functools.cached_property
    def metrics(self) -> dict[str, float]:
        """All metrics by name: accuracy, balanced_accuracy, macro_f1, top_3, loss, ….

        Example:
            >>> ev = Evaluation([0, 1], [[0.9, 0.1], [0.4, 0.6]], ["cat", "dog"])
            >>> ev.metrics["weighted_f1"]
            1.0
        """
        return {name: self.metric(name) for name in self._metric_values.names}

    @functools.cached_property
    def intervals(self) -> dict[str, Interval]:
        """The 95% interval of each of `metrics`: (low, high)."""
        return {name: self.interval(name) for name in self._metric_values.names}

    def metric(self, name: str) -> float:
        """Computes one of `metrics` alone.

        Args:
            name: such as "macro_f1".

        Raises:
            ArgumentError: if there is no such metric.
        """
        return self._metric_values.value(name)

    def interval(self, name: str) -> Interval:
        """Computes the 95% interval of a metric when it is first asked for.

        It contains the metric. Proportions have Wilson's interval. For averages over classes and
        areas under curves, the classes' intervals are averaged at the level that makes 95% for the
        mean, so that a class of few images counts as what it is. Loss, Brier score and calibration
        error are resampled 2,000 times, always with the seed 0.

        Args:
            name: one of `metrics`, such as "macro_f1".

        Returns:
            (low, high).

        Raises:
            ArgumentError: if there is no such metric.

        Example:
            >>> ev = Evaluation([0, 1, 1], [[0.9, 0.1], [0.4, 0.6], [0.7, 0.3]], ["cat", "dog"])
            >>> low, high = ev.interval("macro_f1")
            >>> f"{ev.macro_f1:.2f} ({low:.2f} to {high:.2f})"
            '0.67 (0.21 to 0.94)'
        """
        return self._metric_values.interval(name)

    @property
    def accuracy(self) -> float:
        """The share of the images whose prediction is right, 0 to 1."""
        return self.metric("accuracy")

    @property
    def accuracy_interval(self) -> Interval:
        """95% Wilson interval of the accuracy: (low, high)."""
        return self.interval("accuracy")

    @property
    def balanced_accuracy(self) -> float:
        """The mean recall of the classes that have images."""
        return self.metric("balanced_accuracy")

    @property
    def macro_f1(self) -> float:
        """The mean F1 of the classes that occur, all weighted equally, as in `averages`."""
        return self.metric("macro_f1")

    @property
    def loss(self) -> float:
        """Mean cross-entropy over the images, natural logarithm.

        Probabilities below 2.2e-16 count as 2.2e-16, as in scikit-learn's `log_loss`. Label
        smoothing and penalties of the training are not in it.
        """
        return self.metric("loss")

    @property
    def brier_score(self) -> float:
        """Mean squared distance of the probabilities from the truth, over the images; 0 to 2.

        Of an image it is the sum over all classes of (probability - 1 if it is the true class,
        else 0)², as G. W. Brier defined it ("Verification of forecasts expressed in terms of
        probability", Monthly Weather Review 78, 1950). Some halve it, or leave one of two classes
        out. Always predicting the same probability for each of ten classes gives 0.9.
        """
        return self.metric("brier_score")

    @property
    def calibration_error(self) -> float:
        """Expected calibration error (Guo et al. 2017), 15 bins of equal width, 0 to 1."""
        return self.metric("calibration_error")

    @property
    def roc_auc(self) -> float:
        """Mean area under the ROC curves of the classes, each against the rest; 0.5 is chance.

        As scikit-learn's `roc_auc_score` with `multi_class="ovr"`. Classes without images, or
        with all of them, are left out; if no class remains, it is NaN.
        """
        return self.metric("roc_auc")

    @property
    def average_precision(self) -> float:
        """Mean average precision of the classes, each against the rest (mAP); 1 is perfect.

        As scikit-learn's `average_precision_score`. Chance is the share of the class, and classes
        are left out as in `roc_auc`.
        """
        return self.metric("average_precision")

    def top_k(self, k: int) -> float:
        """The share of the images whose true class is among the `k` most likely ones.

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
        checks.integer("k", k, low=1, high=len(self.class_names))
        return float(np.mean(self._outcomes.ranks < k))

    def top_k_accuracies(self) -> dict[int, float]:
        """`top_k` for 2, 3 and 5, as far as there are more classes than that."""
        return {k: self.top_k(k) for k in TOP_K if k < len(self.class_names)}

    @functools.cached_property
    def imbalanced(self) -> bool:
        """Whether one class has more than 1.5 times the images of another, of those that have any.

        Accuracy then says most about the large classes; see `balanced_accuracy` and `macro_f1`.
        """
        return are_imbalanced(self.labels)

    @property
    def confusion_matrix(self) -> np.ndarray:
        """(classes, classes) numbers of images: a row a true class, a column a predicted one."""
        return self._outcomes.confusion_matrix

    @functools.cached_property
    def per_class(self) -> list[ClassRecord]:
        """A record a class: class_name, precision, recall, f1, support, and their intervals.

        `support` is the number of images of the class; `precision_interval`, `recall_interval` and
        `f1_interval` are 95% intervals. What cannot be computed (no image, never predicted) is 0,
        as in scikit-learn, with the interval from 0 to 1.
        """
        return class_records(self.confusion_matrix, self.class_names)

    @functools.cached_property
    def averages(self) -> dict[str, dict[str, float]]:
        """Precision, recall and F1 over all classes, averaged in two ways.

        "macro" weights all classes equally, "weighted" by their number of images. A class without
        an image that is never predicted counts in neither, as in scikit-learn.
        """
        return {
            average: {
                score: self.metric(f"{average}_{score}") for score in ("precision", "recall", "f1")
            }
            for average in ("macro", "weighted")
        }

    def confused_pairs(self, n: int = 10) -> list[tuple[str, str, int]]:
        """Finds the most frequent confusions.

        Args:
            n: at most so many.

        Returns:
            (true class, predicted class, number of images), the most frequent first.

        Example:
            >>> ev = Evaluation([1, 1, 0], [[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]], ["cat", "dog"])
            >>> ev.confused_pairs()
            [('dog', 'cat', 2)]
        """
        checks.integer("n", n, low=1)
        return confused_pairs(self.confusion_matrix, self.class_names, n)

    @functools.cached_property
    def calibration_bins(self) -> list[CalibrationBin]:
        """Confidence and accuracy by range of confidence: what `plot_calibration` draws."""
        return calibration_bins(np.minimum(self.confidences, 1), self.correct)

    def coverage_curve(self) -> CoverageCurve:
        """Computes the accuracy on the most confident images, for every share of them."""
        return coverage_curve(np.minimum(self.confidences, 1), self.correct)

    def mistakes(self, n: int = 12) -> np.ndarray:
        """Finds the mistakes that the classifier is most confident of.

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

    def roc_curve(self, class_name: str) -> Curve:
        """Computes false and true positive rates at each threshold on one class's probability.

        Args:
            class_name: the class, against all others.

        Returns:
            (false positive rates, true positive rates, thresholds), as scikit-learn's `roc_curve`.

        Raises:
            ArgumentError: if there is no such class.
            DataError: if no image is of the class, or all are.

        Example:
            >>> ev = Evaluation([0, 1, 1], [[0.9, 0.1], [0.4, 0.6], [0.7, 0.3]], ["cat", "dog"])
            >>> false_positives, true_positives, _ = ev.roc_curve("dog")
            >>> true_positives[false_positives == 0].max()
            np.float64(1.0)
        """
        return roc_points(self._outcomes, self.class_names, class_name)

    def pr_curve(self, class_name: str) -> Curve:
        """Computes precision and recall at each threshold on one class's probability.

        Args:
            class_name: the class, against all others.

        Returns:
            (precisions, recalls, thresholds), as scikit-learn's `precision_recall_curve`.

        Raises:
            ArgumentError: if there is no such class.
            DataError: if no image is of the class, or all are.

        Example:
            >>> ev = Evaluation([0, 1, 1], [[0.9, 0.1], [0.4, 0.6], [0.7, 0.3]], ["cat", "dog"])
            >>> precisions, recalls, _ = ev.pr_curve("cat")
            >>> precisions.tolist(), recalls.tolist()
            ([0.3333333333333333, 0.5, 1.0, 1.0], [1.0, 1.0, 1.0, 0.0])
        """
        return pr_points(self._outcomes, self.class_names, class_name)

    def slices(
        self, by: str | ArrayLike | Mapping[str, ArrayLike] = "class", *, bins: int = 4
    ) -> list[Slice]:
        """Groups the images by something they have in common, the least accurate group first.

        `is_worse` marks those significantly below the rest: Fisher's exact test, one-sided, with
        Holm's correction for the slices of a column. Where no slice is worse, at most 5 of 100
        columns get a mark.

        Args:
            by: "class"; "size" (the shorter side in the file) or "folder", which need image
                files; "brightness" (the mean gray value); an array or a list with a value an image;
                or a dict of such columns by name.
            bins: more than 8 different numbers are sorted into so many ranges of about as many
                images each. Texts and fewer numbers make a slice a value.

        Returns:
            A `Slice` for each that has images.

        Raises:
            ArgumentError: if a column has another length, or the images it needs are missing.

        Example:
            >>> ev = Evaluation([0, 1, 1], [[0.9, 0.1], [0.4, 0.6], [0.7, 0.3]], ["cat", "dog"])
            >>> for one in ev.slices({"camera": ["old", "new", "old"]}):
            ...     print(one)
            camera old: 50.0% (9.5% to 90.5%) of 2; the rest 100.0%
            camera new: 100.0% (20.7% to 100.0%) of 1; the rest 50.0%
        """
        columns = columns_by(by, self.labels, self.class_names, self.images, bins)
        records = [
            record
            for name, groups, names in columns
            for record in slice_records(name, groups, names, self.correct)
        ]
        return sorted(records, key=lambda record: record.accuracy)

    def label_errors(self) -> list[LabelError]:
        """Finds label error candidates by confident learning, the most likely first.

        It works only if the classifier was not trained on these images. Look at each before you
        change it: a classifier's own systematic mistakes are among them.

        Returns:
            A `LabelError` an image: its index, label, suggested class, and file.

        Example:
            >>> likely = [[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.3, 0.7]]
            >>> [found] = Evaluation([0, 0, 0, 1, 1], likely, ["cat", "dog"]).label_errors()
            >>> found.index, found.label, found.suggested
            (2, 'cat', 'dog')
        """
        paths = self.images.paths if isinstance(self.images, ImageFiles) else None
        return label_error_records(self.labels, self.probabilities, self.class_names, paths)

    def to_dict(self) -> dict[str, Any]:
        """All metrics in plain types that `json.dumps` takes; of arrays only the confusion matrix.

        A metric that is not a number, such as the area of a curve without a point, is None.

        Example:
            >>> ev = Evaluation([0, 1], [[0.9, 0.1], [0.4, 0.6]], ["cat", "dog"])
            >>> record = ev.to_dict()
            >>> record["num_images"], record["accuracy"], record["confusion_matrix"]
            (2, 1.0, [[1, 0], [0, 1]])
        """
        return evaluation_record(self)

    # Plots; `evaluation_plots` documents them.

    plot_calibration = evaluation_plots.plot_calibration
    plot_confusion = evaluation_plots.plot_confusion
    plot_coverage = evaluation_plots.plot_coverage
    plot_label_errors = evaluation_plots.plot_label_errors
    plot_mistakes = evaluation_plots.plot_mistakes
    plot_pr = evaluation_plots.plot_pr
    plot_predictions = evaluation_plots.plot_predictions
    plot_roc = evaluation_plots.plot_roc
    plot_slices = evaluation_plots.plot_slices

    @functools.cached_property
    def _outcomes(self) -> Outcomes:
        return Outcomes(self.labels, self.probabilities)

    @functools.cached_property
    def _metric_values(self) -> MetricValues:
        return MetricValues(self._outcomes)


def _check_length(name: str, length: int, num_labels: int) -> None:
    if length != num_labels:
        raise DataError(
            f"`{name}` and `labels` must have one entry an image. "
            f"Received: {length} {name} and {num_labels} labels."
        )
