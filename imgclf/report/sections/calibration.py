"""Whether what it says of its own doubt can be believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgclf.report.charts import Chart, Line, draw
from imgclf.report.page import Section, render

if TYPE_CHECKING:
    from imgclf.evaluation.evaluation import Evaluation

__all__ = ["calibration"]

# Below this the two figures are called the same.
_SAME = 0.01


def calibration(evaluation: Evaluation) -> Section:
    """The reliability diagram."""
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
    return Section(
        "calibration",
        "Calibration",
        render("charts.html", charts=[(chart, draw(chart))]),
        f"Of what it is 80% sure of, it should get 80% right. The mean distance from that is "
        f"{evaluation.calibration_error:.1%} (expected calibration error, 15 ranges).",
    )
