"""Kept decoded batches: the same images as without them, and never a reason to fail."""

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from cifar10_making import cifar10_members, write_cifar10

import imgclf
from imgclf.data.sources.download import file_sha256
from imgclf.errors import DataError
from imgclf.files.atomic import LEFTOVER


def about_reading(data):
    """The notes but those on classes: a tiny archive has none of some in validation."""
    return tuple(note for note in data.notes if not note.startswith("Class "))


@pytest.fixture
def archive(tmp_path, tiny_cifar10) -> Path:
    return Path(shutil.copy(tiny_cifar10, tmp_path / "own.tar.gz"))


@pytest.fixture
def kept(cache):
    return lambda: sorted((cache / "cifar10-decoded").glob("*"))


def fingerprints(data):
    return {title: split.fingerprint() for title, split in data.splits().items()}


def forbid_decoding(monkeypatch):
    """Makes unpickling fail, so that what is loaded can only come from the kept arrays."""
    monkeypatch.setattr("imgclf.data.sources.cifar10_archive._unpickle", None)


def test_the_second_load_decodes_nothing_and_gives_the_same(archive, monkeypatch, kept):
    first = imgclf.load_cifar10(archive=archive)
    assert len(kept()) == 6
    forbid_decoding(monkeypatch)

    again = imgclf.load_cifar10(archive=archive)

    assert fingerprints(again) == fingerprints(first)
    assert repr(again) == repr(first)
    for split, old in zip(again.splits().values(), first.splits().values(), strict=True):
        assert split.images.dtype == old.images.dtype
        assert split.images.flags.c_contiguous
        assert split.images.flags.writeable == old.images.flags.writeable
        assert split.labels.dtype == old.labels.dtype
    drawn = imgclf.load_cifar10(archive=archive, validation=0.2, batches=(5, 2), seed=3)
    assert len(drawn.validation) == 10


def test_a_single_batch_comes_from_the_kept_arrays_too(archive, monkeypatch):
    whole = imgclf.load_cifar10_batch(3, archive=archive)
    forbid_decoding(monkeypatch)
    assert imgclf.load_cifar10_batch(3, archive=archive).fingerprint() == whole.fingerprint()


def test_only_the_missing_batches_are_decoded(archive, kept):
    imgclf.load_cifar10(archive=archive, batches=(1,))
    assert len(kept()) == 2
    assert len(imgclf.load_cifar10(archive=archive, batches=(1, 4)).train) == 54
    assert len(kept()) == 3


def test_the_real_images_are_the_same_with_and_without(cifar10_archive):
    first = imgclf.load_cifar10(archive=cifar10_archive)
    assert fingerprints(imgclf.load_cifar10(archive=cifar10_archive)) == fingerprints(first)


def test_another_archive_in_its_place_is_read(archive):
    first = imgclf.load_cifar10(archive=archive)
    write_cifar10(archive, cifar10_members(seed=1))
    assert fingerprints(imgclf.load_cifar10(archive=archive)) != fingerprints(first)


