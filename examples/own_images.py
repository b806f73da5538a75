"""Trains on photos in folders, evaluates and predicts.

    python examples/own_images.py [FOLDER] [--epochs N]

FOLDER contains a folder of images for each class. Without it, the script writes images of three
digits to a temporary folder first.
"""

import argparse
import tempfile
from pathlib import Path

from PIL import Image

import imgclf

parser = argparse.ArgumentParser(description="Train a classifier on folders of images.")
parser.add_argument("folder", nargs="?", type=Path)
parser.add_argument("--epochs", type=int, default=6)
arguments = parser.parse_args()


def write_digits(folder: Path) -> None:
    """Writes the zeros, ones and twos of scikit-learn's digits as enlarged PNG files."""
    digits = imgclf.load_digits(validation=None, test=None).train
    for number, (image, label) in enumerate(zip(digits.images, digits.labels, strict=True)):
        if label > 2:
            continue
        target = folder / ["zero", "one", "two"][label] / f"{number}.png"
        target.parent.mkdir(exist_ok=True)
        Image.fromarray(image[..., 0]).resize((24, 24)).save(target)


with tempfile.TemporaryDirectory() as temporary:
    photos = arguments.folder
    if photos is None:
        photos = Path(temporary)
        write_digits(photos)

    data = imgclf.load_folder(photos, validation=0.15, test=0.15)
    print(data)
    classifier = imgclf.Classifier.from_preset("fast", data, epochs=arguments.epochs)
    classifier.fit(data)
    print(classifier.evaluate(data.test))

    # `predict` accepts a path, a list of paths, a folder, PIL images or arrays.
    some = sorted(photos.rglob("*.*"))[:3]
    for path, prediction in zip(some, classifier.predict(some), strict=True):
        print(f"{path.parent.name}/{path.name}: {prediction}")
