from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import imgclf
from imgclf.errors import ArgumentError, ArgumentTypeError, DataError, MissingFileError


def paths_of(data):
    return {title: set(split.images.paths) for title, split in data.splits().items()}


def fill(folder, count=10, size=(20, 20), mode="RGB", colour=0):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        path = folder / f"{number}.png"
        told_apart = PngInfo()  # the same pixels, but no copies of one file
        told_apart.add_text("path", ascii(str(path)))
        Image.new(mode, size, colour).save(path, pnginfo=told_apart)
    return folder


@pytest.fixture
def split_folder(photo_folder, tmp_path):
    root = tmp_path / "splits"
    for split in ("train", "val", "test"):
        shutil.copytree(photo_folder, root / split)
        for path in (root / split).rglob("*.*"):
            path.write_bytes(path.read_bytes() + split.encode())  # no copies of each other
    return root


def test_folders_are_classes_and_every_image_is_in_one_split(photo_folder):
    data = imgclf.load_folder(photo_folder)

    assert data.class_names == ("blossom", "meadow", "sky")
    assert data.name == "photos"
    assert data.skipped == ()
    parts = paths_of(data)
    assert sum(map(len, parts.values())) == 30
    assert set().union(*parts.values()) == {str(p) for p in photo_folder.rglob("*.*")}
    for split in data.splits().values():
        for path, label in zip(split.images.paths, split.labels, strict=True):
            assert Path(path).relative_to(photo_folder).parts[0] == data.class_names[label]


def test_images_come_in_the_size_and_colour_that_the_notes_say(photo_folder):
    data = imgclf.load_folder(photo_folder)

    assert data.image_shape == (40, 40, 3)
    assert data.notes == (
        "Images are resized to 40×40 pixels, chosen from their median shorter side of 36; "
        "`image_size` sets another size.",
        "Images are read in colour; color='gray' reads one channel.",
    )
    image, label = data.train[0]
    assert image.shape == (40, 40, 3)
    assert image.mean(axis=(0, 1)).argmax() == label


def test_the_arguments_decide_where_they_are_given(photo_folder):
    data = imgclf.load_folder(
        photo_folder, image_size=(24, 16), color="gray", validation=0.3, test=None
    )

    assert data.image_shape == (24, 16, 1)
    assert data.notes == ()
    assert data.test is None
    assert len(data.validation) == 9


@pytest.mark.parametrize(("side", "chosen"), [(5, 16), (20, 24), (28, 32), (60, 64), (500, 96)])
def test_the_chosen_size_is_a_multiple_of_eight_within_bounds(tmp_path, side, chosen):
    for name in "ab":
        fill(tmp_path / name, size=(side, side + 30))

    assert imgclf.load_folder(tmp_path).image_shape == (chosen, chosen, 3)


@pytest.mark.parametrize("mode", ["L", "1", "I;16", "LA"])
def test_grey_images_are_read_as_grey(tmp_path, mode):
    fill(tmp_path / "a", mode=mode)
    fill(tmp_path / "b", mode="L")

    data = imgclf.load_folder(tmp_path)

    assert data.image_shape[2] == 1
    assert data.notes[1] == (
        "Images are read as grey, since all of them are; color='rgb' reads three channels."
    )
    Image.new("RGB", (20, 20)).save(tmp_path / "a" / "colour.png")
    assert imgclf.load_folder(tmp_path).image_shape[2] == 3


def test_the_cut_follows_the_seed_and_not_the_file_system(photo_folder, tmp_path):
    backwards = tmp_path / "backwards" / "photos"
    for path in sorted(photo_folder.rglob("*.*"), reverse=True):
        target = backwards / path.relative_to(photo_folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)

    def names(data):
        return [[os.path.basename(path) for path in s.images.paths] for s in data.splits().values()]

    assert names(imgclf.load_folder(photo_folder)) == names(imgclf.load_folder(backwards))
    assert names(imgclf.load_folder(photo_folder)) != names(imgclf.load_folder(backwards, seed=1))


def test_classes_with_numbers_as_names_are_in_the_order_of_the_numbers(tmp_path):
    for number in range(12):
        fill(tmp_path / str(number), count=3)

    assert imgclf.load_folder(tmp_path).class_names == tuple(map(str, range(12)))


@pytest.mark.parametrize("validation", ["val", "valid", "validation", "Val"])
def test_folders_of_splits_are_used_as_they_are(split_folder, validation):
    if validation != "val":
        (split_folder / "val").rename(split_folder / validation)

    data = imgclf.load_folder(split_folder)

    assert {title: len(split) for title, split in data.splits().items()} == {
        "train": 30,
        "validation": 30,
        "test": 30,
    }
    for title, folder in (("train", "train"), ("validation", validation), ("test", "test")):
        assert all(str(split_folder / folder) in path for path in paths_of(data)[title])


