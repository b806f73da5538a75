from __future__ import annotations

import os

import pytest
from PIL import Image

import imgclf
from imgclf.errors import ArgumentTypeError, DataError, MissingFileError


def excluded(data):
    return {row.path: row.reason for row in data.ledger if row.fate == "excluded"}


def test_a_file_as_inspect_writes_it_leaves_images_out(photo_folder, tmp_path):
    Image.new("RGB", (40, 40)).save(photo_folder / "sky" / "=1.png")
    Image.new("RGB", (40, 41)).save(photo_folder / "sky" / os.fsdecode(b"\xff.png"))
    table = tmp_path / "exclude.csv"
    table.write_text("path,reason\nsky/1.png,blurred\n./sky/=1.png,\nsky/\\udcff.png,odd\n")

    data = imgclf.load_folder(photo_folder, exclude=table)

    assert excluded(data) == {
        "sky/1.png": "blurred",
        "sky/=1.png": "asked for by `exclude`.",
        os.fsdecode(b"sky/\xff.png"): "odd",
    }
    assert data.ledger.totals()["used"] == 29


def test_a_list_of_paths_does_too_and_broken_files_no_longer_count(photo_folder):
    for number in range(9):
        (photo_folder / "sky" / f"broken{number}.jpg").touch()
    paths = [f"sky/broken{number}.jpg" for number in range(8)]

    data = imgclf.load_folder(photo_folder, exclude=[*paths, photo_folder / "sky/broken8.jpg"])

    assert data.skipped == ()
    assert len(excluded(data)) == 9


def test_a_table_of_images_takes_it_relative_to_its_folder(photo_folder):
    rows = [f"{p.relative_to(photo_folder)},{p.parent.name}" for p in photo_folder.glob("*/*.*")]
    (photo_folder / "labels.csv").write_text("\n".join(["path,label", *rows]))

    data = imgclf.load_csv(photo_folder / "labels.csv", exclude=["sky/1.png"])

    assert list(excluded(data)) == ["sky/1.png"]


def test_entries_that_name_nothing_are_told(photo_folder):
    data = imgclf.load_folder(photo_folder, exclude=["sky/1.png", "skye/2.png"])

    assert "Entries of `exclude` that name none of the files: 1, such as skye/2.png." in data.notes


def test_a_class_that_is_excluded_whole_is_an_error(photo_folder):
    with pytest.raises(DataError) as caught:
        imgclf.load_folder(photo_folder, exclude=list((photo_folder / "sky").rglob("*.*")))
    assert str(caught.value) == (
        f"{photo_folder}: no image of class 'sky' can be read: all its files are damaged or "
        "excluded."
    )


def test_what_is_no_list_of_files_is_refused(photo_folder, tmp_path):
    with pytest.raises(ArgumentTypeError) as caught:
        imgclf.load_folder(photo_folder, exclude=3)
    assert str(caught.value) == (
        "`exclude` must be the path of a CSV file or a list of paths. Received: exclude=3."
    )
    with pytest.raises(MissingFileError):
        imgclf.load_folder(photo_folder, exclude=tmp_path / "none.csv")
    table = tmp_path / "exclude.csv"
    table.write_text("file\nsky/1.png\n")
    with pytest.raises(DataError) as caught:
        imgclf.load_folder(photo_folder, exclude=table)
    assert str(caught.value) == (
        f"{table}: must be a CSV table in UTF-8 with a column 'path', as `imgclf inspect --out` "
        "writes it (it has the columns 'file')."
    )
    table.write_bytes(b"path\n\xff\xfe\n")
    with pytest.raises(DataError, match=r"must be a CSV table in UTF-8 .*can't decode byte 0xff"):
        imgclf.load_folder(photo_folder, exclude=table)
