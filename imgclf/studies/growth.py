"""Accuracy by the number of training images, extrapolated by a fitted power law."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from imgclf import checks, plots
from imgclf.errors import DataError
from imgclf.typing import Axes

__all__ = ["LearningCurve"]

# The exponents that are tried. From 0.05 on, which is all but a straight line over the logarithm of
# the number; above 2 the curve has reached its end within the smallest fraction. Studies find 0.07
# to 0.6: J. Hestness et al., "Deep Learning Scaling is Predictable, Empirically" (2017).
_EXPONENTS = np.geomspace(0.05, 2.0, 60)

_DRAWS = 1000

_FEWEST = 3


@dataclasses.dataclass(frozen=True)
class LearningCurve:
    """Accuracies of trainings on fractions of the data, and the curve a - b·n^-c through them.

    Intervals come from 1,000 resamplings of the points, by the number of validation images and the
    scatter of the trainings around the curve; the curve is fitted to each.

    Args:
        sizes: (points,) number of training images of each training.
        accuracies: (points,) validation accuracy of each, 0 to 1.
        validation_images: number of images that the accuracies were measured on.
        seed: of the draws.

    Raises:
        DataError: if there are fewer than three different sizes, or values are out of their range.

    Example:
        >>> sizes = (100, 200, 400, 700, 1000)
        >>> curve = LearningCurve(sizes, (0.708, 0.782, 0.836, 0.869, 0.885), 5000)
        >>> accuracy, low, high = curve.predict(2000)
        >>> round(accuracy, 2), low < accuracy < high
        (0.91, True)
        >>> print(str(curve).splitlines()[0])
        doubling the data should bring about 2.5 points (1.6 to 2.8)
    """

    sizes: Sequence[int]
    accuracies: Sequence[float]
    validation_images: int
    seed: int = 0

    def __post_init__(self) -> None:
        sizes = tuple(checks.integer("sizes", size, low=1) for size in self.sizes)
        values = tuple(checks.number("accuracies", one, low=0, high=1) for one in self.accuracies)
        checks.integer("validation_images", self.validation_images, low=1)
        checks.integer("seed", self.seed, low=0)
        if len(sizes) != len(values):
            raise DataError(
                "`sizes` and `accuracies` must have one entry a training. "
                f"Received: {len(sizes)} and {len(values)}."
            )
        if len(set(sizes)) < _FEWEST:
            raise DataError(
                f"`sizes` must hold at least {_FEWEST} different numbers of images: fewer do not "
                f"show a curve. {checks.received('sizes', sizes)}"
            )
        object.__setattr__(self, "sizes", sizes)
        object.__setattr__(self, "accuracies", values)

    @property
    def parameters(self) -> tuple[float, float, float]:
        """(a, b, c) of a - b·n^-c; a is the accuracy with any number of images."""
        a, b, c = self._fitted[0]
        return float(a), float(b), float(c)

    def predict(self, n: int) -> tuple[float, float, float]:
        """Predicts the accuracy with so many training images.

        Args:
            n: number of images. Beyond some four times the largest training the interval is a
                guess, too.

        Returns:
            (accuracy, low, high): the fitted one and its 95% interval.
        """
        checks.integer("n", n, low=1)
        return _with_interval(self._at(n))

    def gain(self, factor: float = 2.0) -> tuple[float, float, float]:
        """Predicts the gain in accuracy with so many times the images of the largest training.

        Args:
            factor: 2 for twice as many.

        Returns:
            (difference in accuracy, low, high), with a 95% interval.
        """
        checks.number("factor", factor, low=1)
        largest = max(self.sizes)
        return _with_interval(self._at(factor * largest) - self._at(largest))

    def __str__(self) -> str:
        size, low, high = (100 * value for value in self.gain(2))
        largest = max(self.sizes)
        accuracy, least, most = self.predict(2 * largest)
        lines = [
            f"doubling the data should bring about {size:.1f} points ({low:.1f} to {high:.1f})",
            f"  {'images':>10}  validation accuracy",
            *(
                f"  {count:>10,}  {value:.1%}"
                for count, value in sorted(zip(self.sizes, self.accuracies, strict=True))
            ),
            f"  {2 * largest:>10,}  {accuracy:.1%} expected ({least:.1%} to {most:.1%})",
        ]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "sizes": list(self.sizes),
            "accuracies": list(self.accuracies),
            "validation_images": self.validation_images,
            "parameters": list(self.parameters),
            "doubling": list(self.gain(2)),
        }

    def plot(self, ax: Axes | None = None) -> Axes:
        """Plots the trainings and the curve through them, up to four times as many images.

        Args:
            ax: axes to draw on; a figure is made if left out.

        Returns:
            The axes.
        """
        numbers = np.geomspace(min(self.sizes), 4 * max(self.sizes), 80)
        values, low, high = zip(
            *(_with_interval(self._at(number)) for number in numbers), strict=True
        )
        return plots.learning_curve(
            self.sizes, self.accuracies, (numbers, values, low, high), ax=ax
        )

    def _at(self, n: float) -> np.ndarray:
        """By the fitted curve, and by those of the resampled points."""
        a, b, c = self._fitted.T
        return np.clip(a - b * float(n) ** -c, 0, 1)

    @functools.cached_property
    def _fitted(self) -> np.ndarray:
        """(1 + draws, 3): a, b, c of the points as they are, and of the resampled points."""
        sizes, seen = np.asarray(self.sizes, float), np.asarray(self.accuracies)
        # The precision of so many validation images, with one right and one wrong more than were
        # seen (Agresti and Coull 1998), so that 100% is not certain either.
        shares = (seen * self.validation_images + 2) / (self.validation_images + 4)
        weights = self.validation_images / (shares * (1 - shares))
        first = _fit(sizes, seen[np.newaxis], weights)
        a, b, c = first[0]
        left = seen - (a - b * sizes**-c)
        # Trainings scatter more than the validation images say: by their seeds.
        free = len(sizes) - len(first[0])
        scatter = max(1.0, float(np.sum(weights * left**2)) / free) if free > 0 else 1.0
        rng = np.random.default_rng(self.seed)
        noise = rng.standard_normal((_DRAWS, len(sizes))) * np.sqrt(scatter / weights)
        return np.concatenate([first, _fit(sizes, a - b * sizes**-c + noise, weights)])


def _with_interval(values: np.ndarray) -> tuple[float, float, float]:
    """The first value, and the 95% interval of the others, which contains it.

    Curves may not fall, so that the resampled ones may all lie on one side of the first.
    """
    value = float(values[0])
    low, high = map(float, np.quantile(values[1:], (0.025, 0.975)))
    return value, min(low, value), max(high, value)


def _fit(sizes: np.ndarray, rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The best a, b, c of each row of accuracies, a at most 1 and b at least 0.

    With the exponent given the rest is a straight line, so every exponent is tried: there is no
    start to choose and no wrong valley to end in.
    """
    total = weights.sum()
    best = np.full(len(rows), np.inf)
    found = np.empty((len(rows), 3))
    for exponent in _EXPONENTS:
        falling = sizes**-exponent
        middle = weights @ falling / total
        centre = rows @ weights / total
        spread = weights @ (falling - middle) ** 2
        b = np.maximum(
            0, -((rows - centre[:, np.newaxis]) @ (weights * (falling - middle))) / spread
        )
        a = centre + b * middle
        # Over 1: through 1, with the slope that fits best then.
        over = a > 1
        b = np.where(over, (1 - rows) @ (weights * falling) / (weights @ falling**2), b)
        a = np.where(over, 1.0, a)
        left = rows - (a[:, np.newaxis] - b[:, np.newaxis] * falling)
        losses = left**2 @ weights
        better = losses < best
        best = np.where(better, losses, best)
        found[better] = np.stack([a, b, np.full(len(rows), exponent)], axis=1)[better]
    return found
