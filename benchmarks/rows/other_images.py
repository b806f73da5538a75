"""The presets with their defaults on images that they were not tuned on.

The digits of scikit-learn (8×8, greyscale), and a folder of colour photos: each sample photo of
scikit-image and scikit-learn is a class, cut into non-overlapping tiles of 48×48 pixels.
`load_folder` selects the test tiles.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from recorder import Recorder, arguments

import imgclf

SIDE = 48
MOST_TILES = 120  # per photo
PHOTOS = "astronaut brick cat coffee grass gravel hubble_deep_field immunohistochemistry rocket"


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--presets", nargs="+", default=["seed2017", "quick", "fast", "accurate"])
    options = parser.parse_args()
    recorder = Recorder(options)
    with tempfile.TemporaryDirectory() as folder:
        cut_photos(Path(folder))
        sets = {
            "digits": imgclf.load_digits(),
            "photo tiles": imgclf.load_folder(folder, image_size=SIDE, test=0.3),
        }
        figures = {
            name: {preset: evaluated(preset, data, options.seed) for preset in options.presets}
            for name, data in sets.items()
        }
    recorder.write(
        figures=figures,
        images={name: [len(data.train), len(data.test)] for name, data in sets.items()},
    )


def evaluated(preset: str, data: imgclf.Dataset, seed: int) -> dict[str, Any]:
    """Trains once, and evaluates on the test images."""
    clf = imgclf.Classifier.from_preset(preset, data, seed=seed)
    clf.fit(data, verbose=0)
    accuracy = clf.evaluate(data.test).accuracy
    print(preset, data.name, f"{accuracy:.2%}", flush=True)
    return {"test_accuracy": round(accuracy, 4), "epochs": clf.recipe.epochs}


def cut_photos(folder: Path) -> None:
    """Writes the tiles of each photo to its own folder."""
    from PIL import Image

    for name, photo in photos():
        target = folder / name
        target.mkdir()
        rows, columns = photo.shape[0] // SIDE, photo.shape[1] // SIDE
        places = [(row, column) for row in range(rows) for column in range(columns)]
        for row, column in places[:: -(-len(places) // MOST_TILES)]:
            tile = photo[row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE]
            Image.fromarray(tile).save(target / f"{row:02}-{column:02}.png")


def photos() -> Any:
    """Pairs of a name and a (height, width, 3) uint8 image."""
    import skimage.data
    from sklearn.datasets import load_sample_image

    for name in PHOTOS.split():
        photo = np.asarray(getattr(skimage.data, name)())
        yield name, photo if photo.ndim == 3 else np.repeat(photo[..., np.newaxis], 3, axis=2)
    for name in ("china", "flower"):
        yield name, load_sample_image(f"{name}.jpg")


if __name__ == "__main__":
    main()
