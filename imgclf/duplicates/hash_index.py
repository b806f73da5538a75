"""Finds the 64-bit hashes that differ in few bits, without comparing each with each.

If two hashes differ in at most d bits, then in one of their four bands of 16 bits they differ in
at most d // 4. So each hash is compared only with those that have such a band: for every way of
changing so few bits of a band, a table says where the hashes with the changed band stand.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["bit_counts", "near_pairs"]

_BANDS, _BITS = 4, 16

# Pairs that are compared at once; some 20 MB of arrays.
_BLOCK = 1 << 18

_COUNTS = np.array([number.bit_count() for number in range(1 << _BITS)], np.uint8)


def bit_counts(values: np.ndarray) -> np.ndarray:
    """How many bits are set in each of four numbers of 16 bits: (N,) uint64 to (N, 4)."""
    return _COUNTS[np.ascontiguousarray(values, np.uint64).view(np.uint16).reshape(-1, _BANDS)]


def near_pairs(hashes: np.ndarray, distance: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Every pair of hashes that differ in at most `distance` bits, once.

    Args:
        hashes: (N,) uint64.
        distance: bits.

    Yields:
        Blocks of pairs: two index arrays, the first index of each pair below the second.

    Example:
        >>> hashes = np.array([0, 1, 2**63, 2**64 - 1], np.uint64)
        >>> blocks = list(near_pairs(hashes, 1))
        >>> sorted((int(i), int(j)) for block in blocks for i, j in zip(*block))
        [(0, 1), (0, 2)]
    """
    bands = np.ascontiguousarray(hashes, np.uint64).view(np.uint16).reshape(-1, _BANDS)
    radius = distance // _BANDS
    masks = [
        sum(1 << bit for bit in bits)
        for changed in range(radius + 1)
        for bits in itertools.combinations(range(_BITS), changed)
    ]
    for band in range(_BANDS):
        keys = bands[:, band]
        order = np.argsort(keys, kind="stable")
        starts = np.searchsorted(keys[order], np.arange((1 << _BITS) + 1))
        for mask in masks:
            for first, second in _candidates(keys ^ np.uint16(mask), order, starts):
                counts = _COUNTS[bands[first] ^ bands[second]]
                near = counts.sum(axis=1, dtype=np.uint8) <= distance
                # A pair that an earlier band showed is not shown again.
                near &= ~(counts[:, :band] <= radius).any(axis=1)
                if near.any():
                    yield first[near], second[near]


def _candidates(
    wanted: np.ndarray, order: np.ndarray, starts: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Each hash with those before it whose band is the wanted one, in blocks."""
    begins = starts[wanted]
    sizes = starts[wanted.astype(np.int64) + 1] - begins
    rows = np.flatnonzero(sizes)
    ends = np.cumsum(sizes[rows])
    done = 0
    while done < len(rows):
        before = ends[done - 1] if done else 0
        until = max(done + 1, int(np.searchsorted(ends, before + _BLOCK, side="right")))
        some = rows[done:until]
        lengths = sizes[some]
        second = np.repeat(some, lengths)
        offsets = np.arange(len(second)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        first = order[np.repeat(begins[some], lengths) + offsets]
        once = first < second
        yield first[once], second[once]
        done = until
