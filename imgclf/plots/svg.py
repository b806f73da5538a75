"""Renders figures as inline SVG in the colors of a page, light or dark."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from imgclf.plots.style import BLUE, GREY, INK, ORANGE, PALE, VERMILLION, readable, whole_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "figure_svg",
]

# The names of a figure's colors in the style of a page.
_PAGE_COLORS = {INK: "--ink", GREY: "--grey", PALE: "--line", BLUE: "--first"}
_PAGE_COLORS |= {VERMILLION: "--second", ORANGE: "--second"}


def figure_svg(figure: Figure | Axes, alt: str) -> str:
    """Renders a figure as an SVG element in the colors of the page's style.

    Args:
        figure: a figure, or axes, which stand for the figure they are in.
        alt: what it shows, for those who do not see it.

    Returns:
        `<svg …>` with nothing around it. It holds no time, no version, no address and no id that
        another figure could have. Colors that the page's style names (`--ink`, `--first`, …) are
        taken from there.

    Raises:
        ArgumentTypeError: if it is neither.

    Example:
        >>> from imgclf.plots import confusion_matrix
        >>> svg = figure_svg(confusion_matrix([[8, 2], [1, 9]], ["cat", "dog"]), "a & b")
        >>> svg.startswith('<svg role="img" aria-label="a &amp; b"'), "http" in svg
        (True, False)
    """
    from xml.sax.saxutils import quoteattr

    import matplotlib as mpl

    file = io.StringIO()
    nothing = dict.fromkeys(["Creator", "Date", "Format", "Type"])
    whole = whole_figure(figure)
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": alt}), readable(whole):
        whole.savefig(file, format="svg", transparent=True, metadata=nothing)
    text = file.getvalue()
    _, _, text = text.partition("<svg ")
    head, _, body = text.partition(">")
    view = re.search(r'viewBox="([\d. -]+)"', head)
    width = re.search(r'width="([\d.]+)pt"', head)
    box = view[1] if view else "0 0 1 1"
    points = float(width[1]) if width else 1.0
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r' id="[A-Za-z0-9.]+_\d+"', "", body)
    body = body.replace("xlink:href", "href")
    for color, name in _PAGE_COLORS.items():
        body = body.replace(color.lower(), f"var({name})")
    return (
        f'<svg role="img" aria-label={quoteattr(alt)} viewBox="{box}" '
        f'style="width: {points / 0.75:.0f}px; '
        f'min-width: {points / 1.5:.0f}px; max-width: 100%; height: auto">{body.strip()}'
    )
