"""Draws ROC and precision-recall curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imgclf.errors import ArgumentError
from imgclf.formatting import plural, shorten
from imgclf.plots.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PALE,
    PURPLE,
    VERMILLION,
    Numbers,
    finish,
    new_axes,
    percent_format,
    plain_legend,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes


__all__ = [
    "precision_recall_curves",
    "roc_curves",
]


def roc_curves(
    curves: Mapping[str, tuple[Numbers, Numbers, float]], ax: Axes | None = None
) -> Axes:
    """Draws ROC curves: true positive rates over false positive rates.

    Args:
        curves: by class name (false positive rates, true positive rates, area under the curve), in
            the order of importance: the first five are colored and named.
        ax: where to draw; a new figure if left out.

    Returns:
        The axes.

    Raises:
        ArgumentError: if there is no curve.

    Example:
        >>> axes = roc_curves({"cat": ([0, 0, 1], [0, 1, 1], 1.0)})
        >>> [text.get_text() for text in axes.get_legend().get_texts()]
        ['cat, area 1.000']
    """
    axes = new_axes(ax, 5, 4.6)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--")
    names = _draw_curves(axes, curves, "default")
    finish(axes, "false positives: share of other classes", "true positives: share of the class")
    plain_legend(axes, names, loc="lower right")
    return axes


def precision_recall_curves(
    curves: Mapping[str, tuple[Numbers, Numbers, float]], ax: Axes | None = None
) -> Axes:
    """Draws precision over recall, threshold by threshold.

    Args:
        curves: by class name (recalls, precisions, average precision), in the order of importance:
            the first five are colored and named.
        ax: where to draw; a new figure if left out.

    Returns:
        The axes.

    Raises:
        ArgumentError: if there is no curve.

    Example:
        >>> axes = precision_recall_curves({"cat": ([1, 1, 0], [0.5, 1, 1], 1.0)})
        >>> axes.get_xlabel()
        'recall'
    """
    axes = new_axes(ax, 5, 4.6)
    # Precision is not linear between two thresholds.
    names = _draw_curves(axes, curves, "steps-post")
    finish(axes, "recall", "precision")
    plain_legend(axes, names, loc="lower left")
    return axes


def _draw_curves(
    axes: Axes, curves: Mapping[str, tuple[Numbers, Numbers, float]], style: str
) -> list[str]:
    """Draws the curves and returns their names for the legend."""
    if not curves:
        raise ArgumentError("`curves` must hold at least one curve. Received: none.")
    colors = [BLUE, ORANGE, VERMILLION, GREEN, PURPLE]
    names = []
    for place, (name, (across, up, area)) in enumerate(curves.items()):
        if place < len(colors):
            names.append(f"{shorten(name, 24)}, area {area:.3f}")
            look: dict[str, Any] = {
                "color": colors[place],
                "linewidth": 1.8,
                "label": str(place),
                "zorder": 3,
            }
        else:
            look = {"color": PALE, "linewidth": 1}
        axes.plot(across, up, drawstyle=style, **look)
    if len(curves) > len(colors):
        names.append(plural(len(curves) - len(colors), "more class"))
        axes.plot([], [], color=PALE, label=names[-1])
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(0, 1.02)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(percent_format())
    return names
