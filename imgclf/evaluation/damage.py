"""Damages images in six ways, such as blur and noise, in five steps from mild to severe.

Steps scale with the image, so that a blur is as bad for a photo as for a thumbnail. All are
deterministic: noise and the directions of shifts come from a seed.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from imgclf.plots.style import as_uint8

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DAMAGES", "STEPS", "damage"]

STEPS = 5

# Blur, noise and JPEG are those of CIFAR-10-C: D. Hendrycks, T. Dietterich, "Benchmarking Neural
# Network Robustness to Common Corruptions and Perturbations", ICLR 2019, whose code for CIFAR-10
# has pixels of 32 for the blur. The other three are ours: a tilted camera, a dark room, and an
# object that is not in the middle.
_SEVERITIES: dict[str, tuple[float, ...]] = {
    # The standard deviation of a Gaussian, in pixels of an image of 32×32; it grows with the
    # shorter side, and does not shrink for smaller ones, where it would do nothing.
    "blur": (0.4, 0.6, 0.7, 0.8, 1.0),
    # The quality of the file.
    "JPEG": (80, 65, 58, 50, 40),
    # The standard deviation of the noise, as a share of the range of values.
    "noise": (0.04, 0.06, 0.08, 0.09, 0.10),
    # Degrees, to the left or to the right.
    "rotation": (5, 10, 15, 20, 30),
    # The factor of each value.
    "darkness": (0.8, 0.65, 0.5, 0.35, 0.2),
    # Of the shorter side, in one of eight directions.
    "shift": (0.03, 0.06, 0.09, 0.12, 0.16),
}

_SIDE = 32

# The names, in the order of reports.
DAMAGES = tuple(_SEVERITIES)

# Right, down, left, up, and what is between them.
_DIRECTIONS = [(0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1)]


def damage(images: np.ndarray, name: str, step: int, seed: int = 0) -> np.ndarray:
    """Damages images.

    Args:
        images: (N, height, width, channels), values 0 to 255.
        name: one of `DAMAGES`.
        step: 1 (mild) to 5 (severe).
        seed: decides noise, the side of a rotation and the direction of a shift.

    Returns:
        The same shape, uint8.

    Example:
        >>> images = np.full((1, 8, 8, 3), 100, np.uint8)
        >>> int(damage(images, "darkness", 5).max())
        20
    """
    rng = np.random.default_rng([seed, DAMAGES.index(name), step])
    strength = _SEVERITIES[name][step - 1]
    change = _CHANGES[name]
    worse = np.empty(images.shape, np.uint8)
    for image, target in zip(images, worse, strict=True):
        changed = change(image.astype(np.float32), strength, rng)
        target[...] = as_uint8(changed)
    return worse


def _blur(image: np.ndarray, pixels: float, rng: np.random.Generator) -> np.ndarray:  # noqa: ARG001
    from scipy.ndimage import gaussian_filter

    sigma = pixels * max(1.0, min(image.shape[:2]) / _SIDE)
    blurred: np.ndarray = gaussian_filter(image, (sigma, sigma, 0), mode="nearest")
    return blurred


def _jpeg(image: np.ndarray, quality: float, rng: np.random.Generator) -> np.ndarray:  # noqa: ARG001
    from PIL import Image

    pixels = as_uint8(image)
    if pixels.shape[2] == 3:
        return _through_jpeg(Image.fromarray(pixels), quality)
    planes = [
        _through_jpeg(Image.fromarray(np.ascontiguousarray(pixels[..., channel])), quality)
        for channel in range(pixels.shape[2])
    ]
    return np.stack(planes, axis=-1)


def _through_jpeg(image: object, quality: float) -> np.ndarray:
    from PIL import Image

    file = io.BytesIO()
    image.save(file, "JPEG", quality=int(quality))  # type: ignore[attr-defined]
    with Image.open(file) as read:
        return np.asarray(read)


def _noise(image: np.ndarray, part: float, rng: np.random.Generator) -> np.ndarray:
    return image + rng.normal(0, 255 * part, image.shape)


def _rotation(image: np.ndarray, degrees: float, rng: np.random.Generator) -> np.ndarray:
    from scipy.ndimage import rotate

    angle = degrees if rng.random() < 0.5 else -degrees
    rotated: np.ndarray = rotate(image, angle, reshape=False, order=1, mode="nearest")
    return rotated


def _darkness(image: np.ndarray, left: float, rng: np.random.Generator) -> np.ndarray:  # noqa: ARG001
    return image * left


def _shift(image: np.ndarray, part: float, rng: np.random.Generator) -> np.ndarray:
    from scipy.ndimage import shift

    down, right = _DIRECTIONS[rng.integers(len(_DIRECTIONS))]
    pixels = part * min(image.shape[:2])
    moved: np.ndarray = shift(image, (down * pixels, right * pixels, 0), order=1, mode="nearest")
    return moved


_CHANGES: dict[str, Callable[[np.ndarray, float, np.random.Generator], np.ndarray]] = {
    "blur": _blur,
    "JPEG": _jpeg,
    "noise": _noise,
    "rotation": _rotation,
    "darkness": _darkness,
    "shift": _shift,
}
