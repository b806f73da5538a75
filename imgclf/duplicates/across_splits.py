"""Images to be judged by that are among the images to train on, exactly or nearly.

`imgclf.inspection` looks for copies among files by a perceptual hash. For images of 32×32 pixels
such hashes are too coarse, and arrays have no files; here the pixels themselves are compared, of
arrays and files alike, as the network sees them.

Each image is brought to 32×32 pixels. Two measures, both blind to brightness and contrast:

- the colours: the correlation of 8×8 thumbnails, each channel from its own mean;
- the details: the correlation of the grey images without what is finer than a pixel or wider
  than some three, at the best of 25 shifts of up to two pixels. Skies, seas and meadows, which make
  thumbnails of different scenes look alike, hold no such details.
"""

from __future__ import annotations

import dataclasses
import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgclf.data.split import Split

__all__ = ["Copies", "find_copies"]

_SIDE, _THUMBNAIL_SIDE, _COARSE_SIDE = 32, 8, 16

# Chosen by looking at pairs of CIFAR-10's test and training images, some 40 of each range. Where
# the colours agree (0.90): of pairs with details of 0.82 to 0.90, 1 of 40 may show two scenes; of
# those with 0.75 to 0.82, about half do. Whatever the colours: above 0.90, a few of 22 pairs show
# two scenes (a common frame, two aeroplanes of one kind); from 0.85 to 0.90, about a third. With
# these limits 345 of the 10,000 test images are found, 1 of them with another class; of 40 drawn
# at random 2 (two ships each, one mirrored) show two scenes.
_COLOURS, _DETAILS = 0.90, 0.82
_DETAILS_ALONE = 0.90

# A pair is looked at closely from this correlation on of details of 16×16 pixels that are not
# shifted: half of what is asked for in the end. At most so many for an image and a block.
_COARSE_DETAILS = 0.5
_MOST_CANDIDATES = 50

# Images with fewer pixels along a side hold no details to tell two of a kind from one twice: of
# the 8×8 digits of scikit-learn, nine of ten would have a near copy.
_SMALLEST = 16

# Pixels of 32: wide enough that a shift by half a pixel changes little, and too wide for horizons.
_FINE_BLUR, _WIDE_BLUR = 0.7, 3.0
_SHIFTS = range(-2, 3)

# Training images in a block, and judged ones that are compared with it at once (20 MB).
_BLOCK, _ROWS, _PAIRS = 10_000, 500, 1_000

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as Pillow's mode "L"


@dataclasses.dataclass(frozen=True, eq=False)
class Copies:
    """For each image that was looked at, the one that it repeats.

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


def find_copies(split: Split, other: Split, *, mirrored: bool = True) -> Copies:
    """Looks for each image of a split in another one.

    Every image is compared with every other one, a block at a time. The limits are set for
    photos: drawings, letters and the like resemble each other without being copies. Images with a
    side below 16 pixels are compared exactly only.

    Args:
        split: the images to look for.
        other: where to look for them.
        mirrored: whether an image that is mirrored left to right is a copy, too.

    Example:
        >>> import imgclf, numpy as np
        >>> rng = np.random.default_rng(0)
        >>> images = rng.integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)
        >>> train = imgclf.Split(images, [0, 1] * 10, ["cat", "dog"])
        >>> brighter = np.concatenate([images[3:5], images[7:8] // 2 + 90])
        >>> find_copies(imgclf.Split(brighter, [1, 0, 1], ["cat", "dog"]), train).partners
        array([3, 4, 7])
    """
    best = _Best(len(split))
    places: dict[bytes, list[int]] = {}
    looks = []
    for start, images in _blocks(split):
        for place, image in enumerate(images):
            places.setdefault(_digest(image), []).append(start + place)
        looks.append(_Looks.of(images))
    wanted = _Looks.joined(looks)
    orientations = [] if min(split.image_shape[:2]) < _SMALLEST else [(wanted, False)]
    if mirrored and orientations:
        orientations.append((wanted.mirrored(), True))
    for start, images in _blocks(other):
        for place, image in enumerate(images):
            best.take_exact(places.get(_digest(image), []), start + place)
        there = _Looks.of(images)
        for looked_for, is_mirrored in orientations:
            for first, second, details in _pairs(looked_for, there):
                best.take_near(first, start + second, details, is_mirrored)
    return Copies(best.partners, best.similarity, best.exact, best.mirrored, best.counts)


class _Best:
    """The most alike image so far, of each that is looked for."""

    def __init__(self, count: int) -> None:
        self.partners, self.similarity = np.full(count, -1), np.full(count, -1.0)
        self.exact, self.mirrored = np.zeros(count, bool), np.zeros(count, bool)
        self.counts = np.zeros(count, int)

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
        # The last of several for one image stays, which is the most alike.
        better = better[np.argsort(details[better], kind="stable")]
        indices = first[better]
        self.partners[indices] = second[better]
        self.similarity[indices] = details[better]
        self.mirrored[indices] = mirrored


def _blocks(split: Split) -> Iterator[tuple[int, np.ndarray]]:
    start = 0
    for images, _ in split.batches(_BLOCK):
        yield start, images
        start += len(images)


def _digest(image: np.ndarray) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(image).tobytes(), digest_size=16).digest()


@dataclasses.dataclass(frozen=True, eq=False)
class _Looks:
    """What is compared: colours and coarse details of length 1, and details of 32×32 pixels."""

    colours: np.ndarray
    coarse: np.ndarray
    details: np.ndarray

    @classmethod
    def of(cls, images: np.ndarray) -> _Looks:
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
    def joined(cls, parts: list[_Looks]) -> _Looks:
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def mirrored(self) -> _Looks:
        side = _THUMBNAIL_SIDE
        thumbnails = self.colours.reshape(len(self.colours), side, side, -1)[:, :, ::-1]
        details = np.ascontiguousarray(self.details[:, :, ::-1])
        return _Looks(
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
    """Rows of length 1; one of an image without anything in it stays near 0."""
    rows = values.reshape(len(values), -1)
    lengths: np.ndarray = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: np.ndarray = rows / np.maximum(lengths, 1.0)
    return unit


def _pairs(
    looked_for: _Looks, there: _Looks
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Blocks of pairs that look alike: indices of both, and the correlation of their details."""
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
    """The pairs worth a close look, the likeliest of each row if there are very many."""
    worth = (colours >= _COLOURS) | (coarse >= _COARSE_DETAILS)
    for row in np.flatnonzero(worth.sum(axis=1) > _MOST_CANDIDATES):
        likeliest = np.argpartition(-coarse[row], _MOST_CANDIDATES)[:_MOST_CANDIDATES]
        kept = np.zeros(worth.shape[1], bool)
        kept[likeliest] = worth[row, likeliest]
        worth[row] = kept
    first, second = np.nonzero(worth)
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


def _sum_of_products(one: np.ndarray, other: np.ndarray) -> Any:
    return np.einsum("nij,nij->n", one, other)
