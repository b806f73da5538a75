"""What a search may vary: `choice`, `between`, `optional` and `repeat`, and how they are resolved.

They replace a value in a block or a recipe, or a block in a list of blocks. `resolve` walks such a
structure and asks a function for each decision: the same walk lists a space, samples a candidate
and rebuilds one from its record.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from imgclf import checks
from imgclf.errors import ArgumentError, ArgumentTypeError

__all__ = ["Between", "Choice", "Optional", "Repeat", "between", "choice", "optional", "repeat"]


@dataclasses.dataclass(frozen=True, init=False, repr=False)
class Choice:
    """One of several values, sampled by a search.

    Args:
        *options: the values or blocks, at least two, all different.

    Example:
        >>> choice(32, 64, 128)
        choice(32, 64, 128)
    """

    options: tuple[Any, ...]

    def __init__(self, *options: Any) -> None:
        frozen = tuple(tuple(item) if isinstance(item, list) else item for item in options)
        if len(frozen) < 2:
            raise ArgumentError(
                "`choice` must be given at least 2 options. " + checks.received("options", frozen)
            )
        if any(item in frozen[:place] for place, item in enumerate(frozen)):
            raise ArgumentError(
                "`choice` must be given options that differ. " + checks.received("options", frozen)
            )
        object.__setattr__(self, "options", frozen)

    def __repr__(self) -> str:
        return f"choice({', '.join(map(repr, self.options))})"

    def samples(self) -> tuple[Any, ...]:
        """Returns the values to check."""
        return self.options


@dataclasses.dataclass(frozen=True, repr=False)
class Between:
    """A number from `low` to `high`, both included, sampled by a search.

    Args:
        low: the smallest value; with two ints only whole numbers are sampled.
        high: the largest value.
        step: the distance between neighbouring values; None allows every value.
        log: sample uniformly on a logarithmic scale, as is usual for learning rates.

    Example:
        >>> between(1e-4, 1e-2, log=True)
        between(0.0001, 0.01, log=True)
    """

    low: float
    high: float
    step: float | None = None
    log: bool = False

    def __post_init__(self) -> None:
        checks.number("low", self.low)
        checks.number("high", self.high)
        checks.flag("log", self.log)
        if self.low >= self.high:
            raise ArgumentError(
                "`between` must be given a low end below the high end. "
                f"Received: low={self.low!r}, high={self.high!r}."
            )
        if self.log and self.low <= 0:
            raise ArgumentError(
                f"`between` with log=True must start above 0. Received: low={self.low!r}."
            )
        if self.step is not None:
            checks.number("step", self.step, low=0, above=True)
            if self.log:
                raise ArgumentError(
                    "`between` must be given `step` or log=True, not both. "
                    f"Received: step={self.step!r}, log=True."
                )
            if self.whole and not isinstance(self.step, int):
                raise ArgumentTypeError(
                    "`step` must be an int where low and high are ints. "
                    + checks.received("step", self.step)
                )

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are sampled."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def __repr__(self) -> str:
        step = "" if self.step is None else f", step={self.step!r}"
        return f"between({self.low!r}, {self.high!r}{step}{', log=True' if self.log else ''})"

    def samples(self) -> tuple[Any, ...]:
        """Returns the values to check."""
        return (self.low, self.high)


@dataclasses.dataclass(frozen=True, repr=False)
class Optional:
    """A block that a search may leave out.

    Args:
        block: the block; it may contain choices.
    """

    block: Any

    def __post_init__(self) -> None:
        _check_block("optional", self.block)

    def __repr__(self) -> str:
        return f"optional({self.block!r})"


@dataclasses.dataclass(frozen=True, repr=False)
class Repeat:
    """The same block several times; a search samples the number.

    Args:
        block: the block; if it contains choices, all repetitions get the same values.
        low: the fewest repetitions; with 0 the block may be left out.
        high: the most repetitions.
    """

    block: Any
    low: int
    high: int

    def __post_init__(self) -> None:
        _check_block("repeat", self.block)
        checks.integer("low", self.low, low=0)
        checks.integer("high", self.high, low=self.low + 1)

    def __repr__(self) -> str:
        return f"repeat({self.block!r}, {self.low}, {self.high})"


def _check_block(name: str, block: Any) -> None:
    if not (dataclasses.is_dataclass(block) and hasattr(block, "parts")):
        raise ArgumentTypeError(
            f"`{name}` must be given a block such as conv(32). {checks.received('block', block)}"
        )


# Typed as returning anything, as `dataclasses.field` is: a choice may replace a value of any type.
choice: Callable[..., Any] = Choice
between: Callable[..., Any] = Between
optional: Callable[..., Any] = Optional
repeat: Callable[..., Any] = Repeat

Pick = Callable[[str, "Choice | Between"], Any]


def resolve(value: Any, pick: Pick, name: str = "") -> Any:
    """Replaces every choice in a value by what `pick` decides.

    Args:
        value: a block, a list of blocks, a recipe, or any plain value.
        pick: called with a name that is unique in the space, such as `0.conv.filters`, and the
            `Choice` or `Between`; returns the value. The order of calls is always the same.
        name: the place of `value` in the space.

    Returns:
        The same structure without choices; a list of blocks becomes a tuple.
    """
    if isinstance(value, (Choice, Between)):
        return resolve(pick(name, value), pick, name)
    if isinstance(value, (list, tuple)):
        return tuple(_resolve_items(value, pick, name))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changes = {}
        for field in dataclasses.fields(value):
            before = getattr(value, field.name)
            after = resolve(before, pick, _join(name, field.name))
            if after is not before and after != before:
                changes[field.name] = after
        return dataclasses.replace(value, **changes) if changes else value
    return value


def _resolve_items(items: Any, pick: Pick, name: str) -> Iterator[Any]:
    for position, item in enumerate(items):
        if isinstance(item, Optional):
            place = _join(name, f"{position}.{_kind(item.block)}")
            if pick(f"{place}.present", Choice(True, False)):
                yield resolve(item.block, pick, place)
        elif isinstance(item, Repeat):
            place = _join(name, f"{position}.{_kind(item.block)}")
            times = pick(f"{place}.times", Between(item.low, item.high))
            block = resolve(item.block, pick, place)
            yield from [block] * times
        else:
            yield resolve(item, pick, _join(name, f"{position}.{_kind(item)}".rstrip(".")))


def _kind(block: Any) -> str:
    return getattr(block, "block_name", "")


def _join(name: str, part: str) -> str:
    return f"{name}.{part}" if name else part


def holds_choices(value: object) -> bool:
    """Whether a value contains anything for a search to decide."""
    if isinstance(value, (Choice, Between, Optional, Repeat)):
        return True
    if isinstance(value, (list, tuple)):
        return any(map(holds_choices, value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return any(holds_choices(getattr(value, field.name)) for field in dataclasses.fields(value))
    return False
