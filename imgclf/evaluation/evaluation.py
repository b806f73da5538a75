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
from imgclf.evaluation.calibration.coverage import CoverageCurve, coverage_curve
from imgclf.evaluation.calibration.reliability import (
    CalibrationBin,
    calibration_bins,
    calibration_gaps,
    expected_calibration_error,
)
from imgclf.evaluation.intervals.by_formula import wilson_interval
from imgclf.evaluation.intervals.by_resampling import resample_means
from imgclf.evaluation.label_errors import LabelError, label_error_records
from imgclf.evaluation.metrics import TOP_K, class_intervals, figure_names, find_interval
from imgclf.evaluation.ranking import Area, average_precision, macro_area, roc_auc
from imgclf.evaluation.scores.probabilities import are_probabilities
from imgclf.evaluation.slices import Slice, columns_by, slice_records
from imgclf.evaluation.summary import headline, summarize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Evaluation", "are_imbalanced"]

# A probability of 0 for the true class would make the loss infinite. scikit-learn's `log_loss`
# clips 64-bit probabilities at this value too, so that one such image costs at most 36.04.
_LOSS_EPSILON = float(np.finfo(np.float64).eps)

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
            images need them.
        test_evaluation_number: the how-manieth evaluation of a run's test images this is, from 1;
            None if none is counted.

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
          from 1 to 3 images a class: the first two figures count each alike
          balanced accuracy    83.3%    47.6% to   96.5%
          macro F1             73.3%    27.9% to   95.1%
          loss                0.4004   0.1937 to  0.7764
        ...
    """

    labels: Any
    probabilities: Any
    class_names: Sequence[str]
    images: Any = None
    test_evaluation_number: int | None = None

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

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from imgclf.evaluation.notebook import evaluation_html

        return evaluation_html(self)

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
    def imbalanced(self) -> bool:
        """Whether one class has more than 1.5 times the images of another, of those that have any.

        Then accuracy says most about the large classes, and `balanced_accuracy` and `macro_f1` are
        shown beside it.
        """
        return are_imbalanced(self.labels)

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
        return {k: self.top_k(k) for k in TOP_K if k < len(self.class_names)}

    @functools.cached_property
    def loss(self) -> float:
        """Mean cross-entropy over the images, natural logarithm.

        Probabilities below 2.2e-16 count as 2.2e-16 (the step of 64-bit floats at 1), as in
        scikit-learn's `log_loss`. Label smoothing and penalties of the training are not in it.
        """
        return float(np.mean(self._losses))

    @functools.cached_property
    def brier_score(self) -> float:
        """Mean squared distance of the probabilities from the truth, over the images; 0 to 2.

        Of an image it is the sum over all classes of (probability - 1 if it is the true class,
        else 0)², as G. W. Brier defined it ("Verification of forecasts expressed in terms of
        probability", Monthly Weather Review 78, 1950). Some halve it, or leave one of two classes
        out. Always saying the same probability for each of ten classes gives 0.9.
        """
        return float(np.mean(self._brier_scores))

    @functools.cached_property
    def calibration_error(self) -> float:
        """Expected calibration error (Guo et al. 2017), 15 bins of equal width, 0 to 1."""
        return expected_calibration_error(np.minimum(self.confidences, 1), self.correct)

    @functools.cached_property
    def calibration_bins(self) -> list[CalibrationBin]:
        """Confidence and accuracy by range of confidence: what `plot_calibration` draws."""
        return calibration_bins(np.minimum(self.confidences, 1), self.correct)

    def coverage_curve(self) -> CoverageCurve:
        """Accuracy on the part of the images that the classifier is surest of, for each part."""
        return coverage_curve(np.minimum(self.confidences, 1), self.correct)

    @functools.cached_property
    def roc_auc(self) -> float:
        """Mean area under the ROC curves of the classes, each against the rest; 0.5 is chance.

        As scikit-learn's `roc_auc_score` with `multi_class="ovr"`. Classes without images, or
        with all of them, are left out; without any other it is not a number.
        """
        return self._areas["roc_auc"][0]

    @functools.cached_property
    def average_precision(self) -> float:
        """Mean average precision of the classes, each against the rest (mAP); 1 is perfect.

        As scikit-learn's `average_precision_score`. Chance is the share of the class, and classes
        are left out as in `roc_auc`.
        """
        return self._areas["average_precision"][0]

    # All single figures, and their doubt.

    @functools.cached_property
    def metrics(self) -> dict[str, float]:
        """All single figures by name: accuracy, balanced_accuracy, macro_f1, top_3, loss, ….

        Example:
            >>> ev = Evaluation([0, 1], [[0.9, 0.1], [0.4, 0.6]], ["cat", "dog"])
            >>> ev.metrics["weighted_f1"]
            1.0
        """
        return {name: self._figure(name) for name in figure_names(self)}

    @functools.cached_property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """The 95% interval of each of `figures`: (low, high)."""
        return {name: self.interval(name) for name in figure_names(self)}

    def interval(self, name: str) -> tuple[float, float]:
        """The 95% interval of a figure, worked out when it is first asked for.

        Proportions have Wilson's interval. Figures by class and areas under curves have Wilson's of
        as many samples as their variance says that they are worth. Loss, Brier score and
        calibration error are resampled 2,000 times, always with the seed 0.

        Args:
            name: one of `figures`, such as "macro_f1".

        Returns:
            (low, high).

        Raises:
            ArgumentError: if there is no such figure.

        Example:
            >>> ev = Evaluation([0, 1, 1], [[0.9, 0.1], [0.4, 0.6], [0.7, 0.3]], ["cat", "dog"])
            >>> low, high = ev.interval("macro_f1")
            >>> f"{ev.macro_f1:.2f} ({low:.2f} to {high:.2f})"
            '0.67 (0.21 to 0.94)'
        """
        checks.one_of("name", name, figure_names(self))
        if name not in self._intervals:
            self._intervals[name] = find_interval(self, name)
        return self._intervals[name]

    # Class by class.

    @functools.cached_property
    def confusion_matrix(self) -> np.ndarray:
        """(classes, classes) counts: a row a true class, a column a predicted one."""
        from sklearn.metrics import confusion_matrix

        return confusion_matrix(self.labels, self.predictions, labels=self._class_numbers)

    @functools.cached_property
    def per_class(self) -> list[dict[str, Any]]:
        """A record a class: class_name, precision, recall, f1, support, and their intervals.

        `support` counts the images of the class; `precision_interval`, `recall_interval` and
        `f1_interval` are 95% intervals. What cannot be computed (no image, never predicted) is 0,
        as scikit-learn has it, with the interval from 0 to 1.
        """
        ends = class_intervals(self.confusion_matrix)
        columns = zip(self.class_names, *self._scores(None), strict=True)
        return [
            {
                "class_name": name,
                "precision": float(precision),
                "recall": float(recall),
                "f1": float(f1),
                "support": int(support),
                **{
                    f"{score}_interval": (float(bounds[place, 0]), float(bounds[place, 1]))
                    for score, bounds in ends.items()
                },
            }
            for place, (name, precision, recall, f1, support) in enumerate(columns)
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

    def roc_curve(self, class_name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What a threshold on the probability of one class finds, and what it takes along wrongly.

        Args:
            class_name: the class that is told from the rest.

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
        from sklearn.metrics import roc_curve

        number = self._class_number(class_name)
        return roc_curve(self.labels == number, self.probabilities[:, number])

    def pr_curve(self, class_name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Precision and recall at each threshold on the probability of one class.

        Args:
            class_name: the class that is told from the rest.

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
        from sklearn.metrics import precision_recall_curve

        number = self._class_number(class_name)
        return precision_recall_curve(self.labels == number, self.probabilities[:, number])

    # Where it is weak, and where the labels may be.

    def slices(self, by: Any = "class", *, bins: int = 4) -> list[Slice]:
        """Parts of the images that have something in common, the least accurate first.

        Marked (`is_worse`) are those whose accuracy is really below that of the rest: Fisher's
        exact test, one-sided, with Holm's correction for the number of slices of a column. Where
        no slice is worse, at most 5 of 100 columns get a mark.

        Args:
            by: "class"; "size" (the shorter side in the file) or "folder", which need image
                files; "brightness" (the mean grey value); an array or a list with a value an image;
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
        """Images whose label is likely wrong, the likeliest first, by confident learning.

        It is worth something only if the classifier was not trained on these images. Look at each
        before you change it: a classifier's own systematic mistakes are among them.

        Returns:
            A `LabelError` an image: its index, label, suggested class, and file.

        Example:
            >>> likely = [[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.3, 0.7]]
            >>> [found] = Evaluation([0, 0, 0, 1, 1], likely, ["cat", "dog"]).label_errors()
            >>> found.index, found.label, found.suggested
            (2, 'cat', 'dog')
        """
        paths = getattr(self.images, "paths", None)
        return label_error_records(self.labels, self.probabilities, self.class_names, paths)

    def to_dict(self) -> dict[str, Any]:
        """All figures in plain types that `json.dumps` takes; of arrays only the confusion matrix.

        A figure that is not a number, such as the area of a curve without a point, is None.

        Example:
            >>> ev = Evaluation([0, 1], [[0.9, 0.1], [0.4, 0.6]], ["cat", "dog"])
            >>> figures = ev.to_dict()
            >>> figures["num_images"], figures["accuracy"], figures["confusion_matrix"]
            (2, 1.0, [[1, 0], [0, 1]])
        """
        return {
            "num_images": len(self),
            "test_evaluation_number": self.test_evaluation_number,
            "class_names": list(self.class_names),
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.accuracy_interval),
            "balanced_accuracy": self.balanced_accuracy,
            "macro_f1": self.macro_f1,
            "imbalanced": self.imbalanced,
            "top_k": {str(k): share for k, share in self.top_k_accuracies().items()},
            "loss": self.loss,
            "brier_score": self.brier_score,
            "calibration_error": self.calibration_error,
            "roc_auc": _or_none(self.roc_auc),
            "average_precision": _or_none(self.average_precision),
            "intervals": {name: list(ends) for name, ends in self.intervals.items()},
            "averages": {average: dict(scores) for average, scores in self.averages.items()},
            "per_class": [
                {
                    name: list(value) if isinstance(value, tuple) else value
                    for name, value in record.items()
                }
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
            [one.num_images for one in self.calibration_bins],
            [one.accuracy_interval for one in self.calibration_bins],
            ax=ax,
        )

    def plot_coverage(self, ax: Axes | None = None) -> Axes:
        """Accuracy over coverage: what is won by leaving unsure images unanswered.

        Args:
            ax: where to draw; a figure is made if left out.

        Returns:
            The axes; `ax.figure` is the figure.
        """
        return self.coverage_curve().plot(ax)

    def plot_roc(self, class_name: str | None = None, ax: Axes | None = None) -> Axes:
        """The ROC curves of the classes, or of one; the worst are named.

        Args:
            class_name: the only class to draw.
            ax: where to draw; a figure is made if left out.

        Returns:
            The axes; `ax.figure` is the figure.

        Raises:
            DataError: if there is no class to draw: it needs images, and so does the rest.
        """
        curves = {
            name: (*self.roc_curve(name)[:2], area.value)
            for name, area in self._curves_of("roc_auc", class_name)
        }
        return plots.roc_curves(curves, ax=ax)

    def plot_pr(self, class_name: str | None = None, ax: Axes | None = None) -> Axes:
        """The precision-recall curves of the classes, or of one; the worst are named.

        Args:
            class_name: the only class to draw.
            ax: where to draw; a figure is made if left out.

        Returns:
            The axes; `ax.figure` is the figure.

        Raises:
            DataError: if there is no class to draw: it needs images, and so does the rest.
        """
        curves = {}
        for name, area in self._curves_of("average_precision", class_name):
            precisions, recalls, _ = self.pr_curve(name)
            curves[name] = (recalls, precisions, area.value)
        return plots.precision_recall_curves(curves, ax=ax)

    def plot_slices(self, by: Any = "class", *, bins: int = 4, ax: Axes | None = None) -> Axes:
        """The accuracy of each slice with its interval; those that are really worse stand out.

        Args:
            by: as for `slices`, and so is `bins`.
            bins: ranges of a column of numbers.
            ax: where to draw; a figure is made if left out.

        Returns:
            The axes. Of more than 30 slices the least accurate ones are drawn.
        """
        records = self.slices(by, bins=bins)
        several = len({record.by for record in records}) > 1
        return plots.slice_accuracies(
            [f"{one.by}: {one.name}" if several else one.name for one in records],
            [one.accuracy for one in records],
            [one.interval for one in records],
            [one.num_images for one in records],
            [one.is_worse for one in records],
            overall=self.accuracy,
            ax=ax,
        )

    def plot_label_errors(self, n: int = 12) -> Figure:
        """The images whose labels are likely wrong, with the label and what they likely are.

        Args:
            n: at most so many images.

        Returns:
            The figure.

        Raises:
            ArgumentError: if this evaluation was made without images.
        """
        checks.integer("n", n, low=1)
        found = self.label_errors()[:n]
        chosen = np.array([one.index for one in found], np.int64)
        return plots.label_errors(
            self._images("plot_label_errors", chosen),
            [one.label for one in found],
            [one.suggested for one in found],
            [one.suggested_probability for one in found],
        )

    def plot_mistakes(self, n: int = 12) -> Figure:
        """The most confident mistakes as images, with what was predicted and what is true.

        Args:
            n: at most so many images.

        Returns:
            The figure.

        Raises:
            ArgumentError: if this evaluation was made without images.
        """
        chosen = self.mistakes(n)
        return plots.mistakes(
            self._images("plot_mistakes", chosen),
            self._names(self.labels[chosen]),
            self._names(self.predictions[chosen]),
            self.confidences[chosen],
        )

    def plot_predictions(self, n: int = 4, seed: int = 0) -> Figure:
        """Random images, each with its true name and the three most likely classes as bars.

        Args:
            n: at most so many images.
            seed: decides which; the same seed gives the same images.

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
        images = self._images("plot_predictions", chosen)
        return plots.softmax_predictions(images, self._names(self.labels[chosen]), top)

    @functools.cached_property
    def _intervals(self) -> dict[str, tuple[float, float]]:
        """Those that were asked for."""
        return {}

    @functools.cached_property
    def _losses(self) -> np.ndarray:
        """(N,) what each image adds to the loss."""
        of_truth = self.probabilities[np.arange(len(self)), self.labels].astype(np.float64)
        return -np.log(np.clip(of_truth, _LOSS_EPSILON, 1 - _LOSS_EPSILON))

    @functools.cached_property
    def _brier_scores(self) -> np.ndarray:
        """(N,) what each image adds to the Brier score."""
        squares = np.einsum("nc,nc->n", self.probabilities, self.probabilities, dtype=np.float64)
        of_truth = self.probabilities[np.arange(len(self)), self.labels].astype(np.float64)
        return squares - 2 * of_truth + 1

    @functools.cached_property
    def _resampled(self) -> tuple[np.ndarray, np.ndarray]:
        """What figures are means of: each image's loss, Brier score, and gap by its range.

        (N, 2 + ranges), and the means of the same in each draw.
        """
        gaps = calibration_gaps(np.minimum(self.confidences, 1), self.correct)
        columns = np.column_stack([self._losses, self._brier_scores, gaps])
        return columns, resample_means(columns)

    @functools.cached_property
    def _areas(self) -> dict[str, tuple[float, tuple[float, float]]]:
        """The mean area under both kinds of curves, each with its interval."""
        found = {}
        for name, area in (("roc_auc", roc_auc), ("average_precision", average_precision)):
            areas = [
                area(self.probabilities[:, number], self.labels == number)
                for number in self._told_apart
            ]
            found[name] = macro_area(areas)
        return found

    @functools.cached_property
    def _told_apart(self) -> list[int]:
        """The classes that some images are of, and some are not."""
        there = self.confusion_matrix.sum(axis=1)
        return [int(number) for number in np.flatnonzero((there > 0) & (there < len(self)))]

    def _curves_of(self, kind: str, class_name: str | None) -> list[tuple[str, Area]]:
        """The classes to draw, with the area under their curves; the smallest area first."""
        area = {"roc_auc": roc_auc, "average_precision": average_precision}[kind]
        numbers = self._told_apart if class_name is None else [self._class_number(class_name)]
        if not numbers:
            raise DataError(
                "A curve needs images of a class and of another one. Received: images of "
                f"{self.class_names[self.labels[0]]!r} only."
            )
        areas = [
            (self.class_names[number], area(self.probabilities[:, number], self.labels == number))
            for number in numbers
        ]
        return sorted(areas, key=lambda named: named[1].value)

    def _class_number(self, class_name: str) -> int:
        checks.one_of("class_name", class_name, self.class_names)
        number = list(self.class_names).index(class_name)
        if number not in self._told_apart:
            raise DataError(
                f"The curve of {class_name!r} needs images of this class and of another one. "
                f"Received: {int(np.sum(self.labels == number))} of {len(self)} images."
            )
        return number

    def _figure(self, name: str) -> float:
        average, _, score = name.partition("_")
        if average in self.averages:
            return self.averages[average][score]
        return self.top_k(int(score)) if average == "top" else float(getattr(self, name))

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

    def _images(self, method: str, indices: np.ndarray) -> np.ndarray:
        if self.images is None:
            raise ArgumentError(
                f"`{method}` needs the images: make the Evaluation with `images`. "
                "Received: images=None."
            )
        return np.asarray(self.images[indices])


def are_imbalanced(labels: np.ndarray) -> bool:
    """`Evaluation.imbalanced`, of labels that count the classes from 0."""
    counts = np.bincount(labels)
    there = counts[counts > 0]
    return bool(there.max() > _UNEVEN * there.min())


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else value


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
    if not are_probabilities(array):
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
