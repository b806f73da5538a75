from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

import imgclf
from imgclf.data.image_files import ImageFiles
from imgclf.data.images import ImageSpec
from imgclf.errors import ArgumentError, ArgumentTypeError, DataError


def numbered(count):
    """Images that each carry their own number in their first two values."""
    images = np.zeros((count, 1, 2, 1), np.uint8)
    images[:, 0, 0, 0], images[:, 0, 1, 0] = np.divmod(np.arange(count), 256)
    return images


def numbers_in(split):
    pixels = np.asarray(split.images).astype(int)
    return (pixels[:, 0, 0, 0] * 256 + pixels[:, 0, 1, 0]).tolist()


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(3, 40), min_size=2, max_size=6),
    validation=st.floats(0, 0.4),
    test=st.floats(0, 0.4),
    seed=st.integers(0, 2**32),
)
@example(sizes=[4, 3], validation=0.375, test=0.375, seed=0)
def test_a_cut_never_overlaps_loses_nothing_and_keeps_the_proportions(
    sizes, validation, test, seed
):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    images = numbered(len(labels))

    data = imgclf.Dataset.from_arrays(images, labels, validation=validation, test=test, seed=seed)

    parts = {title: numbers_in(split) for title, split in data.splits().items()}
    assert sorted(number for part in parts.values() for number in part) == list(range(len(labels)))
    for title, split in data.splits().items():
        assert parts[title] == sorted(parts[title])
        assert split.labels.tolist() == labels[parts[title]].tolist()
    for title, part in (("validation", validation), ("test", test)):
        if part == 0:
            assert title not in parts
            continue
        for size, count in zip(sizes, data.splits()[title].label_counts().values(), strict=True):
            wanted = max(1, round(size * part))
            # Of four images two and two are wished for: one of them stays to train on.
            others = max(1, round(size * test)) if title == "validation" and test else 0
            assert count == min(wanted, size - 1 - others)


def test_the_same_seed_gives_the_same_cut_and_another_one_another():
    images, labels = numbered(200), np.arange(200) % 2
    first, again, other = (
        numbers_in(imgclf.Dataset.from_arrays(images, labels, seed=seed).test) for seed in (0, 0, 1)
    )
    assert first == again != other


def test_given_pairs_and_splits_are_taken_whole():
    images, labels = numbered(10), np.arange(10) % 2
    data = imgclf.Dataset.from_arrays(
        images, labels, validation=(images[:4], labels[:4]), test=(images[4:], labels[4:])
    )

    assert [len(split) for split in data.splits().values()] == [10, 4, 6]


def test_a_data_set_tells_what_it_is():
    data = imgclf.Dataset.from_arrays(numbered(40), np.arange(40) % 2, class_names=["a", "b"])

    assert (data.class_names, data.num_classes, data.image_shape) == (("a", "b"), 2, (1, 2, 1))
    assert repr(data) == (
        "Dataset 'arrays': 32 train, 4 validation, 4 test; images of 1×2×1, 2 classes"
    )
    noted = imgclf.Dataset(data.train, name="x", notes=("Read it.",))
    assert repr(noted) == "Dataset 'x': 32 train; images of 1×2×1, 2 classes\n  Read it."


def test_splits_that_do_not_belong_together_are_refused():
    split = imgclf.Split(numbered(4), [0, 1, 0, 1], ["a", "b"])
    other_names = imgclf.Split(numbered(4), [0, 1, 0, 1], ["b", "a"])
    other_shape = imgclf.Split(np.zeros((4, 2, 2, 1), np.uint8), [0, 1, 0, 1], ["a", "b"])

    with pytest.raises(DataError) as caught:
        imgclf.Dataset(split, other_names)
    assert str(caught.value) == (
        "`validation` and `train` must have the same class names. Received: ['b', 'a'] and "
        "['a', 'b']."
    )
    with pytest.raises(DataError) as caught:
        imgclf.Dataset(split, test=other_shape)
    assert str(caught.value) == (
        "`test` and `train` must have the same image shape. Received: (2, 2, 1) and (1, 2, 1)."
    )
    with pytest.raises(DataError, match="`train` must hold at least one image"):
        imgclf.Dataset(split[:0])
    with pytest.raises(ArgumentTypeError, match="`validation` must be a Split"):
        imgclf.Dataset(split, (numbered(4), [0, 1, 0, 1]))


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        (
            {"validation": "some"},
            ArgumentTypeError,
            "`validation` must be a fraction from 0 to below 1, a pair (images, labels), or None. "
            "Received: validation='some'.",
        ),
        (
            {"test": 1.0},
            ArgumentTypeError,
            "`test` must be a fraction from 0 to below 1, a pair (images, labels), or None. "
            "Received: test=1.0.",
        ),
        (
            {"validation": 0.6, "test": 0.4},
            ArgumentError,
            "`validation` and `test` together must leave images to train on. Received: "
            "validation=0.6, test=0.4.",
        ),
        (
            {"test": (numbered(2), [0])},
            DataError,
            "`test`: `images` and `labels` must have one entry an image. Received: 2 images and 1 "
            "labels.",
        ),
        ({"seed": -1}, ArgumentError, "`seed` must be an int of at least 0. Received: seed=-1."),
    ],
)
def test_parts_that_cannot_be_cut_are_refused(settings, error, message):
    with pytest.raises(error) as caught:
        imgclf.Dataset.from_arrays(numbered(20), np.arange(20) % 2, **settings)
    assert str(caught.value) == message


