"""`Space`: what a search may vary, how a candidate is drawn from it, and which candidates fit.

A space is written with the blocks and the recipe themselves. Nothing here needs Keras but the
`HyperParameters` that keras-tuner hands in; no network is built.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from imgclf import checks
from imgclf.architecture.blocks.block import Block, check_blocks
from imgclf.architecture.choices import Between, Choice, holds_choices, resolve
from imgclf.architecture.describe import Description, describe
from imgclf.errors import ArgumentError, ArgumentTypeError, BlockError
from imgclf.formatting import show_bytes
from imgclf.search.space.footprint import training_bytes
from imgclf.search.space.latency import Speed
from imgclf.training.recipe.recipe import Recipe

if TYPE_CHECKING:
    import keras_tuner

__all__ = ["Space", "candidate_key", "each_recipe", "written"]


@dataclasses.dataclass(frozen=True)
class Space:
    """The candidates of a search.

    Args:
        blocks: a list of blocks in which values or blocks are `choice`, `between`, `optional` or
            `repeat`.
        recipe: how to train; its fields may be `choice` or `between`. Or a `choice` of such
            recipes, since a good learning rate depends on the optimiser.
        image_shape: (height, width, channels) of the images.
        num_classes: how many classes to tell apart, at least 2.
        max_params: the most numbers that a network may hold; None for no limit.
        max_macs: the most multiply-adds that an image may cost; None for no limit.
        max_ms: the most milliseconds that an image may take by `speed`'s estimate.
        max_memory: the most bytes that a training may need.
        speed: of the processor; needed for `max_ms`.

    Raises:
        ArgumentError: if neither blocks nor recipe leave anything to decide.

    Example:
        >>> from imgclf import choice, conv, global_pool
        >>> blocks = [conv(choice(8, 16)), global_pool()]
        >>> space = Space(blocks, Recipe(), (8, 8, 1), 10, max_params=200)
        >>> space.fits((conv(16), global_pool()))
        'has 330 parameters, more than max_params=200'
    """

    blocks: Any
    recipe: Any
    image_shape: tuple[int | None, int | None, int]
    num_classes: int
    max_params: int | None = None
    max_macs: int | None = None
    max_ms: float | None = None
    max_memory: int | None = None
    speed: Speed | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "blocks", check_blocks(self.blocks))
        shape = checks.image_shape("image_shape", self.image_shape)
        object.__setattr__(self, "image_shape", shape)
        checks.integer("num_classes", self.num_classes, low=2)
        if not all(isinstance(recipe, Recipe) for recipe in each_recipe(self.recipe)):
            raise ArgumentTypeError(
                "`recipe` must be a Recipe, or a choice of them. "
                + checks.received("recipe", self.recipe)
            )
        for name in ("max_params", "max_macs", "max_memory"):
            if getattr(self, name) is not None:
                checks.integer(name, getattr(self, name), low=1)
        if self.max_ms is not None:
            checks.number("max_ms", self.max_ms, low=0, above=True)
        if not holds_choices(self.blocks) and not holds_choices(self.recipe):
            raise ArgumentError(
                "There is nothing to search: neither `blocks` nor `recipe` holds a choice. "
                "Put choice(...), between(...), optional(...) or repeat(...) in place of a value "
                "or a block."
            )

    def draw(self, hp: keras_tuner.HyperParameters) -> tuple[tuple[Block, ...], Recipe]:
        """The candidate that the hyperparameters stand for; unknown ones are added to them.

        Args:
            hp: of keras-tuner.

        Returns:
            (blocks, recipe) without choices.

        Raises:
            ArgumentError: if settings that are valid one by one exclude each other.
        """
        picker = _Picker(hp)
        blocks = resolve(self.blocks, picker)
        return blocks, resolve(self.recipe, picker, "recipe")

    def hyperparameters(self) -> keras_tuner.HyperParameters:
        """All that there is to decide, for an oracle that wants to know it before it draws."""
        import keras_tuner

        hp = keras_tuner.HyperParameters()
        pending: list[dict[str, Any]] = [{}]
        seen: set[str] = set()
        while pending:
            forced = pending.pop()
            hp.values.update(forced)
            picker = _Picker(hp)
            # A draw may break off where settings exclude each other; what it met is registered.
            with contextlib.suppress(ArgumentError):
                resolve(self.blocks, picker)
            with contextlib.suppress(ArgumentError):
                resolve(self.recipe, picker, "recipe")
            for name, labels in picker.forks.items():
                if name not in seen:
                    seen.add(name)
                    pending += [{**picker.taken, name: label} for label in labels]
        return hp

    def middle(self) -> dict[str, Any]:
        """keras-tuner's values of the candidate that a person would begin with.

        Of a range and of a choice of numbers it has the middle, of other choices the first.
        """
        import keras_tuner

        hp = keras_tuner.HyperParameters()
        self.draw(hp)
        return dict(hp.values)

    def fits(
        self,
        blocks: Any,
        recipe: Recipe | None = None,
        values: dict[str, Any] | None = None,  # noqa: ARG002  # by which a HyperModelSpace judges
    ) -> str | None:
        """Why a candidate cannot be used, before anything is built; None if it can.

        Args:
            blocks: its network.
            recipe: how it is trained; without it `max_memory` is not looked at.
            values: keras-tuner's; they say nothing more than the blocks do.
        """
        try:
            costs = self.costs(blocks, {})
        except BlockError as error:
            return str(error)
        if self.max_params is not None and costs.parameters > self.max_params:
            return f"has {costs.parameters:,} parameters, more than max_params={self.max_params:,}"
        reasons = [self._too_slow(blocks, costs.macs)]
        if recipe is not None:
            reasons.append(self._too_large(blocks, recipe, costs.parameters))
        return next(filter(None, reasons), None)

    def _too_slow(self, blocks: Any, macs: int | None) -> str | None:
        if self.max_macs is None and self.max_ms is None:
            return None
        if macs is None:
            return "its multiply-adds cannot be told, since height or width is open"
        if self.max_macs is not None and macs > self.max_macs:
            return f"takes {macs:,} multiply-adds, more than max_macs={self.max_macs:,}"
        if self.max_ms is None or self.speed is None:
            return None
        estimate = self.speed.estimate(blocks, macs)
        if estimate <= self.max_ms:
            return None
        return f"takes about {estimate:.2g} ms an image, more than max_ms={self.max_ms:g}"

    def _too_large(self, blocks: Any, recipe: Recipe, parameters: int) -> str | None:
        if self.max_memory is None:
            return None
        needed = training_bytes(
            blocks, self.image_shape, self.num_classes, parameters, recipe.batch_size
        )
        if needed is None or needed <= self.max_memory:
            return None
        return (
            f"needs about {show_bytes(needed)} of memory with batch_size={recipe.batch_size}, more "
            f"than the {show_bytes(self.max_memory)} that it may take"
        )

    def key(self, blocks: Any, recipe: Recipe, values: dict[str, Any]) -> str:  # noqa: ARG002
        """What tells a candidate from all others."""
        return candidate_key(blocks, recipe)

    def costs(self, blocks: Any, values: dict[str, Any]) -> Description:  # noqa: ARG002
        """What a candidate costs."""
        return describe(blocks, self.image_shape, self.num_classes)

    def settings(self) -> dict[str, Any]:
        """Every setting under its place, as it was written, to tell one space from another."""
        return {"blocks": written(self.blocks), "recipe": written(self.recipe)}


def each_recipe(recipe: Any) -> tuple[Any, ...]:
    """The recipes that are alternatives, or the only one."""
    return tuple(recipe.options) if isinstance(recipe, Choice) else (recipe,)


def written(value: Any) -> Any:
    """Blocks, recipes and lists of them by their fields; anything else as its repr."""
    if isinstance(value, (list, tuple)):
        return {str(place): written(item) for place, item in enumerate(value)}
    if isinstance(value, Choice) and any(map(dataclasses.is_dataclass, value.options)):
        return {"choice of": written(value.options)}
    if isinstance(value, (Choice, Between)) or not dataclasses.is_dataclass(value):
        return repr(value)
    kind = getattr(value, "block_name", type(value).__name__)
    fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    plain = (str, int, float, type(None))
    return {
        "is": kind,
        **{
            name: field if isinstance(field, plain) else written(field)
            for name, field in fields.items()
        },
    }


def candidate_key(blocks: Any, recipe: Recipe) -> str:
    """What two candidates share if and only if they are the same network, trained the same."""
    return json.dumps([[block.to_dict() for block in blocks], recipe.to_dict()], sort_keys=True)


class _Picker:
    """Asks keras-tuner for each decision.

    Blocks that are alternatives may have settings of the same name. So a decision below an
    alternative is registered under the alternative's number, and only where that one is chosen.
    """

    def __init__(self, hp: Any) -> None:
        self.hp = hp
        self.forks: dict[str, list[Any]] = {}  # decisions that others hang on: their options
        self.taken: dict[str, Any] = {}  # and what was chosen
        self._branches: dict[str, tuple[str, list[tuple[str, Any]]]] = {}

    def __call__(self, name: str, decision: Choice | Between) -> Any:
        place, conditions = self._place(name)
        with contextlib.ExitStack() as stack:
            for parent, label in conditions:
                stack.enter_context(self.hp.conditional_scope(parent, [label]))
            if isinstance(decision, Between):
                return _ask_between(self.hp, place, decision)
            labels, ask = _labels(decision)
            label = ask(self.hp, place)
        number = labels.index(label)
        if holds_choices(decision.options):
            self.forks[place], self.taken[place] = labels, label
            self._branches[name] = (f"{place}[{number}]", [*conditions, (place, label)])
        return decision.options[number]

    def _place(self, name: str) -> tuple[str, list[tuple[str, Any]]]:
        above = [key for key in self._branches if name == key or name.startswith(f"{key}.")]
        if not above:
            return name, []
        nearest = max(above, key=len)
        place, conditions = self._branches[nearest]
        return place + name[len(nearest) :], conditions


def _labels(decision: Choice) -> tuple[list[Any], Callable[[Any, str], Any]]:
    """The options as keras-tuner takes them, of one plain type in the same order; the question."""
    options = list(decision.options)
    if options == [True, False] and all(isinstance(option, bool) for option in options):
        return options, lambda hp, name: hp.Boolean(name, default=True)
    kinds = {type(option) for option in options}
    if kinds == {int, float}:
        options = [float(option) for option in options]
    elif kinds not in ({int}, {float}, {str}):
        options = [repr(option) for option in options]
    return options, functools.partial(_ask_choice, options)


def _ask_choice(options: list[Any], hp: Any, name: str) -> Any:
    # Not in the order of a size, the first is taken to be what people believe in.
    middle = 0 if isinstance(options[0], str) else (len(options) - 1) // 2
    return hp.Choice(name, options, default=options[middle])


def _ask_between(hp: Any, name: str, decision: Between) -> Any:
    low, high = decision.low, decision.high
    settings = {
        "step": decision.step,
        "sampling": "log" if decision.log else "linear",
        "default": _middle(decision),
    }
    if decision.whole:
        return hp.Int(name, low, high, **settings)
    return _four_digits(hp.Float(name, float(low), float(high), **settings), decision)


def _middle(decision: Between) -> float:
    low, high, step = decision.low, decision.high, decision.step
    if decision.log:
        middle = math.sqrt(low * high)
    elif step is None:
        middle = (low + high) / 2
    else:
        middle = low + step * ((high - low) // step // 2)
    return int(middle) if decision.whole else _four_digits(middle, decision)


def _four_digits(value: float, decision: Between) -> float:
    """As many as a person would type, and enough for a rate."""
    return min(max(float(f"{value:.4g}"), decision.low), decision.high)
