"""`Prediction`: what a classifier says of one image."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from imgclf import checks

__all__ = ["UNKNOWN", "Prediction"]

# What an image is called that the classifier does not dare to name.
UNKNOWN = "unknown"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Prediction:
    """The most likely class of an image, and how likely each class is.

    It unpacks as a pair: `name, probability = prediction`.

    Args:
        probability_array: (classes,) probabilities.
        class_names: one name a class.
        source: the path of the image, if it came from a file.
        threshold: where the likeliest class is less probable, `class_name` is "unknown"; None names
            a class always.

    Example:
        >>> Prediction(np.array([0.2, 0.8]), ["cat", "dog"])
        dog 80.0%
        >>> Prediction(np.array([0.2, 0.8]), ["cat", "dog"], threshold=0.9)
        unknown (dog 80.0%)
    """

    probability_array: np.ndarray
    class_names: Sequence[str]
    source: str | None = None
    threshold: float | None = None

    @property
    def index(self) -> int:
        """The label number of the most likely class, whether or not it is probable enough."""
        return int(np.argmax(self.probability_array))

    @property
    def known(self) -> bool:
        """Whether the most likely class is probable enough to be named."""
        return self.threshold is None or self.probability >= self.threshold

    @property
    def class_name(self) -> str:
        """The most likely class; "unknown" if it is not `known`."""
        return self.class_names[self.index] if self.known else UNKNOWN

    @property
    def probability(self) -> float:
        """The probability of the most likely class."""
        return float(self.probability_array[self.index])

    @property
    def probabilities(self) -> dict[str, float]:
        """The probability of each class by its name."""
        return dict(zip(self.class_names, map(float, self.probability_array), strict=True))

    def top(self, k: int = 3) -> list[tuple[str, float]]:
        """The `k` most likely classes with their probabilities, the likeliest first."""
        checks.integer("k", k, low=1, high=len(self.class_names))
        order = np.argsort(-self.probability_array, kind="stable")[:k]
        return [(self.class_names[index], float(self.probability_array[index])) for index in order]

    def __iter__(self) -> Iterator[str | float]:
        yield self.class_name
        yield self.probability

    def __repr__(self) -> str:
        best = f"{self.class_names[self.index]} {self.probability:.1%}"
        return best if self.known else f"{UNKNOWN} ({best})"
