"""Imbalanced classes: what each counts in the loss, and when to say that they are imbalanced."""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING, Any

import numpy as np

from imgclf import checks
from imgclf.errors import ArgumentError, ArgumentTypeError
from imgclf.formatting import plural

if TYPE_CHECKING:
    from imgclf.data.split import Split
    from imgclf.training.recipe.recipe import Recipe

__all__ = ["check_class_weight", "class_weights", "imbalance_note", "plain_weights"]

# The largest class has so many times the images of the smallest. From about here on a network
# that neglects the smallest class loses little in accuracy by it.
_VERY_UNEVEN = 5


def check_class_weight(name: str, value: Any) -> Any:
    """None, "balanced", or a dict of class name or number and a weight of at least 0.

    A list of such pairs, as JSON stores the dict, counts as one.
    """
    if value is None or isinstance(value, str):
        return checks.one_of(name, value, [None, "balanced"])
    if isinstance(value, list) and all(isinstance(p, (list, tuple)) and len(p) == 2 for p in value):
        value = dict(map(tuple, value))
    if not isinstance(value, dict) or not value:
        raise ArgumentTypeError(
            f"`{name}` must be None, 'balanced', or a dict of class and weight. "
            + checks.received(name, value)
        )
    for key, weight in value.items():
        if isinstance(key, bool) or not isinstance(key, (str, numbers.Integral)):
            raise ArgumentTypeError(
                f"`{name}` must have names or numbers of classes as keys. "
                + checks.received("key", key)
            )
        checks.number(f"{name}[{key!r}]", weight, low=0)
    return value


def plain_weights(value: Any) -> dict[str | int, float]:
    """What `check_class_weight` lets pass, as a dict of plain types."""
    return {key if isinstance(key, str) else int(key): float(w) for key, w in dict(value).items()}


def class_weights(class_weight: Any, train: Split) -> dict[int, float] | None:
    """The weight of each class by its number, as Keras's `fit` takes it; None if all count alike.

    Args:
        class_weight: as in the `Recipe`.
        train: the images to learn from.

    Raises:
        ArgumentError: if a class is named that there is none, or twice, or no weight is above 0.

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


def _number_of(key: Any, class_names: Any) -> int:
    if isinstance(key, str):
        return list(class_names).index(checks.one_of("class in class_weight", key, class_names))
    return checks.integer("class in class_weight", key, low=0, high=len(class_names) - 1)


def imbalance_note(train: Split, recipe: Recipe) -> str:
    """A sentence if classes are very imbalanced and the recipe does nothing about it, else ""."""
    counts = {name: count for name, count in train.label_counts().items() if count}
    few, many = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
    evened = recipe.class_weight is not None or recipe.sampling is not None
    if evened or counts[many] < _VERY_UNEVEN * counts[few]:
        return ""
    least = plural(counts[few], "image")
    return (
        f"Classes are imbalanced, from {least} ({few}) to {counts[many]:,} ({many}): "
        "class_weight='balanced' lets each count alike."
    )
