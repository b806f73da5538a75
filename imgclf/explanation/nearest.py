"""`Nearest`: the images whose features are most similar to those of an image."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from imgclf import plots
from imgclf.typing import Axes, Figure

__all__ = ["Nearest", "find_nearest"]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Nearest:
    """The most similar images of a split, by the features of the network.

    Args:
        images: (N, height, width, channels) the query images.
        indices: (N, k) indices in the split, the nearest first.
        distances: (N, k) cosine distances of the features before the output layer, 0 (same) to 2.
        labels: (N, k) the true classes of the neighbours.
        neighbours: (N, k, height, width, channels) their images.
        predictions: (N,) the predicted class of each image.
        class_names: one name a class.
    """

    images: np.ndarray
    indices: np.ndarray
    distances: np.ndarray
    labels: np.ndarray
    neighbours: np.ndarray
    predictions: np.ndarray
    class_names: Sequence[str]

    def __len__(self) -> int:
        return len(self.indices)

    def __repr__(self) -> str:
        return f"Nearest({len(self)} images, {self.indices.shape[1]} neighbours each)"

    def __str__(self) -> str:
        lines = []
        for prediction, labels, distances in zip(
            self.predictions, self.labels, self.distances, strict=True
        ):
            found = ", ".join(
                f"{self.class_names[label]} ({distance:.3f})"
                for label, distance in zip(labels, distances, strict=True)
            )
            lines.append(f"{self.class_names[prediction]}: {found}")
        return "\n".join(lines)

    @property
    def agreement(self) -> np.ndarray:
        """(N,) the share of the neighbours that are of the predicted class."""
        return (self.labels == self.predictions[:, np.newaxis]).mean(axis=1)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the pixels in plain types that `json.dumps` takes."""
        return {
            "predictions": [self.class_names[number] for number in self.predictions],
            "indices": self.indices.tolist(),
            "distances": self.distances.tolist(),
            "class_names": [[self.class_names[label] for label in row] for row in self.labels],
        }

    def plot(self, ax: Axes | None = None) -> Figure | Axes:
        """Draws a row for each image: with its prediction, then its neighbours with their classes.

        Args:
            ax: where to draw the first row; if left out, a new figure has all.

        Returns:
            The figure, or `ax`.
        """
        return plots.neighbours(
            self.images,
            [self.class_names[number] for number in self.predictions],
            self.neighbours,
            [[self.class_names[label] for label in row] for row in self.labels],
            self.distances,
            ax=ax,
        )


def find_nearest(
    queries: np.ndarray, batches: Iterable[np.ndarray], k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Finds the nearest rows by cosine distance, one batch of them in memory at a time.

    Args:
        queries: (N, features).
        batches: arrays (rows, features), one after the other.
        k: how many.

    Returns:
        (N, k) indices over all batches, the nearest first (of equals the first), and their
        distances, float64.

    Example:
        >>> places, distances = find_nearest(np.eye(2), [np.array([[0, 3], [1, 1]])], k=2)
        >>> places.tolist(), distances.round(3).tolist()
        ([[1, 0], [0, 1]], [[0.293, 1.0], [0.0, 0.293]])
    """
    wanted = _unit(queries)
    places = np.empty((len(wanted), 0), np.int64)
    distances = np.empty((len(wanted), 0))
    start = 0
    for batch in batches:
        here = np.clip(1 - wanted @ _unit(batch).T, 0, 2)
        numbers = np.broadcast_to(np.arange(start, start + len(batch)), here.shape)
        start += len(batch)
        places = np.concatenate([places, numbers], axis=1)
        distances = np.concatenate([distances, here], axis=1)
        order = np.argsort(distances, axis=1, kind="stable")[:, :k]
        places = np.take_along_axis(places, order, axis=1)
        distances = np.take_along_axis(distances, order, axis=1)
    return places, distances


def _unit(rows: np.ndarray) -> np.ndarray:
    """Rows of length 1; one of zeros stays so, at the distance 1 from all others."""
    values = np.asarray(rows, np.float64)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return np.divide(values, lengths, out=np.zeros_like(values), where=lengths > 0)
