"""`Outcomes`: labels and predicted probabilities, with the arrays that metrics are made of."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from imgclf.evaluation.calibration.reliability import calibration_gaps
from imgclf.evaluation.intervals.by_resampling import resample_means
from imgclf.evaluation.scores.ranking import Area, average_precision, macro_area, roc_auc

__all__ = ["Outcomes"]

# A probability of 0 for the true class would make the loss infinite. scikit-learn's `log_loss`
# clips 64-bit probabilities at this value too, so that one such image costs at most 36.04.
_LOSS_EPSILON = float(np.finfo(np.float64).eps)


@dataclasses.dataclass(frozen=True, eq=False)
class Outcomes:
    """Plain arrays, each computed when it is first asked for.

    Args:
        labels: (N,) integers from 0: the true classes.
        probabilities: (N, classes), each row with the sum 1.

    Example:
        >>> outcomes = Outcomes(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]))
        >>> outcomes.confusion_matrix.tolist(), outcomes.losses.round(2).tolist()
        ([[1, 0], [1, 1]], [0.11, 0.92, 0.22])
    """

    labels: np.ndarray
    probabilities: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def num_classes(self) -> int:
        """The number of classes, with or without images."""
        return self.probabilities.shape[1]

    @functools.cached_property
    def predictions(self) -> np.ndarray:
        """(N,) the most likely class of each image; the first one where several are equal."""
        return np.argmax(self.probabilities, axis=1)

    @functools.cached_property
    def confidences(self) -> np.ndarray:
        """(N,) the probability of each prediction, which rounding may put above 1."""
        return np.max(self.probabilities, axis=1).astype(np.float64)

    @functools.cached_property
    def correct(self) -> np.ndarray:
        """(N,) whether each prediction is the true class."""
        return self.predictions == self.labels

    @functools.cached_property
    def confusion_matrix(self) -> np.ndarray:
        """(classes, classes) numbers of images: a row a true class, a column a predicted one."""
        cells = self.labels * self.num_classes + self.predictions
        counts = np.bincount(cells, minlength=self.num_classes**2)
        return counts.reshape(self.num_classes, self.num_classes)

    @functools.cached_property
    def true_probabilities(self) -> np.ndarray:
        """(N,) float64, the probability of each true class."""
        return self.probabilities[np.arange(len(self)), self.labels].astype(np.float64)

    @functools.cached_property
    def ranks(self) -> np.ndarray:
        """(N,) how many classes are likelier than the true one, or as likely with lower numbers."""
        own = self.probabilities[np.arange(len(self)), self.labels][:, None]
        before = np.arange(self.num_classes) < self.labels[:, None]
        return np.sum((self.probabilities > own) | ((self.probabilities == own) & before), axis=1)

    @functools.cached_property
    def losses(self) -> np.ndarray:
        """(N,) cross-entropy of each image, natural logarithm."""
        return -np.log(np.clip(self.true_probabilities, _LOSS_EPSILON, 1 - _LOSS_EPSILON))

    @functools.cached_property
    def brier_scores(self) -> np.ndarray:
        """(N,) squared distance of each image's probabilities from the truth, 0 to 2."""
        squares = np.einsum("nc,nc->n", self.probabilities, self.probabilities, dtype=np.float64)
        return squares - 2 * self.true_probabilities + 1

    @functools.cached_property
    def calibration_gaps(self) -> np.ndarray:
        """(N, bins) what each image adds to the calibration error of its bin."""
        return calibration_gaps(np.minimum(self.confidences, 1), self.correct)

    @functools.cached_property
    def resampled_means(self) -> np.ndarray:
        """(draws, 2 + bins) means of `losses`, `brier_scores` and `calibration_gaps` by draw."""
        return resample_means(
            np.column_stack([self.losses, self.brier_scores, self.calibration_gaps])
        )

    @functools.cached_property
    def ranked_classes(self) -> list[int]:
        """The classes that have images and are not the only one: those with curves."""
        counts = np.bincount(self.labels, minlength=self.num_classes)
        return [int(number) for number in np.flatnonzero((counts > 0) & (counts < len(self)))]

    @functools.cached_property
    def mean_roc_auc(self) -> tuple[float, tuple[float, float]]:
        """The mean area under the ROC curves and its 95% interval."""
        return macro_area([self.roc_area(number) for number in self.ranked_classes])

    @functools.cached_property
    def mean_average_precision(self) -> tuple[float, tuple[float, float]]:
        """The mean average precision and its 95% interval."""
        return macro_area([self.precision_area(number) for number in self.ranked_classes])

    def roc_area(self, number: int) -> Area:
        """The area under the ROC curve of one class against the rest."""
        return roc_auc(self.probabilities[:, number], self.labels == number)

    def precision_area(self, number: int) -> Area:
        """The average precision of one class against the rest."""
        return average_precision(self.probabilities[:, number], self.labels == number)
