"""`Dataset`: train, validation and test split, and the seeded, stratified split into them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from imgclf import checks
from imgclf.data.grouping import check_groups, cut_labels
from imgclf.data.known_images import SplitLikeChoice, cut_like, split_like_of
from imgclf.data.labels import check_labels, check_plausible, name_classes
from imgclf.data.ledger import Ledger
from imgclf.data.sources.image_notes import note_twins
from imgclf.data.split import Split, check_class_names
from imgclf.errors import ArgumentError, ArgumentTypeError, DataError
from imgclf.formatting import list_names, plural
from imgclf.typing import ArrayLike

__all__ = [
    "Dataset",
    "SplitChoice",
    "check_dataset",
    "cut",
]

# A fraction of the images; images and labels; or no split.
SplitChoice: TypeAlias = float | tuple[ArrayLike, ArrayLike] | None


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """The images to train on, to select models by, and to evaluate on.

    Args:
        train: the training split.
        validation: the split for early stopping and searches; None if there is none.
        test: the split that only `Classifier.evaluate` uses; None if there is none.
        name: a short name for messages and records.
        notes: sentences on how the data was read.
        flip_safe: whether an image that is mirrored left to right keeps its class. If not, presets
            do not mirror training images.
        skipped: the files that could not be used, each with the reason.
        ledger: the fate of every file; None if the images are no files.

    Attributes:
        code: the call that loads it again, right from any directory, such as
            "imgclf.load_digits()". None if it was made of arrays, or is a changed copy.

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
    code: str | None = dataclasses.field(default=None, init=False)  # by `loading_code`

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
        images: ArrayLike,
        labels: ArrayLike,
        *,
        validation: SplitChoice = 0.1,
        test: SplitChoice = 0.1,
        class_names: Sequence[str] | None = None,
        seed: int = 0,
        name: str = "arrays",
        groups: ArrayLike | None = None,
        split_like: SplitLikeChoice = None,
    ) -> Dataset:
        """Makes a data set of arrays in memory.

        Args:
            images: (N, height, width, channels) or (N, height, width), values 0 to 255.
            labels: (N,) integers, whole floats, booleans or names; a pandas `Series` or
                `Categorical`, whose order is kept; or (N, classes) one-hot, such as the frame of
                `get_dummies`, whose columns name the classes.
            validation: the fraction of the images (0 to below 1) for validation, stratified by
                class; or a pair (images, labels); or None.
            test: the same for the test split.
            class_names: one name for each class, in their order; if left out, the values of
                `labels` that occur. Integers in `labels` count the given names from 0, unless all
                names are whole numbers: then they are their values.
            seed: decides which images are in which split.
            name: a short name for messages and records.
            groups: (N,) texts or numbers. Images with equal ones, such as those of one patient,
                stay in one split.
            split_like: the run folder of a training. Images that it knows, by content, are in the
                same split as there; only new ones are divided.

        Returns:
            The data set; no image is in two splits. A class with too few images or groups for all
            splits is in train, and a note names the split that lacks it.

        Raises:
            DataError: if the arrays do not fit each other, labels are missing or are none of the
                `class_names`, or they seem to be several labels an image or no classes.

        Example:
            >>> import numpy as np
            >>> images = np.zeros((100, 8, 8, 3), np.uint8)
            >>> Dataset.from_arrays(images, np.where(np.arange(100) < 30, "b", "a")).class_names
            ('a', 'b')
            >>> data = Dataset.from_arrays(images, np.arange(100) % 2, class_names=["cat", "dog"])
            >>> len(data.train), len(data.validation), len(data.test)
            (80, 10, 10)
        """
        notes: tuple[str, ...] = ()
        if class_names is None:
            pairs = [one for one in (validation, test) if isinstance(one, tuple) and len(one) == 2]
            class_names, notes = _found_classes(labels, [pair[1] for pair in pairs])
        names = check_class_names(class_names)
        whole = Split(images, check_labels(labels, names, by_value=True), names)
        return cut(
            whole,
            validation=validation,
            test=test,
            seed=seed,
            name=name,
            notes=notes,
            groups=groups,
            split_like=split_like,
        )

    @property
    def class_names(self) -> tuple[str, ...]:
        """The class names, in the order of the labels."""
        return tuple(self.train.class_names)

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return self.train.num_classes

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of every image."""
        return self.train.image_shape

    def splits(self) -> dict[str, Split]:
        """Returns the existing splits by name: "train", "validation", "test"."""
        named = {"train": self.train, "validation": self.validation, "test": self.test}
        return {title: split for title, split in named.items() if split is not None}

    def _repr_html_(self) -> str:
        """The display in a notebook."""
        from imgclf.data.notebook import dataset_html

        return dataset_html(self.name, self.splits(), self.notes)

    def __repr__(self) -> str:
        height, width, channels = self.image_shape
        sizes = ", ".join(f"{len(split):,} {title}" for title, split in self.splits().items())
        lines = [
            f"Dataset {self.name!r}: {sizes}; images of {height}×{width}×{channels}, "
            f"{self.num_classes} classes"
        ]
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])


def _found_classes(
    labels: ArrayLike, others: Sequence[ArrayLike]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The classes of labels, and notes on them."""
    found = name_classes(labels, *others)
    if len(found.names) < 2:
        raise DataError(
            "`labels` must hold at least 2 classes. Received: "
            f"{plural(sum(found.counts), 'label')} of {list_names(found.names)}. Classes that no "
            "image has are named by `class_names`."
        )
    try:
        doubts = check_plausible(dict(zip(found.names, found.counts, strict=True)))
    except DataError as error:
        raise DataError(f"`labels`: {error}") from error
    return found.names, (*found.notes, *doubts, *note_twins(found.names))


