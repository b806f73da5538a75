"""Checks of arguments, all with messages of one form.

    `kernel_size` must be an int above 0 or a pair of them. Received: kernel_size=0.

A check is a function that returns the value, so that it can be used in an assignment; or a
constraint, a value that stands in the annotation of a field:

    epochs: Annotated[int, Integer(low=1)] = 10

as scikit-learn states its own in `_param_validation`.
"""

from __future__ import annotations

import abc
import builtins
import dataclasses
import difflib
import functools
import inspect
import math
import numbers
import os
import re
import sys
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from typing import Any, TypeGuard

from imgclf.errors import ArgumentError, ArgumentTypeError, MissingFileError
from imgclf.formatting import shorten

_UNITS = {"": 1, "b": 1} | {
    name: base**power
    for power, letter in enumerate("kmgt", start=1)
    for name, base in ((letter, 1000), (f"{letter}b", 1000), (f"{letter}ib", 1024))
}


def received(name: str, value: object) -> str:
    """The last sentence of every message: what came, cut to a readable length."""
    return f"Received: {name}={shorten(repr(value), 120, 'end')}."


class Constraint(abc.ABC):
    """What a value must be: a value itself, that can stand in the annotation of a field.

    A constraint says what it allows (`allowed`) and takes a value or refuses it (`accept`);
    `check` makes the message.
    """

    @property
    @abc.abstractmethod
    def allowed(self) -> str:
        """The end of the sentence "`name` must be …"."""

    @abc.abstractmethod
    def accept(self, value: object) -> Any:
        """The value as it is used; raises `TypeError` or `ValueError` for one that is refused."""

    def hint(self, value: object) -> str:  # noqa: ARG002
        """What may have been meant; "" if nothing is known."""
        return ""

    def check(self, name: str, value: object) -> Any:
        """The value as it is used.

        Args:
            name: of the argument, for the message.
            value: what was given for it.

        Raises:
            ArgumentTypeError: if it is of a wrong type.
            ArgumentError: if it is of the right type, but not allowed.
        """
        try:
            return self.accept(value)
        except ArgumentError:  # of something inside, with a message of its own
            raise
        except (TypeError, ValueError) as error:
            kind = ArgumentTypeError if isinstance(error, TypeError) else ArgumentError
        message = f"`{name}` must be {self.allowed}. {received(name, value)}"
        raise kind(f"{message} {self.hint(value)}".rstrip())


@dataclasses.dataclass(frozen=True)
class Integer(Constraint):
    """An int (or numpy integer) from `low` to `high`, both included.

    Example:
        >>> Integer(low=1).check("epochs", 3)
        3
    """

    low: int
    high: int | None = None

    @property
    def allowed(self) -> str:
        if self.high is None:
            return f"an int of at least {self.low}"
        return f"an int from {self.low} to {self.high}"

    def accept(self, value: object) -> int:
        if not _is_integer(value):
            raise TypeError
        if value < self.low or (self.high is not None and value > self.high):
            raise ValueError
        return int(value)


