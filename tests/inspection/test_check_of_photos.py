from __future__ import annotations

import csv
import itertools
import json
import shutil

import numpy as np
import pytest
from photo_making import scene
from PIL import Image, ImageFilter

import imgclf
from imgclf.errors import ArgumentError, ArgumentTypeError, DataError, MissingFileError
from imgclf.formatting import show_bytes


def finding(found, kind):
    return {one.kind: one for one in found.findings}.get(kind)


def names(found, kind):
    """The files of each group of a finding."""
    return [[one.photo.name for one in group] for group in finding(found, kind).groups]


def test_a_folder_with_nothing_wrong_has_no_findings(photos):
    found = imgclf.inspect(photos)

    assert found.findings == ()
    assert found.excluded == ()
    assert found.class_names == ("cat", "dog")
    assert found.counts() == {"cat": {"all": 24}, "dog": {"all": 24}}
    assert not found.reaches("note")


def test_the_report_reads_whole(photos):
    (photos / "dog" / "empty.jpg").touch()
    (photos / "dog" / "notes.txt").touch()
    sizes = sorted(path.stat().st_size for path in photos.rglob("*.png"))
    low, middle, high = (show_bytes(sizes[at]) for at in (0, 23, -1))

    assert str(imgclf.inspect(photos)) == "\n".join(
        [
            "photos: 49 files, 2 classes; 1 problem",
            "",
            "PROBLEM  1 file cannot be used.",
            "           dog/empty.jpg: is empty (0 bytes).",
            "         Fix, replace or remove them; training skips them, up to 5%.",
            "",
            "class      images",
            "cat            24",
            "dog            24",
            "all            48",
            "",
            "width×height    48×40 to 48×40, median 48×40",
            f"file sizes      {low} to {high}, median {middle}; {show_bytes(sum(sizes))} in all",
            "formats         PNG 48",
            "modes           RGB 48",
            "no images       1 by their names, ignored",
        ]
    )


