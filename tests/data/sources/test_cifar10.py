from __future__ import annotations

import shutil
import tarfile

import numpy as np
import pytest
from cifar10_making import CIFAR10_NAMES, cifar10_members, write_cifar10

import imgclf
from imgclf.errors import ArgumentError, ArgumentTypeError, DataError, MissingFileError

# SEED.md, from the 2017 tutorial: label counts of each training batch.
LABEL_COUNTS = {
    1: [1005, 974, 1032, 1016, 999, 937, 1030, 1001, 1025, 981],
    2: [984, 1007, 1010, 995, 1010, 988, 1008, 1026, 987, 985],
    3: [994, 1042, 965, 997, 990, 1029, 978, 1015, 961, 1029],
    4: [1003, 963, 1041, 976, 1004, 1021, 1004, 981, 1024, 983],
    5: [1014, 1014, 952, 1016, 997, 1025, 980, 977, 1003, 1022],
}
FIRST_LABELS = {
    1: [6, 9, 9, 4, 1, 1, 2, 7, 8, 3, 4, 7, 7, 2, 9, 9, 9, 3, 2, 6],
    2: [1, 6, 6, 8, 8, 3, 4, 6, 0, 6, 0, 3, 6, 6, 5, 4, 8, 3, 2, 6],
    3: [8, 5, 0, 6, 9, 2, 8, 3, 6, 2, 7, 4, 6, 9, 0, 0, 7, 3, 7, 2],
    4: [0, 6, 0, 2, 7, 2, 1, 2, 4, 1, 5, 6, 6, 3, 1, 3, 5, 5, 8, 1],
    5: [1, 8, 5, 1, 5, 7, 4, 3, 8, 2, 7, 2, 0, 1, 5, 9, 6, 2, 0, 8],
}
FIRST_TWO = {
    1: [("frog", 0, 255), ("truck", 5, 254)],
    2: [("automobile", 5, 225), ("frog", 2, 247)],
    3: [("ship", 0, 254), ("dog", 15, 249)],
    4: [("airplane", 34, 203), ("frog", 0, 246)],
    5: [("automobile", 2, 255), ("ship", 1, 244)],
}


@pytest.mark.parametrize("batch", [1, 2, 3, 4, 5])
def test_an_official_batch_is_what_the_tutorial_showed(cifar10_archive, batch):
    split = imgclf.load_cifar10_batch(batch, archive=cifar10_archive)

    found = imgclf.inspect(split, sample=1)
    record = found.splits[0]
    assert record.num_images == 10_000
    assert record.image_shape == (32, 32, 3)
    assert record.dtype == "uint8"
    assert list(record.label_counts.values()) == LABEL_COUNTS[batch]
    assert list(record.label_counts) == CIFAR10_NAMES
    assert list(record.first_labels) == FIRST_LABELS[batch]
    assert record.pixel_range == (0, 255)
    for index, (name, low, high) in enumerate(FIRST_TWO[batch]):
        sample = imgclf.inspect(split, sample=index).sample
        assert (sample.class_name, *sample.pixel_range) == (name, low, high)


def test_all_of_cifar10_is_split_as_in_the_tutorial(cifar10_archive):
    data = imgclf.load_cifar10(archive=cifar10_archive)

    assert [len(split) for split in data.splits().values()] == [45_000, 5_000, 10_000]
    assert data.class_names == tuple(CIFAR10_NAMES)
    for split in data.splits().values():
        assert split.images.dtype == np.uint8
        assert split.images.shape[1:] == (32, 32, 3)
        assert split.images.flags.c_contiguous
    fourth = imgclf.load_cifar10_batch(4, archive=cifar10_archive)
    assert np.array_equal(data.train.images[27_000:36_000], fourth.images[:9_000])
    assert np.array_equal(data.train.labels[27_000:36_000], fourth.labels[:9_000])
    assert np.array_equal(data.validation.images[3_000:4_000], fourth.images[9_000:])
    assert np.array_equal(data.validation.labels[3_000:4_000], fourth.labels[9_000:])


