"""Folders are splits or classes by their names and structure; what may be either is asked about."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import imgclf
from imgclf.cli.main import main
from imgclf.data.sources.labelled_files import find_split_names
from imgclf.errors import DataError

CLASSES = ("cat", "dog")


@pytest.fixture
def make(tmp_path):
    """Makes a tree of different images: the number of them in each folder."""
    numbers = iter(range(10_000))

    def make_tree(tree):
        root = tmp_path / "photos"
        for name, count in tree.items():
            (root / name).mkdir(parents=True, exist_ok=True)
            for place in range(count):
                pixels = np.random.default_rng(next(numbers)).integers(0, 256, (16, 16, 3))
                Image.fromarray(pixels.astype(np.uint8)).save(root / name / f"{place}.png")
        return root

    return make_tree


def of_classes(*folders, count=4):
    return {f"{folder}/{name}": count for folder in folders for name in CLASSES}


def sizes(data):
    return {title: len(split) for title, split in data.splits().items()}


@pytest.mark.parametrize(
    ("tree", "splits"),
    [
        (of_classes("Training", "Testing"), {"test": 8}),
        (of_classes("seg_train", "seg_test"), {"test": 8}),
        (of_classes("train", "dev", "test"), {"train": 8, "validation": 8, "test": 8}),
        (of_classes("TRAIN", "VAL"), {"validation": 8}),
        (of_classes("train_set", "test_set"), {"test": 8}),
        (of_classes("TrainImages", "TestImages"), {"test": 8}),
        (of_classes("train2017", "val2017"), {"validation": 8}),
        (of_classes("asl_alphabet_train", "asl_alphabet_test"), {"test": 8}),
        (of_classes("train", "validation", "eval"), {"validation": 8, "test": 8}),
        (of_classes("train/train", "test/test"), {"test": 8}),
        (of_classes("train/images", "test/images"), {"test": 8}),
        (of_classes("train", "test") | {"predict": 3}, {"test": 8}),
        (of_classes("train", "val") | {"runs": 0}, {"validation": 8}),
        (of_classes("train", "val") | {"runs/detect/exp": 2}, {"validation": 8}),
        (of_classes("train", "valid", "test") | {"unlabeled": 3}, {"train": 8, "test": 8}),
        (of_classes("seg_train", "seg_test") | {"seg_pred/seg_pred": 2}, {"test": 8}),
        (of_classes("train") | {"labels": 0}, {}),
    ],
)
def test_splits_are_known_by_name_and_structure(make, tree, splits):
    root = make(tree)

    data = imgclf.load_folder(root)

    assert data.class_names == CLASSES
    assert splits.items() <= sizes(data).items()
    beside = [name for name in {key.split("/")[0] for key in tree} if not find_split_names([name])]
    beside = [name for name in beside if name in ("predict", "runs", "unlabeled", "labels")]
    for name in beside:
        assert f"Folders beside those of the splits, left out: {name!r}." in data.notes
        [fate] = [row for row in data.ledger if row.path == f"{name}/"]
        assert (fate.fate, fate.reason) == ("ignored", "is beside the folders of splits.")
    found = imgclf.inspect(root)
    assert list(found.class_names) == list(CLASSES)
    assert [one.message for one in found.findings if one.kind == "structure"] == [
        note for note in data.notes if note.startswith("Folders")
    ]


@pytest.mark.parametrize(
    ("tree", "names"),
    [
        ({"train": 4, "car": 4, "bus": 4}, ("bus", "car", "train")),
        ({"valid": 4, "invalid": 4}, ("invalid", "valid")),
        ({"test_tube": 4, "train_station": 4}, ("test_tube", "train_station")),
        ({"cat/2019": 4, "dog": 4}, ("cat", "dog")),
        ({"cat/images": 4, "dog/images": 4}, ("cat", "dog")),
    ],
)
def test_classes_stay_classes(make, tree, names):
    data = imgclf.load_folder(make(tree))
    assert data.class_names == names


IF_CLASSES = " If all of them are classes, name them by `class_names` (--class-names)."


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (
            of_classes("train", "test", "extra"),
            "'extra' beside the folders of splits holds classes of 'train' as well. Rename what is "
            "a split to train, val or test, and move the rest elsewhere.",
        ),
        (
            of_classes("train") | {"predict": 2},
            "'train' is the training split or a class of that name: beside it is 'predict'. If it "
            "is the split, move the others elsewhere, or load {root}/train." + IF_CLASSES,
        ),
        (
            {"train": 3, "test": 3, "sample": 3},
            "'test', 'train' mean splits, but without folders of classes inside; beside: 'sample'. "
            "Put folders of classes into each split, such as train/cat/ and test/cat/, and move "
            "what is no class elsewhere." + IF_CLASSES,
        ),
        (
            {"cat": 3, "dog": 3, "test": 3},
            "'test' means a split, but without folders of classes inside; beside: 'cat', 'dog'. "
            "Put folders of classes into each split, such as train/cat/ and test/cat/, and move "
            "what is no class elsewhere." + IF_CLASSES,
        ),
        (
            of_classes("set1", "set2"),
            "'set1', 'set2' each hold the same folders, 'cat', 'dog', as splits do, but their "
            "names mean no split. Rename them to train, val and test, or load one of them."
            + IF_CLASSES,
        ),
        (
            {f"{name}/{split}": 3 for name in CLASSES for split in ("train", "test")},
            "'cat', 'dog' each hold 'test', 'train', which mean splits. Put the classes into the "
            "splits, such as train/cat/ and test/cat/." + IF_CLASSES,
        ),
        (
            of_classes("data"),
            "has one folder only, 'data', which holds 'cat', 'dog'. Load that one: {root}/data.",
        ),
        (
            of_classes("train", "Training"),
            "the folders 'Training' and 'train' both mean the train split. Keep one of them.",
        ),
        (of_classes("test", "val"), "has 'test' and 'val', but no folder 'train' to learn from."),
    ],
)
def test_what_is_doubtful_is_asked_about_by_every_way(make, tree, message):
    root = make(tree)
    expected = f"{root}: {message.format(root=root)}"

    for call in (imgclf.load_folder, imgclf.inspect):
        with pytest.raises(DataError) as caught:
            call(root)
        assert str(caught.value) == expected
    for command in ("train", "inspect"):
        result = CliRunner().invoke(main, [command, str(root)])
        assert result.exit_code == 1
        assert expected in result.stderr


def test_splits_without_classes_are_no_classes(make):
    # huggingface/datasets#7880: 'train' and 'test' became the labels.
    root = make({"train": 3, "test": 3})
    with pytest.raises(DataError, match=r"train: has 3 images directly inside, but no folders of"):
        imgclf.load_folder(root)


def test_the_only_class_of_a_split_is_no_wrapper(make):
    root = make(of_classes("train") | {"test/cat/2019": 3, "test/cat/2020": 3})
    assert imgclf.load_folder(root).test.label_counts() == {"cat": 6, "dog": 0}


def test_names_of_files_mean_no_split(make):
    # huggingface/datasets#5021: "photo of a train.jpg" alone was read, as the training split.
    root = make({"cat": 4, "dog": 4})
    (root / "cat" / "0.png").rename(root / "cat" / "photo of a train.png")
    (root / "dog" / "0.png").rename(root / "dog" / "test tubes.png")
    data = imgclf.load_folder(root, validation=None, test=None)
    assert sizes(data) == {"train": 8}


def test_named_classes_settle_what_is_doubtful(make):
    root = make({"cat": 4, "dog": 4, "test": 4})
    names = ["cat", "dog", "test"]

    assert imgclf.load_folder(root, class_names=names).class_names == tuple(names)
    result = CliRunner().invoke(main, ["inspect", str(root), "--class-names", "cat, dog, test"])
    assert result.exit_code == 0
    assert "3 classes" in result.stdout


@settings(max_examples=100, deadline=None)
@given(
    words=st.sampled_from([("train", "test"), ("Training", "Testing"), ("TRAIN", "dev")]),
    around=st.sampled_from(
        ["{}", "seg_{}", "{}_2017", "my data {}", "{}-images", "{} set", "x.{}"]
    ),
)
def test_any_words_around_do_not_hide_a_split(words, around):
    names = [around.format(word) for word in words]
    assert list(find_split_names(names)) == names


def test_inspect_tells_of_loose_images_and_of_blanks(make):
    root = make({"cat ": 4, "dog": 4, ".": 2})
    (root / "dog" / "0.png").rename(root / "dog" / "0.png ")

    found = {one.kind: one for one in imgclf.inspect(root).findings}

    assert found["loose-images"].message == (
        f"Images in no folder of a class, not used: 2, such as {str(root / '0.png')!r}."
    )
    assert found["blank-names"].num_affected == 2
    notes = imgclf.load_folder(root).notes
    assert (
        "Files with a blank at the end of their names, passed over: 1, such as "
        f"{str(root / 'dog' / '0.png ')!r}."
    ) in notes


def test_the_next_command_of_inspect_works_as_printed(make, tmp_path, monkeypatch):
    root = make({"cat": 8, "dog": 8, "empty": 0})
    (root / "cat" / "0.png").write_bytes((root / "cat" / "1.png").read_bytes())
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(main, ["inspect", "photos", "--out", "found"])
    assert result.stdout.splitlines()[-1] == (
        "Before training:  photos/empty: this class has no images. Add some, or remove the folder."
    )
    (root / "empty").rmdir()
    result = CliRunner().invoke(main, ["inspect", "photos", "--out", "found"])
    assert result.stdout.splitlines()[-1] == (
        "Next:  imgclf train photos --exclude found/exclude.csv"
    )
