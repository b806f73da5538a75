"""Draws the confusion matrix."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from imgclf.errors import ArgumentError
from imgclf.formatting import plural, shorten
from imgclf.plots.style import GREY, INK, PLAIN, new_axes, percent_format, show_title
from imgclf.typing import ArrayLike

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

__all__ = [
    "confusion_matrix",
]

# More classes than this leave no room for legible numbers.
_MAX_NUMBERED_CLASSES = 20
# More names than this overlap along an axis of the largest matrix.
_MAX_CLASS_TICKS = 70


def confusion_matrix(matrix: ArrayLike, class_names: Sequence[str], ax: Axes | None = None) -> Axes:
    """Draws how often each class is predicted as each other one.

    Args:
        matrix: (classes, classes) numbers of images, a row a true class, a column a predicted one.
        class_names: one name a class.
        ax: where to draw; a new figure if left out.

    Returns:
        The axes. Colors are shares of the row; up to 20 classes the numbers are written, too.

    Raises:
        ArgumentError: if the matrix is not square, holds negative values, or its size is not
            the number of names.

    Example:
        >>> axes = confusion_matrix([[8, 2], [1, 9]], ["cat", "dog"])
        >>> [text.get_text() for text in axes.texts]
        ['8', '2', '1', '9']
    """
    from matplotlib.colors import PowerNorm

    counts = np.asarray(matrix)
    size = len(class_names)
    if counts.shape != (size, size) or size == 0 or counts.dtype.kind not in "iuf":
        raise ArgumentError(
            "`matrix` must be square, numbers with a row and a column a class name. "
            f"Received: shape={counts.shape}, dtype={counts.dtype}, {size} class names."
        )
    if not counts.min() >= 0:
        raise ArgumentError(
            f"`matrix` must hold counts of at least 0. Received: values from {counts.min():g}."
        )
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.where(totals > 0, totals, 1)
    side = float(np.clip(2.6 + 0.5 * size, 4.0, 11.0))
    axes = new_axes(ax, side, side)
    # The square root makes a confusion of a few percent visible.
    scale = PowerNorm(0.5, vmin=0, vmax=1)
    image = axes.imshow(shares, cmap="Blues", norm=scale, interpolation="nearest")
    _name_classes(axes, class_names)
    if size <= _MAX_NUMBERED_CLASSES:
        _write_counts(axes, counts, shares)
    else:
        bar = axes.figure.colorbar(image, ax=axes, shrink=0.6, aspect=35, pad=0.02)
        bar.set_label("share of the true class", color=INK)
        bar.ax.yaxis.set_major_formatter(percent_format())
        bar.outline.set_visible(False)
    show_title(axes, "Confusion matrix", _result(counts))
    return axes


def _result(counts: np.ndarray) -> str:
    total = counts.sum()
    if total == 0:
        return "no images"
    images = plural(int(total), "image") if float(total).is_integer() else f"{total:,g} images"
    return f"{images}, accuracy {np.trace(counts) / total:.1%}"


def _name_classes(axes: Axes, class_names: Sequence[str]) -> None:
    ticks = range(0, len(class_names), math.ceil(len(class_names) / _MAX_CLASS_TICKS))
    names = [shorten(class_names[tick], 24) for tick in ticks]
    fontsize = float(np.clip(220 / len(names), 5.5, 9.5))
    slanted = max(map(len, names)) * 0.65 * fontsize > _cell_points(axes, len(names))
    turn: dict[str, Any] = (
        {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
    )
    style: dict[str, Any] = {"fontsize": fontsize, "color": INK, **PLAIN}
    axes.set_xticks(ticks, names, **style, **turn)
    axes.set_yticks(ticks, names, **style)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("predicted", color=INK)
    axes.set_ylabel("true", color=INK)


def _write_counts(axes: Axes, counts: np.ndarray, shares: np.ndarray) -> None:
    texts = [f"{count:,g}" if counts.dtype.kind == "f" else f"{count:,}" for count in counts.flat]
    cell = _cell_points(axes, len(counts))
    fontsize = float(np.clip(cell / (0.75 * max(map(len, texts))), 4, 10))
    for (row, column), text in zip(np.ndindex(counts.shape), texts, strict=True):
        color = "white" if shares[row, column] > 0.35 else INK
        if counts[row, column] == 0:
            color = GREY
        axes.text(column, row, text, ha="center", va="center", fontsize=fontsize, color=color)


def _cell_points(axes: Axes, columns: int) -> float:
    """The approximate width of a cell in points, as fonts are measured."""
    return float(axes.get_window_extent().width / axes.figure.dpi * 72 / columns)
