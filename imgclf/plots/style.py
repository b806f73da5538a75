"""What all figures share: colors, axes, texts, pixels, and PNG files."""

from __future__ import annotations

import contextlib
import functools
import io
import warnings
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np

from imgclf import checks
from imgclf.errors import ArgumentError, ArgumentTypeError
from imgclf.typing import ArrayLike

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence, Sized

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    _Drawing = TypeVar("_Drawing", Axes, Figure)

__all__ = [
    "BLUE",
    "DPI",
    "GREEN",
    "GREY",
    "INK",
    "ORANGE",
    "PALE",
    "PLAIN",
    "PURPLE",
    "VERMILLION",
    "Images",
    "Numbers",
    "Pairs",
    "as_images",
    "as_pixels",
    "as_uint8",
    "check_length",
    "figure_png",
    "finish",
    "legend_above",
    "new_axes",
    "new_figure",
    "percent_format",
    "plain_legend",
    "readable",
    "show_image",
    "show_title",
    "shown_in_notebooks",
    "whole_figure",
    "whole_numbers",
]

# What the functions of this folder take.
Numbers: TypeAlias = "Sequence[float] | np.ndarray"
Pairs: TypeAlias = "Sequence[Sequence[float]] | np.ndarray"
Images: TypeAlias = "Sequence[ArrayLike] | np.ndarray"

# Colors that can be distinguished by the color-blind.
# Source: M. Okabe, K. Ito, "Color Universal Design" (2008).
BLUE = "#0072B2"
ORANGE = "#E69F00"
VERMILLION = "#D55E00"
GREEN = "#009E73"
PURPLE = "#CC79A7"
GREY = "#9A9A9A"
PALE = "#DDDDDD"
INK = "#262626"

DPI = 150

# Of a side of a PNG file; matplotlib takes fewer than 2^16, and such a figure has many rows.
_MOST_PIXELS = 32_000

# What is installed on Linux, macOS and Windows for other letters.
_FALLBACK_FONTS = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "WenQuanYi Zen Hei"),
    *("WenQuanYi Micro Hei", "Droid Sans Fallback", "PingFang SC", "PingFang HK", "Hiragino Sans"),
    *("Apple SD Gothic Neo", "Arial Unicode MS", "Microsoft YaHei", "SimHei", "Yu Gothic"),
    *("Malgun Gothic", "Noto Sans Devanagari", "Noto Sans Thai", "Noto Sans Arabic"),
    *("Nirmala UI", "Leelawadee UI", "Segoe UI", "Noto Sans Symbols 2", "Segoe UI Emoji"),
)

# For every text that holds a name: `$`, `^`, `_`, `%` and backslashes are letters of it and never
# a formula, whatever the user's settings of matplotlib are.
PLAIN: dict[str, Any] = {"parse_math": False, "usetex": False}


def new_figure(width: float, height: float) -> Figure:
    """Makes an empty figure, in inches, that belongs to no window and shows itself in notebooks."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    return shown_in_notebooks(figure)


def new_axes(ax: Axes | None, width: float, height: float) -> Axes:
    """Returns the given axes, or those of a new figure of that size."""
    from matplotlib.axes import Axes

    if ax is None:
        return shown_in_notebooks(new_figure(width, height).add_subplot())
    if not isinstance(ax, Axes):
        raise ArgumentTypeError(f"`ax` must be matplotlib axes. {checks.received('ax', ax)}")
    return ax


def shown_in_notebooks(drawing: _Drawing) -> _Drawing:
    """Makes notebooks show a drawing; of their own they show only figures that pyplot made."""
    drawing._repr_png_ = functools.partial(figure_png, drawing)  # type: ignore[attr-defined]
    return drawing


def finish(axes: Axes, xlabel: str, ylabel: str) -> None:
    """Labels the axes, and reduces frame and grid to what helps to read."""
    axes.set_xlabel(xlabel, color=INK, **PLAIN)
    axes.set_ylabel(ylabel, color=INK, **PLAIN)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    axes.tick_params(color=GREY, labelcolor=INK, labelsize=9)
    axes.grid(visible=True, axis="y", color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)


def show_title(axes: Axes, *lines: str, legend_rows: int = 0) -> None:
    """Writes a title above axes, from their left edge, and above a legend of so many rows."""
    style: dict[str, Any] = {"loc": "left", "fontsize": 10, "color": INK, "linespacing": 1.35}
    axes.set_title("\n".join(lines), pad=8 + 16 * legend_rows, **style, **PLAIN)


def legend_above(axes: Axes, columns: int | None = None) -> None:
    """Puts a legend above the axes, where it hides no point; in one row, or in so many columns."""
    columns = columns or len(axes.get_legend_handles_labels()[1])
    place: dict[str, Any] = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": columns}
    plain_legend(axes, columnspacing=1.2, **place)


def plain_legend(axes: Axes, names: Sequence[str] | None = None, **place: Any) -> None:
    """Puts a legend on axes, whose names are shown letter by letter.

    Args:
        axes: with labelled artists.
        names: one a labelled artist; their labels if left out. A label that begins with "_" hides
            an artist from matplotlib's legends, so names that people gave go here.
        **place: as `Axes.legend` takes it.
    """
    handles, labels = axes.get_legend_handles_labels()
    legend = axes.legend(handles, labels, frameon=False, fontsize=9, labelcolor=INK, **place)
    for text, name in zip(legend.get_texts(), names or labels, strict=True):
        text.set(text=name, **PLAIN)


def whole_numbers(axes: Axes, last: int) -> None:
    """Makes the x axis go from 1 to `last`, with ticks at integers."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(
        MaxNLocator(nbins=8, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1)
    )
    margin = min(max(0.03 * (last - 1), 0.3), 0.9)  # below 1: there is no epoch 0 to mark
    axes.set_xlim(1 - margin, last + margin)


