"""Draws images with captions: grids, mistakes, predictions, label error candidates."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from imgclf import checks
from imgclf.formatting import shorten
from imgclf.plots.style import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    Images,
    Numbers,
    as_images,
    check_length,
    new_figure,
    show_image,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


__all__ = [
    "image_grid",
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
    image_list = as_images(images)
    if titles is not None:
        check_length("titles", titles, len(image_list))
    columns = min(columns, len(image_list))
    rows = math.ceil(len(image_list) / columns)
    lines = max((text.count("\n") + 1 for text in titles), default=0) if titles else 0
    heading = shorten(title, 80) if title else ""
    tallest = max(image.shape[0] / image.shape[1] for image in image_list)
    cell = 1.75 * min(max(tallest, 0.4), 2.0)
    width = max(1.9 * columns, 0.11 * len(heading))
    height = (cell + 0.17 * lines + 0.1) * rows + (0.4 if heading else 0)
    figure = new_figure(width, height)
    if heading:
        figure.suptitle(heading, fontsize=12, color=INK, parse_math=False)
    for position, image in enumerate(image_list):
        axes = figure.add_subplot(rows, columns, position + 1)
        show_image(axes, image)
        if titles is not None:
            text = "\n".join(shorten(line, 26) for line in titles[position].split("\n"))
            axes.set_title(text, fontsize=8.5, color=INK, pad=4, parse_math=False)
    return figure


def mistakes(
    images: Images,
    true_names: Sequence[str],
    predicted_names: Sequence[str],
    confidences: Numbers,
    *,
    columns: int = 4,
) -> Figure:
    """Draws misclassified images, each with its predicted and its true class.

    Args:
        images: as in `image_grid`; without any the figure says so.
        true_names: the true class of each image.
        predicted_names: the predicted class of each image.
        confidences: the probability of each prediction, 0 to 1.
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
    return image_grid(images, titles, columns=columns, title="Most confident mistakes")


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
    figure.text(0.5, 0.5, shorten(text, 80), ha="center", va="center", fontsize=14, color=INK)
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
        left.set_title(title, fontsize=9, color=INK, parse_math=False)
        right = figure.add_subplot(grid[row, 1])
        _probability_bars(right, true_name, likely)
    return figure


def _probability_bars(axes: Axes, true_name: str, likely: Sequence[tuple[str, float]]) -> None:
    names = [name for name, _ in likely]
    shares = [share for _, share in likely]
    places = range(len(names))
    colors = [BLUE if name == true_name else ORANGE for name in names]
    axes.barh(places, shares, color=colors, height=0.62)
    axes.set_yticks(places, [shorten(name, 20) for name in names], parse_math=False)
    axes.tick_params(axis="y", length=0, labelsize=9, labelcolor=INK)
    axes.set_xticks([])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(0, 1.16)  # room for "100.0%" beside a full bar
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.spines["left"].set_color(GREY)
    for place, share in zip(places, shares, strict=True):
        axes.text(share + 0.015, place, f"{share:.1%}", va="center", fontsize=9, color=INK)


def label_errors(
    images: Images, labels: Sequence[str], suggested: Sequence[str], probabilities: Numbers
) -> Figure:
    """Draws label error candidates, each with its label and the suggested class.

    Args:
        images: as in `image_grid`; without any the figure says so.
        labels: the label of each image.
        suggested: the suggested class of each.
        probabilities: the probability of that class, 0 to 1.

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
    ]:
        check_length(name, values, len(images))
    if len(images) == 0:
        return message("No label error candidates")
    titles = [
        f"labelled {shorten(label, 17)}\nlikely {shorten(other, 12)} ({share:.0%})"
        for label, other, share in zip(labels, suggested, probabilities, strict=True)
    ]
    return image_grid(images, titles, columns=4, title="Label error candidates")
