"""The metrics of an `Evaluation`: one row each, from which all texts, tables and records are made.

To add a metric, add a row to `METRICS`, and one to the table in `tests/evaluation/test_metrics.py`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

import numpy as np

from imgclf import checks
from imgclf.evaluation.calibration.reliability import expected_calibration_error
from imgclf.evaluation.intervals.by_formula import wilson_interval
from imgclf.evaluation.intervals.by_resampling import (
    interval_of_length,
    interval_of_resampled_mean,
)
from imgclf.evaluation.scores.by_class import Average, Score, mean_score, mean_score_interval
from imgclf.evaluation.scores.outcomes import Outcomes

__all__ = [
    "METRICS",
    "TOP_K",
    "Interval",
    "Metric",
    "MetricValues",
    "metric_rows",
    "metrics_for",
    "summary_metrics",
]

Interval: TypeAlias = tuple[float, float]

# The k of the top-k accuracies that are shown, where there are more than k classes.
TOP_K = (2, 3, 5)

_ROUNDING = 1e-9


@dataclasses.dataclass(frozen=True)
class Metric:
    """One row of the table: how a metric is computed, bounded and shown.

    Args:
        name: the key in `Evaluation.metrics` and in records.
        title: what people read.
        explanation: one line that says what it is.
        value: computes it.
        interval: computes its 95% interval, (low, high), which is then limited to possible values.
        format: as `format` takes it.
        higher_is_better: the direction.
        lowest: the smallest possible value.
        highest: the largest possible value.
        min_classes: for how many classes it says something of its own.
        in_summary: whether `print(evaluation)` shows it, or does so for imbalanced classes.
    """

    name: str
    title: str
    explanation: str
    value: Callable[[Outcomes], float]
    interval: Callable[[Outcomes], Interval]
    format: str = ".1%"
    higher_is_better: bool = True
    lowest: float = 0.0
    highest: float = 1.0
    min_classes: int = 2
    in_summary: Literal["no", "yes", "if imbalanced"] = "no"

    def show(self, value: float) -> str:
        """The value as people read it, such as "91.2%"."""
        return format(value, self.format)

    @property
    def description(self) -> str:
        """The explanation and the direction."""
        return f"{self.explanation}; {'higher' if self.higher_is_better else 'lower'} is better"


def metrics_for(num_classes: int) -> dict[str, Metric]:
    """The metrics that say something where there are so many classes, by name."""
    return {metric.name: metric for metric in METRICS if metric.min_classes <= num_classes}


def summary_metrics(num_classes: int, *, imbalanced: bool) -> list[Metric]:
    """Returns the metrics of a summary; those for imbalanced classes come first.

    Example:
        >>> [metric.name for metric in summary_metrics(2, imbalanced=True)][:3]
        ['balanced_accuracy', 'macro_f1', 'loss']
    """
    shown = ["if imbalanced", "yes"] if imbalanced else ["yes"]
    every = metrics_for(num_classes).values()
    # Where classes are balanced, the mean of their recalls equals the accuracy.
    return [metric for kind in shown for metric in every if metric.in_summary == kind]


class MetricValues:
    """The metrics of some outcomes and their 95% intervals, each computed when first asked for.

    Args:
        outcomes: labels and probabilities.

    Example:
        >>> values = MetricValues(Outcomes(np.array([0, 1]), np.array([[0.9, 0.1], [0.6, 0.4]])))
        >>> values.value("accuracy"), values.names[:2]
        (0.5, ['accuracy', 'balanced_accuracy'])
    """

    def __init__(self, outcomes: Outcomes) -> None:
        self._outcomes = outcomes
        self._values: dict[str, float] = {}
        self._intervals: dict[str, Interval] = {}

    @property
    def _metrics(self) -> dict[str, Metric]:
        # Not kept, since their functions cannot be pickled with an evaluation.
        return metrics_for(self._outcomes.num_classes)

    @property
    def names(self) -> list[str]:
        """The names of all metrics, in the order of the table."""
        return list(self._metrics)

    def value(self, name: str) -> float:
        """One metric."""
        if name not in self._values:
            self._values[name] = self._metric(name).value(self._outcomes)
        return self._values[name]

    def interval(self, name: str) -> Interval:
        """The 95% interval of one metric, (low, high), limited to possible values."""
        if name not in self._intervals:
            metric = self._metric(name)
            low, high = metric.interval(self._outcomes)
            low, high = max(low, metric.lowest), min(high, metric.highest)
            value = self.value(name)
            # Value and ends are sums in different orders: at 0 and 1 they differ by rounding.
            if abs(value - low) <= _ROUNDING:
                low = min(low, value)
            if abs(value - high) <= _ROUNDING:
                high = max(high, value)
            self._intervals[name] = low, high
        return self._intervals[name]

    def _metric(self, name: str) -> Metric:
        return self._metrics[checks.one_of("name", name, self._metrics)]


def metric_rows(
    values: Mapping[str, float], intervals: Mapping[str, Interval]
) -> list[tuple[Metric, str, str]]:
    """The rows of a table: each metric that is a number, its value and its interval as texts.

    Args:
        values: `Evaluation.metrics`.
        intervals: `Evaluation.intervals`.

    Example:
        >>> [(metric, value, interval)] = metric_rows({"loss": 0.25}, {"loss": (0.125, 0.5)})
        >>> metric.title, value, interval
        ('loss', '0.2500', '0.1250 to 0.5000')
        >>> metric.description
        'mean cross-entropy, natural logarithm; lower is better'
    """
    rows = []
    for metric in METRICS:
        if metric.name in values and math.isfinite(values[metric.name]):
            low, high = map(metric.show, intervals[metric.name])
            rows.append((metric, metric.show(values[metric.name]), f"{low} to {high}"))
    return rows


def _accuracy_interval(outcomes: Outcomes) -> Interval:
    return wilson_interval(int(np.sum(outcomes.correct)), len(outcomes))


def _top_k(k: int) -> Metric:
    return Metric(
        f"top_{k}",
        f"top-{k} accuracy",
        f"share of images whose class is among the {k} most likely ones",
        value=lambda outcomes: float(np.mean(outcomes.ranks < k)),
        interval=lambda outcomes: wilson_interval(int(np.sum(outcomes.ranks < k)), len(outcomes)),
        min_classes=k + 1,
        in_summary="yes",
    )


def _mean_of_classes(
    name: str,
    title: str,
    explanation: str,
    score: Score,
    average: Average,
    in_summary: Literal["no", "if imbalanced"] = "no",
) -> Metric:
    return Metric(
        name,
        title,
        explanation,
        value=lambda outcomes: mean_score(outcomes.confusion_matrix, score, average)[0],
        interval=lambda outcomes: mean_score_interval(outcomes.confusion_matrix, score, average),
        in_summary=in_summary,
    )


def _calibration_error(outcomes: Outcomes) -> float:
    return expected_calibration_error(np.minimum(outcomes.confidences, 1), outcomes.correct)


def _calibration_error_interval(outcomes: Outcomes) -> Interval:
    if len(outcomes) == 1:
        return 0.0, 1.0
    means = outcomes.resampled_means[:, 2:]
    return interval_of_length(outcomes.calibration_gaps.mean(axis=0), means)


METRICS: tuple[Metric, ...] = (
    Metric(
        "accuracy",
        "accuracy",
        "share of images whose prediction is right",
        value=lambda outcomes: float(np.mean(outcomes.correct)),
        interval=_accuracy_interval,
    ),
    _mean_of_classes(
        "balanced_accuracy",
        "balanced accuracy",
        "mean recall of the classes that have images",
        "recall",
        "balanced",
        "if imbalanced",
    ),
    _mean_of_classes(
        "macro_precision",
        "macro precision",
        "mean precision, all classes weighted equally",
        "precision",
        "macro",
    ),
    _mean_of_classes(
        "macro_recall",
        "macro recall",
        "mean recall, all classes weighted equally",
        "recall",
        "macro",
    ),
    _mean_of_classes(
        "macro_f1",
        "macro F1",
        "mean F1, all classes weighted equally",
        "f1",
        "macro",
        "if imbalanced",
    ),
    _mean_of_classes(
        "weighted_precision",
        "weighted precision",
        "mean precision, classes weighted by their images",
        "precision",
        "weighted",
    ),
    Metric(
        "weighted_recall",
        "weighted recall",
        "mean recall, classes weighted by their images: the accuracy",
        value=lambda outcomes: float(np.mean(outcomes.correct)),
        interval=_accuracy_interval,
    ),
    _mean_of_classes(
        "weighted_f1",
        "weighted F1",
        "mean F1, classes weighted by their images",
        "f1",
        "weighted",
    ),
    *map(_top_k, TOP_K),
    Metric(
        "loss",
        "loss",
        "mean cross-entropy, natural logarithm",
        value=lambda outcomes: float(np.mean(outcomes.losses)),
        interval=lambda outcomes: interval_of_resampled_mean(
            outcomes.losses, outcomes.resampled_means[:, 0]
        ),
        format=".4f",
        higher_is_better=False,
        highest=float(-np.log(np.finfo(np.float64).eps)),
        in_summary="yes",
    ),
    Metric(
        "brier_score",
        "Brier score",
        "mean squared distance of the probabilities from the truth",
        value=lambda outcomes: float(np.mean(outcomes.brier_scores)),
        interval=lambda outcomes: interval_of_resampled_mean(
            outcomes.brier_scores, outcomes.resampled_means[:, 1]
        ),
        format=".4f",
        higher_is_better=False,
        highest=2.0,
        in_summary="yes",
    ),
    Metric(
        "calibration_error",
        "calibration error",
        "mean distance between confidence and accuracy, 15 bins",
        value=_calibration_error,
        interval=_calibration_error_interval,
        higher_is_better=False,
        in_summary="yes",
    ),
    Metric(
        "roc_auc",
        "area under the ROC curve",
        "mean over the classes, each against the rest; 50% is chance",
        value=lambda outcomes: outcomes.mean_roc_auc[0],
        interval=lambda outcomes: outcomes.mean_roc_auc[1],
    ),
    Metric(
        "average_precision",
        "average precision",
        "mean over the classes, each against the rest",
        value=lambda outcomes: outcomes.mean_average_precision[0],
        interval=lambda outcomes: outcomes.mean_average_precision[1],
    ),
)