def test_broken_files_are_found_with_the_reason(photos):
    whole = (photos / "cat" / "00.png").read_bytes()
    jpeg = photos / "cat" / "zz.jpg"
    Image.open(photos / "cat" / "01.png").save(jpeg)
    jpeg.write_bytes(jpeg.read_bytes()[:-200])
    (photos / "cat" / "aa.png").write_bytes(whole[: len(whole) // 2])
    middle = bytearray(whole)
    middle[len(whole) // 2] ^= 0xFF  # it begins and ends as it must
    (photos / "cat" / "bb.png").write_bytes(middle)
    (photos / "dog" / "page.jpg").write_text("<html>404</html>")
    (photos / "dog" / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(30))

    found = imgclf.inspect(photos)

    broken = finding(found, "broken")
    assert (broken.severity, broken.num_affected) == ("problem", 5)
    details = {group[0].photo.name: group[0].detail for group in broken.groups}
    assert details["dog/page.jpg"] == "is not a JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF image."
    assert details["dog/phone.heic"].startswith("is HEIC")
    for name in ("cat/aa.png", "cat/bb.png", "cat/zz.jpg"):
        assert details[name].startswith("damaged image (")
    assert {photo.name for photo, _ in found.excluded} == set(details)
    assert len(found.usable) == 48


def test_exact_copies_within_a_class(photos):
    for number in (1, 2):
        shutil.copy(photos / "cat" / "03.png", photos / "cat" / f"again{number}.png")

    found = imgclf.inspect(photos)

    assert names(found, "copies") == [["cat/03.png", "cat/again1.png", "cat/again2.png"]]
    assert finding(found, "copies").message == "1 image is duplicated, in 3 files."
    assert finding(found, "near-copies") is None
    assert [(photo.name, why) for photo, why in found.excluded] == [
        ("cat/again1.png", "the same image as cat/03.png"),
        ("cat/again2.png", "the same image as cat/03.png"),
    ]


def test_a_image_with_two_labels_is_a_problem_and_all_copies_are_left_out(photos):
    shutil.copy(photos / "cat" / "03.png", photos / "dog" / "x.png")

    found = imgclf.inspect(photos)

    assert names(found, "two-labels") == [["cat/03.png", "dog/x.png"]]
    assert finding(found, "two-labels").severity == "problem"
    assert [(photo.name, why) for photo, why in found.excluded] == [
        ("cat/03.png", "the same image as dog/x.png, which has another class"),
        ("dog/x.png", "the same image as cat/03.png, which has another class"),
    ]


def test_a_image_to_train_on_that_is_tested_on_is_left_out(divided):
    shutil.copy(divided / "test" / "cat" / "05.png", divided / "train" / "cat" / "a.png")
    shutil.copy(divided / "val" / "dog" / "06.png", divided / "train" / "dog" / "b.png")

    found = imgclf.inspect(divided)

    assert names(found, "across-splits") == [
        ["train/cat/a.png", "test/cat/05.png"],
        ["train/dog/b.png", "val/dog/06.png"],
    ]
    assert [photo.name for photo, _ in found.excluded] == ["train/cat/a.png", "train/dog/b.png"]
    assert found.counts()["cat"] == {"train": 25, "validation": 24, "test": 24}
    assert "class       train  validation        test\n" in str(found)


def again(image):
    """The image as somebody passes it on: larger, brighter, saved anew."""
    larger = image.resize((96, 80), Image.Resampling.BICUBIC)
    return larger.point(lambda value: min(255, round(value * 1.1)))


def test_near_copies_within_a_class_and_across_classes(photos):
    again(Image.open(photos / "cat" / "03.png")).save(photos / "cat" / "x.jpg", quality=70)
    again(Image.open(photos / "cat" / "04.png")).save(photos / "dog" / "y.jpg", quality=70)

    found = imgclf.inspect(photos)

    assert names(found, "near-copies") == [["cat/03.png", "cat/x.jpg"]]
    assert names(found, "near-two-labels") == [["cat/04.png", "dog/y.jpg"]]
    assert finding(found, "near-copies").severity == "warning"
    assert found.excluded == ()
    assert "           cat/03.png ~ cat/x.jpg\n" in str(found)


def test_near_copies_across_splits_leave_the_one_to_train_on_out(divided):
    for split in ("train", "val"):
        image = again(Image.open(divided / "test" / "cat" / "03.png"))
        image.save(divided / split / "cat" / "x.jpg", quality=70 + len(split))
    again(Image.open(divided / "train" / "dog" / "03.png")).save(
        divided / "train" / "dog" / "y.jpg"
    )

    found = imgclf.inspect(divided)

    assert set(map(tuple, names(found, "near-across-splits"))) <= {
        *itertools.combinations(["train/cat/x.jpg", "val/cat/x.jpg", "test/cat/03.png"], 2)
    }
    assert finding(found, "near-across-splits").num_affected == 3
    assert [(photo.name, why) for photo, why in found.excluded] == [
        ("train/cat/x.jpg", "nearly the same image as test/cat/03.png"),
        ("val/cat/x.jpg", "nearly the same image as test/cat/03.png"),
    ]
    # With splits given, copies on one side do no harm.
    assert finding(found, "near-copies").severity == "note"


def test_a_burst_is_one_group(photos, rng):
    base = np.asarray(scene(rng, (64, 64)), np.int16)
    for number in range(12):
        frame = (base + rng.integers(-6, 7, base.shape)).clip(0, 255).astype(np.uint8)
        Image.fromarray(frame).save(photos / "cat" / f"burst{number:02}.png")

    found = imgclf.inspect(photos)

    assert names(found, "near-copies") == [[f"cat/burst{number:02}.png" for number in range(12)]]


def test_every_frame_of_a_burst_in_two_classes_is_told_of(photos, rng):
    base = np.asarray(scene(rng, (64, 64)), np.int16)
    for number in range(20):
        frame = (base + rng.integers(-2, 3, base.shape)).clip(0, 255).astype(np.uint8)
        Image.fromarray(frame).save(photos / ("dog" if number % 4 else "cat") / f"b{number:02}.png")

    found = imgclf.inspect(photos)

    assert finding(found, "near-two-labels").num_affected == 20
    assert [len(group) for group in names(found, "near-copies")] == [5, 15]


def test_a_grey_version_is_a_near_copy_and_other_colours_are_not(photos):
    image = Image.open(photos / "cat" / "03.png")
    image.convert("L").save(photos / "cat" / "grey.png")
    red = Image.open(photos / "cat" / "04.png").getchannel("R")
    grey = Image.open(photos / "cat" / "04.png").convert("L")
    Image.merge("RGB", (grey, red, Image.new("L", grey.size))).save(photos / "cat" / "odd.png")

    assert names(imgclf.inspect(photos), "near-copies") == [["cat/03.png", "cat/grey.png"]]


def test_turned_images_are_compared_upright(photos):
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = Image.open(photos / "cat" / "03.png")
    stored = upright.transpose(Image.Transpose.ROTATE_90)
    stored.save(photos / "cat" / "turned.jpg", exif=exif, quality=95)

    found = imgclf.inspect(photos)

    assert names(found, "near-copies") == [["cat/03.png", "cat/turned.jpg"]]
    assert found.to_dict()["orientations"] == {"6": 1}
    assert "\nturned by EXIF  1 (orientation 6: 1)" in str(found)
    assert [p.facts[:2] for p in found.photos if p.name == "cat/turned.jpg"] == [(40, 48)]


def plain(path, colour, size=(48, 40)):
    Image.new("RGB", size, colour).save(path)


def test_odd_images_are_each_found_once(photos, rng):
    cat = photos / "cat"
    plain(cat / "blank.png", (90, 120, 30))
    plain(cat / "black.png", 0)
    image = scene(rng)
    image.point(lambda value: value // 5).save(cat / "dark.png")
    image = scene(rng)
    image.point(lambda value: 215 + value // 7).save(cat / "bright.png")
    large = scene(rng, (200, 160)).filter(ImageFilter.GaussianBlur(9))
    large.save(cat / "blurred.png")
    scene(rng, (12, 12)).save(cat / "tiny.png")
    scene(rng, (200, 40)).save(cat / "sliver.png")
    scene(rng).save(cat / "misnamed.jpg", "PNG")
    frames = [scene(rng), scene(rng)]
    frames[0].save(cat / "animated.gif", save_all=True, append_images=frames[1:])

    found = imgclf.inspect(photos)

    told = {one.kind: [group[0].photo.name for group in one.groups] for one in found.findings}
    assert told == {
        "blank": ["cat/black.png", "cat/blank.png"],
        "sliver": ["cat/sliver.png"],
        "tiny": ["cat/tiny.png"],
        "animated": ["cat/animated.gif"],
        "blurred": ["cat/blurred.png"],
        "bright": ["cat/bright.png"],
        "dark": ["cat/dark.png"],
        "misnamed": ["cat/misnamed.jpg"],
    }
    assert {photo.name for photo, _ in found.excluded} == {"cat/black.png", "cat/blank.png"}


def test_a_huge_image_is_noted(photos):
    Image.new("1", (8000, 7000), 1).save(photos / "cat" / "huge.png")

    found = imgclf.inspect(photos)

    assert names(found, "huge") == [["cat/huge.png"]]


def test_images_of_phones_with_two_images_in_a_file_are_read(photos, rng):
    first, second = scene(rng), scene(rng)
    first.save(photos / "cat" / "phone.jpg", "MPO", save_all=True, append_images=[second])

    found = imgclf.inspect(photos)

    assert found.findings == ()
    assert found.to_dict()["formats"] == {"PNG": 48, "MPO": 1}


def test_uneven_small_and_empty_classes(photos, rng):
    for number in range(40):
        scene(rng).save(photos / "cat" / f"more{number}.png")
    (photos / "ape").mkdir()
    (photos / "eel").mkdir()
    for number in range(5):
        scene(rng).save(photos / "eel" / f"{number}.png")

    found = imgclf.inspect(photos)

    assert [(one.kind, one.severity, one.message) for one in found.findings] == [
        ("empty-class", "problem", "Classes without a usable image: 'ape'."),
        (
            "imbalanced",
            "warning",
            "Classes are imbalanced: 'cat' has 64 images, 'eel' 5, 13 times fewer.",
        ),
        ("small-class", "warning", "Classes with fewer than 20 images: 'eel'."),
    ]
    assert found.counts()["ape"] == {"all": 0}


def test_a_folder_where_nothing_can_be_used(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / "x" / name).mkdir(parents=True)
        (tmp_path / "x" / name / "empty.jpg").touch()

    found = imgclf.inspect(tmp_path / "x")

    assert [one.kind for one in found.findings] == ["empty-class", "broken"]
    assert found.to_dict()["width"] is None
    assert str(found).endswith("\nall             0")
    assert [path.name for path in found.save(tmp_path / "out")][-1] == "files.csv"


def test_a_folder_of_empty_classes_and_one_of_single_images(tmp_path, rng):
    for name in ("cat", "dog"):
        (tmp_path / "x" / name).mkdir(parents=True)
    assert [one.kind for one in imgclf.inspect(tmp_path / "x").findings] == ["empty-class"]
    for name in ("cat", "dog"):
        scene(rng).save(tmp_path / "x" / name / "1.png")
    assert [one.kind for one in imgclf.inspect(tmp_path / "x").findings] == ["small-class"]


def test_one_class_and_twins(photos):
    (photos / "dog").rename(photos / "Cat")
    assert finding(imgclf.inspect(photos), "twin-classes").message == (
        "Classes that differ only in case or blanks: 'Cat' and 'cat'."
    )
    shutil.rmtree(photos / "Cat")
    assert finding(imgclf.inspect(photos), "one-class").severity == "problem"


def test_a_table_is_checked_like_a_folder(photos, tmp_path):
    shutil.copy(photos / "cat" / "03.png", photos / "dog" / "x.png")
    rows = [
        f"photos/{path.parent.name}/{path.name},{path.parent.name}"
        for path in sorted(photos.rglob("*.png"))
    ]
    (tmp_path / "labels.csv").write_text("\n".join(["path,label", *rows, "photos/gone.png,cat"]))

    found = imgclf.inspect(tmp_path / "labels.csv")

    assert found.name == "labels.csv"
    assert found.counts() == {"cat": {"all": 24}, "dog": {"all": 25}}
    assert names(found, "two-labels") == [["photos/cat/03.png", "photos/dog/x.png"]]
    assert names(found, "broken") == [["photos/gone.png"]]


def test_what_is_saved_can_be_read_again(photos, tmp_path):
    shutil.copy(photos / "cat" / "03.png", photos / "dog" / "x.png")
    (photos / "dog" / "empty.jpg").touch()
    found = imgclf.inspect(photos)

    written = found.save(tmp_path / "out")

    assert [path.name for path in written] == [
        "findings.json",
        "exclude.csv",
        "files.csv",
        "two-labels.png",
    ]
    record = json.loads((tmp_path / "out" / "findings.json").read_text())
    assert record == found.to_dict()
    assert record["findings"][0]["examples"] == [
        [
            {"path": "cat/03.png", "class": "cat", "split": None, "detail": ""},
            {"path": "dog/x.png", "class": "dog", "split": None, "detail": ""},
        ]
    ]
    with (tmp_path / "out" / "exclude.csv").open(newline="") as file:
        excluded = list(csv.DictReader(file))
    assert [row["path"] for row in excluded] == ["cat/03.png", "dog/empty.jpg", "dog/x.png"]
    assert all((photos / row["path"]).is_file() for row in excluded)
    with (tmp_path / "out" / "files.csv").open(newline="") as file:
        files = {row["path"]: row for row in csv.DictReader(file)}
    assert len(files) == 50
    assert files["dog/x.png"]["findings"] == "two-labels"
    assert files["dog/empty.jpg"]["reason"] == "is empty (0 bytes)."
    assert (files["cat/00.png"]["width"], files["cat/00.png"]["format"]) == ("48", "PNG")
    with Image.open(tmp_path / "out" / "two-labels.png") as sheet:
        assert sheet.width > 200


def test_a_sheet_shows_copies_side_by_side(photos):
    shutil.copy(photos / "cat" / "03.png", photos / "dog" / "x.png")
    plain(photos / "cat" / "blank.png", 7)
    found = imgclf.inspect(photos)

    assert [axes.get_title() for axes in found.plot().axes] == [
        "1: cat\n03.png",
        "1: dog\nx.png",
    ]
    assert [axes.get_title() for axes in found.plot("blank").axes] == ["cat\nblank.png\ncontrast 0"]
    with pytest.raises(ArgumentError) as caught:
        found.plot("blurred")
    assert str(caught.value) == (
        "`kind` must be one of 'two-labels', 'blank'. Received: kind='blurred'."
    )


def test_a_image_that_is_gone_when_the_sheet_is_drawn_leaves_a_gap(photos):
    plain(photos / "cat" / "blank.png", 7)
    found = imgclf.inspect(photos)
    (photos / "cat" / "blank.png").unlink()

    assert found.plot("blank").axes[0].images[0].get_array().min() == 255


def test_the_users_files_are_not_changed(photos):
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in photos.rglob("*.png")}
    imgclf.inspect(photos)
    assert before == {
        path: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in photos.rglob("*")
        if path.is_file()
    }


def test_progress_counts_every_file(photos):
    calls = []
    imgclf.inspect(photos, progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (48, 48)
    assert calls == sorted(calls)


def test_severities_are_ordered(photos):
    plain(photos / "cat" / "blank.png", 7)
    found = imgclf.inspect(photos)
    assert [found.reaches(level) for level in ("problem", "warning", "note")] == [False, True, True]
    with pytest.raises(ArgumentError, match="`severity` must be one of"):
        found.reaches("worst")


def test_arguments_that_do_not_go_together(photos, tmp_path):
    with pytest.raises(MissingFileError, match="there is no file or folder"):
        imgclf.inspect(tmp_path / "nowhere")
    with pytest.raises(ArgumentError, match="`sample` goes with data that is loaded"):
        imgclf.inspect(photos, sample=3)
    with pytest.raises(ArgumentTypeError) as caught:
        imgclf.inspect(photos, progress=1)
    assert str(caught.value) == (
        "`progress` must be None or a function of two ints, files checked and all files. "
        "Received: progress=1."
    )
    with pytest.raises(MissingFileError) as caught:
        imgclf.inspect("nowhere")
    assert str(caught.value) == "`data`: there is no file or folder 'nowhere'."
    with pytest.raises(ArgumentError, match="`progress` goes with a path only"):
        imgclf.inspect(imgclf.load_digits(), progress=print)
    with pytest.raises(ArgumentTypeError) as caught:
        imgclf.inspect(7)
    assert str(caught.value) == (
        "`data` must be a Dataset, a Split, a pair (images, labels), or the path of a folder or "
        "CSV file of photos. Received: data=7."
    )
    (tmp_path / "flat").mkdir()
    with pytest.raises(DataError, match="no folders of classes"):
        imgclf.inspect(tmp_path / "flat")


def test_what_a_first_check_found_can_be_left_out_of_a_second(photos, tmp_path):
    (photos / "dog" / "empty.jpg").touch()
    shutil.copy(photos / "cat" / "03.png", photos / "cat" / "copy.png")
    first = imgclf.inspect(photos)
    first.save(tmp_path / "first")

    second = imgclf.inspect(photos, exclude=tmp_path / "first" / "exclude.csv")

    assert second.findings == ()
    assert second.excluded == ()
    assert [path for path, _ in second.left_out] == [photo.name for photo, _ in first.excluded]
    assert len(second.photos) + len(second.left_out) == len(first.photos) == 50
    assert second.to_dict()["left_out"] == 2
    assert str(second).startswith("photos: 48 files, 2 classes, 2 more left out; no findings\n")
    # The list of a second check goes on from that of the first: it serves alone.
    Image.new("RGB", (48, 48)).save(photos / "cat" / "blank.png")
    third = imgclf.inspect(photos, exclude=tmp_path / "first" / "exclude.csv")
    third.save(tmp_path / "third")
    with (tmp_path / "third" / "exclude.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == ["cat/blank.png", "cat/copy.png", "dog/empty.jpg"]
    assert rows[2]["reason"] == "is empty (0 bytes)."
    data = imgclf.load_folder(photos, exclude=tmp_path / "third" / "exclude.csv")
    assert data.ledger.totals()["excluded"] == 3


def test_an_entry_of_exclude_that_names_no_file_is_noted(photos):
    found = imgclf.inspect(photos, exclude=["cat/00.png", "cat/gone.png"])
    assert finding(found, "exclude").severity == "note"
    assert finding(found, "exclude").message == (
        "Entries of `exclude` that name none of the files: 1, such as cat/gone.png."
    )
    assert len(found.photos) == 47


def test_a_class_that_is_left_out_whole_is_an_empty_one(photos):
    found = imgclf.inspect(photos, exclude=[f"dog/{number:02}.png" for number in range(24)])
    assert found.class_names == ("cat", "dog")
    assert finding(found, "empty-class").severity == "problem"


def test_exclude_goes_with_a_path_only():
    with pytest.raises(ArgumentError, match="`exclude` goes with a path only"):
        imgclf.inspect(imgclf.load_digits(), exclude=["a.png"])
