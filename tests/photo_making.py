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


# What the EXIF orientation says must be done to the stored image to see it upright; the stored
# image is therefore the upright one with the inverse applied (EXIF 2.32, tag 0x0112).
STORED = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.transpose(1, 0, 2),
    6: lambda upright: np.rot90(upright, 1),
    7: lambda upright: np.rot90(upright, 2).transpose(1, 0, 2),
    8: lambda upright: np.rot90(upright, -1),
}
