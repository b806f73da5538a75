"""`Threshold`: the confidence below which a classifier answers "unknown".

The lowest threshold that reaches a precision on some images is too low for others: it was selected
for its luck. So a threshold must pass the exact binomial bound, at an error probability that is
divided among all thresholds that are tried. These are few: a binary search over 63 of them, evenly
spread over the images, tries six at most.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from imgclf import checks, plots
from imgclf.errors import DataError
from imgclf.evaluation.calibration.coverage import CoverageCurve, coverage_curve
from imgclf.evaluation.intervals.by_formula import wilson_interval
from imgclf.typing import ArrayLike, Axes

__all__ = ["Threshold", "find_threshold"]

# One less than a power of two: the binary search then takes six steps.
_TRIED = 63


@dataclasses.dataclass(frozen=True)
class Threshold:
    """The lowest confidence with which a classifier answers, and what that costs.

    Args:
        probability: images whose most likely class is less probable are "unknown".
        precision: the share of the answers that is right, on the images it was fitted on.
        precision_interval: 95% Wilson interval of `precision`.
        coverage: the share of the images that is answered.
        coverage_interval: 95% Wilson interval of `coverage`.
        num_images: how many images it was fitted on.
        wanted: the precision that was asked for.
        certainty: the confidence level at which new images reach it; None if not asked for.
        curve: coverage and accuracy at every threshold; not stored in model files.
    """

    probability: float
    precision: float
    precision_interval: tuple[float, float]
    coverage: float
    coverage_interval: tuple[float, float]
    num_images: int
    wanted: float
    certainty: float | None = 0.95
    curve: CoverageCurve | None = dataclasses.field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        where = (
            "on these images"
            if self.certainty is None
            else f"on new images too, with {self.certainty:.0%} certainty"
        )
        low, high = self.precision_interval
        least, most = self.coverage_interval
        return (
            f'"unknown" below a probability of {self.probability:.4f}: at least {self.wanted:.1%} '
            f"of the answers are right {where}\n"
            f"  right     {self.precision:.1%} of the answers ({low:.1%} to {high:.1%}, "
            "95% interval)\n"
            f"  answered  {self.coverage:.1%} of {self.num_images:,} images ({least:.1%} to "
            f"{most:.1%})"
        )

    def to_dict(self) -> dict[str, Any]:
        """All values in plain types that `json.dumps` takes; without the curve."""
        return {
            field.name: list(value) if isinstance(value, tuple) else value
            for field in dataclasses.fields(self)
            if field.name != "curve"
            for value in [getattr(self, field.name)]
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Threshold:
        """Makes the threshold that `to_dict` wrote."""
        known = {field.name for field in dataclasses.fields(cls)} - {"curve"}
        given: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
            if name in known
        }
        return cls(**given)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draws accuracy over coverage, and the threshold on it.

        A threshold from a model file has the point only.

        Args:
            ax: where to draw; a new figure if left out.

        Returns:
            The axes; `ax.figure` is the figure.
        """
        curve = self.curve
        axes = plots.coverage_curve([], [], [], ax=ax) if curve is None else curve.plot(ax)
        label = f"threshold {self.probability:.3g}"
        return plots.mark_coverage(axes, self.coverage, self.precision, self.wanted, label)


def find_threshold(
    confidences: ArrayLike,
    correct: ArrayLike,
    *,
    precision: float = 0.99,
    certainty: float | None = 0.95,
) -> Threshold:
    """Finds the lowest threshold above which answers reach a precision.

    Args:
        confidences: (N,) probability of the class that was predicted, 0 to 1.
        correct: (N,) whether that class was the true one.
        precision: the share of the answers that must be right, between 0 and 1.
        certainty: the confidence level at which new images of the same kind reach the precision.
            None takes the lowest threshold that reaches it on these images; others often miss it.

    Returns:
        The threshold.

    Raises:
        DataError: if the precision is not reached; the message has the highest that is.

    Source:
        Y. Geifman, R. El-Yaniv, "Selective Classification for Deep Neural Networks", NIPS 2017,
        algorithm 1, with the bound of C. Clopper, E. Pearson, Biometrika 26 (1934).

    Example:
        >>> confidences = np.linspace(0.5, 1, 2000)
        >>> found = find_threshold(confidences, confidences > 0.6, precision=0.95)
        >>> 0.5 < found.probability < 0.6, found.precision > 0.95
        (True, True)
    """
    wanted = checks.number("precision", precision, low=0, high=1, above=True, below=True)
    if certainty is not None:
        certainty = checks.number("certainty", certainty, low=0, high=1, above=True, below=True)
    curve = coverage_curve(confidences, correct)
    place = _place(curve, wanted, certainty)
    if place is None:
        raise DataError(_not_reached(curve, wanted, certainty))
    total = int(curve.counts[-1])
    count = int(curve.counts[place])
    return Threshold(
        probability=float(curve.thresholds[place]),
        precision=float(curve.accuracies[place]),
        precision_interval=wilson_interval(_right(curve, place), count),
        coverage=count / total,
        coverage_interval=wilson_interval(count, total),
        num_images=total,
        wanted=wanted,
        certainty=certainty,
        curve=curve,
    )


def _right(curve: CoverageCurve, place: int) -> int:
    return round(float(curve.accuracies[place] * curve.counts[place]))


def _place(curve: CoverageCurve, wanted: float, certainty: float | None) -> int | None:
    """The place on the curve of the lowest threshold that passes; None if none does."""
    if certainty is None:
        enough = np.flatnonzero(curve.accuracies >= wanted)
        return int(enough[-1]) if len(enough) else None
    least, total = _needed(wanted, certainty), int(curve.counts[-1])
    if least > total:
        return None
    counts = np.unique(np.linspace(least, total, _TRIED).round())
    tried = np.unique(np.searchsorted(curve.counts, counts))
    low, high, found = 0, len(tried) - 1, None
    while low <= high:
        middle = (low + high) // 2
        place = int(tried[middle])
        if _lower_bound(_right(curve, place), int(curve.counts[place]), certainty) >= wanted:
            found, low = place, middle + 1
        else:
            high = middle - 1
    return found


def _lower_bound(right: int, count: int, certainty: float) -> float:
    """The lower bound of the true precision, valid for all steps of the search together."""
    from scipy.stats import beta

    return float(beta.ppf(_chance(certainty), right, count - right + 1)) if right else 0.0


def _needed(wanted: float, certainty: float) -> int:
    """How many answers it takes to pass if all of them are right."""
    return math.ceil(math.log(_chance(certainty)) / math.log(wanted))


def _chance(certainty: float) -> float:
    """The error probability of one step of the search."""
    return (1 - certainty) / math.log2(_TRIED + 1)


def _not_reached(curve: CoverageCurve, wanted: float, certainty: float | None) -> str:
    total = int(curve.counts[-1])
    if certainty is None:
        return (
            f"`precision` of {wanted:.1%} is reached at no threshold on these {total:,} images. "
            f"The highest that is: {curve.accuracies.max():.3f}."
        )
    lower = (value / 1000 for value in range(math.ceil(wanted * 1000) - 1, 0, -1))
    best = next((one for one in lower if _place(curve, one, certainty) is not None), 0.0)
    return (
        f"`precision` of {wanted:.1%} cannot be guaranteed with {certainty:.0%} certainty by these "
        f"{total:,} images. The highest that can: {best:.3f}. For {wanted:.1%} it takes at "
        f"least {_needed(wanted, certainty):,} answers, all of them right. Use more images, ask "
        "for less, or take certainty=None, which guarantees nothing about other images."
    )
