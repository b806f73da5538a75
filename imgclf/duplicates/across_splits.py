"""Finds images of one split that are in another, exactly or nearly, from their pixels.

The perceptual hashes of `near` are too coarse for images of 32×32 pixels, and arrays have no files.
Here the pixels themselves are compared, of arrays and files alike, as the network sees them.

Each image is resized to 32×32 pixels. Two measures ignore brightness and contrast:

- the colours: the correlation of 8×8 thumbnails, each channel from its own mean;
- the details: the correlation of the grey images without what is finer than a pixel or wider than
  some three, at the best of 25 shifts of up to two pixels. Skies, seas and meadows, which make
  thumbnails of different scenes alike, hold no such details.
"""

from __future__ import annotations

import dataclasses
import hashlib
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator


__all__ = ["SplitCopies", "find_copies_across_splits"]

_SIDE, _THUMBNAIL_SIDE, _COARSE_SIDE = 32, 8, 16

# Chosen by looking at pairs of CIFAR-10's test and training images, some 40 of each range. Where
# the colours agree (0.90): of pairs with details of 0.82 to 0.90, 1 of 40 may show two scenes; of
# those with 0.75 to 0.82, about half do. Whatever the colours: above 0.90, a few of 22 pairs show
# two scenes (a common frame, two aeroplanes of one kind); from 0.85 to 0.90, about a third. With
# these limits 345 of the 10,000 test images are found, 1 of them with another class; of 40 drawn
# at random 2 (two ships each, one mirrored) show two scenes.
_COLOURS, _DETAILS = 0.90, 0.82
_DETAILS_ALONE = 0.90

# Pairs are compared in full from this correlation of 16×16 details without shifts on; at most so
# many for an image and a block.
_COARSE_DETAILS = 0.5
_MAX_CANDIDATES = 50

# Smaller images hold too few details: nine of ten of scikit-learn's 8×8 digits would have a near
# copy.
_SMALLEST = 16

# Pixels of 32: wide enough that a shift by half a pixel changes little, and too wide for horizons.
_FINE_BLUR, _WIDE_BLUR = 0.7, 3.0
_SHIFTS = range(-2, 3)

# Images in a block, images compared with it at once (20 MB), and pairs compared in full at once.
_BLOCK, _ROWS, _PAIRS = 10_000, 500, 1_000

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as Pillow's mode "L"


@dataclasses.dataclass(frozen=True, eq=False)
class SplitCopies:
    """For each image of a split, the one of the other split that it repeats.

    Args:
        partners: (N,) index of the image in the other split, or -1.
        similarity: (N,) 1 for exact copies; else the correlation of the details, -1 for none.
        exact: (N,) whether the pixels are the very same.
        mirrored: (N,) whether it is mirrored left to right.
        counts: (N,) how many images of the other split it nearly repeats.
    """

    partners: np.ndarray
    similarity: np.ndarray
    exact: np.ndarray
    mirrored: np.ndarray
    counts: np.ndarray

    @property
    def near(self) -> np.ndarray:
        """(N,) whether it is nearly repeated, but not exactly."""
        return (self.partners >= 0) & ~self.exact


class Images(Protocol):
    """An array of (N, height, width, channels), or what is read as one slice by slice."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, height, width, channels)."""

    def __getitem__(self, index: slice, /) -> Any:
        """Some of the images; `numpy.asarray` gives their pixels."""


def find_copies_across_splits(
    images: Images, others: Images, *, mirrored: bool = True
) -> SplitCopies:
    """Looks for each image of a split in another split.

    Every image is compared with every other one, a block at a time. The limits are chosen for
    photos: drawings and letters resemble each other without being copies. Images with a side below
    16 pixels are only compared exactly.

    Args:
        images: (N, height, width, channels), the images to look for.
        others: the images to look among.
        mirrored: whether an image that is mirrored left to right is a copy, too.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> train = rng.integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)
        >>> test = np.concatenate([train[3:5], train[7:8] // 2 + 90])
        >>> find_copies_across_splits(test, train).partners
        array([3, 4, 7])
    """
    best = _Best(images.shape[0])
    places: dict[bytes, list[int]] = {}
    features = []
    for start, block in _blocks(images):
        for place, image in enumerate(block):
            places.setdefault(_digest(image), []).append(start + place)
        features.append(_Features.of(block))
    wanted = _Features.joined(features)
    orientations = [] if min(images.shape[1:3]) < _SMALLEST else [(wanted, False)]
    if mirrored and orientations:
        orientations.append((wanted.mirrored(), True))
    for start, block in _blocks(others):
        for place, image in enumerate(block):
            best.take_exact(places.get(_digest(image), []), start + place)
        there = _Features.of(block)
        for looked_for, is_mirrored in orientations:
            for first, second, details in _pairs(looked_for, there):
                best.take_near(first, start + second, details, is_mirrored)
    return SplitCopies(best.partners, best.similarity, best.exact, best.mirrored, best.counts)


class _Best:
    """The most similar image so far, for each that is looked for."""

    def __init__(self, size: int) -> None:
        self.partners, self.similarity = np.full(size, -1), np.full(size, -1.0)
        self.exact, self.mirrored = np.zeros(size, bool), np.zeros(size, bool)
        self.counts = np.zeros(size, int)

    def take_exact(self, indices: list[int], partner: int) -> None:
        for index in indices:
            if not self.exact[index]:
                self.partners[index], self.similarity[index] = partner, 1.0
                self.exact[index], self.mirrored[index] = True, False

    def take_near(
        self, first: np.ndarray, second: np.ndarray, details: np.ndarray, mirrored: bool
    ) -> None:
        self.counts += np.bincount(first, minlength=len(self.counts))
        better = np.flatnonzero(~self.exact[first] & (details > self.similarity[first]))
        # Of several for one image the last stays, which is the most similar.
        better = better[np.argsort(details[better], kind="stable")]
        indices = first[better]
        self.partners[indices] = second[better]
        self.similarity[indices] = details[better]
        self.mirrored[indices] = mirrored


