from __future__ import annotations

from pathlib import Path

import pytest
from photo_making import write_scenes


@pytest.fixture
def photos(tmp_path, rng) -> Path:
    """Two classes of 24 images with nothing wrong."""
    root = tmp_path / "photos"
    for name in ("cat", "dog"):
        write_scenes(root / name, rng)
    return root


@pytest.fixture
def divided(tmp_path, rng) -> Path:
    """The same with 24 images a class in each of train, val and test."""
    root = tmp_path / "divided"
    for split in ("train", "val", "test"):
        for name in ("cat", "dog"):
            write_scenes(root / split / name, rng)
    return root
