"""Test-time augmentation, which is reported separately from plain accuracy.

Weights as in the CIFAR-10 speed records (KellerJordan/cifar10-airbench): half for the original
image, a quarter each for the image shifted by one pixel up and left, and down and right; each
averaged with its mirror image.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

_MOVES = ((0.5, 1, 1), (0.25, 0, 0), (0.25, 2, 2))  # weight, first row, first column


def averaged_accuracy(
    predict: Callable[[np.ndarray], np.ndarray], images: np.ndarray, labels: np.ndarray
) -> float:
    """Accuracy of the average over six views.

    Args:
        predict: images (N, height, width, channels) uint8 → (N, classes).
        images: the test images.
        labels: (N,) integers.
    """
    height, width = images.shape[1:3]
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    total = np.zeros(1, np.float32)
    for weight, top, left in _MOVES:
        view = padded[:, top : top + height, left : left + width]
        total = total + weight * (predict(view) + predict(view[:, :, ::-1])) / 2
    return round(float(np.mean(total.argmax(axis=1) == labels)), 4)