def test_a_split_without_a_folder_is_cut_from_train(split_folder):
    shutil.rmtree(split_folder / "val")
    data = imgclf.load_folder(split_folder)
    assert [len(split) for split in data.splits().values()] == [24, 6, 30]

    shutil.rmtree(split_folder / "test")
    data = imgclf.load_folder(split_folder, test=0.2)
    assert [len(split) for split in data.splits().values()] == [18, 6, 6]


def test_classes_of_splits_are_matched_by_name(split_folder):
    shutil.rmtree(split_folder / "val" / "blossom")
    shutil.rmtree(split_folder / "test" / "meadow")

    data = imgclf.load_folder(split_folder)

    assert data.validation.label_counts() == {"blossom": 0, "meadow": 10, "sky": 10}
    assert data.test.label_counts() == {"blossom": 10, "meadow": 0, "sky": 10}


def test_a_class_called_train_among_others_is_a_class(tmp_path):
    for name in ("train", "car", "plane"):
        fill(tmp_path / name)

    assert imgclf.load_folder(tmp_path).class_names == ("car", "plane", "train")


def test_given_class_names_decide_the_order_and_may_lack_images(photo_folder):
    names = ["sky", "sea", "meadow", "blossom"]
    data = imgclf.load_folder(photo_folder, class_names=names, validation=None, test=None)

    assert data.class_names == tuple(names)
    assert data.train.label_counts() == {"sky": 10, "sea": 0, "meadow": 10, "blossom": 10}


def test_a_folder_with_one_of_the_given_classes_is_enough(photo_folder):
    shutil.rmtree(photo_folder / "sky")
    shutil.rmtree(photo_folder / "meadow")
    names = ["blossom", "meadow", "sky"]

    data = imgclf.load_folder(photo_folder, class_names=names, validation=None, test=None)

    assert len(data.train) == 10


def test_what_systems_leave_behind_is_no_class_and_no_image(photo_folder):
    clean = imgclf.load_folder(photo_folder)
    for name in (".git", "__MACOSX", ".ipynb_checkpoints", "@eaDir"):
        fill(photo_folder / name, count=2)
    for name in ("._0.jpg", "Thumbs.db", ".DS_Store", "desktop.ini"):
        (photo_folder / "sky" / name).write_bytes(b"junk")
    fill(photo_folder / "sky" / ".hidden", count=2)
    fill(photo_folder / "sky" / "__MACOSX", count=2)

    data = imgclf.load_folder(photo_folder)

    assert data.class_names == clean.class_names
    assert paths_of(data) == paths_of(clean)
    assert data.notes == clean.notes


def test_files_that_are_no_images_by_name_are_counted(photo_folder):
    (photo_folder / "sky" / "readme.txt").write_text("words")
    (photo_folder / "sky" / "boxes.json").write_text("{}")

    data = imgclf.load_folder(photo_folder)

    assert len(data.train) + len(data.validation) + len(data.test) == 30
    assert data.notes[0] == "Files that are no images by their names, passed over: 2."


