"""Images that nearly repeat each other: re-encoded, resized, edited, or frames of one burst.

Candidates have a perceptual hash (`imagehash.phash`, 64 bits) that differs in few bits; they count
if their thumbnails look alike, too. What is kept grows with the number of files, not of pairs.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from imgclf.duplicates.exact import SPLIT_RANKS
from imgclf.duplicates.hash_index import bit_counts, near_pairs
from imgclf.inspection.photo import THUMBNAIL_SIDE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from imgclf.inspection.photo import Photo

__all__ = ["NearCopies", "find_near_copies"]

# By looking at pairs among the 60,000 images of CIFAR-10. Those of two classes show by chance
# alone how alike two images get: up to 6 bits they reach a correlation of 0.88, up to 10 bits
# 0.957. In grey, without colours to compare, two cars of one shape reach 0.95. Of 18 pairs within
# a class right above the limits, one shows two scenes. All copies of 400 images saved as JPEG of
# quality 50 to 90, resized by 0.75 or 2, or 10 levels brighter, were within 8 bits.
_CLOSE_BITS, _CLOSE_CORRELATION, _CLOSE_GREY_CORRELATION = 6, 0.92, 0.96
_MAX_BITS, _FAR_CORRELATION = 10, 0.96

# Pairs that are compared at once, which takes 25 MB.
_COMPARED = 1 << 13

_LUMA = np.array([[0.299], [0.587], [0.114]], np.float32)  # ITU-R BT.601, as Pillow's mode "L"


@dataclasses.dataclass(frozen=True, eq=False)
class NearCopies:
    """For each file, one that nearly repeats it: an index, or -1.

    Args:
        other_class: one of another class.
        other_split: one of the same class in another split; of the highest split there is.
        groups: files of one class and split that hang together, at least two each.
    """

    other_class: np.ndarray
    other_split: np.ndarray
    groups: tuple[tuple[int, ...], ...]


def find_near_copies(photos: Sequence[Photo], chosen: Sequence[int]) -> NearCopies:
    """Compares the chosen files.

    Args:
        photos: all files.
        chosen: indices of usable ones whose hash means something (a blank image's does not).
    """
    indices = np.asarray(chosen, np.int64)
    looks = _Looks(photos, indices)
    classes, splits, ranks = _places(photos)
    leaders = _leaders(looks, classes[indices], splits[indices])
    follows = np.flatnonzero(leaders != np.arange(len(indices)))
    links = _join(np.arange(len(photos)), indices[leaders[follows]], indices[follows])
    other_class, other_split = (np.full(len(photos), -1) for _ in range(2))
    for near, far in looks.pairs(np.flatnonzero(leaders == np.arange(len(indices)))):
        first, second = indices[near], indices[far]
        same_class = classes[first] == classes[second]
        same_split = splits[first] == splits[second]
        for one, other in ((first, second), (second, first)):
            other_class[one[~same_class]] = other[~same_class]
            for rank in sorted(set(SPLIT_RANKS.values())):
                fits = same_class & ~same_split & (ranks[other] == rank)
                fits &= (other_split[one] < 0) | (ranks[other_split[one]] < rank)
                other_split[one[fits]] = other[fits]
        inside = same_class & same_split
        links = _join(links, first[inside], second[inside])
    for partners in (other_class, other_split):
        partners[indices[follows]] = partners[indices[leaders[follows]]]
    return NearCopies(other_class, other_split, _groups(links))


def _places(photos: Sequence[Photo]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The class and the split of each file as numbers, and the rank of the split."""
    _, classes = np.unique([photo.class_name for photo in photos], return_inverse=True)
    _, splits = np.unique([str(photo.split) for photo in photos], return_inverse=True)
    return classes, splits, np.array([SPLIT_RANKS[photo.split] for photo in photos])


def _leaders(looks: _Looks, classes: np.ndarray, splits: np.ndarray) -> np.ndarray:
    """For each image the first with its hash, class and split if it looks like it, else itself.

    It stands for all of them: of 10,000 frames of a camera that stands still, not every pair is to
    be compared.
    """
    places = np.stack([looks.hashes, classes.astype(np.uint64), splits.astype(np.uint64)])
    _, firsts, members = np.unique(places, axis=1, return_index=True, return_inverse=True)
    leaders = firsts[members.ravel()]
    everyone = np.arange(len(leaders))
    return np.where(looks.alike(leaders, everyone), leaders, everyone)


class _Looks:
    """Compares images by hash and by the correlation of thumbnails, whatever their brightness."""

    def __init__(self, photos: Sequence[Photo], indices: np.ndarray) -> None:
        measures = [one for index in indices if (one := photos[index].measures) is not None]
        data = b"".join(one.thumbnail for one in measures)
        self.hashes = np.array([one.perceptual_hash for one in measures], np.uint64)
        self.pixels = np.frombuffer(data, np.uint8).reshape(-1, THUMBNAIL_SIDE**2, 3)
        self.is_grey = np.array([one.is_grey for one in measures], bool)

    def pairs(self, some: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Blocks of all pairs among some images that look alike."""
        for first, second in near_pairs(self.hashes[some], _MAX_BITS):
            one, other = some[first], some[second]
            good = self.alike(one, other)
            yield one[good], other[good]

    def alike(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Whether each pair shows the same: in colour, or in grey where one has none."""
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
    """Of (N, pixels, 3) or (N, pixels, 1); what is the same everywhere in a channel is no look."""
    one = one - one.mean(axis=1, keepdims=True)
    other = other - other.mean(axis=1, keepdims=True)
    scale = np.sqrt((one**2).sum(axis=(1, 2)) * (other**2).sum(axis=(1, 2)))
    return (one * other).sum(axis=(1, 2)) / np.maximum(scale, 1e-6)


def _join(links: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Gives files that hang together one number."""
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