def test_pixels_keep_their_place_and_colour(tiny_cifar10):
    with tarfile.open(tiny_cifar10) as archive:
        content = archive.extractfile("cifar-10-batches-py/data_batch_2").read()

    split = imgclf.load_cifar10_batch(2, archive=tiny_cifar10)

    # The official layout: 1,024 bytes of red, then of green, then of blue, row by row.
    first = split.images[0]
    raw = np.stack([first[..., channel].ravel() for channel in range(3)]).ravel().tobytes()
    assert raw in content


def test_the_last_tenth_of_each_batch_is_for_validation(tiny_cifar10):
    data = imgclf.load_cifar10(archive=tiny_cifar10)

    assert [len(split) for split in data.splits().values()] == [135, 15, 30]
    for position in range(5):
        whole = imgclf.load_cifar10_batch(position + 1, archive=tiny_cifar10)
        train = data.train[position * 27 : (position + 1) * 27]
        tail = data.validation[position * 3 : (position + 1) * 3]
        assert np.array_equal(train.images, whole.images[:27])
        assert np.array_equal(tail.images, whole.images[27:])
        assert np.array_equal(tail.labels, whole.labels[27:])
    test = imgclf.load_cifar10_batch("test", archive=tiny_cifar10)
    assert np.array_equal(data.test.images, test.images)


def test_one_batch_gives_its_own_images_and_all_of_the_test_batch(tiny_cifar10):
    data = imgclf.load_cifar10(archive=tiny_cifar10, batches=(3,))

    third = imgclf.load_cifar10_batch(3, archive=tiny_cifar10)
    assert np.array_equal(data.train.images, third.images[:27])
    assert len(data.test) == 30


def test_batches_come_in_the_order_asked_for_whatever_the_order_of_the_archive(tmp_path):
    members = cifar10_members()
    backwards = write_cifar10(tmp_path / "a.tar.gz", dict(reversed(members.items())))

    data = imgclf.load_cifar10(archive=backwards, batches=[4, 2], validation=None)

    fourth, second = (imgclf.load_cifar10_batch(b, archive=backwards) for b in (4, 2))
    assert np.array_equal(data.train.labels, np.concatenate([fourth.labels, second.labels]))
    assert data.validation is None


def test_a_batch_that_is_not_wanted_is_not_decoded(tmp_path):
    members = cifar10_members() | {"data_batch_5": b"no pickle"}
    archive = write_cifar10(tmp_path / "a.tar.gz", members)

    assert len(imgclf.load_cifar10(archive=archive, batches=(1, 2)).train) == 54
    with pytest.raises(DataError, match="data_batch_5"):
        imgclf.load_cifar10(archive=archive)


def test_a_fraction_for_validation_is_stratified_and_follows_the_seed(tiny_cifar10):
    data = imgclf.load_cifar10(archive=tiny_cifar10, validation=0.2, seed=3)
    again = imgclf.load_cifar10(archive=tiny_cifar10, validation=0.2, seed=3)
    other = imgclf.load_cifar10(archive=tiny_cifar10, validation=0.2, seed=4)

    assert set(data.validation.label_counts().values()) == {3}
    assert len(data.train) == 120
    assert data.validation.fingerprint() == again.validation.fingerprint()
    assert data.validation.fingerprint() != other.validation.fingerprint()


def test_the_folder_that_the_archive_unpacks_to_is_read_too(tmp_path, tiny_cifar10):
    with tarfile.open(tiny_cifar10) as archive:
        archive.extractall(tmp_path, filter="data")
    packed = imgclf.load_cifar10(archive=tiny_cifar10)

    for folder in (tmp_path, tmp_path / "cifar-10-batches-py"):
        unpacked = imgclf.load_cifar10(archive=folder)
        assert unpacked.train.fingerprint() == packed.train.fingerprint()


