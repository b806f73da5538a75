"""Whether what it says of its own doubt can be believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imgclf.report.charts import Chart, Line, draw
from imgclf.report.page import Section, render

if TYPE_CHECKING:
    from imgclf.evaluation.calibration.temperature import Calibration
    from imgclf.evaluation.evaluation import Evaluation

__all__ = ["calibration"]

# Points of the curve; accuracies of fewer images jump about.
_POINTS, _FEW = 60, 20

# Below this the two figures are called the same.
_SAME = 0.01


def calibration(
    evaluation: Evaluation, calibrated: Calibration | None = None, temperature: float = 1.0
) -> Section:
    """The reliability diagram.

    Args:
        evaluation: of the classifier as it is.
        calibrated: what a temperature would bring.
        temperature: what the classifier has already; 1 without.
    """
    bins = evaluation.calibration_bins
    lines = [
        Line("as it should be", [0, 1], [0, 1], kind="grey"),
        Line(
            "accuracy, 95% interval",
            [one.confidence for one in bins],
            [one.accuracy for one in bins],
            [one.accuracy_interval for one in bins],
        ),
    ]
    if calibrated is not None:
        after = calibrated.after.bins
        lines.append(
            Line(
                "with a temperature",
                [one.confidence for one in after],
                [one.accuracy for one in after],
                kind="second",
            )
        )
    claimed = float(evaluation.confidences.mean())
    gap = claimed - evaluation.accuracy
    way = "about as sure as it is right"
    if abs(gap) > _SAME:
        way = "surer than it is right" if gap > 0 else "less sure than it is right"
    chart = Chart(
        alt=f"On average it is {claimed:.1%} sure, and right in {evaluation.accuracy:.1%}: {way}. "
        "A point below the dashed line: too sure.",
        lines=lines,
        x_label="how sure it is",
        y_label="how often it is right",
        percent=True,
        x_percent=True,
        x_range=(0, 1),
        y_range=(0, 1),
    )
    charts = [chart, _if_it_may_pass(evaluation)]
    return Section(
        "calibration",
        "Calibration",
        render("charts.html", charts=[(one, draw(one)) for one in charts]),
        f"Of what it is 80% sure of, it should get 80% right. The mean distance from that is "
        f"{evaluation.calibration_error:.1%} (expected calibration error, 15 ranges)."
        + _about_temperature(calibrated, temperature),
    )


def _about_temperature(calibrated: Calibration | None, temperature: float) -> str:
    if temperature != 1.0:
        return f" It is calibrated: its logits are divided by {temperature:.3f}."
    if calibrated is None:
        return ""
    before, after = calibrated.before.calibration_error, calibrated.after.calibration_error
    if before - after < _SAME:
        return " A temperature from the validation images would hardly change that."
    return (
        f" A temperature of {calibrated.temperature:.2f}, from {calibrated.num_images:,} "
        f"validation images, would make it {after:.1%} and change no answer: "
        "clf.calibrate(data.validation)."
    )


def _if_it_may_pass(evaluation: Evaluation) -> Chart:
    """How often it is right in the surest part of the images, for parts up to all of them."""
    order = np.argsort(-evaluation.confidences, kind="stable")
    right = np.cumsum(evaluation.correct[order])
    few = min(_FEW, len(evaluation))
    counts = np.unique(np.linspace(few, len(evaluation), _POINTS).astype(int))
    accuracies = right[counts - 1] / counts
    half = float(right[max(few, len(evaluation) // 2) - 1] / max(few, len(evaluation) // 2))
    return Chart(
        alt="If it may say “I don't know” where it is least sure: of the surer half of the "
        f"images it gets {half:.1%} right, of all {evaluation.accuracy:.1%}.",
        lines=[
            Line("accuracy", [float(one) for one in counts / len(evaluation)], list(accuracies))
        ],
        x_label="part of the images that it answers",
        y_label="how often it is right",
        percent=True,
        x_percent=True,
        x_range=(0, 1),
    )