def _blocks(images: Images) -> Iterator[tuple[int, np.ndarray]]:
    for start in range(0, images.shape[0], _BLOCK):
        yield start, np.asarray(images[start : start + _BLOCK])


def _digest(image: np.ndarray) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(image).tobytes(), digest_size=16).digest()


@dataclasses.dataclass(frozen=True, eq=False)
class _Features:
    """What is compared: colours and coarse details of length 1, and details of 32×32 pixels."""

    colours: np.ndarray
    coarse: np.ndarray
    details: np.ndarray

    @classmethod
    def of(cls, images: np.ndarray) -> _Features:
        from scipy.ndimage import gaussian_filter

        pixels = _resized(images)
        thumbnails = _shrunk(pixels, _THUMBNAIL_SIDE)
        grey = pixels @ _LUMA if pixels.shape[3] == 3 else pixels[..., 0]
        fine, wide = ((0, blur, blur) for blur in (_FINE_BLUR, _WIDE_BLUR))
        details = gaussian_filter(grey, fine) - gaussian_filter(grey, wide)
        return cls(
            _unit(thumbnails - thumbnails.mean(axis=(1, 2), keepdims=True)),
            _coarse(details),
            details,
        )

    @classmethod
    def joined(cls, parts: list[_Features]) -> _Features:
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def mirrored(self) -> _Features:
        side = _THUMBNAIL_SIDE
        thumbnails = self.colours.reshape(len(self.colours), side, side, -1)[:, :, ::-1]
        details = np.ascontiguousarray(self.details[:, :, ::-1])
        return _Features(
            np.ascontiguousarray(thumbnails).reshape(len(details), -1), _coarse(details), details
        )


def _resized(images: np.ndarray) -> np.ndarray:
    """As float32 of 32×32 pixels."""
    if images.shape[1:3] == (_SIDE, _SIDE):
        return images.astype(np.float32)
    from PIL import Image

    small = np.empty((len(images), _SIDE, _SIDE, images.shape[3]), np.float32)
    for image, target in zip(images, small, strict=True):
        for channel in range(images.shape[3]):
            plane = Image.fromarray(np.ascontiguousarray(image[..., channel], np.float32))
            plane = plane.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
            target[..., channel] = np.asarray(plane)
    return small


def _shrunk(pixels: np.ndarray, side: int) -> np.ndarray:
    """Means of squares: (N, 32, 32, …) to (N, side, side, …)."""
    part = _SIDE // side
    squares = pixels.reshape(len(pixels), side, part, side, part, *pixels.shape[3:])
    means: np.ndarray = squares.mean(axis=(2, 4), dtype=np.float32)
    return means


def _coarse(details: np.ndarray) -> np.ndarray:
    small = _shrunk(details, _COARSE_SIDE)
    return _unit(small - small.mean(axis=(1, 2), keepdims=True))


def _unit(values: np.ndarray) -> np.ndarray:
    """Scales rows to length 1; the row of a blank image stays near 0."""
    rows = values.reshape(len(values), -1)
    lengths: np.ndarray = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: np.ndarray = rows / np.maximum(lengths, 1.0)
    return unit


def _pairs(
    looked_for: _Features, there: _Features
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yields blocks of similar pairs: both indices, and the correlation of their details."""
    for start in range(0, len(looked_for.details), _ROWS):
        rows = slice(start, start + _ROWS)
        colours = looked_for.colours[rows] @ there.colours.T
        coarse = looked_for.coarse[rows] @ there.coarse.T
        first, second = _candidates(colours, coarse)
        for begin in range(0, len(first), _PAIRS):
            some = slice(begin, begin + _PAIRS)
            one, other = first[some], second[some]
            details = _correlation(looked_for.details[start + one], there.details[other])
            good = details >= np.where(colours[one, other] >= _COLOURS, _DETAILS, _DETAILS_ALONE)
            yield start + one[good], other[good], details[good]


def _candidates(colours: np.ndarray, coarse: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Chooses the pairs to compare in full, the likeliest of each row if there are many."""
    chosen = (colours >= _COLOURS) | (coarse >= _COARSE_DETAILS)
    for row in np.flatnonzero(chosen.sum(axis=1) > _MAX_CANDIDATES):
        likeliest = np.argpartition(-coarse[row], _MAX_CANDIDATES)[:_MAX_CANDIDATES]
        kept = np.zeros(chosen.shape[1], bool)
        kept[likeliest] = chosen[row, likeliest]
        chosen[row] = kept
    first, second = np.nonzero(chosen)
    return first, second


def _correlation(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Of (N, 32, 32) with (N, 32, 32), at the best shift."""
    best = np.full(len(one), -1.0, np.float32)
    for down in _SHIFTS:
        for right in _SHIFTS:
            first = one[:, _overlap(down), _overlap(right)]
            second = other[:, _overlap(-down), _overlap(-right)]
            products = _sum_of_products(first, second)
            lengths = _sum_of_products(first, first) * _sum_of_products(second, second)
            np.maximum(best, products / np.sqrt(np.maximum(lengths, 1.0)), out=best)
    return best


def _overlap(shift: int) -> slice:
    return slice(max(0, shift), _SIDE + min(0, shift))


def _sum_of_products(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.einsum("nij,nij->n", one, other)