def test_an_archive_of_ones_own_is_said_to_be_unchecked(tiny_cifar10):
    data = imgclf.load_cifar10(archive=tiny_cifar10)

    assert data.notes[0] == f"Read from {tiny_cifar10}; its checksum was not checked."
    assert all(note.startswith("Class ") for note in data.notes[1:])  # it is tiny


def test_an_archive_found_in_the_cache_must_have_the_official_checksum(cache, tiny_cifar10):
    cache.mkdir()
    file = shutil.copy(tiny_cifar10, cache / "cifar-10-python.tar.gz")

    with pytest.raises(DataError) as caught:
        imgclf.load_cifar10()

    import hashlib

    found = hashlib.sha256(file.read_bytes()).hexdigest()
    assert str(caught.value) == (
        f"{file}: expected SHA-256 "
        "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce, "
        f"found {found}. The file was left as it is. Delete it to have it downloaded again; or, if "
        f"you know where it comes from, accept it with archive={str(file)!r}."
    )
    assert file.read_bytes() == tiny_cifar10.read_bytes()


@pytest.mark.parametrize("batches", [(0,), (6,), (1, 1), (), [1, "2"], (True,), (1.0,)])
def test_batches_that_do_not_exist_are_refused(tiny_cifar10, batches):
    with pytest.raises(ArgumentError) as caught:
        imgclf.load_cifar10(archive=tiny_cifar10, batches=batches)
    assert str(caught.value) == (
        "`batches` must be different numbers from 1 to 5, at least one. "
        f"Received: batches={batches!r}."
    )


@pytest.mark.parametrize("batches", [1, "1", None])
def test_batches_must_be_several(tiny_cifar10, batches):
    with pytest.raises(ArgumentTypeError, match="`batches` must be different numbers"):
        imgclf.load_cifar10(archive=tiny_cifar10, batches=batches)


@pytest.mark.parametrize("batch", [0, 6, "train", None, 1.0, True, -1])
def test_a_single_batch_that_does_not_exist_is_refused(tiny_cifar10, batch):
    with pytest.raises(ArgumentError) as caught:
        imgclf.load_cifar10_batch(batch, archive=tiny_cifar10)
    assert str(caught.value) == (
        f'`batch` must be a number from 1 to 5, or "test". Received: batch={batch!r}.'
    )


@pytest.mark.parametrize("validation", ["tail", 1, -0.1, 1.5, True, [0.1]])
def test_a_validation_that_is_no_rule_and_no_part_is_refused(tiny_cifar10, validation):
    with pytest.raises(ArgumentError) as caught:
        imgclf.load_cifar10(archive=tiny_cifar10, validation=validation)
    assert str(caught.value) == (
        '`validation` must be "per-batch-tail", a fraction from 0 to below 1, or None. '
        f"Received: validation={validation!r}."
    )


def test_a_seed_below_zero_is_refused(tiny_cifar10):
    with pytest.raises(ArgumentError, match="`seed` must be an int of at least 0"):
        imgclf.load_cifar10(archive=tiny_cifar10, seed=-1)


def test_path_and_archive_together_are_refused(tmp_path, tiny_cifar10):
    with pytest.raises(ArgumentError, match="`path` and `archive` cannot both be given"):
        imgclf.load_cifar10(tmp_path, archive=tiny_cifar10)


def test_a_file_as_path_is_refused(tiny_cifar10):
    with pytest.raises(ArgumentError) as caught:
        imgclf.load_cifar10(tiny_cifar10)
    assert str(caught.value) == (
        "`path` must be a folder to keep the archive in; an archive of your own is passed as "
        f"`archive`. Received: path={str(tiny_cifar10)!r}."
    )


def test_a_missing_archive_is_named(tmp_path):
    with pytest.raises(MissingFileError) as caught:
        imgclf.load_cifar10(archive=tmp_path / "none.tar.gz")
    assert str(caught.value) == (
        f"`archive`: there is no file or folder {str(tmp_path / 'none.tar.gz')!r}."
    )
