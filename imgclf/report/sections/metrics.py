"""Shows every metric with its 95% interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgclf.evaluation.evaluation_html import metric_table
from imgclf.report.page import Section, scrolling

if TYPE_CHECKING:
    from imgclf.evaluation.evaluation import Evaluation

__all__ = ["metrics"]


def metrics(evaluation: Evaluation) -> Section:
    """Shows a row for each metric."""
    rows = metric_table("", evaluation.metrics, evaluation.intervals)
    lead = (
        "Macro averages weight all classes equally, weighted averages by their number of images. "
        "The interval says how far off the metric may be on other images of the same kind."
    )
    return Section("metrics", "Metrics", scrolling("Metrics", rows), lead)
