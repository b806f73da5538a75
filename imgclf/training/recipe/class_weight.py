"""Imbalanced classes: the weight of each in the loss, and when to warn that they are imbalanced."""

from __future__ import annotations

import dataclasses
import numbers
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from imgclf import checks
from imgclf.checks import Constraint, OneOf
from imgclf.data.labels import is_whole
from imgclf.errors import ArgumentError, ArgumentTypeError

if TYPE_CHECKING:
    from imgclf.data.split import Split

__all__ = ["ClassWeight", "ClassWeights", "class_weights", "imbalance_note"]

# A weight for each class name or number, or "balanced".
ClassWeights: TypeAlias = Mapping[str | int, float] | str

# How many times the images of the smallest class the largest one has. From about here on a network
# that neglects the smallest class loses little accuracy.
_IMBALANCED = 5

_BALANCED = OneOf("balanced")


@dataclasses.dataclass(frozen=True)
class ClassWeight(Constraint):
    """Either "balanced", or a dict of class name or number and a weight of at least 0.

    A list of such pairs, as JSON stores the dict, becomes one.
    """

    allowed = "'balanced' or a dict of class and weight"

    def accept(self, value: object) -> str | dict[str | int, float]:
        if isinstance(value, str):
            return str(_BALANCED.accept(value))
        if isinstance(value, list) and all(
            isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in value
        ):
            value = dict(map(tuple, value))
        if not isinstance(value, Mapping) or not value:
            raise TypeError
        return {_key(key): _weight(key, weight) for key, weight in value.items()}

    def hint(self, value: object) -> str:
        return _BALANCED.hint(value) if isinstance(value, str) else ""


def _key(key: Any) -> str | int:
    if isinstance(key, str):
        return key
    if isinstance(key, bool) or not isinstance(key, numbers.Integral):
        raise ArgumentTypeError(
            "`class_weight` must have names or numbers of classes as keys. "
            + checks.received("key", key)
        )
    return int(key)


def _weight(key: Any, weight: Any) -> float:
    return checks.number(f"class_weight[{key!r}]", weight, low=0)


def class_weights(class_weight: ClassWeights | None, train: Split) -> dict[int, float] | None:
    """The weight of each class by its number, as Keras's `fit` takes it; None for equal weights.

    Args:
        class_weight: as in the `Recipe`.
        train: the training images.

    Raises:
        ArgumentError: if a class is unknown or named twice, or if no weight is above 0.

    Source:
        "balanced": G. King, L. Zeng, "Logistic Regression in Rare Events Data", 2001, as computed
        by scikit-learn's `compute_class_weight`.

    Example:
        >>> import imgclf
        >>> split = imgclf.Split(np.zeros((8, 4, 4, 1), np.uint8), [0] * 6 + [1] * 2, ["a", "b"])
        >>> class_weights("balanced", split)
        {0: 0.6666666666666666, 1: 2.0}
        >>> class_weights({"b": 3}, split)
        {0: 1.0, 1: 3.0}
    """
    if class_weight is None:
        return None
    weights = dict.fromkeys(range(train.num_classes), 1.0)
    if isinstance(class_weight, str):
        from sklearn.utils.class_weight import compute_class_weight

        there = np.unique(train.labels)
        balanced = compute_class_weight("balanced", classes=there, y=train.labels)
        return weights | dict(zip(there.tolist(), balanced.tolist(), strict=True))
    given: set[int] = set()
    for key, weight in class_weight.items():
        number = _number_of(key, train.class_names)
        if number in given:
            raise ArgumentError(
                f"`class_weight` names class {train.class_names[number]!r} twice, by name and by "
                f"number. {checks.received('class_weight', class_weight)}"
            )
        given.add(number)
        weights[number] = float(weight)
    if not any(weights[label] for label in np.unique(train.labels).tolist()):
        raise ArgumentError(
            "`class_weight` must give some class with images a weight above 0. "
            + checks.received("class_weight", class_weight)
        )
    return weights


def _number_of(key: str | int, class_names: Sequence[str]) -> int:
    if isinstance(key, str):
        return list(class_names).index(checks.one_of("class in class_weight", key, class_names))
    if list(class_names) != list(map(str, range(len(class_names)))) and all(
        map(is_whole, class_names)
    ):
        # As in labels, a number is the class of that name.
        return list(class_names).index(
            checks.one_of("class in class_weight", str(key), class_names)
        )
    return checks.integer("class in class_weight", key, low=0, high=len(class_names) - 1)


def imbalance_note(train: Split, *, compensated: bool) -> str:
    """A sentence if classes are very imbalanced, else "".

    Args:
        train: the training images.
        compensated: whether the recipe has class weights or balanced sampling.
    """
    sizes = {name: size for name, size in train.label_counts().items() if size}
    smallest, largest = min(sizes, key=sizes.__getitem__), max(sizes, key=sizes.__getitem__)
    if compensated or sizes[largest] < _IMBALANCED * sizes[smallest]:
        return ""
    fewest = "1 image" if sizes[smallest] == 1 else f"{sizes[smallest]:,} images"
    return (
        f"Classes are imbalanced, from {fewest} ({smallest}) to {sizes[largest]:,} ({largest}): "
        "class_weight='balanced' gives each the same weight."
    )
