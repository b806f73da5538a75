"""`KnownImages`: the images of a run by content, and the split that each of them is in.

A path says little: folders are moved, copied, renamed and grown. So a run folder has the SHA-256 of
every image in `images.csv`, of a file that of its content, of an array that of its pixels. Whatever
is loaded later is compared with it: test images stay test images, and an image that was trained on
is never one.
"""

from __future__ import annotations

import csv
import dataclasses
import functools
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from imgclf import checks
from imgclf.data.grouping import extend_cut, follow_groups
from imgclf.data.image_files import ImageFiles
from imgclf.data.split import Split
from imgclf.duplicates.exact import file_digest
from imgclf.errors import ArgumentError, RunFolderError
from imgclf.files.csv_file import text_of, write_csv
from imgclf.files.in_threads import in_threads
from imgclf.files.stored_json import show_error
from imgclf.formatting import list_names, plural, show_path
from imgclf.typing import StrPath

__all__ = [
    "ImageDifference",
    "KnownImages",
    "SplitLike",
    "SplitLikeChoice",
    "common_images",
    "cut_like",
    "image_digests",
    "known_images_of",
    "split_like_of",
]

_RECORD = "images.csv"

# Of copies within one data set the first of these counts: a test set that was made is not changed.
_WITHIN = ("test", "validation", "train")

# Ten million images.
_MAX_BYTES = 2**31

_COLUMNS = ("sha256", "split", "class", "earlier")
_CHUNK = 64


@dataclasses.dataclass(frozen=True, slots=True)
class _Image:
    """One image; `earlier` if it belongs to what the weights were trained on before."""

    digest: bytes
    split: str
    class_name: str
    earlier: bool = False


