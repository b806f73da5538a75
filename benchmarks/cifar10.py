"""Reads CIFAR-10 for the peers, with NumPy only and without imgclf.

It unpickles, so use it only with an archive that you trust. imgclf's rows use `load_cifar10`.
"""

from __future__ import annotations

import pickle
import tarfile
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Images(NamedTuple):
    """Images (N, 32, 32, 3) uint8 and labels (N,) int64."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def load(archive: str, num_images: int | None = None, *, tail: float = 0.0) -> Images:
    """Reads the archive.

    Args:
        archive: `cifar-10-python.tar.gz`.
        num_images: use only this many training and test images, for a short trial.
        tail: the fraction of each training batch that is left out at its end (the tutorial's 10%).
    """
    batches: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            name = Path(member.name).name
            if name.startswith("data_batch_") or name == "test_batch":
                batches[name] = _decode(tar.extractfile(member).read())
    training = [batches[f"data_batch_{number}"] for number in range(1, 6)]
    heads = [len(labels) - round(tail * len(labels)) for _, labels in training]
    pairs = zip(training, heads, strict=True)
    parts = [(images[:head], labels[:head]) for (images, labels), head in pairs]
    train_images, train_labels = (np.concatenate(column) for column in zip(*parts, strict=True))
    test_images, test_labels = batches["test_batch"]
    return Images(
        *(array[:num_images] for array in (train_images, train_labels, test_images, test_labels))
    )


def _decode(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    batch = pickle.loads(content, encoding="bytes")
    planes = np.asarray(batch[b"data"], np.uint8).reshape(-1, 3, 32, 32)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), np.asarray(batch[b"labels"])
