"""What a notebook shows for a `Dataset`: how many images of each class, and one of them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from imgclf.errors import ImgclfError
from imgclf.markup import image, notebook, table

if TYPE_CHECKING:
    from imgclf.data.dataset import Dataset

__all__ = ["dataset_html"]

# Of more classes the first are shown.
_CLASSES = 20

# Pixels of an image's longer side.
_SIDE = 48


def dataset_html(data: Dataset) -> str:
    """HTML of a data set; reads one image of each class that is shown."""
    splits = data.splits()
    counts = {title: split.label_counts() for title, split in splits.items()}
    rows = [
        [
            name,
            _first_image(data, number),
            *(f"{counts[title][name]:,}" for title in splits),
        ]
        for number, name in enumerate(data.class_names[:_CLASSES])
    ]
    more = len(data.class_names) - len(rows)
    if more:
        rows.append([f"{more:,} more classes", "", *("" for _ in splits)])
    rows.append(["all", "", *(f"{len(split):,}" for split in splits.values())])
    height, width, channels = data.image_shape
    caption = f"Dataset {data.name!r}: images of {height}×{width}×{channels}"
    return notebook(table(caption, ["class", "", *splits], rows), *data.notes)


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


def _png(pixels: Any) -> bytes:
    from PIL import Image

    array = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
    image = Image.fromarray(array[..., 0] if array.shape[2] < 3 else array[..., :3])
    image.thumbnail((2 * _SIDE, 2 * _SIDE))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
