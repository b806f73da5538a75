"""ROC and precision-recall curves of one class against the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from imgclf import checks
from imgclf.errors import DataError
from imgclf.evaluation.scores.outcomes import Outcomes

__all__ = ["Curve", "named_pr_curves", "named_roc_curves", "pr_points", "roc_points"]

Curve: TypeAlias = tuple[np.ndarray, np.ndarray, np.ndarray]


def roc_points(outcomes: Outcomes, class_names: Sequence[str], class_name: str) -> Curve:
    """(false positive rates, true positive rates, thresholds), as scikit-learn's `roc_curve`."""
    from sklearn.metrics import roc_curve

    number = _class_number(outcomes, class_names, class_name)
    points: Curve = roc_curve(outcomes.labels == number, outcomes.probabilities[:, number])
    return points


def pr_points(outcomes: Outcomes, class_names: Sequence[str], class_name: str) -> Curve:
    """(precisions, recalls, thresholds), as scikit-learn's `precision_recall_curve`."""
    from sklearn.metrics import precision_recall_curve

    number = _class_number(outcomes, class_names, class_name)
    points: Curve = precision_recall_curve(
        outcomes.labels == number, outcomes.probabilities[:, number]
    )
    return points


def named_roc_curves(
    outcomes: Outcomes, class_names: Sequence[str], class_name: str | None
) -> dict[str, tuple[np.ndarray, np.ndarray, float]]:
    """The ROC curves of the classes, or of one, with their areas; the smallest area first."""
    found = {}
    for number in _numbers(outcomes, class_names, class_name):
        false_positives, true_positives, _ = roc_points(outcomes, class_names, class_names[number])
        area = outcomes.roc_area(number).value
        found[class_names[number]] = (false_positives, true_positives, area)
    return dict(sorted(found.items(), key=lambda named: named[1][2]))


def named_pr_curves(
    outcomes: Outcomes, class_names: Sequence[str], class_name: str | None
) -> dict[str, tuple[np.ndarray, np.ndarray, float]]:
    """As `named_roc_curves`: recalls, precisions, and average precision."""
    found = {}
    for number in _numbers(outcomes, class_names, class_name):
        precisions, recalls, _ = pr_points(outcomes, class_names, class_names[number])
        area = outcomes.precision_area(number).value
        found[class_names[number]] = (recalls, precisions, area)
    return dict(sorted(found.items(), key=lambda named: named[1][2]))


def _numbers(outcomes: Outcomes, class_names: Sequence[str], class_name: str | None) -> list[int]:
    """The label numbers of the classes to draw."""
    if class_name is not None:
        return [_class_number(outcomes, class_names, class_name)]
    if not outcomes.ranked_classes:
        raise DataError(
            "A curve needs images of a class and of another one. Received: images of "
            f"{class_names[outcomes.labels[0]]!r} only."
        )
    return outcomes.ranked_classes


def _class_number(outcomes: Outcomes, class_names: Sequence[str], class_name: str) -> int:
    checks.one_of("class_name", class_name, class_names)
    number = list(class_names).index(class_name)
    if number not in outcomes.ranked_classes:
        raise DataError(
            f"The curve of {class_name!r} needs images of this class and of another one. "
            f"Received: {int(np.sum(outcomes.labels == number))} of {len(outcomes)} images."
        )
    return number
