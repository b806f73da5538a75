"""Reads labels in the forms that people have them: numbers, names, booleans, one-hot.

The classes are the values that occur. A value that is no class, is missing, or stands for several
classes is an error that says what is supported.
"""

from __future__ import annotations

import dataclasses
import difflib
import numbers
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from imgclf.errors import DataError
from imgclf.formatting import list_names, plural
from imgclf.typing import ArrayLike

__all__ = [
    "ClassNaming",
    "check_labels",
    "check_plausible",
    "is_whole",
    "name_classes",
    "sort_names",
    "whole_numbers",
]

# From so many classes on, with one image or few, labels are probably no classes.
_MANY_NUMBERS, _MANY_NAMES = 10, 20
_FEW_IMAGES = 3
_MOST = 0.9

# Between labels, these are delimiters and no part of a name; a comma may be either.
_DELIMITERS = "|;"

_ONE_LABEL = (
    "imgclf gives each image one class: several labels an image (multi-label) are not supported."
)

_CONFIRM = "If they are the classes that you mean, name them all by `class_names` (--class-names)."

_Kind = Literal["numbers", "booleans", "names", "one-hot"]


@dataclasses.dataclass(frozen=True)
class ClassNaming:
    """The classes that labels hold.

    Args:
        names: the class names, in the order of their numbers.
        counts: the number of labels of each.
        notes: sentences on what may surprise, for `Dataset.notes`.
    """

    names: tuple[str, ...]
    counts: tuple[int, ...]
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class _Labels:
    """Labels of one kind: values (N,), and the order of the classes where they have one.

    One-hot labels have a number of columns, which may be more than there are values.
    """

    kind: _Kind
    values: np.ndarray
    order: tuple[str, ...] | None = None
    num_columns: int = 0

    def names(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The names of the values that occur, the place of each label among them, their counts."""
        values, places, counts = np.unique(self.values, return_inverse=True, return_counts=True)
        if self.kind == "one-hot" and self.order is not None:
            texts = [self.order[value] for value in values]
        else:
            texts = [str(value) for value in values.tolist()]
        return np.array(texts, object), places.reshape(-1), counts


def name_classes(labels: ArrayLike, *others: ArrayLike) -> ClassNaming:
    """Finds the classes of labels: the values that occur, as names.

    Args:
        labels: (N,) integers, whole floats, booleans or names; a pandas `Series` or `Categorical`,
            whose order is kept; (N, classes) one-hot, such as the frame of `get_dummies`.
        *others: labels of further images, whose classes count as well.

    Raises:
        DataError: if labels are missing or not of one kind.

    Example:
        >>> name_classes([5, 0, 2, 5]).names, name_classes([True, False]).names
        (('0', '2', '5'), ('False', 'True'))
    """
    given = [_read(one) for one in (labels, *others)]
    counts: dict[str, int] = {}
    for one in given:
        names, _, some = one.names()
        for name, count in zip(names.tolist(), some.tolist(), strict=True):
            counts[name] = counts.get(name, 0) + count
    order = given[0].order
    if given[0].kind == "one-hot":
        # A column without a 1 is a class without images, which a note of the data set names.
        for name in order or [str(number) for number in range(given[0].num_columns)]:
            counts.setdefault(name, 0)
    rest = sort_names(name for name in counts if name not in (order or ()))
    found = [*(name for name in order or () if name in counts), *rest]
    return ClassNaming(
        tuple(found), tuple(counts[name] for name in found), _notes(given[0], found, order)
    )


def _notes(labels: _Labels, found: Sequence[str], order: Sequence[str] | None) -> tuple[str, ...]:
    notes = []
    if labels.kind == "numbers" and list(found) != [str(place) for place in range(len(found))]:
        notes.append(
            "The numbers in `labels` do not count from 0 without a gap: each value that occurs is "
            f"a class of that name, {list_names(found)}."
        )
    unused = [name for name in order or () if name not in found]
    if unused:
        notes.append(
            f"Categories of `labels` that no image has, left out of the classes: "
            f"{list_names(unused)}."
        )
    return tuple(notes)


def check_labels(
    labels: ArrayLike, classes: int | Sequence[str], *, by_value: bool = False
) -> np.ndarray:
    """Checks labels: returns (N,) int64, the places of their classes.

    Args:
        labels: as for `name_classes`.
        classes: the class names, or their number.
        by_value: read numbers as class names where all class names are whole numbers; otherwise
            they count the class names from 0.

    Raises:
        DataError: if a label is none of the classes.

    Example:
        >>> check_labels(["dog", "cat"], ["cat", "dog"]), check_labels([1, 0], ["cat", "dog"])
        (array([1, 0]), array([1, 0]))
        >>> check_labels([7, 5], ["5", "7"], by_value=True)
        array([1, 0])
    """
    names = () if isinstance(classes, int) else tuple(classes)
    count = classes if isinstance(classes, int) else len(names)
    given = _read(labels)
    if given.kind == "one-hot":
        return _from_columns(given, names, count)
    if len(given.values) == 0:
        return np.zeros(0, np.int64)
    if given.kind == "booleans" and not {"False", "True"} <= set(names):
        if count == 2:
            return given.values.astype(np.int64)
        raise DataError(
            f"`labels` are True and False, but there are {count} classes. Use the class names, or "
            "integers that count them from 0."
        )
    if given.kind == "numbers" and not (by_value and names and all(map(is_whole, names))):
        return _counted(given.values, count)
    return _named(given, names)


def _counted(values: np.ndarray, count: int) -> np.ndarray:
    low, high = values.min(), values.max()
    if low < 0 or high >= count:
        raise DataError(
            f"`labels` must be from 0 to {count - 1}, since there are {count} class names. "
            f"Received: labels from {low} to {high}."
        )
    return values.astype(np.int64)


def _named(given: _Labels, names: Sequence[str]) -> np.ndarray:
    if not names:
        raise DataError("`labels` must be integers that count the classes from 0. Received: names.")
    place_of = {name: place for place, name in enumerate(names)}
    texts, places, counts = given.names()
    unknown = [text for text in texts if text not in place_of]
    if unknown:
        lost = sum(int(count) for text, count in zip(texts, counts, strict=True) if text in unknown)
        raise DataError(
            f"`labels` holds values that are no classes: {list_names(unknown)}, "
            f"{plural(lost, 'label')} of {len(places):,}. The classes are "
            f"{list_names(names)}.{_hint(given, unknown[0], names)}"
        )
    return np.array([place_of[text] for text in texts], np.int64)[places]


def _hint(given: _Labels, unknown: str, names: Sequence[str]) -> str:
    if given.kind == "numbers":
        return (
            " Since all class names are numbers, labels are read as their values; labels that "
            "count the classes from 0 go into Split(images, labels, class_names)."
        )
    if is_whole(unknown):
        return " Labels that count the classes must be numbers, not text: labels.astype(int)."
    near = difflib.get_close_matches(unknown, names, n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def _from_columns(given: _Labels, names: Sequence[str], count: int) -> np.ndarray:
    columns = given.order
    if columns is not None and names and set(columns) <= set(names):
        return np.array([names.index(column) for column in columns], np.int64)[given.values]
    unnamed = columns is None or list(columns) == [str(place) for place in range(len(columns))]
    if given.num_columns != count:
        shape = len(given.values), given.num_columns
        raise DataError(
            f"One-hot `labels` must have {count} columns, one a class name. Received: "
            f"shape={shape}."
        )
    if unnamed or not names:
        return given.values
    raise DataError(
        f"The columns of `labels` are {list_names(columns or ())}, but the classes are "
        f"{list_names(names)}. Rename the columns, or give labels.to_numpy() if they are in the "
        "order of the classes."
    )


def _read(labels: Any) -> _Labels:
    """Recognizes the form of labels."""
    columns = None
    if hasattr(labels, "columns") and hasattr(labels, "to_numpy"):
        columns = tuple(str(column) for column in labels.columns)
        labels = labels[labels.columns[0]] if len(columns) == 1 else labels.to_numpy()
    categories = getattr(getattr(labels, "dtype", None), "categories", None)
    array = _as_array(labels, categories is not None)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]  # the (N, 1) that keras.datasets gives
    if array.ndim == 2:
        return _Labels("one-hot", _one_hot_places(array), columns, array.shape[1])
    if array.ndim != 1:
        raise DataError(
            "`labels` must have the shape (N,), or (N, classes) one-hot. "
            f"Received: shape={array.shape}."
        )
    read = _of_one_kind(array)
    if categories is None:
        return read
    order = _of_one_kind(np.asarray(categories)).values.tolist()
    return dataclasses.replace(read, order=tuple(map(str, order)))


def _as_array(labels: Any, are_categories: bool) -> np.ndarray:
    if isinstance(labels, np.ma.MaskedArray) and labels.mask.any():
        _refuse_gaps(np.flatnonzero(labels.mask).tolist())
    try:
        array = np.asarray(labels, object if are_categories else None)
        # NumPy would write a NaN or a number among names as text, and huge integers as floats.
        if array.dtype.kind in "USf" and array.ndim == 1 and isinstance(labels, (list, tuple)):
            array = np.asarray(labels, object)
    except ValueError as error:
        raise DataError(f"`labels` must hold one label an image. {_ONE_LABEL}") from error
    return array


def _one_hot_places(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind == "O":
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError):
            array = array.astype(str)
    if array.dtype.kind in "US":
        raise DataError(f"`labels` must hold one name an image, (N,). {_ONE_LABEL}")
    if array.dtype.kind not in "biuf" or not np.isin(array, (0, 1)).all():
        raise DataError(
            "One-hot `labels` must hold a single 1 in each row, and else 0. Received: other "
            f"values, shape={array.shape}, dtype={array.dtype}."
        )
    ones = np.count_nonzero(array, axis=1)
    if (ones > 1).any():
        row = int(np.argmax(ones > 1))
        raise DataError(
            f"One-hot `labels` must hold a single 1 in each row, and else 0. Row {row} holds "
            f"{ones[row]}. {_ONE_LABEL}"
        )
    if (ones == 0).any():
        row = int(np.argmax(ones == 0))
        raise DataError(
            f"One-hot `labels` must hold a single 1 in each row, and else 0. Row {row} holds none, "
            "as with get_dummies(drop_first=True): every class needs a column."
        )
    return array.argmax(axis=1).astype(np.int64)


def _of_one_kind(array: np.ndarray) -> _Labels:
    kind = array.dtype.kind
    if kind == "O":
        return _of_objects(array)
    if kind == "b":
        return _Labels("booleans", array)
    if kind in "iu":
        return _Labels("numbers", array)
    if kind == "f":
        return _Labels("numbers", whole_numbers(array))
    if kind == "S":
        array, kind = np.char.decode(array, "utf-8"), "U"
    if kind == "U":
        return _Labels("names", _not_blank(array.astype(object)))
    raise DataError(
        "`labels` must be integers that count the classes from 0, or class names. "
        f"Received: dtype={array.dtype}."
    )


def _of_objects(array: np.ndarray) -> _Labels:
    """Labels as Python objects: of pandas, of lists with gaps, of strings."""
    values = [one.decode() if isinstance(one, bytes) else one for one in array.tolist()]
    gaps = [place for place, value in enumerate(values) if _is_gap(value)]
    if gaps:
        _refuse_gaps(gaps)
    if not values:
        return _Labels("numbers", np.zeros(0, np.int64))
    if all(isinstance(value, str) for value in values):
        return _Labels("names", _not_blank(np.array(values, object)))
    if all(isinstance(value, (bool, np.bool_)) for value in values):
        return _Labels("booleans", np.array(values, bool))
    if any(isinstance(value, (list, tuple, set, frozenset, dict, np.ndarray)) for value in values):
        raise DataError(f"`labels` must hold one label an image. {_ONE_LABEL}")
    is_number = [isinstance(one, numbers.Real) and not isinstance(one, bool) for one in values]
    if all(is_number):
        if all(isinstance(value, numbers.Integral) for value in values):
            whole = [int(value) for value in values]
            is_small = all(abs(value) < 2**63 for value in whole)
            return _Labels("numbers", np.array(whole, np.int64 if is_small else object))
        return _Labels("numbers", whole_numbers(np.array(values, np.float64)))
    kinds = sorted({type(value).__name__ for value in values})
    raise DataError(
        f"`labels` must all be names or all be numbers. Received: {', '.join(kinds)}. As names: "
        "[str(label) for label in labels]."
    )


def check_plausible(counts: Mapping[str, int]) -> tuple[str, ...]:
    """Refuses names that stand for several labels or for no classes, and notes doubtful ones.

    Args:
        counts: the number of images of each class name; the user has not said which there are.

    Raises:
        DataError: if names hold several labels, or nearly every image has a label of its own.

    Example:
        >>> check_plausible({"cat": 5, "dog": 4})
        ()
    """
    names = list(counts)
    several = next((name for name in names if _holds_several(name, counts)), None)
    commas = [name for name in names if "," in name]
    if several is None and commas and 2 * len(shared := _sharing(commas, names)) >= len(commas):
        several = next(iter(shared), None)
    if several is not None:
        raise DataError(
            f"the label {several!r} seems to hold several labels. {_ONE_LABEL} Keep one of them, "
            f"or make a class of each combination under a name without a delimiter. {_CONFIRM}"
        )
    singles = sum(count == 1 for count in counts.values())
    num_images = sum(counts.values())
    if all(map(_is_number, names)):
        counting = set(names) == set(map(str, range(len(names))))
        few = len(names) >= _MANY_NAMES and num_images < _FEW_IMAGES * len(names) and not counting
        if few or (len(names) >= _MANY_NUMBERS and 2 * singles >= len(names)):
            raise DataError(
                f"the labels are {len(names):,} different numbers of {plural(num_images, 'image')}:"
                " is this a regression? imgclf predicts classes, not numbers: group them into a "
                f"few classes, such as 'low' and 'high'. {_CONFIRM}"
            )
    elif len(names) >= _MANY_NAMES and singles >= _MOST * len(names):
        raise DataError(
            f"there are {len(names):,} different labels of {plural(num_images, 'image')}, nearly "
            f"one an image, such as {list_names(names, 3)}: are these classes? Give the labels "
            f"that say what the images have in common. {_CONFIRM}"
        )
    return (
        (f"Class names with a comma, each taken as one class: {list_names(commas)}.",)
        if commas
        else ()
    )


def _holds_several(name: str, names: Container[str]) -> bool:
    """Whether a name is a list of labels by its form, or of other names."""
    words = [word for word in re.split(r"[\s,/+&]+", name) if word]
    if len(words) > 1 and all(word in names for word in words):
        return True
    if re.fullmatch(r"\d+(?:[\s,]+\d+)+", name) or re.fullmatch(r"[\[({].*,.*[\])}]", name):
        return True
    parts = re.split(f"[{re.escape(_DELIMITERS)}]", name)
    return sum(bool(part.strip()) for part in parts) > 1


def _sharing(compounds: Sequence[str], names: Sequence[str]) -> list[str]:
    """The names with a comma of which a part is another name, or a part of one."""
    homes: dict[str, set[str]] = {}
    for name in names:
        for part in name.split(","):
            homes.setdefault(part.strip().casefold(), set()).add(name)
    return [
        name
        for name in compounds
        if any(len(homes[part.strip().casefold()]) > 1 for part in name.split(","))
    ]


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True


def whole_numbers(values: np.ndarray) -> np.ndarray:
    """Floats that are whole numbers, as integers.

    Raises:
        DataError: if one is missing or is no whole number.
    """
    gaps = np.flatnonzero(np.isnan(values))
    if len(gaps):
        _refuse_gaps(gaps.tolist())
    with np.errstate(invalid="ignore"):
        odd = values[(values != np.floor(values)) | (abs(values) > 2**53)]
    if len(odd):
        raise DataError(
            f"`labels` must be classes. Received: numbers such as {odd[0]:g}: is this a "
            "regression? imgclf predicts classes, not numbers: group them into a few classes, such "
            "as 'low' and 'high'. If each number is a class, give them as names, "
            "labels.astype(str)."
        )
    return values.astype(np.int64)


def _not_blank(values: np.ndarray) -> np.ndarray:
    gaps = [place for place, value in enumerate(values.tolist()) if not value.strip()]
    if gaps:
        _refuse_gaps(gaps)
    return values


def _refuse_gaps(places: Sequence[int]) -> None:
    raise DataError(
        f"`labels` lacks {plural(len(places), 'label')}, the first at place {places[0]}: it is "
        "empty, None or NaN. Leave such images out, or give them a class."
    )


def _is_gap(value: Any) -> bool:
    """None, NaN and pandas' NA, whose comparisons are neither true nor false."""
    try:
        return value is None or bool(value != value)  # noqa: PLR0124
    except (TypeError, ValueError):
        return not isinstance(value, np.ndarray)


def is_whole(name: str) -> bool:
    """Whether a name is a whole number as Python writes it.

    Example:
        >>> is_whole("-1"), is_whole("12"), is_whole("007"), is_whole("1.0")
        (True, True, False, False)
    """
    digits = name.removeprefix("-")
    return digits.isascii() and digits.isdigit() and str(int(name)) == name


def sort_names(names: Iterable[str]) -> list[str]:
    """Sorts class names in the order of their labels: numbers by value, all else by character."""
    different = set(names)
    digits = [name.removeprefix("-") for name in different]
    if all(one.isascii() and one.isdigit() for one in digits):
        return sorted(different, key=lambda name: (int(name), name))
    return sorted(different)
