"""Small copies of arrays and files."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from imgclf.data.image_files import ImageFiles
from imgclf.data.images import ImageSpec
from imgclf.data.thumbnails import thumbnails


@pytest.mark.parametrize("channels", [1, 3])
def test_an_array_is_averaged_block_by_block(rng, channels):
    images = rng.integers(0, 256, (5, 32, 64, channels), dtype=np.uint8)
    small = thumbnails(images, 8)
    expected = images.reshape(5, 8, 4, 8, 8, channels).mean(axis=(2, 4))
    assert small.shape == (5, 8, 8, channels)
    assert np.abs(small - expected).max() < 1  # Pillow rounds twice


def test_small_images_stay_as_they_are(rng):
    images = rng.integers(0, 256, (3, 8, 6, 1), dtype=np.uint8)
    assert np.array_equal(thumbnails(images, 16), images)
    assert thumbnails(images.astype(np.float32), 16).dtype == np.uint8
    assert thumbnails(images, 7).shape == (3, 7, 6, 1)


def test_files_are_read_small(tmp_path):
    paths = []
    for number in range(3):
        paths.append(tmp_path / f"{number}.png")
        Image.new("RGB", (50, 40), (60 * number, 0, 9)).save(paths[-1])
    files = ImageFiles(paths, ImageSpec(24))
    small = thumbnails(files, 4)
    assert small.shape == (3, 4, 4, 3)
    assert small[:, 0, 0].tolist() == [[0, 0, 9], [60, 0, 9], [120, 0, 9]]
