"""Draws heat maps over images, and images beside their nearest neighbours."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from imgclf import checks
from imgclf.formatting import shorten
from imgclf.plots.style import (
    BLUE,
    INK,
    PLAIN,
    VERMILLION,
    Images,
    Numbers,
    as_images,
    check_length,
    new_axes,
    new_figure,
    show_image,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


# Inches: of a pair of images, of a single one in a figure, and of the line with the scale.
_PAIR, _ONE_PAIR, _LEGEND = 3.2, 5.4, 0.4

__all__ = [
    "heat_maps",
    "heat_overlay",
    "neighbours",
]


def heat_overlay(images: Images, heatmaps: Images, strength: float = 0.7) -> np.ndarray:
    """Draws heat maps over images in gray.

    Args:
        images: (N, height, width, channels), 0 to 255.
        heatmaps: (N, height, width), 0 to 1.
        strength: the opacity of the hottest color, 0 to 1.

    Returns:
        (N, height, width, 3) uint8. Heat goes from violet over red to yellow with increasing
        lightness, so that it can be read without color vision. Without heat the image stays gray.

    Example:
        >>> heat_overlay(np.zeros((1, 2, 2, 1), np.uint8), np.zeros((1, 2, 2)))[0, 0, 0].tolist()
        [0, 0, 0]
    """
    from matplotlib import colormaps

    check_length("heatmaps", heatmaps, len(images))
    heat = np.asarray(heatmaps, np.float32)
    colors = colormaps["plasma"](heat)[..., :3].astype(np.float32) * 255
    image_list = np.stack([_grey(image) for image in as_images(images)])[..., np.newaxis]
    # Little heat colors little, so that the image stays visible.
    part = strength * heat[..., np.newaxis]
    return np.rint((1 - part) * image_list + part * colors).astype(np.uint8)


def _grey(image: np.ndarray) -> np.ndarray:
    """(height, width) float32: the brightness of an image, by ITU-R BT.601."""
    if image.ndim == 2:
        return image.astype(np.float32)
    return image.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)


def heat_maps(
    images: Images,
    overlays: Images,
    titles: Sequence[str],
    notes: Sequence[str],
    *,
    columns: int = 4,
    ax: Axes | None = None,
) -> Figure | Axes:
    """Draws each image beside its heat map.

    Args:
        images: as in `image_grid`.
        overlays: (N, height, width, 3) uint8, as `heat_overlay` returns them.
        titles: one text a pair, of one or more lines.
        notes: one text a pair, written below it; may be empty.
        columns: pairs in one row.
        ax: where to draw the first pair; if left out, a new figure has all.

    Returns:
        The figure, or `ax`.
    """
    checks.integer("columns", columns, low=1)
    image_list = as_images(images)
    for name, values in (("overlays", overlays), ("titles", titles), ("notes", notes)):
        check_length(name, values, len(image_list))
    pairs = [
        _beside(image, np.asarray(overlay))
        for image, overlay in zip(image_list, overlays, strict=True)
    ]
    if ax is not None:
        axes = new_axes(ax, 0, 0)
        _show_pair(axes, pairs[0], titles[0], notes[0])
        return axes
    columns = min(columns, len(pairs))
    rows = math.ceil(len(pairs) / columns)
    height, width = pairs[0].shape[:2]
    across = _ONE_PAIR if columns == 1 else _PAIR
    lines = max(title.count("\n") + 1 for title in titles) + any(notes)
    row = across * min(height / width, 1.2) + 0.2 + 0.17 * lines
    figure = new_figure(across * columns, row * rows + _LEGEND)
    figure.set_layout_engine("constrained", w_pad=0.06, h_pad=0.03, wspace=0, hspace=0)
    grid = figure.add_gridspec(rows + 1, columns, height_ratios=[*[row] * rows, _LEGEND])
    for place, (pair, title, note) in enumerate(zip(pairs, titles, notes, strict=True)):
        _show_pair(figure.add_subplot(grid[divmod(place, columns)]), pair, title, note)
    _show_scale(figure.add_subplot(grid[rows, :]), 2.0 / (across * columns))
    return figure


def _show_scale(axes: Axes, width: float) -> None:
    """Draws what the colors mean: a bar of this share of the axes' width, a word at each end."""
    axes.set_axis_off()
    bar = axes.inset_axes((0.5 - width / 2, 0.3, width, 0.34))
    # Heat as it looks on a medium gray.
    heat = np.linspace(0, 1, 64)[np.newaxis]
    shades = heat_overlay([np.full((1, 64), 128)], heat[np.newaxis])[0]
    bar.imshow(shades[np.newaxis, 0], aspect="auto", interpolation="nearest")
    bar.set_axis_off()
    for place, align, text in ((-0.03, "right", "no support"), (1.03, "left", "strongest support")):
        style: dict[str, Any] = {"ha": align, "va": "center", "fontsize": 8.5, "color": INK}
        bar.text(place, 0.5, text, transform=bar.transAxes, **style, **PLAIN)


