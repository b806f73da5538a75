"""Archives that are damaged, foreign or hostile: each is refused, and nothing of it is run."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import tarfile
import zlib

import numpy as np
import pytest
from cifar10_making import CIFAR10_NAMES, cifar10_members, python2_pickle, write_cifar10
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import imgclf
from imgclf.errors import DataError

BATCH = "data_batch_1"


def load(archive):
    return imgclf.load_cifar10(archive=archive, batches=(1,))


def archive_with(tmp_path, **members):
    return write_cifar10(tmp_path / "cifar.tar.gz", cifar10_members(rows_per_batch=10) | members)


def batch_with(**fields):
    good = {"labels": [0, 1], "data": np.zeros((2, 3072), np.uint8)}
    return python2_pickle(good | fields)


def refusal(archive):
    with pytest.raises(DataError) as caught:
        load(archive)
    return str(caught.value)


class RunsOnLoad:
    """Pickles to a call of any function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_a_pickle_that_would_run_a_program_is_refused(tmp_path, protocol):
    trace = tmp_path / "trace"
    content = pickle.dumps({"data": RunsOnLoad(os.mkdir, str(trace))}, protocol=protocol)
    archive = archive_with(tmp_path, **{BATCH: content})

    message = refusal(archive)

    assert message == (
        f"{archive}: member 'cifar-10-batches-py/data_batch_1': expected a pickle of plain values "
        f"and NumPy arrays, found the name {os.mkdir.__module__}.mkdir. Nothing of it was run."
    )
    assert not trace.exists()


@pytest.mark.parametrize(
    "name",
    [
        b"builtins\neval",
        b"os\nsystem",
        b"numpy\nload",
        b"numpy\nfromfile",
        b"numpy.core.multiarray\nscalar",
        b"numpy\nndarray.tofile",
        b"_codecs\nencode",
    ],
)
def test_no_other_name_is_known(tmp_path, name):
    archive = archive_with(tmp_path, **{BATCH: b"c" + name + b"\n."})

    assert name.replace(b"\n", b".").decode() in refusal(archive)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x02",
        b"<html>404</html>",
        b"cnumpy\ndtype\n(dS'__call__'\nI1\nsb.",  # changes a name it was lent
        b"cnumpy.core.multiarray\n_reconstruct\n}X\x01\x00\x00\x00aK\x01s\x86b.",
        b"cnumpy\nndarray\n)R.",
        b"\x80\x02]q\x00h\x00a.",
        b"(" * 100_000 + b".",
        b"\x80\x02J\xff\xff\xff\x7f.",
    ],
)
def test_what_is_no_dictionary_is_refused(tmp_path, content):
    archive = archive_with(tmp_path, **{BATCH: content})

    assert "data_batch_1" in refusal(archive)
    assert len(load(archive_with(tmp_path)).train) == 9


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x80\x04}r\xff\xff\xff\x7f.", "the instruction LONG_BINPUT 2147483647"),
        (b"\x80\x04\x8e" + (2**34).to_bytes(8, "little") + b"ab.", "expected 17179869184 bytes"),
        (b"\x80\x05\x96" + (2).to_bytes(8, "little") + b"ab.", "the instruction BYTEARRAY8"),
        (b"\x80\x02Kex\x01.", "opcode b'x'"),
        (b"\x80\x02Vother\nQ.", "the instruction BINPERSID"),
    ],
)
def test_an_instruction_that_claims_more_than_there_is_is_not_followed(tmp_path, content, reason):
    archive = archive_with(tmp_path, **{BATCH: content})

    assert reason in refusal(archive)


def test_labels_that_are_endless_as_text_are_refused_at_once(tmp_path):
    label = [0]
    for _ in range(60):
        label = [label, label]
    archive = archive_with(tmp_path, **{BATCH: batch_with(labels=[0, label])})

    assert "expected labels from 0 to 9, found [[[[" in refusal(archive)