class KnownImages:
    """The images of a run by content.

    Args:
        images: in the order of their splits.

    Example:
        >>> import imgclf
        >>> data = imgclf.load_digits()
        >>> known = KnownImages.of(data.splits())
        >>> known.splits_of(image_digests(data.test.images[:2]))
        ['test', 'test']
    """

    def __init__(self, images: Sequence[_Image]) -> None:
        self._images = tuple(images)

    @classmethod
    def of(
        cls,
        splits: Mapping[str, Split],
        earlier: KnownImages | None = None,
        digests: Mapping[str, Sequence[bytes | None]] | None = None,
    ) -> KnownImages:
        """The images of a data set.

        Args:
            splits: the splits by name.
            earlier: what the weights were trained on before: its images stay known.
            digests: of each split, if they are known; else all images are read once.
        """
        now = [
            _Image(digest, title, split.class_names[label])
            for title, split in splits.items()
            for digest, label in zip(
                image_digests(split.images) if digests is None else digests[title],
                split.labels,
                strict=True,
            )
            if digest is not None
        ]
        return cls(now) if earlier is None else cls([*now, *_earlier_images(now, earlier)])

    @classmethod
    def read(cls, run: Path) -> KnownImages | None:
        """Reads the record of a run folder; None if it has none, as those of 0.1.0.

        Raises:
            RunFolderError: if it is damaged.
        """
        path = run / _RECORD
        try:
            status = path.stat()
        except OSError:
            return None
        return _read(path, status.st_mtime_ns, status.st_size)

    def save(self, run: Path) -> None:
        """Writes the record into a run folder, atomically."""
        rows = (
            (one.digest.hex(), one.split, one.class_name, "yes" if one.earlier else "")
            for one in self._images
        )
        write_csv(run / _RECORD, _COLUMNS, rows)

    def __len__(self) -> int:
        return sum(not one.earlier for one in self._images)

    def trains_like(self, other: KnownImages) -> bool:
        """Whether both train and validate on the same images, in the same order."""
        return self._learned() == other._learned()

    def _learned(self) -> list[_Image]:
        return [one for one in self._images if not one.earlier and one.split != "test"]

    @functools.cached_property
    def _split_by_digest(self) -> dict[bytes, str]:
        """Weights remember what they were trained on: an earlier training counts, too."""
        found = _resolved(one for one in self._images if not one.earlier)
        for one in self._images:
            if one.earlier and _is_learned_from(one.split, found.get(one.digest)):
                found[one.digest] = one.split
        return found

    @property
    def class_names(self) -> list[str]:
        """The classes that have images in the last training, sorted."""
        return sorted({one.class_name for one in self._images if not one.earlier})

    def splits_of(self, digests: Sequence[bytes | None]) -> list[str | None]:
        """The split of each image; None for one that the run does not know."""
        known = self._split_by_digest
        return [None if digest is None else known.get(digest) for digest in digests]

    def matches(
        self, digests: Sequence[bytes | None], class_names: Sequence[str]
    ) -> list[tuple[str | None, int]]:
        """The split and the place in the run of each image; None and the last place of a new one.

        Of copies, each takes the place of another one, so that a data set with copies in two splits
        is split as it was.

        Args:
            digests: of the images.
            class_names: of the images: of copies with two labels, each takes one with its own.
        """
        rows: dict[bytes, list[int]] = {}
        for place, one in enumerate(self._images):
            rows.setdefault(one.digest, []).append(place)
        found: list[tuple[str | None, int]] = []
        for digest, class_name in zip(digests, class_names, strict=True):
            if digest is None or digest not in rows:
                found.append((None, len(self._images)))
                continue
            known = self._split_by_digest[digest]
            if not rows[digest]:  # one copy more than the run has
                found.append((known, len(self._images)))
                continue
            alike = [row for row in rows[digest] if self._images[row].class_name == class_name]
            place = (alike or rows[digest])[0]
            rows[digest].remove(place)
            split = self._images[place].split
            found.append((known if _is_learned_from(known, split) else split, place))
        return found

    def misplaced(self, now: KnownImages) -> int:
        """How many images of the test split alone other data trains or validates on."""
        learned = {one.digest for one in self._images if one.split != "test"}
        test = {one.digest for one in self._images} - learned
        return sum(one.digest in test for one in now._learned())

    def difference(self, now: KnownImages) -> ImageDifference:
        """What other data has more, less, or otherwise."""
        mine = {one.digest: one for one in self._images}
        mine_now = {one.digest: one for one in self._images if not one.earlier}
        theirs = {one.digest: one for one in now._images if not one.earlier}
        both = mine_now.keys() & theirs.keys()
        kept, given = self._split_by_digest, now._split_by_digest
        old_classes, new_classes = set(self.class_names), set(now.class_names)
        return ImageDifference(
            num_new=sum(digest not in mine for digest in theirs),
            num_gone=len(mine_now.keys() - theirs.keys()),
            num_relabelled=sum(mine_now[one].class_name != theirs[one].class_name for one in both),
            num_moved=sum(kept[one] != given[one] for one in both),
            new_classes=tuple(sorted(new_classes - old_classes)),
            gone_classes=tuple(sorted(old_classes - new_classes)),
        )


@dataclasses.dataclass(frozen=True)
class ImageDifference:
    """What data has more, less or otherwise than the data of a run; `str()` says it.

    Args:
        num_new: images that the run does not know.
        num_gone: images that are no longer there.
        num_relabelled: images with another class.
        num_moved: images in another split.
        new_classes: classes that the run does not have.
        gone_classes: classes without an image now.

    Example:
        >>> print(ImageDifference(num_new=19, new_classes=("dog",), num_gone=1))
        19 images and the class 'dog' are new; 1 image is gone
    """

    num_new: int = 0
    num_gone: int = 0
    num_relabelled: int = 0
    num_moved: int = 0
    new_classes: tuple[str, ...] = ()
    gone_classes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any(dataclasses.astuple(self))

    def __str__(self) -> str:
        return "; ".join(self.sentences())

    def sentences(self) -> list[str]:
        """One for each kind of difference."""
        found = [
            _are(self.num_new, self.new_classes, "new"),
            _are(self.num_gone, self.gone_classes, "gone"),
        ]
        if self.num_relabelled:
            has = "has" if self.num_relabelled == 1 else "have"
            found.append(f"{plural(self.num_relabelled, 'image')} {has} another class")
        if self.num_moved:
            found.append(
                f"{plural(self.num_moved, 'image')} {_verb(self.num_moved)} in another split"
            )
        return [sentence for sentence in found if sentence]


def _verb(count: int) -> str:
    return "is" if count == 1 else "are"