def _beside(image: np.ndarray, overlay: np.ndarray) -> np.ndarray:
    color = image if image.ndim == 3 else np.repeat(image[..., np.newaxis], 3, axis=2)
    gap = np.full((len(color), max(1, color.shape[1] // 24), 3), 255, np.uint8)
    return np.concatenate([color, gap, overlay], axis=1)


def _show_pair(axes: Axes, pair: np.ndarray, title: str, note: str) -> None:
    show_image(axes, pair)
    text = "\n".join(shorten(line, 36) for line in title.split("\n"))
    axes.set_title(text, fontsize=9, color=INK, pad=4, **PLAIN)
    if note:
        below: dict[str, Any] = {"ha": "center", "va": "top", "fontsize": 8, "color": VERMILLION}
        axes.text(0.5, -0.03, note, transform=axes.transAxes, **below, **PLAIN)


def neighbours(
    images: Images,
    names: Sequence[str],
    others: Sequence[Images] | np.ndarray,
    other_names: Sequence[Sequence[str]],
    distances: Sequence[Numbers] | np.ndarray,
    ax: Axes | None = None,
) -> Figure | Axes:
    """Draws a row for each image: it, then its nearest neighbours.

    Args:
        images: as in `image_grid`.
        names: the predicted class of each.
        others: k images for each, the nearest first.
        other_names: k true classes for each.
        distances: (N, k).
        ax: where to draw the first row; if left out, a new figure has all.

    Returns:
        The figure, or `ax`. Neighbours of another class than the prediction have their name in
        vermillion, with "≠" before it.
    """
    image_list = as_images(images)
    for name, values in (("names", names), ("others", others), ("other_names", other_names)):
        check_length(name, values, len(image_list))
    count = len(others[0]) + 1
    rows = [
        _neighbour_row(*row)
        for row in zip(image_list, names, others, other_names, distances, strict=True)
    ]
    if ax is not None:
        axes = new_axes(ax, 0, 0)
        axes.set_axis_off()
        for column, cell in enumerate(rows[0]):
            _show_cell(axes.inset_axes((column / count, 0, 0.94 / count, 0.8)), *cell)
        return axes
    figure = new_figure(1.5 * count, 1.75 * len(rows) + 0.5)
    figure.suptitle("Nearest images, with cosine distances", fontsize=12, color=INK, **PLAIN)
    cells = [cell for row in rows for cell in row]
    for place, cell in enumerate(cells):
        _show_cell(figure.add_subplot(len(rows), count, place + 1), *cell)
    return figure


def _neighbour_row(
    image: np.ndarray, name: str, others: Images, other_names: Sequence[str], distances: Numbers
) -> list[tuple[np.ndarray, str, str]]:
    """The image, text and text color of each cell."""
    cells = [(image, f"taken for\n{shorten(name, 17)}", BLUE)]
    for one, other, distance in zip(as_images(others), other_names, distances, strict=True):
        same = other == name
        text = f"{'' if same else '≠ '}{shorten(other, 15)}\n{distance:.3f}"
        cells.append((one, text, INK if same else VERMILLION))
    return cells


def _show_cell(axes: Axes, image: np.ndarray, text: str, color: str) -> None:
    show_image(axes, image)
    axes.set_title(text, fontsize=8.5, color=color, pad=4, **PLAIN)
