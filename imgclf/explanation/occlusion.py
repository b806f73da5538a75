"""Occlusion: how much the probability of a class falls when a region of the image is covered.

Regions are covered with the mean color of the image: a fixed gray would stand out of a dark image,
and add information.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from imgclf.explanation.grad_cam import to_one

__all__ = ["drops", "occlusion"]

# (N, height, width, channels) to (N, classes).
_Probabilities = Callable[[np.ndarray], np.ndarray]

# A patch is a fourth of the shorter side, and moves by half of itself: 49 positions.
_PATCHES = 4

# The hottest region as a share of the image, and how many others it is compared with.
_HOT = 1 / 8
_PLACES = 16


def occlusion(probabilities: _Probabilities, image: np.ndarray, target: int) -> np.ndarray:
    """Computes the heat map of one image.

    Args:
        probabilities: computes those of all classes for a batch.
        image: (height, width, channels), 0 to 255.
        target: a label number.

    Returns:
        (height, width) float32, 0 to 1: the mean fall of the class's probability over all patches
        that cover a pixel; a rise counts as 0.

    Source:
        M. Zeiler, R. Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014,
        section 4.2.
    """
    height, width = image.shape[:2]
    side = max(1, round(min(height, width) / _PATCHES))
    corners = [(top, left) for top in _starts(height, side) for left in _starts(width, side)]
    covers = np.zeros((len(corners), height, width), bool)
    for cover, (top, left) in zip(covers, corners, strict=True):
        cover[top : top + side, left : left + side] = True
    whole = probabilities(image[np.newaxis])[0, target]
    fall = whole - probabilities(_covered(image, covers))[:, target]
    heat = np.tensordot(fall, covers, 1) / covers.sum(axis=0)
    return to_one(np.maximum(heat, 0)[np.newaxis].astype(np.float32))[0]


def drops(
    probabilities: _Probabilities, image: np.ndarray, heatmap: np.ndarray, target: int, seed: int
) -> tuple[float, float]:
    """Measures how much the probability falls when the hottest region is covered, or another.

    Args:
        probabilities: computes those of all classes for a batch.
        image: (height, width, channels), 0 to 255.
        heatmap: (height, width).
        target: a label number.
        seed: decides which others.

    Returns:
        The fall when the hottest eighth is covered; the mean fall for 16 regions of the same shape,
        moved to random places (around the edge if necessary).
    """
    height, width = heatmap.shape
    hot = np.zeros(heatmap.size, bool)
    hottest = np.argsort(-heatmap, axis=None, kind="stable")
    hot[hottest[: max(1, round(heatmap.size * _HOT))]] = True
    area = hot.reshape(heatmap.shape)
    rng = np.random.default_rng(seed)
    shifts = rng.integers(0, [height, width], (_PLACES, 2))
    elsewhere = [np.roll(area, shift, axis=(0, 1)) for shift in shifts]
    scores = probabilities(
        np.concatenate([image[np.newaxis], _covered(image, np.stack([area, *elsewhere]))])
    )[:, target].astype(np.float64)
    return float(scores[0] - scores[1]), float(scores[0] - scores[2:].mean())


def _starts(size: int, side: int) -> list[int]:
    """The starts of patches along one side; the last one ends at its end."""
    step = max(1, side // 2)
    return sorted({*range(0, size - side, step), size - side})


def _covered(image: np.ndarray, covers: np.ndarray) -> np.ndarray:
    """The image once for each cover, with its mean color there."""
    mean = image.mean(axis=(0, 1))
    if image.dtype.kind in "iu":
        mean = np.rint(mean)
    return np.where(covers[..., np.newaxis], mean.astype(image.dtype), image)