def percent_format(*, whole: bool = True) -> PercentFormatter:
    """Formats ticks as 40%."""
    from matplotlib.ticker import PercentFormatter

    return PercentFormatter(1.0, decimals=0 if whole else None)


def as_images(images: Images) -> list[np.ndarray]:
    """Images as they are drawn."""
    if len(images) == 0:
        raise ArgumentError("`images` must hold at least one image. Received: none.")
    return [as_pixels(image) for image in images]


def as_pixels(image: ArrayLike) -> np.ndarray:
    """One image as uint8, (height, width) for gray and (height, width, 3) for color."""
    array = np.asarray(image)
    if array.ndim not in (2, 3) or 0 in array.shape or array.dtype.kind not in "fiu":
        raise ArgumentError(
            "`images` must be images of (height, width) or (height, width, channels), values "
            f"0 to 255. Received: an image of shape={array.shape}, dtype={array.dtype}."
        )
    if array.ndim == 3:
        array = array[..., 0] if array.shape[2] < 3 else array[..., :3]
    return as_uint8(array)


def as_uint8(values: ArrayLike) -> np.ndarray:
    """Rounds values and limits them to 0 to 255; NaN becomes 0.

    Example:
        >>> as_uint8([-3.0, 1.6, 300.0]).tolist()
        [0, 2, 255]
    """
    array = np.asarray(values)
    if array.dtype == np.uint8:
        return array
    return np.clip(np.rint(np.nan_to_num(array)), 0, 255).astype(np.uint8)


def show_image(axes: Axes, image: np.ndarray) -> None:
    """Draws an image without axes."""
    # "antialiased" keeps the pixels of a thumbnail square and smooths a photo that is made smaller.
    axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
    axes.set_axis_off()


def check_length(name: str, values: Sized, wanted: int) -> None:
    """Checks the number of values."""
    if len(values) != wanted:
        raise ArgumentError(
            f"`{name}` must have {wanted} entries, as many as there are to draw. "
            f"Received: {len(values)} entries."
        )


def figure_png(figure: Figure | Axes) -> bytes:
    r"""Renders a figure as the bytes of a PNG file, at 150 dots per inch.

    Args:
        figure: a figure, or axes, which stand for the figure they are in.

    Returns:
        The content of the file. It holds no time and no version of matplotlib.

    Raises:
        ArgumentTypeError: if it is neither.

    Example:
        >>> from imgclf.plots import confusion_matrix
        >>> figure_png(confusion_matrix([[8, 2], [1, 9]], ["cat", "dog"]))[:8]
        b'\x89PNG\r\n\x1a\n'
    """
    whole, file = whole_figure(figure), io.BytesIO()
    dpi = min(DPI, _MOST_PIXELS / max(whole.get_size_inches()))
    with readable(whole):
        whole.savefig(file, format="png", dpi=dpi, metadata={"Software": None})
    return file.getvalue()


@contextlib.contextmanager
def readable(figure: Figure) -> Iterator[None]:
    """Within it a figure is drawn in fonts that have the letters of its names, if there are any.

    Where there are none, one warning says so in place of one a letter by matplotlib.
    """
    from matplotlib.text import Text

    foreign = [text for text in figure.findobj(Text) if not text.get_text().isascii()]
    for text in foreign:
        text.set_fontfamily([*text.get_fontfamily(), *_fallback_fonts()])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    missing = [str(one.message) for one in caught if "missing from font" in str(one.message)]
    for one in caught:
        if "missing from font" not in str(one.message):
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    if missing:
        warnings.warn(
            "No font of this machine has all letters of the names in this figure: some are drawn "
            "as boxes. Install one that has them, such as Noto Sans CJK for Chinese, Japanese and "
            "Korean.",
            stacklevel=4,
        )


@functools.cache
def _fallback_fonts() -> list[str]:
    """The installed ones of the fonts that have more than Latin, Greek and Cyrillic letters."""
    from matplotlib.font_manager import get_font_names

    installed = set(get_font_names())
    return [name for name in _FALLBACK_FONTS if name in installed]


def whole_figure(figure: Figure | Axes) -> Figure:
    """Returns a figure, or the one that axes are in."""
    from matplotlib.figure import Figure

    whole = figure if isinstance(figure, Figure) else getattr(figure, "figure", None)
    if not isinstance(whole, Figure):
        raise ArgumentTypeError(
            f"`figure` must be a matplotlib figure or axes. {checks.received('figure', figure)}"
        )
    return whole
