"""Makes archives of CIFAR-10's official layout with a few images, as Python 2 pickled them."""

from __future__ import annotations

import io
import pickle
import struct
import tarfile
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

CIFAR10_NAMES = [
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
]


class Python2Pickler(pickle._Pickler):
    """Writes text and bytes alike as the byte strings of Python 2, like the official archive."""

    dispatch = pickle._Pickler.dispatch.copy()

    def save_string(self, value):
        raw = value.encode("latin-1") if isinstance(value, str) else value
        short = len(raw) < 256
        head = (
            pickle.SHORT_BINSTRING + bytes([len(raw)])
            if short
            else pickle.BINSTRING + struct.pack("<i", len(raw))
        )
        self.write(head + raw)
        self.memoize(value)

    dispatch[str] = dispatch[bytes] = save_string


def python2_pickle(value: Any) -> bytes:
    out = io.BytesIO()
    Python2Pickler(out, protocol=2).dump(value)
    return out.getvalue().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


def cifar10_members(rows_per_batch: int = 30, seed: int = 0) -> dict[str, bytes]:
    """The members of a small archive in the official layout, each class in every batch."""
    rng = np.random.default_rng(seed)
    members = {}
    for name in [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]:
        labels = rng.permutation(np.arange(rows_per_batch) % 10)
        # Each class has a brightness of its own, so that networks have something to learn.
        centres = (labels * 22 + 16)[:, None]
        rows = np.clip(centres + rng.normal(0, 16, (rows_per_batch, 3072)), 0, 255).astype(np.uint8)
        members[name] = python2_pickle(
            {
                "batch_label": name,
                "labels": labels.tolist(),
                "data": rows,
                "filenames": [f"{label}_{row}.png" for row, label in enumerate(labels)],
            }
        )
    meta = {
        "num_cases_per_batch": rows_per_batch,
        "label_names": CIFAR10_NAMES,
        "num_vis": 3072,
    }
    return members | {"batches.meta": python2_pickle(meta), "readme.html": b"<p>tiny</p>\n"}


def write_cifar10(target: Path, members: dict[str, bytes]) -> Path:
    """Writes members as a gzip-compressed tar archive in the official layout."""
    with tarfile.open(target, "w:gz", compresslevel=1) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return target