def _are(images: int, classes: Sequence[str], what: str) -> str:
    words = [plural(images, "image")] if images else []
    if classes:
        words.append(f"the {'class' if len(classes) == 1 else 'classes'} {list_names(classes)}")
    count = images + len(classes)
    return f"{' and '.join(words)} {_verb(count)} {what}" if words else ""


def _earlier_images(now: Sequence[_Image], earlier: KnownImages) -> list[_Image]:
    """What must stay known of an earlier training: what is gone, and what was learned from."""
    current = _resolved(now)
    classes = {one.digest: one.class_name for one in earlier._images}
    return [
        _Image(digest, split, classes[digest], earlier=True)
        for digest, split in earlier._split_by_digest.items()
        if digest not in current or _is_learned_from(split, current[digest])
    ]


def _is_learned_from(split: str, other: str | None) -> bool:
    """Whether an image of `split` was seen by a training more closely than one of `other`."""
    return other is None or _WITHIN.index(split) > _WITHIN.index(other)


def _resolved(images: Iterator[_Image] | Sequence[_Image]) -> dict[bytes, str]:
    found: dict[bytes, str] = {}
    for one in images:
        split = found.get(one.digest)
        if split is None or _WITHIN.index(one.split) < _WITHIN.index(split):
            found[one.digest] = one.split
    return found


@functools.lru_cache(maxsize=4)
def _read(path: Path, changed: int, size: int) -> KnownImages:  # noqa: ARG001  keys of the cache
    images = []
    try:
        if not path.is_file() or size > _MAX_BYTES:  # opening a pipe would wait for ever
            raise ValueError("it is not a regular file of a size that imgclf writes")
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            if not {*_COLUMNS} <= {*(reader.fieldnames or ())}:
                raise ValueError(f"it lacks the columns {', '.join(_COLUMNS)}")
            for row in reader:
                digest, split = bytes.fromhex(row["sha256"]), row["split"]
                if len(digest) != hashlib.sha256().digest_size or split not in _WITHIN:
                    raise ValueError(f"line {reader.line_num} is no image with its split")
                images.append(_Image(digest, split, text_of(row["class"]), bool(row["earlier"])))
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise RunFolderError(
            f"{show_path(path)}: is damaged ({show_error(error)}), so which images the run was "
            "trained on is not known. Restore it, or delete it: images are then known by the path "
            "of their source alone."
        ) from error
    return KnownImages(images)


def image_digests(images: np.ndarray | ImageFiles) -> list[bytes | None]:
    """The SHA-256 of each image: of the content of a file, or of the pixels of an array.

    Args:
        images: (N, height, width, channels). Values of an array count as whole numbers: the same
            images as uint8 and as float32 are equal.

    Returns:
        N digests; None for a file that cannot be read.

    Example:
        >>> one, other = image_digests(np.stack([np.zeros((8, 8, 3)), np.ones((8, 8, 3))]))
        >>> one == other
        False
    """
    if isinstance(images, ImageFiles):
        return list(in_threads(file_digest, images.paths, _CHUNK))
    start = hashlib.sha256(repr(images.shape[1:]).encode())
    digests: list[bytes | None] = []
    for image in images:
        pixels = image if image.dtype == np.uint8 else np.rint(image).astype(np.uint8)
        digest = start.copy()
        digest.update(np.ascontiguousarray(pixels).data)
        digests.append(digest.digest())
    return digests


@dataclasses.dataclass(frozen=True)
class SplitLike:
    """How a loader splits images like those of a run.

    Args:
        known: the images of the run.
        evaluates: whether new images, which no training has seen, are all test images; otherwise
            they are divided.
    """

    known: KnownImages
    evaluates: bool = False


SplitLikeChoice: TypeAlias = StrPath | SplitLike | None


def split_like_of(split_like: SplitLikeChoice) -> SplitLike | None:
    """Checks the `split_like` of a loader.

    Raises:
        ArgumentError: if it is no run folder, or one that does not know its images.
    """
    if split_like is None or isinstance(split_like, SplitLike):
        return split_like
    return SplitLike(known_images_of(split_like))


