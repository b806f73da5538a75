"""Finds near copies by hashes and thumbnails: re-encoded, resized, edited, or frames of a burst.

Candidates have perceptual hashes (`imagehash.phash`, 64 bits) that differ in few bits. They count
if their thumbnails are alike, too. Memory grows with the number of images, not of pairs.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

from imgclf.duplicates.exact import SPLIT_RANKS
from imgclf.duplicates.hash_index import bit_counts, near_pairs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["NearCopies", "find_near_copies"]

# From pairs among the 60,000 images of CIFAR-10. Those of two classes show how alike images get by
# chance: up to 6 bits they reach a correlation of 0.88, up to 10 bits 0.957. In grey, without
# colours to compare, two cars of one shape reach 0.95. Of 18 pairs within a class right above the
# limits, one shows two scenes. All copies of 400 images saved as JPEG of quality 50 to 90, resized
# by 0.75 or 2, or 10 levels brighter, were within 8 bits.
_CLOSE_BITS, _CLOSE_CORRELATION, _CLOSE_GREY_CORRELATION = 6, 0.92, 0.96
_MAX_BITS, _FAR_CORRELATION = 10, 0.96

# Pairs that are compared at once, which takes 25 MB.
_COMPARED = 1 << 13

_LUMA = np.array([[0.299], [0.587], [0.114]], np.float32)  # ITU-R BT.601, as Pillow's mode "L"


@dataclasses.dataclass(frozen=True, eq=False)
class NearCopies:
    """For each image, the index of one that nearly repeats it, or -1.

    Args:
        other_class: (N,) an image of another class.
        other_split: (N,) an image of the same class in another split, the highest there is.
        groups: connected images of one class and split, at least two in each group.
    """

    other_class: np.ndarray
    other_split: np.ndarray
    groups: tuple[tuple[int, ...], ...]


def find_near_copies(
    hashes: np.ndarray,
    thumbnails: np.ndarray,
    is_grey: np.ndarray,
    class_names: Sequence[str],
    splits: Sequence[str | None],
) -> NearCopies:
    """Compares images with each other.

    Args:
        hashes: (N,) uint64 perceptual hashes; that of a blank image means nothing.
        thumbnails: (N, height, width, 3) uint8.
        is_grey: (N,) whether an image has no colours.
        class_names: the class of each image.
        splits: the split of each image, None where none is given.
    """
    images = _Images(hashes, thumbnails, is_grey)
    _, classes = np.unique(class_names, return_inverse=True)
    _, places = np.unique([str(split) for split in splits], return_inverse=True)
    ranks = np.array([SPLIT_RANKS[split] for split in splits])
    everyone = np.arange(len(hashes))
    leaders = _leaders(images, classes, places)
    follows = np.flatnonzero(leaders != everyone)
    links = _join(everyone, leaders[follows], follows)
    other_class, other_split = (np.full(len(hashes), -1) for _ in range(2))
    for first, second in images.pairs(np.flatnonzero(leaders == everyone)):
        same_class = classes[first] == classes[second]
        same_split = places[first] == places[second]
        for one, other in ((first, second), (second, first)):
            other_class[one[~same_class]] = other[~same_class]
            for rank in sorted(set(SPLIT_RANKS.values())):
                fits = same_class & ~same_split & (ranks[other] == rank)
                fits &= (other_split[one] < 0) | (ranks[other_split[one]] < rank)
                other_split[one[fits]] = other[fits]
        inside = same_class & same_split
        links = _join(links, first[inside], second[inside])
    for partners in (other_class, other_split):
        partners[follows] = partners[leaders[follows]]
    return NearCopies(other_class, other_split, _groups(links))


def _leaders(images: _Images, classes: np.ndarray, splits: np.ndarray) -> np.ndarray:
    """For each image, the first with its hash, class and split if both are alike, else itself.

    It is compared in place of them all: a camera that stands still gives 10,000 frames, and 50
    million pairs.
    """
    places = np.stack([images.hashes, classes.astype(np.uint64), splits.astype(np.uint64)])
    _, firsts, members = np.unique(places, axis=1, return_index=True, return_inverse=True)
    leaders = firsts[members.ravel()]
    everyone = np.arange(len(leaders))
    return np.where(images.alike(leaders, everyone), leaders, everyone)


class _Images:
    """Compares images by hash and by the correlation of thumbnails, whatever their brightness."""

    def __init__(self, hashes: np.ndarray, thumbnails: np.ndarray, is_grey: np.ndarray) -> None:
        self.hashes = hashes
        self.pixels = thumbnails.reshape(len(hashes), math.prod(thumbnails.shape[1:3]), 3)
        self.is_grey = is_grey

    def pairs(self, some: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields all pairs of similar images among some, in blocks."""
        for first, second in near_pairs(self.hashes[some], _MAX_BITS):
            one, other = some[first], some[second]
            good = self.alike(one, other)
            yield one[good], other[good]

    def alike(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Whether each pair is alike: in colour, or in grey where one has no colours."""
        good = np.zeros(len(first), bool)
        for start in range(0, len(first), _COMPARED):
            part = slice(start, start + _COMPARED)
            good[part] = self._compare(first[part], second[part])
        return good

    def _compare(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        bits = bit_counts(self.hashes[first] ^ self.hashes[second]).sum(axis=1)
        close = bits <= _CLOSE_BITS
        in_grey = self.is_grey[first] | self.is_grey[second]
        one, other = (self.pixels[index].astype(np.float32) for index in (first, second))
        in_colour = _correlation(one, other) >= np.where(
            close, _CLOSE_CORRELATION, _FAR_CORRELATION
        )
        grey_alike = _correlation(one @ _LUMA, other @ _LUMA) >= _CLOSE_GREY_CORRELATION
        return np.where(in_grey, close & grey_alike, in_colour)


def _correlation(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Correlates (N, pixels, channels), each channel from its own mean."""
    one = one - one.mean(axis=1, keepdims=True)
    other = other - other.mean(axis=1, keepdims=True)
    scale = np.sqrt((one**2).sum(axis=(1, 2)) * (other**2).sum(axis=(1, 2)))
    return (one * other).sum(axis=(1, 2)) / np.maximum(scale, 1e-6)


def _join(links: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Gives connected images the same number."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not len(first):
        return links
    shape = (len(links), len(links))
    edges = coo_array((np.ones(len(first), bool), (links[first], links[second])), shape=shape)
    _, joined = connected_components(edges, directed=False)
    return joined[links]


def _groups(links: np.ndarray) -> tuple[tuple[int, ...], ...]:
    order = np.argsort(links, kind="stable")
    cuts = np.flatnonzero(np.diff(links[order])) + 1
    groups = [tuple(map(int, group)) for group in np.split(order, cuts) if len(group) > 1]
    return tuple(sorted(groups))
