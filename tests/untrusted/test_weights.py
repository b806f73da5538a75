"""The reader of weights files, beside h5py as the one that knows better."""

import io

import h5py
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgclf.untrusted.archive import Member
from imgclf.untrusted.errors import UnsafeFileError
from imgclf.untrusted.weights import Weight, read_weights

DTYPES = ["float16", "float32", "float64", "int8", "uint8", "int64", "uint32", "bool"]
NAMES = st.text("abc_01", min_size=1, max_size=12)


def written(content):
    file = io.BytesIO()
    with h5py.File(file, "w") as weights:
        content(weights)
    return file.getvalue()


def read(data, before=b""):
    return read_weights(io.BytesIO(before + data), Member(len(before), len(data)))


def told_by_h5py(data):
    found = []

    def visit(path, item):
        if isinstance(item, h5py.Dataset):
            found.append(Weight(path, item.shape, item.dtype.name))

    with h5py.File(io.BytesIO(data)) as weights:
        weights.visititems(visit)
    return sorted(found, key=lambda weight: weight.path)


@settings(max_examples=30, deadline=None)
@given(
    st.dictionaries(
        st.tuples(NAMES, NAMES, NAMES),
        st.tuples(st.sampled_from(DTYPES), st.lists(st.integers(0, 5), max_size=4)),
        max_size=25,
    )
)
def test_it_finds_what_h5py_finds(arrays):
    def content(weights):
        for (layer, inner, name), (dtype, shape) in arrays.items():
            group = weights.require_group(f"layers/{layer}/{inner}/vars")
            group.attrs["name"] = layer
            if name not in group:
                group[name] = np.ones(shape, dtype)

    data = written(content)
    assert list(read(data)) == told_by_h5py(data)


def test_hundreds_of_groups_make_trees_of_several_levels():
    def content(weights):
        for number in range(500):
            weights[f"layers/{number}/vars/0"] = np.float32(number)

    data = written(content)
    assert list(read(data)) == told_by_h5py(data)


def test_a_file_within_a_file_is_read_from_where_it_begins():
    data = written(lambda weights: weights.create_dataset("a", data=np.zeros((2, 3))))
    assert read(data, before=b"x" * 77) == (Weight("a", (2, 3), "float64"),)
    assert read(data)[0].size == 6


def test_bfloat16_is_told_as_what_it_is():
    def content(weights):
        array = weights.create_dataset("a", data=np.ones(3, ml_dtypes.bfloat16))
        array.attrs["dtype"] = "bfloat16"

    assert read(written(content)) == (Weight("a", (3,), "bfloat16"),)


def test_any_byte_changed_ends_in_a_list_or_in_an_error():
    rng = np.random.default_rng(0)
    data = written(lambda weights: [weights.create_dataset(f"g/{n}", data=n) for n in range(9)])
    used = np.flatnonzero(np.frombuffer(data, np.uint8))
    outcomes = set()
    for place in rng.choice(used, 400):
        for value in (0, 1, 0x80, 0xFF, int(rng.integers(256))):
            changed = bytearray(data)
            changed[place] = value
            try:
                read(bytes(changed))
                outcomes.add("read")
            except UnsafeFileError:
                outcomes.add("refused")
    assert outcomes == {"read", "refused"}


def test_any_cut_is_refused():
    data = written(lambda weights: weights.create_dataset("a", data=np.zeros(40)))
    for size in range(len(data)):
        with pytest.raises(UnsafeFileError, match=r"^model\.weights\.h5 "):
            read(data[:size])