def test_unusable_files_are_skipped_and_listed_with_the_reason(photo_folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as where it is not installed
    bad = photo_folder / "sky" / "cut.jpg"
    whole = (photo_folder / "sky" / "0.jpg").read_bytes()
    bad.write_bytes(whole[: len(whole) * 9 // 10])
    heic = photo_folder / "sky" / "phone.heic"
    heic.write_bytes(b"\0\0\0\x18ftypheic" + bytes(30))

    data = imgclf.load_folder(photo_folder, max_skipped=0.1)

    assert dict(data.skipped)[heic] == (
        "is HEIC, which needs an extra: pip install 'imgclf[heic]', or save it as JPEG or PNG."
    )
    assert dict(data.skipped)[bad].startswith("damaged image (")
    assert data.notes[-1].startswith(
        f"2 of 32 files cannot be used and were skipped. {bad}: damaged image ("
    )
    assert str(bad) not in set().union(*paths_of(data).values())


def test_too_many_unusable_files_stop_it(photo_folder):
    for number in range(7):
        (photo_folder / "sky" / f"empty{number}.jpg").touch()

    with pytest.raises(DataError) as caught:
        imgclf.load_folder(photo_folder)

    first = " ".join(
        f"{photo_folder / 'sky' / f'empty{number}.jpg'}: is empty (0 bytes)." for number in range(5)
    )
    assert str(caught.value) == (
        f"{photo_folder}: 7 of 37 files (18.9%) cannot be used, more than max_skipped=0.05 allows. "
        f"{first} And 2 more. Fix or remove them, or raise `max_skipped`."
    )
    assert len(imgclf.load_folder(photo_folder, max_skipped=0.2).skipped) == 7


def test_a_class_whose_images_are_all_damaged_is_named(photo_folder):
    for path in (photo_folder / "sky").rglob("*.*"):
        path.write_bytes(b"")

    with pytest.raises(DataError) as caught:
        imgclf.load_folder(photo_folder, max_skipped=1)
    assert str(caught.value) == (
        f"{photo_folder}: no image of class 'sky' can be read: all its files are damaged or "
        "excluded."
    )


def test_a_image_with_another_format_than_its_name_is_read_and_counted(photo_folder):
    Image.new("RGB", (40, 40)).save(photo_folder / "sky" / "x.jpg", "PNG")

    data = imgclf.load_folder(photo_folder)

    assert data.notes[-1] == (
        "Files that hold another format than their name says, read by their content: 1, such as "
        f"{photo_folder / 'sky' / 'x.jpg'}."
    )
    assert data.skipped == ()


def test_a_jpeg_of_a_telephone_with_a_second_image_in_it_is_read(photo_folder):
    first, second = Image.new("RGB", (40, 40), "red"), Image.new("L", (20, 20))
    target = photo_folder / "sky" / "phone.jpg"
    first.save(target, "MPO", save_all=True, append_images=[second])

    data = imgclf.load_folder(photo_folder, validation=None, test=None)

    position = list(data.train.images.paths).index(str(target))
    assert tuple(data.train.images[position][20, 20]) == (254, 0, 0)
    assert not any("another format" in note for note in data.notes)


def test_twins_among_the_classes_are_pointed_out(tmp_path):
    for name in ("Cat", "cat", "dog"):
        fill(tmp_path / name)

    assert imgclf.load_folder(tmp_path).notes[-1] == (
        "Classes 'Cat' and 'cat' differ only in case or blanks: if they are one, put their "
        "images together."
    )


def test_a_loop_of_links_ends(photo_folder):
    (photo_folder / "sky" / "loop").symlink_to(photo_folder / "sky", target_is_directory=True)
    (photo_folder / "sky" / "up").symlink_to(photo_folder / "sky" / "more", True)

    data = imgclf.load_folder(photo_folder)

    assert len(data.train) + len(data.validation) + len(data.test) == 30


def test_a_pipe_is_skipped_without_waiting(photo_folder):
    os.mkfifo(photo_folder / "sky" / "pipe.jpg")

    data = imgclf.load_folder(photo_folder)

    assert data.skipped == ((photo_folder / "sky" / "pipe.jpg", "is not a regular file."),)


def test_names_that_are_no_text_are_used_and_shown_escaped(tmp_path):
    root = tmp_path / "photos"
    fill(root / "a")
    odd = root / os.fsdecode(b"b\xff")
    fill(odd)
    Image.new("RGB", (20, 20)).save(odd / os.fsdecode(b"\xfe.png"))

    data = imgclf.load_folder(root)

    assert data.class_names == ("a", "b\\udcff")
    assert sum(len(split) for split in data.splits().values()) == 21
    np.asarray(data.train.images)


def test_a_image_that_goes_missing_later_is_named(photo_folder):
    data = imgclf.load_folder(photo_folder)
    gone = data.train.images.paths[3]
    Path(gone).unlink()

    with pytest.raises(MissingFileError) as caught:
        list(data.train.batches())
    assert str(caught.value) == f"{gone}: there is no such file."


def test_an_image_damaged_in_its_middle_is_skipped_with_its_reason(photo_folder):
    path = photo_folder / "sky" / "1.png"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    data = imgclf.load_folder(photo_folder, validation=None, test=None, max_skipped=0.1)

    assert [skipped for skipped, _ in data.skipped] == [path]
    assert data.skipped[0][1].startswith("damaged image (")
    assert sum(len(batch) for batch, *_ in data.train.batches()) == len(data.train)


def test_the_files_of_the_user_are_not_touched(photo_folder):
    def state():
        return [
            (path, path.stat().st_mtime_ns, path.stat().st_size)
            for path in sorted(photo_folder.rglob("*"))
        ]

    before = state()
    list(imgclf.load_folder(photo_folder).train.batches())
    assert state() == before


def message_of(path, error=DataError, **settings):
    with pytest.raises(error) as caught:
        imgclf.load_folder(path, **settings)
    return str(caught.value)


def test_a_missing_folder_is_named(tmp_path):
    assert message_of(tmp_path / "none", MissingFileError) == (
        f"`path`: there is no file or folder {str(tmp_path / 'none')!r}."
    )


def test_a_file_is_no_folder(tmp_path):
    file = tmp_path / "labels.csv"
    file.touch()

    assert message_of(file, ArgumentError) == (
        f"`path` must be a folder. Received: path={str(file)!r}. A table of paths and labels is "
        "read by load_csv()."
    )


def test_images_without_class_folders_are_an_error(tmp_path):
    fill(tmp_path, count=5)

    assert message_of(tmp_path) == (
        f"{tmp_path}: has 5 images directly inside, but no folders of classes. Put the images "
        "of each class in a folder with its name, such as cat/ and dog/."
    )


def test_an_empty_folder_is_an_error(tmp_path):
    assert message_of(tmp_path) == (
        f"{tmp_path}: has no images and no folders of classes. Put the images of each class in "
        "a folder with its name, such as cat/ and dog/."
    )


def test_a_single_class_is_an_error(tmp_path):
    fill(tmp_path / "cat")

    assert message_of(tmp_path) == (
        f"{tmp_path}: there must be images of at least 2 classes. Found: 'cat'."
    )


def test_a_class_without_images_is_an_error(photo_folder):
    (photo_folder / "void").mkdir()

    assert message_of(photo_folder) == (
        f"{photo_folder / 'void'}: this class has no images. Add some, or remove the folder."
    )


def test_classes_with_one_and_two_images_are_trained_on_and_the_gaps_noted(photo_folder):
    fill(photo_folder / "rare", count=1)
    fill(photo_folder / "seldom", count=2)

    data = imgclf.load_folder(photo_folder)

    counts = {title: split.label_counts() for title, split in data.splits().items()}
    assert [counts[title]["rare"] for title in counts] == [1, 0, 0]
    assert [counts[title]["seldom"] for title in counts] == [1, 0, 1]
    assert data.notes[-2:] == (
        "Classes 'rare', 'seldom' have no images in validation: the metrics there say nothing of "
        "them.",
        "Class 'rare' has no images in test: the metrics there say nothing of it.",
    )
    assert data.ledger.totals()["used"] == sum(map(len, data.splits().values()))


def test_a_class_that_a_folder_of_a_split_lacks_is_noted(split_folder):
    shutil.rmtree(split_folder / "test" / "sky")

    assert imgclf.load_folder(split_folder).notes[-1] == (
        "Class 'sky' has no images in test: the metrics there say nothing of it."
    )


def test_a_class_in_validation_that_train_lacks_is_an_error(split_folder):
    shutil.rmtree(split_folder / "train" / "sky")

    assert message_of(split_folder) == (
        f"{split_folder}: the validation split has classes that the train split lacks: 'sky'. The "
        "train split has 'blossom', 'meadow'."
    )


def test_splits_without_train_are_an_error(split_folder):
    shutil.rmtree(split_folder / "train")

    assert message_of(split_folder) == (
        f"{split_folder}: has 'test' and 'val', but no folder 'train' to learn from."
    )


def test_two_folders_for_one_split_are_an_error(split_folder):
    shutil.copytree(split_folder / "val", split_folder / "validation")

    assert message_of(split_folder) == (
        f"{split_folder}: the folders 'val' and 'validation' both mean the validation split. Keep "
        "one of them."
    )


def test_a_class_that_the_given_names_lack_is_an_error(photo_folder):
    assert message_of(photo_folder, class_names=["sky", "sea"]) == (
        f"{photo_folder}: there are classes that `class_names` lacks: 'blossom', 'meadow'. "
        "`class_names` has 'sky', 'sea'."
    )


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        (
            {"color": "grey"},
            ArgumentError,
            "`color` must be one of None, 'rgb', 'gray'. Received: color='grey'. Did you mean "
            "'gray'?",
        ),
        ({"image_size": -1}, ArgumentError, "`image_size` must be an int above 0 or a pair"),
        ({"image_size": (8, 8, 3)}, ArgumentError, "`image_size` must be an int above 0 or a pair"),
        ({"resize": "fit"}, ArgumentError, "`resize` must be one of"),
        ({"validation": 1}, ArgumentError, "`validation` must be a number at least 0 and below 1."),
        ({"test": "some"}, ArgumentTypeError, "`test` must be a number at least 0 and below 1."),
        ({"validation": 0.5, "test": 0.5}, DataError, "`validation` and `test` together"),
        ({"seed": -1}, ArgumentError, "`seed` must be an int of at least 0."),
        ({"seed": 0.5}, ArgumentTypeError, "`seed` must be an int of at least 0."),
        (
            {"max_skipped": 2},
            ArgumentError,
            "`max_skipped` must be a number at least 0 and at",
        ),
        ({"class_names": ["sky", "sky"]}, ArgumentError, "`class_names` must all differ."),
        ({"class_names": "sky"}, ArgumentTypeError, "`class_names` must be a list of names."),
    ],
)
def test_arguments_that_cannot_be_used_are_named(photo_folder, settings, error, message):
    if settings.get("validation") == 0.5:
        error = ArgumentError
    assert message_of(photo_folder, error, **settings).startswith(message)