def counts_of(data, label):
    return {
        title: list(split.label_counts().values())[label] for title, split in data.splits().items()
    }


def test_a_class_too_small_for_the_cut_is_trained_on_and_named():
    data = imgclf.Dataset.from_arrays(numbered(12), [0] * 10 + [1] * 2, class_names=["a", "rare"])
    assert counts_of(data, 1) == {"train": 1, "validation": 0, "test": 1}
    assert data.notes == (
        "Class 'rare' has no images in validation: the metrics there say nothing of it.",
    )
    data = imgclf.Dataset.from_arrays(numbered(13), [0] * 10 + [1] * 3, validation=0.45, test=0.54)
    assert counts_of(data, 1) == {"train": 1, "validation": 1, "test": 1}
    assert data.notes == ()


def test_a_split_that_gets_no_image_is_none():
    data = imgclf.Dataset.from_arrays(numbered(2), [0, 1])
    assert (len(data.train), data.validation, data.test) == (2, None, None)
    assert data.notes[0] == (
        "Classes '0', '1' have no images in validation: the metrics there say nothing of them."
    )


def test_a_class_that_is_not_in_train_is_noted():
    other = (numbered(4), [0, 1, 0, 1])
    data = imgclf.Dataset.from_arrays(
        numbered(3), [0, 0, 0], validation=other, test=None, class_names=["a", "b"]
    )
    assert data.notes == ("Class 'b' has no images in train: it cannot be learned.",)


@given(
    labels=st.lists(st.integers(0, 3), min_size=1, max_size=30),
    tied=st.lists(st.integers(0, 6), min_size=30, max_size=30),
    seed=st.integers(0, 5),
)
def test_every_class_of_groups_of_its_own_is_trained_on(labels, tied, seed):
    labels = np.array(labels)
    groups = [f"{label}-{tie}" for label, tie in zip(labels, tied, strict=False)]
    data = imgclf.Dataset.from_arrays(
        numbered(len(labels)), labels, groups=groups, seed=seed, class_names=list("abcd")
    )
    assert set(data.train.labels) == set(labels)
    assert sum(map(len, data.splits().values())) == len(labels)
    for label in np.unique(labels):
        parts = {groups[place] for place in np.flatnonzero(labels == label)}
        there = [title for title, split in data.splits().items() if label in split.labels]
        assert len(there) == min(3, len(parts))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (
            np.zeros((2, 3)),
            "`images` must have the shape (N, height, width, channels). Received: shape=(2, 3).",
        ),
        (
            np.full((2, 4, 4, 3), np.nan),
            "`images` holds values that are not finite (NaN or infinity).",
        ),
        (
            np.full((2, 4, 4, 3), -1),
            "`images` must hold values from 0 to 255. Received: values from -1 to -1.",
        ),
        (
            np.full((2, 4, 4, 3), 0.5),
            "`images` must hold values from 0 to 255, but all are between 0 and 1: they seem to be "
            "rescaled already. Multiply them by 255.",
        ),
        (
            np.full((2, 4, 4, 3), "x"),
            "`images` must be numbers from 0 to 255, best as uint8; files with labels are read by "
            "load_folder() or load_csv(). Received: dtype=<U1, shape=(2, 4, 4, 3).",
        ),
        (
            [np.zeros((4, 4, 3)), np.zeros((5, 4, 3))],
            "`images` must be one array: all images need the same height, width and channels.",
        ),
        (
            np.zeros((2, 4, 4, 3), complex),
            "`images` must be real numbers from 0 to 255. Received: complex numbers.",
        ),
    ],
)
def test_images_that_cannot_be_used_are_refused(images, message):
    with pytest.raises(DataError) as caught:
        imgclf.Split(images, [0, 1], ["a", "b"])
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            [0, 1, 2],
            "`labels` must be from 0 to 1, since there are 2 class names. Received: labels from 0 "
            "to 2.",
        ),
        (
            [0.0, 1.0, 0.5],
            "`labels` must be classes. Received: numbers such as 0.5: is this a regression? imgclf "
            "predicts classes, not numbers: group them into a few classes, such as 'low' and "
            "'high'. If each number is a class, give them as names, labels.astype(str).",
        ),
        (
            [0, 1],
            "`images` and `labels` must have one entry an image. Received: 3 images and 2 labels.",
        ),
        (
            np.eye(3),
            "One-hot `labels` must have 2 columns, one a class name. Received: shape=(3, 3).",
        ),
        (
            np.ones((3, 2)),
            "One-hot `labels` must hold a single 1 in each row, and else 0. Row 0 holds 2. imgclf "
            "gives each image one class: several labels an image (multi-label) are not supported.",
        ),
        (
            np.zeros((3, 2, 2)),
            "`labels` must have the shape (N,), or (N, classes) one-hot. Received: "
            "shape=(3, 2, 2).",
        ),
    ],
)
def test_labels_that_cannot_be_used_are_refused(labels, message):
    with pytest.raises(DataError) as caught:
        imgclf.Split(numbered(3), labels, ["a", "b"])
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("ab", "`class_names` must be a list of names. Received: class_names='ab'."),
        (["a", 1], "`class_names` must hold only names that are not empty. Received: "),
        (
            ["a", " "],
            "`class_names` must hold only names that are not empty. Received: class_names=",
        ),
        (
            ["a"],
            "`class_names` must hold at least 2 names: a classifier needs two classes.",
        ),
        (["a", "b", "a"], "`class_names` must all differ. Twice in it: a."),
    ],
)
def test_class_names_that_cannot_be_used_are_refused(names, message):
    with pytest.raises(ArgumentError) as caught:
        imgclf.Split(numbered(2), [0, 1], names)
    assert str(caught.value).startswith(message)


