"""Draws every matplotlib figure from plain arrays and strings.

Figures are made with `matplotlib.figure.Figure`, never with pyplot: nothing global changes, no
display is needed, and figures need not be closed. A function that fills one axes takes `ax=None`
and returns the axes; the others return a figure. Both show themselves in a notebook. `figure_png`
and `figure_svg` return their bytes and markup.
"""

from __future__ import annotations

from imgclf.plots.comparing import differences, learning_curve, robustness_card, slice_accuracies
from imgclf.plots.confidence import (
    calibration_change,
    calibration_curve,
    coverage_curve,
    mark_coverage,
)
from imgclf.plots.confusion import confusion_matrix
from imgclf.plots.explaining import heat_maps, heat_overlay, neighbours
from imgclf.plots.images import (
    image_grid,
    image_sections,
    label_errors,
    message,
    mistakes,
    softmax_predictions,
)
from imgclf.plots.ranking import precision_recall_curves, roc_curves
from imgclf.plots.searching import (
    is_number,
    search_importance,
    search_parallel,
    search_progress,
    search_trade_off,
)
from imgclf.plots.style import figure_png
from imgclf.plots.svg import figure_svg
from imgclf.plots.training import training_curves

__all__ = [
    "calibration_change",
    "calibration_curve",
    "confusion_matrix",
    "coverage_curve",
    "differences",
    "figure_png",
    "figure_svg",
    "heat_maps",
    "heat_overlay",
    "image_grid",
    "image_sections",
    "is_number",
    "label_errors",
    "learning_curve",
    "mark_coverage",
    "message",
    "mistakes",
    "neighbours",
    "precision_recall_curves",
    "robustness_card",
    "roc_curves",
    "search_importance",
    "search_parallel",
    "search_progress",
    "search_trade_off",
    "slice_accuracies",
    "softmax_predictions",
    "training_curves",
]
