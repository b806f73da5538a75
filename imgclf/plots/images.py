"""Draws images with captions: grids, mistakes, predictions, label error candidates."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING, Any

from imgclf import checks
from imgclf.errors import ArgumentError
from imgclf.formatting import shorten
from imgclf.plots.style import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    PLAIN,
    Images,
    Numbers,
    as_images,
    check_length,
    new_figure,
    show_image,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure


# Characters of a line above an image.
_LONGEST = 26

# Inches of a column, and of the narrowest figure with headings.
_WIDTH, _NARROWEST = 1.9, 5.7

__all__ = [
    "image_grid",
    "image_sections",
    "label_errors",
    "message",
    "mistakes",
    "softmax_predictions",
]


def image_grid(
    images: Images,
    titles: Sequence[str] | None = None,
    *,
    columns: int = 5,
    title: str | None = None,
) -> Figure:
    """Draws images in rows, with a title each if there are any.

    Args:
        images: (height, width) or (height, width, channels) each, values 0 to 255; one array or a
            list of images of various sizes. One channel is shown in gray, of two the first one,
            of more the first three as red, green, blue.
        titles: one text an image, of one or more lines.
        columns: images in one row.
        title: a heading above all.

    Returns:
        The figure.

    Raises:
        ArgumentError: if there is no image, an image has another shape, or the number of titles
            differs.

    Example:
        >>> import numpy as np
        >>> figure = image_grid(np.zeros((3, 8, 8, 1), np.uint8), ["a", "b", "c"])
        >>> [axes.get_title() for axes in figure.axes]
        ['a', 'b', 'c']
    """
    checks.integer("columns", columns, low=1)
    cells = _cells(images, titles)
    columns = min(columns, len(cells))
    heading = shorten(title, 80) if title else ""
    width = max(_WIDTH * columns, 0.11 * len(heading))
    figure = new_figure(width, _height(cells, columns) + (0.4 if heading else 0))
    if heading:
        figure.suptitle(heading, fontsize=12, color=INK, **PLAIN)
    _draw_grid(figure, cells, columns)
    return figure


def image_sections(
    sections: Sequence[tuple[str, Images, Sequence[str]]], *, title: str | None = None
) -> Figure:
    """Draws groups of images, one below the other, each with a heading.

    Args:
        sections: a heading, images as in `image_grid`, and their titles; each is one row.
        title: a heading above all.

    Returns:
        The figure.

    Raises:
        ArgumentError: as `image_grid`.

    Example:
        >>> import numpy as np
        >>> images = np.zeros((2, 8, 8, 1), np.uint8)
        >>> figure = image_sections([("by width", images, ["cat", "dog"])])
        >>> [axes.get_title() for axes in figure.subfigs[0].axes]
        ['cat', 'dog']
    """
    if not sections:
        raise ArgumentError("`sections` must hold at least one section. Received: none.")
    rows = [_cells(images, titles) for _, images, titles in sections]
    columns = max(map(len, rows))
    width = max(_WIDTH * columns, _NARROWEST)
    headings = ["\n".join(textwrap.wrap(heading, int(11 * width))) for heading, _, _ in sections]
    heights = [
        _height(cells, columns) + 0.2 * (heading.count("\n") + 1) + 0.2
        for cells, heading in zip(rows, headings, strict=True)
    ]
    figure = new_figure(width, sum(heights) + (0.4 if title else 0))
    if title:
        figure.suptitle(shorten(title, 80), fontsize=12, color=INK, **PLAIN)
    parts = figure.subfigures(len(rows), 1, height_ratios=heights, squeeze=False)[:, 0]
    for part, heading, cells in zip(parts, headings, rows, strict=True):
        part.suptitle(heading, x=0.02, ha="left", fontsize=9.5, color=INK, **PLAIN)
        _draw_grid(part, cells, columns)
    return figure


def _cells(images: Images, titles: Sequence[str] | None) -> list[tuple[np.ndarray, str]]:
    """Each image with its title, whose lines are shortened to what fits above it."""
    image_list = as_images(images)
    if titles is None:
        return [(image, "") for image in image_list]
    check_length("titles", titles, len(image_list))
    lines = ["\n".join(shorten(one, _LONGEST) for one in title.split("\n")) for title in titles]
    return list(zip(image_list, lines, strict=True))


def _height(cells: Sequence[tuple[np.ndarray, str]], columns: int) -> float:
    """Inches of a grid of these."""
    lines = max(title.count("\n") + 1 if title else 0 for _, title in cells)
    tallest = max(image.shape[0] / image.shape[1] for image, _ in cells)
    cell = 1.75 * min(max(tallest, 0.4), 2.0)
    return (cell + 0.17 * lines + 0.1) * math.ceil(len(cells) / columns)


def _draw_grid(
    figure: Figure | SubFigure, cells: Sequence[tuple[np.ndarray, str]], columns: int
) -> None:
    rows = math.ceil(len(cells) / columns)
    for place, (image, title) in enumerate(cells):
        axes = figure.add_subplot(rows, columns, place + 1)
        show_image(axes, image)
        axes.set_title(title, fontsize=8.5, color=INK, pad=4, **PLAIN)


def mistakes(
    images: Images,
    true_names: Sequence[str],
    predicted_names: Sequence[str],
    confidences: Numbers,
    *,
    names: Sequence[str] | None = None,
    num_mistakes: int | None = None,
    columns: int = 4,
) -> Figure:
    """Draws misclassified images, each with its predicted and its true class.

    Args:
        images: as in `image_grid`; without any the figure says so.
        true_names: the true class of each image.
        predicted_names: the predicted class of each image.
        confidences: the probability of each prediction, 0 to 1.
        names: of the files, or what else tells an image from the others.
        num_mistakes: how many there are in all, if more than are drawn.
        columns: images in one row.

    Returns:
        The figure.

    Raises:
        ArgumentError: if the numbers of images, names and confidences differ.

    Example:
        >>> import numpy as np
        >>> figure = mistakes(np.zeros((1, 8, 8, 3), np.uint8), ["dog"], ["cat"], [0.97])
        >>> print(figure.axes[0].get_title())
        cat (97%)
        true: dog
    """
    for name, values in [
        ("true_names", true_names),
        ("predicted_names", predicted_names),
        ("confidences", confidences),
        ("names", [""] * len(images) if names is None else names),
    ]:
        check_length(name, values, len(images))
    if len(images) == 0:
        return message("No mistakes")
    titles = [
        f"{shorten(predicted, 19)} ({confidence:.0%})\ntrue: {shorten(true, 20)}"
        for true, predicted, confidence in zip(
            true_names, predicted_names, confidences, strict=True
        )
    ]
    heading = "Most confident mistakes"
    if num_mistakes is not None and num_mistakes > len(images):
        heading += f": {len(images):,} of {num_mistakes:,}"
    return image_grid(images, _with_names(titles, names), columns=columns, title=heading)


def _with_names(titles: Sequence[str], names: Sequence[str] | None) -> list[str]:
    """Adds a line to each title: which file it is."""
    if names is None:
        return list(titles)
    lines = [shorten(name, _LONGEST) for name in names]
    return [f"{title}\n{line}" for title, line in zip(titles, lines, strict=True)]


def message(text: str) -> Figure:
    """Draws a text, where there is nothing else to draw.

    Args:
        text: a few words.

    Returns:
        The figure.

    Example:
        >>> message("No mistakes").texts[0].get_text()
        'No mistakes'
    """
    figure = new_figure(max(5.0, 0.12 * len(text)), 1.5)
    style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 14, "color": INK}
    figure.text(0.5, 0.5, shorten(text, 80), **style, **PLAIN)
    return figure


def softmax_predictions(
    images: Images, true_names: Sequence[str], top: Sequence[Sequence[tuple[str, float]]]
) -> Figure:
    """Draws images, each with its true class and the most likely classes as bars.

    Args:
        images: as in `image_grid`.
        true_names: the true class of each image.
        top: for each image the most likely classes as (name, probability), the most likely first.

    Returns:
        The figure: a row an image, the image on the left and the bars on the right. The bar of
        the true class is blue, others are orange.

    Raises:
        ArgumentError: if the numbers of images, names and predictions differ.

    Example:
        >>> import numpy as np
        >>> likely = [("cat", 0.7), ("dog", 0.2), ("frog", 0.1)]
        >>> figure = softmax_predictions(np.zeros((1, 8, 8, 3), np.uint8), ["dog"], [likely])
        >>> [label.get_text() for label in figure.axes[1].get_yticklabels()]
        ['cat', 'dog', 'frog']
    """
    image_list = as_images(images)
    check_length("true_names", true_names, len(image_list))
    check_length("top", top, len(image_list))
    figure = new_figure(6.4, 1.75 * len(image_list) + 0.5)
    figure.suptitle("Softmax predictions", fontsize=12, color=INK)
    grid = figure.add_gridspec(len(image_list), 2, width_ratios=[1, 2])
    for row, (image, true_name, likely) in enumerate(zip(image_list, true_names, top, strict=True)):
        left = figure.add_subplot(grid[row, 0])
        show_image(left, image)
        title = f"true: {shorten(true_name, 16)}"
        left.set_title(title, fontsize=9, color=INK, **PLAIN)
        right = figure.add_subplot(grid[row, 1])
        _probability_bars(right, true_name, likely)
    return figure


def _probability_bars(axes: Axes, true_name: str, likely: Sequence[tuple[str, float]]) -> None:
    names = [name for name, _ in likely]
    shares = [share for _, share in likely]
    places = range(len(names))
    colors = [BLUE if name == true_name else ORANGE for name in names]
    axes.barh(places, shares, color=colors, height=0.62)
    axes.set_yticks(places, [shorten(name, 20) for name in names], **PLAIN)
    axes.tick_params(axis="y", length=0, labelsize=9, labelcolor=INK)
    axes.set_xticks([])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(0, 1.16)  # room for "100.0%" beside a full bar
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.spines["left"].set_color(GREY)
    for place, share in zip(places, shares, strict=True):
        axes.text(share + 0.015, place, f"{share:.1%}", va="center", fontsize=9, color=INK)


def label_errors(
    images: Images,
    labels: Sequence[str],
    suggested: Sequence[str],
    probabilities: Numbers,
    *,
    names: Sequence[str] | None = None,
) -> Figure:
    """Draws label error candidates, each with its label and the suggested class.

    Args:
        images: as in `image_grid`; without any the figure says so.
        labels: the label of each image.
        suggested: the suggested class of each.
        probabilities: the probability of that class, 0 to 1.
        names: as for `mistakes`.

    Returns:
        The figure.

    Raises:
        ArgumentError: if the numbers of images, names and probabilities differ.

    Example:
        >>> import numpy as np
        >>> figure = label_errors(np.zeros((1, 8, 8, 3), np.uint8), ["dog"], ["cat"], [0.97])
        >>> print(figure.axes[0].get_title())
        labelled dog
        likely cat (97%)
    """
    for name, values in [
        ("labels", labels),
        ("suggested", suggested),
        ("probabilities", probabilities),
        ("names", [""] * len(images) if names is None else names),
    ]:
        check_length(name, values, len(images))
    if len(images) == 0:
        return message("No label error candidates")
    titles = [
        f"labelled {shorten(label, 17)}\nlikely {shorten(other, 12)} ({share:.0%})"
        for label, other, share in zip(labels, suggested, probabilities, strict=True)
    ]
    named = _with_names(titles, names)
    return image_grid(images, named, columns=4, title="Label error candidates")