def test_an_array_that_claims_to_be_huge_takes_no_memory(tmp_path):
    # numpy.ndarray((10**6, 10**6)): real NumPy would ask for a terabyte.
    huge = b"(dS'data'\ncnumpy\nndarray\n((I1000000\nI1000000\nttRs."
    archive = archive_with(tmp_path, **{BATCH: huge})

    assert "found another layout" in refusal(archive)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"data": np.zeros((2, 3071), np.uint8)}, "found (2, 3071) of 'u1'"),
        ({"data": np.zeros((2, 3072), np.float32)}, "found (2, 3072) of 'f4'"),
        ({"data": np.zeros((2, 3072), np.int8)}, "found (2, 3072) of 'i1'"),
        ({"data": np.zeros((0, 3072), np.uint8)}, "found (0, 3072) of 'u1'"),
        ({"data": np.zeros((10_001, 3072), np.uint8)}, "found (10001, 3072) of 'u1'"),
        ({"data": np.zeros(3072, np.uint8)}, "found another layout"),
        ({"data": np.array([[None] * 3072] * 2)}, "found (2, 3072) of 'O8'"),
        ({"data": [0, 1]}, "as data, found [0, 1]"),
        ({"data": None}, "as data, found None"),
        ({"labels": [0]}, "expected a list of 2 labels, found 1 labels"),
        ({"labels": [0, 10]}, "expected labels from 0 to 9, found 10"),
        ({"labels": [0, -1]}, "expected labels from 0 to 9, found -1"),
        ({"labels": [0, 1.0]}, "expected labels from 0 to 9, found 1.0"),
        ({"labels": [0, True]}, "expected labels from 0 to 9, found True"),
        ({"labels": np.zeros(2, np.int64)}, "expected a list of 2 labels, found an array"),
        ({"labels": None}, "expected a list of 2 labels, found None"),
    ],
)
def test_a_batch_with_other_content_is_refused(tmp_path, fields, reason):
    archive = archive_with(tmp_path, **{BATCH: batch_with(**fields)})

    message = refusal(archive)

    assert message.startswith(f"{archive}: member 'cifar-10-batches-py/data_batch_1': expected ")
    assert reason in message


def test_a_wrong_shape_is_said_whole(tmp_path):
    wrong = batch_with(data=np.zeros((2, 3071), np.uint8))
    archive = archive_with(tmp_path, **{BATCH: wrong})

    assert refusal(archive) == (
        f"{archive}: member 'cifar-10-batches-py/data_batch_1': expected an array of "
        "(1 to 10,000, 3072) uint8, found (2, 3071) of 'u1'."
    )


def test_arrays_in_column_order_are_read_by_row(tmp_path, rng):
    rows = rng.integers(0, 256, (20, 3072), dtype=np.uint8)
    content = batch_with(data=np.asfortranarray(rows), labels=[0] * 20)
    archive = archive_with(tmp_path, **{BATCH: content})

    images = imgclf.load_cifar10_batch(1, archive=archive).images

    assert np.array_equal(images.transpose(0, 3, 1, 2).reshape(20, 3072), rows)


def test_other_label_names_are_refused(tmp_path):
    meta = python2_pickle({"label_names": [*CIFAR10_NAMES[:9], "lorry"]})
    archive = archive_with(tmp_path, **{"batches.meta": meta})

    assert "batches.meta': expected the label names airplane, automobile" in refusal(archive)


def test_a_missing_member_is_named(tmp_path):
    members = cifar10_members(rows_per_batch=10)
    del members["test_batch"]
    archive = write_cifar10(tmp_path / "cifar.tar.gz", members)

    assert refusal(archive) == (
        f"{archive}: expected the members batches.meta, data_batch_1, test_batch in "
        "cifar-10-batches-py, found batches.meta, data_batch_1."
    )


def test_a_folder_without_the_batches_is_named(tmp_path):
    (tmp_path / "empty").mkdir()

    assert refusal(tmp_path / "empty").endswith("in cifar-10-batches-py, found none of them.")


