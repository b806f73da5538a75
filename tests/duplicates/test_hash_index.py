from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgclf.duplicates.hash_index import near_pairs


def pairs(hashes, distance):
    found = [
        (int(i), int(j))
        for first, second in near_pairs(np.array(hashes, np.uint64), distance)
        for i, j in zip(first, second, strict=True)
    ]
    assert len(found) == len(set(found)), "a pair came twice"
    return set(found)


def by_brute_force(hashes, distance):
    return {
        (i, j)
        for j in range(len(hashes))
        for i in range(j)
        if (hashes[i] ^ hashes[j]).bit_count() <= distance
    }


# Few different bits: neighbours at every distance, and equal hashes.
near_hashes = st.lists(
    st.lists(st.integers(0, 63), max_size=7).map(lambda bits: sum(1 << b for b in set(bits))),
    max_size=60,
)


@settings(max_examples=40, deadline=None)
@given(near_hashes, st.integers(0, 11))
def test_the_index_finds_what_comparing_all_finds(hashes, distance):
    assert pairs(hashes, distance) == by_brute_force(hashes, distance)


@pytest.mark.parametrize("distance", [0, 6, 10])
def test_a_thousand_hashes_in_clusters(rng, distance):
    centres = rng.integers(0, 2**63, 20)
    hashes = []
    for _ in range(1000):
        flipped = rng.choice(64, rng.integers(0, 8), replace=False)
        hashes.append(int(rng.choice(centres)) ^ sum(1 << int(bit) for bit in flipped))
    assert pairs(hashes, distance) == by_brute_force(hashes, distance)


def test_many_equal_hashes_come_in_blocks(monkeypatch):
    from imgclf.duplicates import hash_index

    monkeypatch.setattr(hash_index, "_BLOCK", 100)
    assert len(pairs([7] * 200, 2)) == 200 * 199 // 2