def known_images_of(run: StrPath) -> KnownImages:
    """The images of a run, by the path of its folder or of the model in it.

    Raises:
        ArgumentError: if it is no run folder, or one that does not know its images.
        RunFolderError: if the record is damaged.
    """
    place = checks.existing_path("split_like", run)
    folder = place if place.is_dir() else place.parent
    known = KnownImages.read(folder)
    if known is None:
        raise ArgumentError(
            "`split_like` must be a run folder that knows its images (it has images.csv). "
            f"{checks.received('split_like', str(run))} Runs of imgclf 0.1.0 have none: the same "
            "training again writes it."
        )
    return known


def cut_like(
    like: SplitLike,
    splits: Mapping[str, Split],
    fractions: Mapping[str, float],
    seed: int,
    groups: np.ndarray | None,
) -> dict[str, Split]:
    """Splits images like those of a run.

    Args:
        like: the run. Its images are in the same split as there and come first, in its order.
        splits: the images as they are given. Of "train" the new ones are divided, if there are
            fractions; new ones of the others stay where they are.
        fractions: the fraction of each class for "test", "validation".
        seed: decides which of the new images is in which split.
        groups: (N,) integers for "train"; images with equal ones stay together.

    Returns:
        The splits by name. To evaluate on, "train" is all images if none was trained on before, and
        a given test split stays as it is.
    """
    if like.evaluates and "test" in splits:
        return dict(splits)
    whole, titles = _joined(splits)
    names = [whole.class_names[label] for label in whole.labels]
    found = like.known.matches(image_digests(whole.images), names)
    placed = [split for split, _ in found]
    if like.evaluates and "train" not in placed and len(splits) == 1:
        return {"train": whole}
    divides = like.evaluates or bool(fractions)
    for place, title in enumerate(titles):
        if placed[place] is None and not (divides and title == "train"):
            placed[place] = title
    numbers = None if groups is None else _numbered(groups, titles)
    order = np.arange(len(titles))
    if like.evaluates:
        drawn = [one or "test" for one in follow_groups(placed, numbers)]
    else:
        drawn = extend_cut(whole.labels, whole.class_names, fractions, seed, placed, numbers)
        order = np.argsort([place for _, place in found], kind="stable")
    ordered = np.array(drawn, object)[order]
    return {title: _chosen(whole, splits, title, order[ordered == title]) for title in _WITHIN}


def common_images(splits: Sequence[Split]) -> list[Split]:
    """The images that all splits have, in the same order.

    Example:
        >>> import imgclf
        >>> test = imgclf.load_digits().test
        >>> [len(split) for split in common_images([test[:5], test[2:8]])]
        [3, 3]
    """
    digests = [image_digests(split.images) for split in splits]
    if all(one == digests[0] for one in digests):
        return [*splits]
    places = [{one: place for place, one in enumerate(some)} for some in digests]
    common = [one for one in places[0] if all(one in others for others in places)]
    return [
        split[np.array([there[one] for one in common], np.int64)]
        for split, there in zip(splits, places, strict=True)
    ]


def _joined(splits: Mapping[str, Split]) -> tuple[Split, list[str]]:
    """All images as one split, and the name of the split of each."""
    titles = [title for title, split in splits.items() for _ in range(len(split))]
    several = list(splits.values())
    first = several[0]
    if len(several) == 1:
        return first, titles
    images: np.ndarray | ImageFiles
    if isinstance(first.images, ImageFiles):
        paths = [path for split in several for path in split.images.paths]
        images = ImageFiles(paths, first.images.spec, first.images.cache)
    else:
        images = np.concatenate([split.images for split in several])
    labels = np.concatenate([split.labels for split in several])
    return Split(images, labels, first.class_names), titles


def _numbered(groups: np.ndarray, titles: Sequence[str]) -> np.ndarray:
    """Groups of the training images for all: whatever else is given is in none."""
    numbers = np.arange(len(titles)) + (int(groups.max(initial=0)) + 1)
    numbers[np.flatnonzero(np.array(titles) == "train")] = groups
    return numbers


def _chosen(whole: Split, splits: Mapping[str, Split], title: str, positions: np.ndarray) -> Split:
    """The images at these positions; the given split, not copied, if it is just that."""
    start = 0
    for name, split in splits.items():
        if name == title and np.array_equal(positions, np.arange(start, start + len(split))):
            return split
        start += len(split)
    return whole[positions]