def add(archive, name, content=b"", **fields):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    archive.addfile(info, io.BytesIO(content))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
)
def test_a_member_that_is_no_regular_file_is_refused(tmp_path, kind):
    target = tmp_path / "cifar.tar.gz"
    with tarfile.open(target, "w:gz") as archive:
        add(archive, f"cifar-10-batches-py/{BATCH}", type=kind, linkname="/etc/hostname")

    assert refusal(target) == (
        f"{target}: member 'cifar-10-batches-py/data_batch_1': expected a regular file, found a "
        "link or another kind."
    )


def test_a_member_beyond_any_batch_is_refused_before_it_is_read(tmp_path):
    target = tmp_path / "cifar.tar.gz"
    with tarfile.open(target, "w:gz", compresslevel=1) as archive:
        add(archive, f"cifar-10-batches-py/{BATCH}", bytes(40_000_001))

    assert "expected at most 40,000,000 bytes, found 40,000,001" in refusal(target)


def test_an_archive_that_unpacks_to_far_more_is_refused(tmp_path):
    target = tmp_path / "cifar.tar.gz"
    with tarfile.open(target, "w:gz", compresslevel=1) as archive:
        for number in range(8):
            add(archive, f"filler{number}", bytes(39_000_000))

    assert refusal(target) == (
        f"{target}: expected at most 280,000,000 bytes of content, found more."
    )


def test_a_member_that_comes_twice_is_refused(tmp_path):
    members = cifar10_members(rows_per_batch=10)
    target = tmp_path / "cifar.tar.gz"
    with tarfile.open(target, "w:gz") as archive:
        for name in ("batches.meta", BATCH, BATCH, "test_batch"):
            add(archive, f"cifar-10-batches-py/{name}", members[name])

    assert "data_batch_1': expected once, found twice." in refusal(target)


def test_members_elsewhere_are_never_written(tmp_path):
    members = cifar10_members(rows_per_batch=10)
    target = tmp_path / "inner" / "cifar.tar.gz"
    target.parent.mkdir()
    with tarfile.open(target, "w:gz") as archive:
        add(archive, "../outside", b"x")
        add(archive, "/tmp/absolute-outside", b"x")
        for name, content in members.items():
            add(archive, f"cifar-10-batches-py/{name}", content)

    assert len(load(target).train) == 9
    kept = {path.name for path in tmp_path.rglob("*") if "cache" not in path.parts}
    assert kept == {"cifar.tar.gz", "inner"}


@pytest.mark.parametrize(
    "content", [b"", b"<html>not found</html>", gzip.compress(b"no tar" * 500, mtime=0)]
)
def test_a_file_that_is_no_archive_is_refused(tmp_path, content):
    target = tmp_path / "cifar.tar.gz"
    target.write_bytes(content)

    message = refusal(target)

    assert message.startswith(f"{target}: expected ")
    assert target.read_bytes() == content


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(part=st.floats(0, 0.999))
def test_an_archive_cut_anywhere_is_refused(tmp_path, tiny_cifar10, part):
    whole = tiny_cifar10.read_bytes()
    target = tmp_path / "cut.tar.gz"
    target.write_bytes(whole[: int(len(whole) * part)])

    assert str(target) in refusal(target)


def holds_the_same(one: bytes, other: bytes) -> bool:
    """Whether two archives unpack to the same: some bits of a compressed stream mean nothing."""
    try:
        return gzip.decompress(one) == gzip.decompress(other)
    except (OSError, EOFError, zlib.error):
        return False


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_changed_byte_is_never_taken_for_the_truth(tmp_path, tiny_cifar10, data):
    whole = bytearray(tiny_cifar10.read_bytes())
    # gzip starts with a time and a file name, which mean nothing to the content.
    place = data.draw(st.integers(64, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    assume(not holds_the_same(bytes(whole), tiny_cifar10.read_bytes()))
    target = tmp_path / "changed.tar.gz"
    target.write_bytes(whole)

    assert str(target) in refusal(target)


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=200))
def test_any_bytes_as_a_batch_are_refused_cleanly(content, tmp_path_factory):
    folder = tmp_path_factory.mktemp("batches")
    for name, member in cifar10_members(rows_per_batch=10).items():
        (folder / name).write_bytes(member)
    (folder / BATCH).write_bytes(content)

    assert "data_batch_1" in refusal(folder)
