"""`Explanation`: heat maps that show which regions of images support a class."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from imgclf import checks, plots
from imgclf.errors import ArgumentError
from imgclf.formatting import plural, shorten, show_path
from imgclf.typing import Axes, Figure

__all__ = ["Explanation"]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """Heat maps of images, and whether covering the hottest region matters.

    Args:
        images: (N, height, width, channels), 0 to 255.
        heatmaps: (N, height, width) float32, 0 to 1; 1 is the region that supports the class most.
            All 0 if none does.
        targets: (N,) the label numbers that are explained.
        probabilities: (N,) those of these classes.
        class_names: one name a class.
        method: "grad-cam" or "occlusion".
        layer: whose map Grad-CAM took; "" for occlusion.
        hot_drops: (N,) by how much the probability falls where the hottest eighth of the image is
            covered with its mean color.
        random_drops: (N,) the mean of the same for regions of that shape elsewhere.
    """

    images: np.ndarray
    heatmaps: np.ndarray
    targets: np.ndarray
    probabilities: np.ndarray
    class_names: Sequence[str]
    method: str
    layer: str
    hot_drops: np.ndarray
    random_drops: np.ndarray

    def __len__(self) -> int:
        return len(self.heatmaps)

    def __getitem__(self, index: int | slice | Sequence[int] | np.ndarray) -> Explanation:
        """The explanation of one image, or of some."""
        if isinstance(index, (int, np.integer)):
            index = [int(index)]
        chosen = {
            name: getattr(self, name)[index]
            for name in (
                "images",
                "heatmaps",
                "targets",
                "probabilities",
                "hot_drops",
                "random_drops",
            )
        }
        return dataclasses.replace(self, **chosen)

    def __repr__(self) -> str:
        return f"Explanation({len(self)} images, {self.method})"

    def __str__(self) -> str:
        where = f", layer {self.layer}" if self.layer else ""
        images = plural(len(self), "image")
        return (
            f"{self.method} of {images}{where}\n"
            f"  covering the hottest region lowers the probability more than covering others: "
            f"{int(self.agreement.sum()):,} of {len(self):,}\n"
            f"  on average it {_in_words(self.hot_drops)} there, {_in_words(self.random_drops)} "
            "elsewhere"
        )

    @property
    def agreement(self) -> np.ndarray:
        """(N,) whether covering the hottest region lowers the probability more than elsewhere.

        Where it is False, the heat map does not show what the network relies on.
        """
        return self.hot_drops > self.random_drops

    def overlay(self, strength: float = 0.7) -> np.ndarray:
        """Draws the heat maps over the images.

        Args:
            strength: the opacity of the hottest color, 0 to 1.

        Returns:
            (N, height, width, 3) uint8.
        """
        strength = checks.number("strength", strength, low=0, high=1)
        if not len(self):
            return np.empty((*self.heatmaps.shape, 3), np.uint8)
        return plots.heat_overlay(self.images, self.heatmaps, strength)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the pixels in plain types that `json.dumps` takes."""
        return {
            "method": self.method,
            "layer": self.layer,
            "images": [
                {
                    "class_name": self.class_names[target],
                    "probability": float(probability),
                    "hot_drop": float(hot),
                    "random_drop": float(random),
                    "agreement": bool(agrees),
                }
                for target, probability, hot, random, agrees in zip(
                    self.targets,
                    self.probabilities,
                    self.hot_drops,
                    self.random_drops,
                    self.agreement,
                    strict=True,
                )
            ],
        }

    def plot(
        self, ax: Axes | None = None, *, columns: int = 4, names: Sequence[str] | None = None
    ) -> Figure | Axes:
        """Draws each image beside its heat map.

        Args:
            ax: where to draw the first pair; if left out, a new figure has all.
            columns: pairs in one row.
            names: of the images, such as their files; written above the class.

        Returns:
            The figure, or `ax`.

        Raises:
            ArgumentError: if there are not as many names as images.
        """
        if names is not None and len(names) != len(self):
            raise ArgumentError(
                f"`names` must have {len(self)} entries, one an image. "
                f"Received: {len(names)} entries."
            )
        above = [""] * len(self) if names is None else [f"{show_path(name)}\n" for name in names]
        titles = [
            f"{name}{shorten(self.class_names[target])}, {probability:.0%}"
            for name, target, probability in zip(
                above, self.targets, self.probabilities, strict=True
            )
        ]
        notes = [
            "" if agrees else "not confirmed by covering the region" for agrees in self.agreement
        ]
        return plots.heat_maps(self.images, self.overlay(), titles, notes, columns=columns, ax=ax)


def _in_words(drops: np.ndarray) -> str:
    if not len(drops):
        return "does not change"
    points = 100 * float(drops.mean())
    return f"{'falls' if points >= 0 else 'rises'} by {abs(points):.1f} points"
