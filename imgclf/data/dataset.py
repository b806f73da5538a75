"""`Dataset`: the three splits that belong together, and the seeded, stratified cut into them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from imgclf import checks
from imgclf.data.grouping import check_groups, cut_labels
from imgclf.data.split import Split, check_class_names, check_images, check_labels
from imgclf.errors import ArgumentError, ArgumentTypeError, DataError
from imgclf.formatting import list_names

if TYPE_CHECKING:
    from pathlib import Path

    from imgclf.data.ledger import Ledger

__all__ = ["Dataset"]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Images to learn from, to choose by, and to be judged by.

    Args:
        train: what the network learns from.
        validation: what early stopping and searches look at; None if there is none.
        test: what only `Classifier.evaluate` looks at; None if there is none.
        name: a short name for messages and records.
        notes: what the user should know about how the data was read, a sentence each.
        flip_safe: whether an image that is mirrored left to right still means the same. Presets
            mirror training images only then.
        skipped: the files that could not be used, each with the reason.
        ledger: what became of every file; None where the images are no files.

    Raises:
        DataError: if the splits differ in class names or image shape.
    """

    train: Split
    validation: Split | None = None
    test: Split | None = None
    name: str = "data"
    notes: tuple[str, ...] = ()
    flip_safe: bool = True
    skipped: tuple[tuple[Path, str], ...] = ()
    ledger: Ledger | None = None

    def __post_init__(self) -> None:
        for title, split in self.splits().items():
            if not isinstance(split, Split):
                raise ArgumentTypeError(
                    f"`{title}` must be a Split. {checks.received(title, split)}"
                )
            if split.class_names != self.train.class_names:
                raise DataError(
                    f"`{title}` and `train` must have the same class names. Received: "
                    f"{list(split.class_names)} and {list(self.train.class_names)}."
                )
            if split.image_shape != self.train.image_shape:
                raise DataError(
                    f"`{title}` and `train` must have the same image shape. Received: "
                    f"{split.image_shape} and {self.train.image_shape}."
                )
        if len(self.train) == 0:
            raise DataError("`train` must hold at least one image. Received: none.")
        for title, split in self.splits().items():
            object.__setattr__(self, title, split.as_role(title))

    @classmethod
    def from_arrays(
        cls,
        images: Any,
        labels: Any,
        *,
        validation: Any = 0.1,
        test: Any = 0.1,
        class_names: Any = None,
        seed: int = 0,
        name: str = "arrays",
        groups: Any = None,
    ) -> Dataset:
        """Makes a data set of arrays that are in memory.

        Args:
            images: (N, height, width, channels) or (N, height, width), values 0 to 255.
            labels: (N,) integers from 0, or (N, classes) one-hot.
            validation: the part of the images (0 to below 1) that is set aside for validation,
                drawn by `seed`, each class alike; or a pair (images, labels); or None.
            test: the same for testing.
            class_names: one name a class; "0", "1", … if left out.
            seed: decides which images are set aside.
            name: a short name for messages and records.
            groups: (N,) texts or numbers. Images with equal ones, such as those of one patient,
                stay on one side of the cut.

        Returns:
            The data set; no image is in two splits. A class with too few images or groups for
            all of them is in train, and a note names the split that lacks it.

        Raises:
            DataError: if the arrays do not fit each other.

        Example:
            >>> import numpy as np
            >>> images = np.zeros((100, 8, 8, 3), np.uint8)
            >>> data = Dataset.from_arrays(images, np.arange(100) % 2, class_names=["cat", "dog"])
            >>> len(data.train), len(data.validation), len(data.test)
            (80, 10, 10)
        """
        if class_names is None:
            class_names = [str(number) for number in range(count_classes(labels))]
        whole = Split(images, labels, check_class_names(class_names))
        return cut(whole, validation=validation, test=test, seed=seed, name=name, groups=groups)

    @property
    def class_names(self) -> tuple[str, ...]:
        """One name a class, in the order of the label numbers."""
        return tuple(self.train.class_names)

    @property
    def num_classes(self) -> int:
        """How many classes there are."""
        return self.train.num_classes

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of every image."""
        return self.train.image_shape

    def splits(self) -> dict[str, Split]:
        """The splits that are there, by name: "train", "validation", "test"."""
        named = {"train": self.train, "validation": self.validation, "test": self.test}
        return {title: split for title, split in named.items() if split is not None}

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from imgclf.data.notebook import dataset_html

        return dataset_html(self)

    def __repr__(self) -> str:
        height, width, channels = self.image_shape
        sizes = ", ".join(f"{len(split):,} {title}" for title, split in self.splits().items())
        lines = [
            f"Dataset {self.name!r}: {sizes}; images of {height}×{width}×{channels}, "
            f"{self.num_classes} classes"
        ]
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])


def cut(
    whole: Split,
    *,
    validation: Any,
    test: Any,
    seed: int,
    name: str,
    notes: tuple[str, ...] = (),
    groups: Any = None,
) -> Dataset:
    """Cuts one split into three; all arguments as in `Dataset.from_arrays`."""
    checks.integer("seed", seed, low=0)
    parts: dict[str, Split | None] = {"train": whole}
    fractions: dict[str, float] = {}
    for title, wanted in (("test", test), ("validation", validation)):
        if wanted is None or (isinstance(wanted, (int, float)) and wanted == 0):
            parts[title] = None
        elif isinstance(wanted, Split):
            parts[title] = wanted
        elif isinstance(wanted, tuple) and len(wanted) == 2:
            parts[title] = _given_pair(title, wanted, whole.class_names)
        else:
            fractions[title] = _fraction(title, wanted)
    if sum(fractions.values()) >= 1:
        raise ArgumentError(
            "`validation` and `test` together must leave images to train on. "
            f"Received: validation={validation!r}, test={test!r}."
        )
    drawn = _stratified(whole, fractions, seed, groups)
    parts.update({title: split if len(split) else None for title, split in drawn.items()})
    given = {title: split for title, split in parts.items() if split is not None}
    notes = (*notes, *_note_lacking({**given, **drawn}))
    return Dataset(**parts, name=name, notes=notes)  # type: ignore[arg-type]


def _note_lacking(splits: dict[str, Split]) -> list[str]:
    """A sentence for each split that lacks a class which another one has."""
    there = {title: set(split.labels.tolist()) for title, split in splits.items()}
    notes = []
    for title in ("train", "validation", "test"):
        lacking = sorted(set().union(*there.values()) - there.get(title, set()))
        if lacking and title in splits:
            names = list_names([splits[title].class_names[label] for label in lacking])
            one = len(lacking) == 1
            subject = f"Class {names} has" if one else f"Classes {names} have"
            notes.append(
                f"{subject} no images in train: {'it' if one else 'they'} cannot be learned."
                if title == "train"
                else f"{subject} no images in {title}: the figures there say nothing of "
                f"{'it' if one else 'them'}."
            )
    return notes


def _fraction(title: str, value: Any) -> float:
    try:
        return checks.number(title, value, low=0, high=1, below=True)
    except ArgumentError:
        raise ArgumentTypeError(
            f"`{title}` must be a part from 0 to below 1, a pair (images, labels), or None. "
            + checks.received(title, value)
        ) from None


def _given_pair(title: str, pair: tuple[Any, Any], class_names: Any) -> Split:
    try:
        return Split(pair[0], pair[1], class_names)
    except DataError as error:
        raise DataError(f"`{title}`: {error}") from error


def count_classes(labels: Any) -> int:
    """One more than the highest label, or the columns of one-hot labels."""
    array = np.asarray(labels)
    if array.ndim == 2 and array.shape[1] > 1:
        return int(array.shape[1])
    checked = check_labels(array, num_classes=np.iinfo(np.int64).max)
    return int(checked.max()) + 1 if len(checked) else 0


def check_dataset(data: Any) -> Dataset:
    """`data`, if it is a `Dataset`.

    Raises:
        ArgumentTypeError: if it is none.
    """
    if not isinstance(data, Dataset):
        # Of an array its kind says more than its first numbers.
        shown = data if isinstance(data, Split) else type(data).__name__
        raise ArgumentTypeError(
            "`data` must be a Dataset, such as load_digits() gives. "
            + checks.received("data", shown)
        )
    return data


def _stratified(
    whole: Split, fractions: dict[str, float], seed: int, groups: Any
) -> dict[str, Split]:
    """Each class shuffled by `seed` and cut in the same proportions; the order of files is kept."""
    if not fractions:
        return {}
    numbers = check_groups(groups, len(whole))
    parts = cut_labels(whole.labels, whole.class_names, fractions, seed, numbers)
    return {title: whole[positions] for title, positions in parts.items()}


__all__ += ["check_dataset", "check_images", "check_labels", "count_classes", "cut"]
