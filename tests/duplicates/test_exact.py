from __future__ import annotations

import shutil

import pytest
from PIL import Image

import imgclf
from imgclf.duplicates.exact import tie
from imgclf.errors import DataError


def home_of(data, path):
    return [title for title, split in data.splits().items() if str(path) in split.images.paths]


@pytest.mark.parametrize("seed", range(4))
def test_copies_stay_on_one_side_of_a_cut(photo_folder, seed):
    for number in range(6):
        source = next((photo_folder / "sky").rglob(f"{number}.*"))
        for copy in range(3):
            shutil.copy(source, photo_folder / "sky" / f"{number}-{copy}{source.suffix}")

    data = imgclf.load_folder(photo_folder, seed=seed, validation=0.2, test=0.2)

    for number in range(6):
        homes = [home_of(data, path) for path in (photo_folder / "sky").glob(f"{number}*.*")]
        assert len(homes) == 4
        assert homes.count(homes[0]) == 4
        assert len(homes[0]) == 1
    counts = {title: split.label_counts()["sky"] for title, split in data.splits().items()}
    assert sum(counts.values()) == 28
    assert all(count >= 4 for count in counts.values())
    assert [note for note in data.notes if note.startswith("Copies")] == [
        "Copies of the same image within a class, kept on one side of a cut: 24 files in 6 "
        f"set(s), such as {photo_folder / 'sky' / '0-0.jpg'} and "
        f"{photo_folder / 'sky' / '0-1.jpg'}."
    ]


def test_a_copy_changes_nothing_for_the_other_classes(photo_folder):
    before = imgclf.load_folder(photo_folder)
    shutil.copy(photo_folder / "sky" / "0.jpg", photo_folder / "sky" / "copy.jpg")
    after = imgclf.load_folder(photo_folder)

    for title, split in before.splits().items():
        assert split.label_counts()["meadow"] == after.splits()[title].label_counts()["meadow"]


def test_the_same_image_under_two_labels_is_not_used_and_told(photo_folder):
    one, other = photo_folder / "sky" / "0.jpg", photo_folder / "meadow" / "x.jpg"
    shutil.copy(one, other)

    data = imgclf.load_folder(photo_folder)

    assert home_of(data, one) == home_of(data, other) == []
    assert data.notes[-1] == (
        f"Warning: the same image under two labels, in 1 case(s): {other} and {one}. None of the "
        "copies is trained on. Remove the ones with the wrong label."
    )
    assert data.skipped == ()


@pytest.fixture
def split_folder(photo_folder, tmp_path):
    root = tmp_path / "splits"
    for split in ("train", "val", "test"):
        shutil.copytree(photo_folder, root / split)
        for path in (root / split).rglob("*.*"):
            path.write_bytes(path.read_bytes() + split.encode())
    return root


def test_a_image_of_the_test_folder_stays_out_of_train_and_validation(split_folder):
    source = split_folder / "test" / "sky" / "0.jpg"
    for split in ("train", "val"):
        shutil.copy(source, split_folder / split / "sky" / "leaked.jpg")

    data = imgclf.load_folder(split_folder)

    assert [len(split) for split in data.splits().values()] == [30, 30, 30]
    assert home_of(data, source) == ["test"]
    leaked = split_folder / "val" / "sky" / "leaked.jpg"
    assert (
        "Images of which a later split (validation or test) has a copy, left out: 2, such as "
        f"{split_folder / 'train' / 'sky' / 'leaked.jpg'}, which is the same image as "
        "test/sky/0.jpg, which is in the test split." in data.notes
    )
    assert home_of(data, leaked) == []


def test_a_image_of_the_test_folder_with_another_label_stays_out_too(split_folder):
    source = split_folder / "test" / "sky" / "0.jpg"
    shutil.copy(source, split_folder / "train" / "meadow" / "leaked.jpg")
    shutil.copy(source, split_folder / "test" / "blossom" / "twice.jpg")

    data = imgclf.load_folder(split_folder)

    assert [len(split) for split in data.splits().values()] == [30, 30, 31]
    assert "Warning: the same image under two labels, in 1 case(s): " in data.notes[-1]


def test_a_class_of_copies_of_one_image_is_trained_on(photo_folder):
    Image.new("RGB", (40, 40)).save(photo_folder / "sky.png")
    shutil.rmtree(photo_folder / "sky")
    (photo_folder / "sky").mkdir()
    for number in range(9):
        shutil.copy(photo_folder / "sky.png", photo_folder / "sky" / f"{number}.png")

    data = imgclf.load_folder(photo_folder)

    counts = [split.label_counts()["sky"] for split in data.splits().values()]
    assert counts == [9, 0, 0]
    assert data.notes[-2:] == (
        "Class 'sky' has no images in validation: the metrics there say nothing of it.",
        "Class 'sky' has no images in test: the metrics there say nothing of it.",
    )


def test_a_class_that_is_a_copy_of_another_is_an_error(photo_folder):
    shutil.copytree(photo_folder / "sky", photo_folder / "heaven")

    with pytest.raises(DataError) as caught:
        imgclf.load_folder(photo_folder)
    assert str(caught.value) == (
        f"{photo_folder}: no image of class 'heaven' is left to train on: each of them is in "
        "another class, or in a split of its own for validation or test, too. `imgclf inspect` "
        "lists them."
    )


def test_equal_sizes_are_no_copies(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(8):
            colour = (number, ord(name), 0)
            Image.new("RGB", (9, 9), colour).save(tmp_path / name / f"{number}.bmp")

    data = imgclf.load_folder(tmp_path)

    assert data.ledger.totals()["used"] == 16
    assert not any("same image" in note for note in data.notes)


def test_groups_and_copies_are_tied_through_each_other():
    assert tie(["a", "a", "b", "b", None, None], [[1, 2], [4, 5]]).tolist() == [0, 0, 0, 0, 4, 4]