def cut(
    whole: Split,
    *,
    validation: SplitChoice | Split,
    test: SplitChoice | Split,
    seed: int,
    name: str,
    notes: tuple[str, ...] = (),
    groups: ArrayLike | None = None,
    split_like: SplitLikeChoice = None,
) -> Dataset:
    """Splits one split into three; arguments as in `Dataset.from_arrays`, or splits as they are."""
    checks.integer("seed", seed, low=0)
    like = split_like_of(split_like)
    parts: dict[str, Split | None] = {"train": whole}
    fractions: dict[str, float] = {}
    for title, wanted in (("test", test), ("validation", validation)):
        zero = isinstance(wanted, (int, float)) and wanted == 0 and not isinstance(wanted, bool)
        if wanted is None or zero:
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
    if like is None:
        drawn = _stratified(whole, fractions, seed, groups)
    else:
        there = {title: split for title, split in parts.items() if split is not None}
        drawn = cut_like(like, there, fractions, seed, check_groups(groups, len(whole)))
    parts.update({title: split if len(split) else None for title, split in drawn.items()})
    given = {title: split for title, split in parts.items() if split is not None}
    notes = (*notes, *_note_lacking({**given, **drawn}))
    return Dataset(**parts, name=name, notes=notes)  # type: ignore[arg-type]


def _note_lacking(splits: dict[str, Split]) -> list[str]:
    """Makes a note of classes without images, and for each split that lacks one of another."""
    there = {title: set(split.labels.tolist()) for title, split in splits.items()}
    names = splits["train"].class_names
    met: set[int] = set().union(*there.values())
    empty = [
        name
        for number, name in enumerate(names)
        if not any(number in one for one in there.values())
    ]
    notes = [f"Classes without images: {list_names(empty)}."] if empty else []
    for title in ("train", "validation", "test"):
        lacking = sorted(met - there.get(title, set()))
        if lacking and title in splits:
            shown = list_names([names[label] for label in lacking])
            one = len(lacking) == 1
            subject = f"Class {shown} has" if one else f"Classes {shown} have"
            notes.append(
                f"{subject} no images in train: {'it' if one else 'they'} cannot be learned."
                if title == "train"
                else f"{subject} no images in {title}: the metrics there say nothing of "
                f"{'it' if one else 'them'}."
            )
    return notes


def _fraction(title: str, value: Any) -> float:
    try:
        return checks.number(title, value, low=0, high=1, below=True)
    except ArgumentError:
        raise ArgumentTypeError(
            f"`{title}` must be a fraction from 0 to below 1, a pair (images, labels), or None. "
            + checks.received(title, value)
        ) from None


def _given_pair(title: str, pair: tuple[Any, Any], class_names: Any) -> Split:
    try:
        return Split(pair[0], check_labels(pair[1], class_names, by_value=True), class_names)
    except DataError as error:
        raise DataError(f"`{title}`: {error}") from error


def check_dataset(data: object) -> Dataset:
    """Returns `data` if it is a `Dataset`, and raises `ArgumentTypeError` if not."""
    if not isinstance(data, Dataset):
        # Of an array its kind says more than its first numbers.
        shown = data if isinstance(data, Split) else type(data).__name__
        raise ArgumentTypeError(
            "`data` must be a Dataset, such as load_digits() gives. "
            + checks.received("data", shown)
        )
    return data


def _stratified(
    whole: Split, fractions: dict[str, float], seed: int, groups: ArrayLike | None
) -> dict[str, Split]:
    """Splits each class in the same proportions, shuffled by `seed`; keeps the order of files."""
    if not fractions:
        return {}
    numbers = check_groups(groups, len(whole))
    parts = cut_labels(whole.labels, whole.class_names, fractions, seed, numbers)
    return {title: whole[positions] for title, positions in parts.items()}
