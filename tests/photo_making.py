"""Folders of images that are sharp, colourful and unlike each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def scene(rng: np.random.Generator, size: tuple[int, int] = (48, 40)) -> Image.Image:
    """An image of (width, height) with coarse shapes and fine grain; no two look alike."""
    coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
    shapes = np.asarray(coarse.resize(size, Image.Resampling.NEAREST), np.int16)
    grain = rng.integers(-12, 13, shapes.shape)
    return Image.fromarray((shapes + grain).clip(0, 255).astype(np.uint8))


def write_scenes(folder: Path, rng: np.random.Generator, count: int = 24) -> None:
    """Images 00.png, 01.png, … in a folder that is made."""
    folder.mkdir(parents=True)
    for number in range(count):
        scene(rng).save(folder / f"{number:02}.png")


def make_image(rng: np.random.Generator, size: tuple[int, int], colour: int) -> Image.Image:
    """A noisy RGB image of (width, height) in which one of three colours prevails."""
    width, height = size
    pixels = rng.integers(0, 80, (height, width, 3), dtype=np.uint8)
    pixels[..., colour] += 150
    return Image.fromarray(pixels)
