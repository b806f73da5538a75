"""`CoverageCurve`: the accuracy on the most confident predictions, for every share of them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from imgclf import plots
from imgclf.errors import ArgumentError
from imgclf.evaluation.calibration.reliability import check_confidences
from imgclf.typing import ArrayLike, Axes

__all__ = ["CoverageCurve", "coverage_curve"]

# Points of the curve that are drawn and written; all are computed.
_SHOWN = 200


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class CoverageCurve:
    """Coverage and accuracy at each threshold of confidence, from the most confident image to all.

    Args:
        thresholds: (points,) images of at least this confidence are answered; decreasing.
        counts: (points,) how many are answered.
        coverages: (points,) the share of all images that is answered.
        accuracies: (points,) the share of the answers that is right.
    """

    thresholds: np.ndarray
    counts: np.ndarray
    coverages: np.ndarray
    accuracies: np.ndarray

    def __len__(self) -> int:
        return len(self.thresholds)

    def __repr__(self) -> str:
        return f"CoverageCurve({len(self)} points)"

    def __str__(self) -> str:
        lines = ["answered   right   at a confidence of at least"]
        for part in (0.25, 0.5, 0.75, 0.9, 1.0):
            place = int(np.searchsorted(self.coverages, part - 1e-12))
            lines.append(
                f"{self.coverages[place]:>8.1%}{self.accuracies[place]:>8.1%}"
                f"   {self.thresholds[place]:.4f}"
            )
        return "\n".join(lines)

    def accuracy_at(self, coverage: float) -> float:
        """Returns the accuracy where at least this share of the images is answered.

        Args:
            coverage: above 0, at most 1.
        """
        if not 0 < coverage <= 1:
            raise ArgumentError(
                f"`coverage` must be a number above 0 and at most 1. Received: coverage={coverage}."
            )
        return float(self.accuracies[np.searchsorted(self.coverages, coverage - 1e-12)])

    def to_dict(self) -> dict[str, Any]:
        """At most 200 points in plain types that `json.dumps` takes."""
        chosen = self._some()
        return {
            "thresholds": self.thresholds[chosen].tolist(),
            "counts": self.counts[chosen].tolist(),
            "coverages": self.coverages[chosen].tolist(),
            "accuracies": self.accuracies[chosen].tolist(),
        }

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draws accuracy over coverage, with the 95% interval of each point.

        Args:
            ax: where to draw; a new figure if left out.

        Returns:
            The axes; `ax.figure` is the figure.
        """
        from imgclf.evaluation.intervals.by_formula import wilson_interval

        chosen = self._some()
        intervals = [
            wilson_interval(round(float(accuracy * count)), int(count))
            for accuracy, count in zip(self.accuracies[chosen], self.counts[chosen], strict=True)
        ]
        return plots.coverage_curve(
            self.coverages[chosen], self.accuracies[chosen], intervals, ax=ax
        )

    def _some(self) -> np.ndarray:
        count = min(len(self), _SHOWN)
        return np.unique(np.linspace(0, len(self) - 1, count).round().astype(int))


def coverage_curve(confidences: ArrayLike, correct: ArrayLike) -> CoverageCurve:
    """Computes what is gained by leaving uncertain images unanswered.

    Args:
        confidences: (N,) probability of the class that was predicted, 0 to 1.
        correct: (N,) whether that class was the true one.

    Returns:
        A point for each different confidence; the last one answers all images.

    Raises:
        DataError: if the two are not as above, or are empty.

    Source:
        R. El-Yaniv, Y. Wiener, "On the Foundations of Noise-free Selective Classification",
        Journal of Machine Learning Research 11 (2010), has coverage and risk; accuracy is 1 - risk.

    Example:
        >>> curve = coverage_curve([0.9, 0.6, 0.8], [True, False, True])
        >>> curve.counts.tolist(), curve.accuracies.round(2).tolist()
        ([1, 2, 3], [1.0, 1.0, 0.67])
    """
    levels, right = check_confidences(confidences, correct)
    order = np.argsort(-levels, kind="stable")
    falling = levels[order]
    # Equal confidences are answered together: a point stands at the last of each.
    last = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))
    counts = last + 1
    return CoverageCurve(
        thresholds=falling[last],
        counts=counts,
        coverages=counts / len(levels),
        accuracies=np.cumsum(right[order])[last] / counts,
    )
