"""The tables of the page "What imgclf accepts" are run, cell by cell."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from photo_making import make_image
from PIL import Image

import imgclf
from imgclf.errors import ImgclfError

PAGE = Path(__file__).resolve().parents[2] / "docs" / "what-imgclf-accepts.md"
SIDE = 16


def table(heading: str) -> list[list[str]]:
    """The rows of the first table below a heading, as cells."""
    text = PAGE.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    root, rng = tmp_path_factory.mktemp("accepted") / "photos", np.random.default_rng(0)
    for colour, name in enumerate(["blossom", "meadow"]):
        (root / name).mkdir(parents=True)
        for number in range(8):
            make_image(rng, (SIDE, SIDE), colour).save(root / name / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def data(photos):
    return imgclf.load_folder(photos, image_size=SIDE)


@pytest.fixture(scope="module")
def model(data):
    return imgclf.Classifier.from_preset("quick", data, epochs=1).model


@pytest.fixture
def clf(model):
    return imgclf.Classifier(model, ["blossom", "meadow"])


def tensor(array):
    import tensorflow as tf

    return tf.constant(array)


def mixed(paths, batch):
    return [paths[0], batch[0], Image.open(paths[1]), paths[2].read_bytes()]


FORMS = {
    "the path of an image, as text or `Path`": lambda paths, batch: str(paths[0]),
    "a folder of images": lambda paths, batch: paths[0].parents[1],
    "a generator of paths, such as `Path.glob`": lambda paths, batch: (
        paths[0].parents[1].glob("*/*.png")
    ),
    "an array of paths": lambda paths, batch: np.array([str(path) for path in paths]),
    "the bytes of an image file": lambda paths, batch: paths[0].read_bytes(),
    "an open file or `BytesIO`": lambda paths, batch: io.BytesIO(paths[0].read_bytes()),
    "a PIL image of any mode": lambda paths, batch: Image.open(paths[0]).convert("CMYK"),
    "a list that mixes all of these": mixed,
    "a list of arrays of one shape": lambda paths, batch: list(batch),
    "one image as an array (height, width, channels) or (height, width)": lambda paths, batch: (
        batch[0]
    ),
    "(N, height, width, channels), uint8": lambda paths, batch: batch,
    "the same as floats from 0 to 255": lambda paths, batch: batch.astype(np.float32),
    "the same as floats from 0 to 1": lambda paths, batch: batch / 255,
    "the same as uint16 from 0 to 65535": lambda paths, batch: batch.astype(np.uint16) * 257,
    "of another size than the model's": lambda paths, batch: np.repeat(batch, 2, axis=1),
    "(N, height, width), grey": lambda paths, batch: batch[..., 0],
    "(N, channels, height, width), a NumPy array": lambda paths, batch: batch.transpose(0, 3, 1, 2),
    "a TensorFlow tensor, channels last": lambda paths, batch: tensor(batch),
    "an empty list": lambda paths, batch: [],
    "an address, such as `https://…`": lambda paths, batch: "https://example.com/x.png",
}
# How each function is called; those that take labels get some of both classes for so many images.
CALLS = {
    "predict": lambda clf, data, source, labels: (
        clf.predict(source),
        clf.predict_proba([] if hasattr(source, "read") else source),
    ),
    "explain": lambda clf, data, source, labels: clf.explain(source),
    "nearest_neighbors": lambda clf, data, source, labels: clf.nearest_neighbors(
        source, data.train
    ),
    "evaluate": lambda clf, data, source, labels: clf.evaluate(source, labels),
    "fit": lambda clf, data, source, labels: clf.plan(source, labels),
    "Dataset.from_arrays": lambda clf, data, source, labels: imgclf.Dataset.from_arrays(
        source, labels
    ),
}
HEADER, _, *ROWS = table("Images")


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_each_form_of_images_is_accepted_or_refused_as_the_page_says(row, clf, data, photos):
    paths = sorted(photos.rglob("*.png"))
    batch = np.stack([np.asarray(Image.open(path)) for path in paths])
    found = [row[0]]
    for name in HEADER[1:]:
        labels = np.resize([0, 1], 4 if row[0].startswith("a list that mixes") else len(paths))
        if row[0] in ("a `Split`", "a `Dataset`"):
            source, labels = (data.train if row[0] == "a `Split`" else data), None
            if name == "Dataset.from_arrays":
                labels = np.resize([0, 1], len(data.train))
        else:
            source = FORMS[row[0]](paths, batch)
        try:
            CALLS[name](clf, data, source, labels)
            found.append("yes")
        except ImgclfError as error:
            found.append("no" if str(error).strip() else "no reason")
    assert found == row


LABELS = {
    "integers, such as 0, 2, 5": ([0, 2, 5, 0, 2, 5], ("0", "2", "5")),
    "whole numbers as floats": ([0.0, 2.0, 5.0, 0.0, 2.0, 5.0], ("0", "2", "5")),
    "names": (["b", "a", "b", "a", "b", "a"], ("a", "b")),
    "True and False": ([True, False] * 3, ("False", "True")),
    "one-hot, (N, classes)": (np.eye(3)[[0, 1, 2, 0, 1, 2]], ("0", "1", "2")),
    "several labels an image": (["a|b", "a", "b", "a|b", "a", "b"], None),
    "numbers that are not whole": ([0.5, 1, 2, 0.5, 1, 2], None),
    "None or NaN among the labels": (["a", None, "b", "a", "b", "a"], None),
    "names and numbers mixed": (["a", 1, "b", 1, "a", "b"], None),
}


@pytest.mark.parametrize("row", table("Labels")[2:], ids=lambda row: row[0])
def test_each_form_of_labels_is_read_as_the_page_says(row):
    if row[0].startswith("a pandas"):
        pandas = pytest.importorskip("pandas")
        labels, names = pandas.Categorical(["b", "a"] * 3, ["b", "a"]), ("b", "a")
    else:
        labels, names = LABELS[row[0]]
    images = np.random.default_rng(0).integers(0, 256, (6, 4, 4, 3), np.uint8)
    if row[1] == "error":
        with pytest.raises(ImgclfError):
            imgclf.Dataset.from_arrays(images, labels, validation=None, test=None)
    else:
        data = imgclf.Dataset.from_arrays(images, labels, validation=None, test=None)
        assert data.class_names == names
