"""The notebook display of a `Dataset`: the number of images of each class, and one of them."""

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
    from collections.abc import Mapping, Sequence

    from imgclf.data.split import Split

__all__ = ["count_rows", "dataset_html"]

# Classes that are shown; the others are counted.
_MAX_CLASSES = 20

# Pixels of an image's longer side.
_SIDE = 48


def dataset_html(name: str, splits: Mapping[str, Split], notes: Sequence[str]) -> str:
    """Returns HTML of a data set; reads one image of each class that is shown.

    Args:
        name: of the data set.
        splits: by name, with "train".
        notes: sentences below the table.
    """
    train = splits["train"]
    images = [_first_image(train, label) for label in range(train.num_classes)[:_MAX_CLASSES]]
    rows = [
        [class_name, image, *counts]
        for (class_name, *counts), image in itertools.zip_longest(
            count_rows(splits, _MAX_CLASSES), images, fillvalue=Markup()
        )
    ]
    height, width, channels = train.image_shape
    caption = f"Dataset {name!r}: images of {height}×{width}×{channels}"
    return notebook(table(caption, ["class", "", *splits], rows), *notes)


def count_rows(splits: Mapping[str, Split], most: int) -> list[list[str]]:
    """Returns rows of a table: the images of each class and split, and of all classes.

    Args:
        splits: by name, with "train".
        most: number of classes to show.
    """
    class_names = splits["train"].class_names
    counts = {title: split.label_counts() for title, split in splits.items()}
    rows = [
        [name, *(f"{counts[title][name]:,}" for title in splits)] for name in class_names[:most]
    ]
    more = len(class_names) - len(rows)
    if more:
        rows.append([f"{more:,} more classes", *("" for _ in splits)])
    return [*rows, ["all", *(f"{len(split):,}" for split in splits.values())]]


def _first_image(train: Split, label: int) -> Markup:
    """The first image of a class; nothing if there is none, or it cannot be read."""
    places = np.flatnonzero(train.labels == label)
    if not len(places):
        return Markup()
    try:
        pixels = np.asarray(train.images[int(places[0])])
    except (ImgclfError, OSError):
        return Markup()
    class_name = train.class_names[label]
    return image(_png(pixels), f"a training image of {class_name}", width=_SIDE)


def _png(pixels: np.ndarray) -> bytes:
    from PIL import Image

    small = Image.fromarray(np.ascontiguousarray(as_pixels(pixels)))
    small.thumbnail((2 * _SIDE, 2 * _SIDE))
    file = io.BytesIO()
    small.save(file, "PNG")
    return file.getvalue()
