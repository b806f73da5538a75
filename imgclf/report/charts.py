"""Shows matplotlib figures within a page, as SVG in the page's own colors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from imgclf.plots import figure_svg
from imgclf.report.page import render

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["chart"]


def chart(drawing: Figure | Axes, alt: str, *, caption: str = "") -> Markup:
    """Returns a figure of a page.

    Args:
        drawing: as the functions of `imgclf.plots` return it.
        alt: what it shows, for those who cannot see it.
        caption: the text below it.

    Example:
        >>> from imgclf import plots
        >>> curves = plots.training_curves({"accuracy": [0.5, 0.7]})
        >>> "<svg" in chart(curves, "Accuracy by epoch")
        True
    """
    # matplotlib escapes what it writes, and the colors and ids are ours.
    svg = Markup(figure_svg(drawing, alt))  # noqa: S704
    return render("chart.html", svg=svg, alt=alt, caption=caption)