@dataclasses.dataclass(frozen=True)
class Number(Constraint):
    """A finite number from `low` to `high`; `above` and `below` leave out the bound itself.

    Example:
        >>> Number(low=0, high=1, below=True).allowed
        'a number at least 0 and below 1'
    """

    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    below: bool = False

    @property
    def allowed(self) -> str:
        bounds = []
        if self.low > -math.inf:
            bounds.append(f"{'above' if self.above else 'at least'} {self.low:g}")
        if self.high < math.inf:
            bounds.append(f"{'below' if self.below else 'at most'} {self.high:g}")
        return f"a number {' and '.join(bounds)}".rstrip()

    def accept(self, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise TypeError
        number = float(value)
        too_low = number <= self.low if self.above else number < self.low
        too_high = number >= self.high if self.below else number > self.high
        if not math.isfinite(number) or too_low or too_high:
            raise ValueError
        return number


@dataclasses.dataclass(frozen=True)
class Flag(Constraint):
    """True or False, nothing that merely counts as one."""

    allowed = "True or False"

    def accept(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise TypeError
        return value


@dataclasses.dataclass(frozen=True, init=False)
class OneOf(Constraint):
    """One of some options; the message proposes the nearest text.

    True and 1.0 equal 1, but do not stand for it.

    Example:
        >>> OneOf("same", "valid").check("padding", "same")
        'same'
    """

    options: tuple[Any, ...]

    def __init__(self, *options: Any) -> None:
        object.__setattr__(self, "options", options)

    @property
    def allowed(self) -> str:
        texts = ", ".join(map(repr, self.options))
        return texts if len(self.options) == 1 else f"one of {texts}"

    def accept(self, value: object) -> Any:
        # What cannot be hashed, such as an array, may not be comparable either.
        if isinstance(value, Hashable):
            for option in self.options:
                if value == option and _is_integer(value) == _is_integer(option):
                    return option
        raise ValueError if isinstance(value, str) else TypeError

    def hint(self, value: object) -> str:
        texts = [option for option in self.options if isinstance(option, str)]
        near = difflib.get_close_matches(str(value), texts, n=1)
        return f"Did you mean {near[0]!r}?" if near else ""


@dataclasses.dataclass(frozen=True)
class SizePair(Constraint):
    """An int above 0, or a pair of them (height, width); it becomes a pair."""

    allowed = "an int above 0 or a pair of them"

    def accept(self, value: object) -> tuple[int, int]:
        pair = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
        if not all(_is_integer(side) for side in pair):
            raise TypeError
        if len(pair) != 2 or min(pair) < 1:
            raise ValueError
        return int(pair[0]), int(pair[1])


@dataclasses.dataclass(frozen=True)
class EqualPair(SizePair):
    """An int above 0, or a pair of equal ones."""

    allowed = "an int above 0 or a pair of equal ones"

    def accept(self, value: object) -> tuple[int, int]:
        down, right = super().accept(value)
        if down != right:
            raise ValueError
        return down, right


@dataclasses.dataclass(frozen=True)
class Maybe(Constraint):
    """None, or what another constraint allows.

    Example:
        >>> Maybe(Integer(low=1)).allowed
        'None or an int of at least 1'
    """

    constraint: Constraint

    @property
    def allowed(self) -> str:
        inner = self.constraint.allowed
        return f"None{',' if ' or ' in inner else ' or'} {inner}"

    def accept(self, value: object) -> Any:
        return None if value is None else self.constraint.accept(value)

    def hint(self, value: object) -> str:
        return self.constraint.hint(value)


@functools.cache
def constraints_of(kind: type) -> dict[str, Constraint]:
    """The constraints in the annotations of a class, by field.

    A class decides on the fields that it declares itself, whatever another class says of fields
    of that name.

    Raises:
        ArgumentTypeError: if an annotation has a name that its module does not know at run time.
    """
    found: dict[str, Constraint] = {}
    for base in reversed(kind.__mro__):
        scope = vars(sys.modules.get(base.__module__, builtins))
        for name, annotation in inspect.get_annotations(base).items():
            found.pop(name, None)
            if isinstance(annotation, str):
                annotation = _resolved(annotation, scope, f"{base.__qualname__}.{name}")  # noqa: PLW2901
            for item in getattr(annotation, "__metadata__", ()):
                if isinstance(item, Constraint):
                    found[name] = item
    return found


def _resolved(annotation: str, scope: dict[str, Any], field: str) -> Any:
    try:
        return eval(annotation, dict(scope))  # noqa: S307 - as typing.get_type_hints does
    except NameError as error:
        raise ArgumentTypeError(
            f"The annotation {annotation!r} of {field} cannot be read: {error}. Import the name at "
            "the top of the module, outside of `if TYPE_CHECKING`."
        ) from None


def integer(name: str, value: object, *, low: int, high: int | None = None) -> int:
    """An int (or numpy integer) from `low` to `high`, both included."""
    return Integer(low, high).check(name, value)


def number(
    name: str,
    value: object,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    above: bool = False,
    below: bool = False,
) -> float:
    """A finite number from `low` to `high`; `above` and `below` leave out the bound itself."""
    return Number(low, high, above, below).check(name, value)


def flag(name: str, value: object) -> bool:
    """True or False, nothing that merely counts as one."""
    return Flag().check(name, value)


def one_of(name: str, value: object, options: Iterable[Any]) -> Any:
    """One of `options`; the message proposes the nearest one."""
    return OneOf(*options).check(name, value)


def callback(name: str, value: Callable[..., None] | None, takes: str) -> None:
    """None, or what can be called; `takes` says with what, such as "a Trial"."""
    if value is not None and not callable(value):
        raise ArgumentTypeError(
            f"`{name}` must be None or a function of {takes}. {received(name, value)}"
        )


def size_pair(name: str, value: object) -> tuple[int, int]:
    """An int above 0, or a pair of them (height, width), as a pair."""
    return SizePair().check(name, value)


def _is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def byte_size(name: str, value: object) -> int:
    """Bytes as an int, or as people write them: "500 MB", "2GB", "1.5 GiB"."""
    if not isinstance(value, str):
        return integer(name, value, low=1)
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", value.strip().lower())
    size = int(float(found[1]) * _UNITS.get(found[2], 0)) if found else 0
    if size < 1:
        raise ArgumentError(
            f'`{name}` must be a number of bytes, or such as "500 MB" or "2 GB". '
            f"{received(name, value)}"
        )
    return size


def image_shape(name: str, value: object) -> tuple[int | None, int | None, int]:
    """(height, width, channels); height and width may be None, channels may not."""
    needs = "(height, width, channels), ints above 0; height and width may be None"
    if not isinstance(value, (tuple, list)) or len(value) != 3:
        raise ArgumentTypeError(f"`{name}` must be {needs}. {received(name, value)}")
    *size, channels = value
    for side in [channels, *(side for side in size if side is not None)]:
        if not _is_integer(side):
            raise ArgumentTypeError(f"`{name}` must be {needs}. {received(name, value)}")
        if side < 1:
            raise ArgumentError(f"`{name}` must be {needs}. {received(name, value)}")
    height, width = (None if side is None else int(side) for side in size)
    return height, width, int(channels)


def text(name: str, value: object) -> str:
    """A text that is not blank."""
    if not isinstance(value, str) or not value.strip():
        kind = ArgumentError if isinstance(value, str) else ArgumentTypeError
        raise kind(f"`{name}` must be a text that is not empty. {received(name, value)}")
    return value


def path(name: str, value: object) -> Path:
    """A path as `pathlib.Path`; `~` stands for the home folder."""
    if not isinstance(value, (str, os.PathLike)) or not os.fspath(value):
        raise ArgumentTypeError(f"`{name}` must be a path. {received(name, value)}")
    return Path(value).expanduser()


def existing_path(name: str, value: object) -> Path:
    """A path of a file or folder that is there."""
    found = path(name, value)
    if not found.exists():
        raise MissingFileError(f"`{name}`: there is no file or folder {str(found)!r}.")
    return found
