"""One table says what an image is; folders, tables, predictions and inspections all follow it."""

import csv
import itertools
import pathlib
import re

import numpy as np
import pytest
from PIL import Image

import imgclf
from imgclf.data.image_formats import FORMATS
from imgclf.data.sources.folder import images_at

SUFFIXES = sorted({suffix for row in FORMATS for suffix in row.suffixes} | {".hif", ".mpo"})


@pytest.fixture
def folder(tmp_path, rng):
    """An image with each suffix in each of two classes; what is in the files is always PNG."""
    for name, (number, suffix) in itertools.product(("cat", "dog"), enumerate(SUFFIXES)):
        path = tmp_path / "photos" / name / f"{number}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (24, 24, 3), np.uint8)).save(path, "PNG")
    return tmp_path / "photos"


def test_every_suffix_is_found_in_a_folder(folder):
    ledger = imgclf.load_folder(folder).ledger
    assert ledger.totals()["used"] == len(ledger) == 2 * len(SUFFIXES)


def test_every_suffix_is_found_in_a_table(folder):
    with (folder / "labels.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label"])
        rows.writerows([path, path.parent.name] for path in sorted(folder.glob("*/*")))
    assert imgclf.load_csv(folder / "labels.csv").ledger.totals()["used"] == 2 * len(SUFFIXES)


def test_every_suffix_is_predicted_and_inspected(folder):
    assert len(images_at(folder, None)) == 2 * len(SUFFIXES)
    found = imgclf.inspect(folder)
    assert (len(found.usable), found.ignored) == (2 * len(SUFFIXES), 0)


def test_the_mpo_of_a_telephone_is_a_jpeg_under_both_names(folder, rng):
    def others():
        return [note for note in imgclf.load_folder(folder).notes if "another format" in note]

    before = others()
    frames = [Image.fromarray(rng.integers(0, 256, (24, 24, 3), np.uint8)) for _ in range(2)]
    for name in ("phone.mpo", "phone.jpg"):
        path = folder / "cat" / name
        frames[0].save(path, "MPO", save_all=True, append_images=[frames[1]], comment=name.encode())
    assert before
    assert others() == before
    misnamed = next(one for one in imgclf.inspect(folder).findings if one.kind == "misnamed")
    assert not any("phone" in example.photo.name for (example,) in misnamed.groups)


def test_heic_under_each_of_its_names_is_decoded(tmp_path, rng):
    pytest.importorskip("pillow_heif").register_heif_opener()
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number, suffix in enumerate([".heic", ".heif", ".hif"] * 4):
            image = Image.fromarray(rng.integers(0, 256, (24, 24, 3), np.uint8))
            image.save(tmp_path / name / f"{number}{suffix}", "HEIF")
    assert imgclf.load_folder(tmp_path).ledger.totals()["used"] == 24


def test_no_other_module_lists_suffixes_of_images():
    listed = "|".join(suffix[1:] for suffix in SUFFIXES if suffix != ".png")  # plots are PNG files
    pattern = re.compile(rf"""["']\.({listed})["']""")
    package = pathlib.Path(imgclf.__file__).parent
    found = [path.name for path in package.rglob("*.py") if pattern.search(path.read_text())]
    assert found == ["image_formats.py"]