def test_another_archive_of_the_same_size_and_time_is_read(tmp_path, archive):
    first = imgclf.load_cifar10(archive=archive)
    status = archive.stat()
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1  # damaged: it must be noticed
    archive.write_bytes(content)
    os.utime(archive, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert archive.stat().st_size == status.st_size
    assert archive.stat().st_mtime_ns == status.st_mtime_ns

    with pytest.raises(DataError):
        imgclf.load_cifar10(archive=archive)
    assert len(first.train) == 135


def test_the_checksum_must_have_been_checked_if_it_is_asked_for(cache, tiny_cifar10, monkeypatch):
    cache.mkdir()
    target = Path(shutil.copy(tiny_cifar10, cache / "cifar-10-python.tar.gz"))
    imgclf.load_cifar10(archive=target)

    with pytest.raises(DataError, match="expected SHA-256"):
        imgclf.load_cifar10()

    with target.open("rb") as file:
        monkeypatch.setenv("IMGCLF_CIFAR10_SHA256", file_sha256(file))
    first = imgclf.load_cifar10()
    forbid_decoding(monkeypatch)
    assert fingerprints(imgclf.load_cifar10()) == fingerprints(first)
    imgclf.load_cifar10(archive=target)  # a checked one will do where none is asked for

    monkeypatch.setenv("IMGCLF_CIFAR10_SHA256", "0" * 64)
    with pytest.raises(DataError, match="expected SHA-256 0000"):
        imgclf.load_cifar10()


def test_nothing_is_kept_of_an_archive_that_fails(tmp_path, kept):
    members = cifar10_members() | {"test_batch": b"no pickle"}
    archive = write_cifar10(tmp_path / "a.tar.gz", members)
    for _ in range(2):
        with pytest.raises(DataError, match="test_batch"):
            imgclf.load_cifar10(archive=archive)
        assert kept() == []


def test_nothing_is_kept_of_an_archive_that_is_cut_off_at_its_end(archive, kept):
    archive.write_bytes(archive.read_bytes()[:-4])
    for _ in range(2):
        with pytest.raises(DataError, match="expected a whole gzip-compressed tar archive"):
            imgclf.load_cifar10(archive=archive)
        assert kept() == []


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def store(path, **changes):
    with np.load(path) as stored:
        fields = dict(stored)
    np.savez(path, **fields | changes)


DAMAGES = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": cut,
    "flipped": flip,
    "other file": lambda path: path.write_bytes(b"<html>not found</html>"),
    "no record": lambda path: np.savez(path, images=np.zeros(3)),
    "record": lambda path: store(path, record=np.array("[]")),
    "pickle": lambda path: store(path, images=np.array([{}], dtype=object)),
    "shape": lambda path: store(path, images=np.zeros((30, 32, 32), np.uint8)),
    "dtype": lambda path: store(path, images=np.zeros((30, 32, 32, 3), np.float32)),
    "labels": lambda path: store(path, labels=np.full(30, 10)),
    "too few": lambda path: store(path, labels=np.zeros(29, np.int64)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_made_again(archive, kept, damage, monkeypatch):
    first = imgclf.load_cifar10(archive=archive)
    damaged = kept()[2]
    DAMAGES[damage](damaged)

    again = imgclf.load_cifar10(archive=archive)

    assert fingerprints(again) == fingerprints(first)
    assert len(about_reading(again)) == 2
    assert about_reading(again)[1].startswith(f"{damaged} was damaged (")
    assert about_reading(again)[1].endswith(") and is made again.")
    forbid_decoding(monkeypatch)
    assert imgclf.load_cifar10(archive=archive).notes == first.notes


def test_a_folder_that_cannot_be_written_costs_only_time(archive, cache):
    cache.write_bytes(b"a file where the folder should be")

    data = imgclf.load_cifar10(archive=archive)

    assert len(data.train) == 135
    assert about_reading(data)[1:] == (
        f"The decoded images could not be kept in {cache / 'cifar10-decoded'} "
        "(is a file, not a folder): each start reads the archive again.",
    )


def test_a_full_disk_costs_only_time(archive, monkeypatch, kept):
    write, left = np.savez, [3]

    def savez(path, **arrays):
        write(path, **arrays)
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", savez)

    data = imgclf.load_cifar10(archive=archive)

    assert len(data.train) == 135
    assert len(about_reading(data)) == 2
    assert "(No space left on device): each start reads" in about_reading(data)[1]
    assert all(path.suffix == ".npz" and not path.name.startswith(".") for path in kept())
    monkeypatch.undo()
    assert fingerprints(imgclf.load_cifar10(archive=archive)) == fingerprints(data)


def test_an_archive_that_changes_while_it_is_read_is_not_kept(archive, monkeypatch, kept):
    from imgclf.data.sources import cifar10_cache

    read = cifar10_cache.read_batches

    def read_and_touch(*arguments, **settings):
        yield from read(*arguments, **settings)
        os.utime(archive)

    monkeypatch.setattr(cifar10_cache, "read_batches", read_and_touch)

    data = imgclf.load_cifar10(archive=archive)

    assert "(the archive changed while it was read): each start" in about_reading(data)[1]
    assert kept() == []


def test_of_an_unpacked_folder_nothing_is_kept(tmp_path, tiny_cifar10, cache):
    shutil.unpack_archive(tiny_cifar10, tmp_path / "unpacked", filter="data")
    imgclf.load_cifar10(archive=tmp_path / "unpacked")
    assert not cache.exists()


def test_the_two_latest_archives_are_kept(tmp_path, kept):
    old = None
    for number in range(4):
        archive = write_cifar10(tmp_path / f"{number}.tar.gz", cifar10_members(seed=number))
        imgclf.load_cifar10_batch(1, archive=archive)
        for path in kept():
            os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 10))
        old = old or kept()
    assert len(kept()) == 2
    assert not set(old) & set(kept())


def test_what_a_killed_process_left_is_removed(archive, cache, kept):
    (cache / "cifar10-decoded").mkdir(parents=True)
    stale, fresh = (cache / "cifar10-decoded" / f"{LEFTOVER}{name}-1.npz" for name in "ab")
    stale.write_bytes(b"part")
    fresh.write_bytes(b"part")
    os.utime(stale, (0, 0))

    imgclf.load_cifar10_batch(1, archive=archive)

    assert not stale.exists()
    assert fresh.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_cache_costs_only_time(archive, cache):
    cache.mkdir()
    cache.chmod(0o500)
    data = imgclf.load_cifar10(archive=archive)
    assert "(Permission denied)" in about_reading(data)[1]
