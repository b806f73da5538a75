from __future__ import annotations

import csv
import os
import shutil

import pytest
from PIL import Image

import imgclf
from imgclf.data.ledger import FATES, Ledger, LedgerRow
from imgclf.errors import ArgumentError


@pytest.fixture
def messy_folder(photo_folder):
    """What people have: one of everything that can become of a file."""
    sky, meadow = photo_folder / "sky", photo_folder / "meadow"
    (sky / "empty.jpg").touch()
    (sky / "words.png").write_text("words")
    (sky / "readme.txt").write_text("words")
    (sky / ".hidden.jpg").write_bytes(b"x")
    (sky / "__MACOSX").mkdir()
    (sky / "loop").symlink_to(sky, target_is_directory=True)
    (photo_folder / ".git").mkdir()
    (photo_folder / "Thumbs.db").write_bytes(b"x")
    Image.new("RGB", (40, 40), "red").save(photo_folder / "stray.jpg")
    shutil.copy(sky / "0.jpg", sky / "0 (copy).jpg")
    shutil.copy(sky / "1.png", meadow / "sky1.png")
    Image.new("RGB", (40, 40)).save(sky / "=1+1.jpg")
    Image.new("RGB", (40, 41)).save(sky / os.fsdecode(b"\xff.jpg"))
    return photo_folder


def test_every_file_is_accounted_for_and_the_totals_add_up(messy_folder):
    data = imgclf.load_folder(messy_folder, max_skipped=0.1, exclude=["sky/2.jpg"])

    ledger = data.ledger
    assert ledger.totals() == {
        "used": 30 + 3 - 2,  # with a copy, =1+1 and \xff; without sky/1.png and sky/2.jpg
        "skipped": 2,
        "duplicate": 2,
        "excluded": 1,
        "ignored": 7,
    }
    assert sum(ledger.totals().values()) == len(ledger) == len(list(ledger))
    on_disk = {
        os.path.relpath(os.path.join(folder, name), messy_folder)
        for folder, _, names in os.walk(messy_folder)
        for name in names
    }
    assert {row.path for row in ledger if not row.path.endswith("/")} == on_disk
    assert ledger.splits() == {title: len(split) for title, split in data.splits().items()}
    for title, split in data.splits().items():
        rows = [row for row in ledger if row.split == title]
        assert {str(messy_folder / row.path) for row in rows} == set(split.images.paths)
        assert all(row.path.startswith(f"{row.class_name}/") for row in rows)


def test_each_fate_has_its_reason(messy_folder):
    data = imgclf.load_folder(messy_folder, max_skipped=0.1, exclude=["sky/2.jpg"])

    reasons = {row.path: (row.fate, row.reason) for row in data.ledger if row.reason}
    assert reasons == {
        ".git/": ("ignored", "is hidden."),
        "Thumbs.db": ("ignored", "is left behind by a system."),
        "stray.jpg": ("ignored", "is in no folder of a class."),
        "sky/.hidden.jpg": ("ignored", "is hidden."),
        "sky/__MACOSX/": ("ignored", "is left behind by a system."),
        "sky/readme.txt": ("ignored", "is no image by its name."),
        "sky/loop/": ("ignored", "is a link to a folder that was read already."),
        "sky/empty.jpg": ("skipped", "is empty (0 bytes)."),
        "sky/words.png": ("skipped", "is not a JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF image."),
        "sky/2.jpg": ("excluded", "asked for by `exclude`."),
        "sky/0.jpg": ("used", "is the same image as sky/0 (copy).jpg."),
        "sky/1.png": (
            "duplicate",
            "is the same image as meadow/sky1.png, which has another label, 'meadow'.",
        ),
        "meadow/sky1.png": (
            "duplicate",
            "is the same image as sky/1.png, which has another label, 'sky'.",
        ),
    }


def test_the_short_text_says_how_many_and_why(messy_folder):
    text = str(imgclf.load_folder(messy_folder, max_skipped=0.1, validation=None).ledger)

    assert text.splitlines() == [
        "43 files: 32 used (26 train, 6 test), 2 skipped, 2 left out as duplicates, 7 ignored.",
        "  skipped: sky/empty.jpg: is empty (0 bytes).",
        "  skipped: sky/words.png: is not a JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF image.",
        "  duplicate: meadow/sky1.png: is the same image as sky/1.png, which has another label, "
        "'sky'.",
        "  duplicate: sky/1.png: is the same image as meadow/sky1.png, which has another label, "
        "'meadow'.",
    ]


def test_the_table_is_whole_harmless_and_can_be_read_again(messy_folder, tmp_path):
    data = imgclf.load_folder(messy_folder, max_skipped=0.1)
    data.ledger.save(tmp_path / "files.csv")

    with (tmp_path / "files.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["path", "fate", "split", "class", "reason"]
    assert len(rows) == len(data.ledger)
    assert {row["fate"] for row in rows} <= set(FATES)
    assert "sky/\\udcff.jpg" in {row["path"] for row in rows}
    Ledger("photos", [LedgerRow("photos/=1+1.jpg", "used")]).save(tmp_path / "one.csv")
    assert (tmp_path / "one.csv").read_text().splitlines()[1] == "'=1+1.jpg,used,,,"


def test_a_folder_that_cannot_be_listed_is_in_it(photo_folder, monkeypatch):
    locked = photo_folder / "sky" / "more"
    listed = os.scandir

    def scandir(path):
        if path == str(locked):
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    data = imgclf.load_folder(photo_folder)

    assert data.skipped == ((locked, "cannot be read (Permission denied)."),)
    assert data.ledger.totals()["skipped"] == 1
    assert [row.path for row in data.ledger if row.fate == "skipped"] == ["sky/more/"]


def test_arrays_have_no_ledger():
    assert imgclf.load_digits().ledger is None


def test_no_file_can_have_two_fates():
    with pytest.raises(ArgumentError) as caught:
        Ledger(".", [LedgerRow("a.jpg", "used"), LedgerRow("a.jpg", "skipped")])
    assert str(caught.value) == "The ledger has two rows for the file a.jpg."
