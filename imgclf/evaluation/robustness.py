"""Robustness: the accuracy on images that are blurred, noisy, dark, rotated and the like."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from imgclf import checks, plots
from imgclf.data.split import Split
from imgclf.errors import ArgumentError, DataError
from imgclf.evaluation.damage import DAMAGES, STEPS, damage
from imgclf.evaluation.intervals.by_formula import wilson_interval
from imgclf.typing import Figure

__all__ = ["SAMPLE", "Robustness", "measure_robustness"]

# Images for each kind and severity, unless the user says otherwise.
SAMPLE = 1000

# Images that are read, damaged and predicted together.
_BATCH = 256


@dataclasses.dataclass(frozen=True)
class Robustness:
    """Accuracy under each kind of damage, in five steps from mild to severe.

    Args:
        num_images: how many images were evaluated, the same ones for each kind and step.
        num_available: how many images the split has.
        num_classes: how many classes there are.
        accuracy: on the undamaged images, 0 to 1.
        accuracies: by the name of the damage, the accuracy at each step.
        seed: of the sample and of the damage.

    Example:
        >>> print(Robustness(500, 500, 10, 0.9, {"blur": (0.9, 0.88, 0.8, 0.7, 0.5)}, 0))
        90.0% (87.1% to 92.3%) on 500 undamaged images
                       1       2       3       4       5   mean
          blur     90.0%   88.0%   80.0%   70.0%   50.0%  75.6%
          (each ± up to 4.4 points; 1 is mild, 5 severe)
    """

    num_images: int
    num_available: int
    num_classes: int
    accuracy: float
    accuracies: dict[str, tuple[float, ...]]
    seed: int

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        """95% Wilson interval of `accuracy`."""
        return self._interval(self.accuracy)

    @property
    def intervals(self) -> dict[str, tuple[tuple[float, float], ...]]:
        """95% Wilson intervals of `accuracies`."""
        return {name: tuple(map(self._interval, row)) for name, row in self.accuracies.items()}

    @property
    def mean_accuracy(self) -> float:
        """The mean of all kinds and steps."""
        return float(np.mean([value for row in self.accuracies.values() for value in row]))

    @property
    def weakest(self) -> str:
        """The kind of damage with the lowest mean accuracy."""
        return min(self.accuracies, key=lambda name: float(np.mean(self.accuracies[name])))

    def _interval(self, accuracy: float) -> tuple[float, float]:
        return wilson_interval(round(accuracy * self.num_images), self.num_images)

    def __str__(self) -> str:
        low, high = self.accuracy_interval
        drawn = (
            "" if self.num_images == self.num_available else f" drawn from {self.num_available:,}"
        )
        width = max(map(len, self.accuracies))
        heads = "".join(f"{step:>8}" for step in range(1, STEPS + 1))
        lines = [
            f"{self.accuracy:.1%} ({low:.1%} to {high:.1%}) "
            f"on {self.num_images:,} undamaged images{drawn}",
            f"  {'':<{width}}{heads}   mean",
        ]
        for name, row in self.accuracies.items():
            values = "".join(f"{value:8.1%}" for value in row)
            lines.append(f"  {name:<{width}}{values}  {np.mean(row):.1%}")
        widest = max(high - low for row in self.intervals.values() for low, high in row)
        lines.append(f"  (each ± up to {100 * widest / 2:.1f} points; 1 is mild, {STEPS} severe)")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "num_images": self.num_images,
            "num_available": self.num_available,
            "seed": self.seed,
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.accuracy_interval),
            "accuracies": {name: list(row) for name, row in self.accuracies.items()},
            "intervals": {name: [list(one) for one in row] for name, row in self.intervals.items()},
            "mean_accuracy": self.mean_accuracy,
        }

    def plot(self) -> Figure:
        """Draws a small panel for each kind of damage.

        Returns:
            The figure.
        """
        return plots.robustness_card(
            self.accuracies, self.intervals, self.accuracy, 1 / self.num_classes
        )


def measure_robustness(
    predict: Callable[[np.ndarray], np.ndarray],
    split: Split,
    *,
    sample: int | None = SAMPLE,
    damages: Sequence[str] = DAMAGES,
    seed: int = 0,
) -> Robustness:
    """Measures the accuracy on damaged images.

    Args:
        predict: takes (N, height, width, channels) uint8, gives (N, classes) probabilities.
        split: labelled images.
        sample: how many are drawn, at most; None for all.
        damages: which kinds of damage: "blur", "JPEG", "noise", "rotation", "darkness", "shift".
        seed: decides which images, and the damage to each.

    Returns:
        The accuracies.

    Raises:
        DataError: if there are no images.
        ArgumentError: for an unknown kind of damage.

    Example:
        >>> import imgclf
        >>> split = imgclf.load_digits().test
        >>> always = lambda images: np.tile(np.eye(10)[3], (len(images), 1))
        >>> robustness = measure_robustness(always, split, sample=50, damages=["blur", "shift"])
        >>> robustness.num_images, set(robustness.accuracies["blur"]) == {robustness.accuracy}
        (50, True)
    """
    if len(split) == 0:
        raise DataError("`split` must hold at least one image. Received: none.")
    checks.integer("seed", seed, low=0)
    if isinstance(damages, str) or not len(damages):
        raise ArgumentError(
            f"`damages` must be a list of names, at least one. "
            f"{checks.received('damages', damages)}"
        )
    for name in damages:
        checks.one_of("damages", name, DAMAGES)
    count = len(split)
    if sample is not None:
        count = min(count, checks.integer("sample", sample, low=1))
    chosen = split
    if count < len(split):
        rows = np.random.default_rng(seed).choice(len(split), count, replace=False)
        chosen = split[np.sort(rows)]
    right = 0
    hits = {name: np.zeros(STEPS, int) for name in damages}
    for place, (images, labels) in enumerate(chosen.batches(_BATCH)):
        right += _hits(predict, images, labels)
        for name in damages:
            for step in range(1, STEPS + 1):
                worse = damage(images, name, step, seed=1000 * seed + place)
                hits[name][step - 1] += _hits(predict, worse, labels)
    return Robustness(
        num_images=count,
        num_available=len(split),
        num_classes=split.num_classes,
        accuracy=right / count,
        accuracies={name: tuple((found / count).tolist()) for name, found in hits.items()},
        seed=seed,
    )


def _hits(predict: Callable[[np.ndarray], np.ndarray], images: Any, labels: np.ndarray) -> int:
    return int(np.sum(np.argmax(predict(images), axis=1) == labels))
