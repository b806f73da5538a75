"""What a notebook shows for a `Dataset`: how many images of each class, and one of them."""

from __future__ import annotations

import io
import itertools
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from imgclf.errors import ImgclfError
from imgclf.markup import image, notebook, table
from imgclf.plots.style import as_pixels

if TYPE_CHECKING:
    from imgclf.data.dataset import Dataset

__all__ = ["count_rows", "dataset_html"]

# Of more classes the first are shown.
_CLASSES = 20

# Pixels of an image's longer side.
_SIDE = 48


def dataset_html(data: Dataset) -> str:
    """Returns HTML of a data set; reads one image of each class that is shown."""
    images = [_first_image(data, number) for number in range(min(_CLASSES, data.num_classes))]
    rows = [
        [name, image, *counts]
        for (name, *counts), image in itertools.zip_longest(
            count_rows(data, _CLASSES), images, fillvalue=Markup()
        )
    ]
    height, width, channels = data.image_shape
    caption = f"Dataset {data.name!r}: images of {height}×{width}×{channels}"
    return notebook(table(caption, ["class", "", *data.splits()], rows), *data.notes)


def count_rows(data: Dataset, most: int) -> list[list[str]]:
    """Returns rows of a table: the images of each class and split, and of all classes.

    Args:
        data: with one or more splits.
        most: number of classes to show.
    """
    splits = data.splits()
    counts = {title: split.label_counts() for title, split in splits.items()}
    rows = [
        [name, *(f"{counts[title][name]:,}" for title in splits)]
        for name in data.class_names[:most]
    ]
    more = len(data.class_names) - len(rows)
    if more:
        rows.append([f"{more:,} more classes", *("" for _ in splits)])
    return [*rows, ["all", *(f"{len(split):,}" for split in splits.values())]]


def _first_image(data: Dataset, label: int) -> Markup:
    """The first training image of a class; nothing if there is none, or it cannot be read."""
    places = np.flatnonzero(data.train.labels == label)
    if not len(places):
        return Markup()
    try:
        pixels = np.asarray(data.train.images[int(places[0])])
    except (ImgclfError, OSError):
        return Markup()
    name = data.class_names[label]
    return image(_png(pixels), f"a training image of {name}", width=_SIDE)


def _png(pixels: np.ndarray) -> bytes:
    from PIL import Image

    small = Image.fromarray(np.ascontiguousarray(as_pixels(pixels)))
    small.thumbnail((2 * _SIDE, 2 * _SIDE))
    file = io.BytesIO()
    small.save(file, "PNG")
    return file.getvalue()