def test_labels_of_every_usual_form_mean_the_same():
    for labels in ([1, 0, 1], [[1], [0], [1]], np.eye(2)[[1, 0, 1]], np.array([1, 0, 1], np.uint8)):
        assert imgclf.Split(numbered(3), labels, ["a", "b"]).labels.tolist() == [1, 0, 1]


def test_a_split_is_sliced_masked_and_indexed():
    split = imgclf.Split(numbered(10), np.arange(10) % 2, ["a", "b"])

    assert numbers_in(split[2:8:3]) == [2, 5]
    assert numbers_in(split[[7, 1]]) == [7, 1]
    assert numbers_in(split[split.labels == 1]) == [1, 3, 5, 7, 9]
    image, label = split[-1]
    assert (image[0, 1, 0], label) == (9, 1)
    with pytest.raises(IndexError, match=r"This split has samples 0 to 9\. Received: index=10\."):
        split[10]


def test_batches_cover_everything_once_and_the_last_may_be_short():
    split = imgclf.Split(numbered(10), np.arange(10) % 2, ["a", "b"])

    batches = list(split.batches(4))

    assert [len(images) for images, _ in batches] == [4, 4, 2]
    assert np.array_equal(np.concatenate([images for images, _ in batches]), split.images)
    with pytest.raises(ArgumentError, match="`batch_size` must be an int of at least 1"):
        list(split.batches(0))


def test_a_fingerprint_changes_with_pixels_labels_and_names():
    images, labels = numbered(10), np.arange(10) % 2
    split = imgclf.Split(images, labels, ["a", "b"])
    changed = images.copy()
    changed[3] += 1
    prints = {
        split.fingerprint(),
        imgclf.Split(changed, labels, ["a", "b"]).fingerprint(),
        imgclf.Split(images, 1 - labels, ["a", "b"]).fingerprint(),
        imgclf.Split(images, labels, ["a", "c"]).fingerprint(),
    }

    assert len(prints) == 4
    assert split.fingerprint() == imgclf.Split(images.copy(), labels, ["a", "b"]).fingerprint()


def test_image_files_behave_like_an_array_and_decode_only_what_is_asked(tmp_path):
    paths = []
    for number in range(6):
        paths.append(tmp_path / f"{number}.png")
        Image.new("L", (12, 10), number).save(paths[-1])
    images = ImageFiles(paths, ImageSpec(8, channels=1))
    paths[5].write_bytes(b"")

    assert (len(images), images.shape, images.dtype, images.ndim) == (6, (6, 8, 8, 1), np.uint8, 4)
    assert np.asarray(images[:5])[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4]
    assert images[3][0, 0, 0] == 3
    assert np.asarray(images[[4, 2]], dtype=np.float32)[:, 0, 0, 0].tolist() == [4, 2]
    with pytest.raises(DataError, match=r"5\.png: is empty"):
        np.asarray(images)
    with pytest.raises(ArgumentError, match="`spec` must have an image_size"):
        ImageFiles(paths, ImageSpec())
