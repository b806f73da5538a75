"""`Space`: what a search varies, how a candidate is drawn from it, and which candidates are usable.

A space is written with the blocks and the recipe themselves. No network is built here, and nothing
needs Keras except keras-tuner's `HyperParameters`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from imgclf import checks
from imgclf.architecture.blocks.block import Block, check_blocks
from imgclf.architecture.choices import Between, Choice, Optional, Repeat, holds_choices, resolve
from imgclf.architecture.describe import Description, describe
from imgclf.errors import ArgumentError, ArgumentTypeError, BlockError
from imgclf.formatting import show_bytes
from imgclf.search.space.latency import LatencyModel
from imgclf.search.space.training_memory import estimate_training_bytes
from imgclf.training.recipe.recipe import Recipe
from imgclf.typing import HyperParameters

__all__ = [
    "BlockSpace",
    "RecipeSpace",
    "Space",
    "candidate_key",
    "describe_settings",
    "recipe_options",
]

# A block, in which or in place of which there may be a choice.
BlockSpace: TypeAlias = Block | Choice | Optional | Repeat

# A recipe whose fields may be choices, or a choice of such recipes.
RecipeSpace: TypeAlias = Recipe | Choice


@dataclasses.dataclass(frozen=True)
class Space:
    """The candidates of a search.

    Args:
        blocks: a list of blocks in which values or blocks are `choice`, `between`, `optional` or
            `repeat`.
        recipe: how to train; its fields may be `choice` or `between`. Or a `choice` of such
            recipes, since a good learning rate depends on the optimiser.
        image_shape: (height, width, channels) of the images.
        num_classes: number of classes, at least 2.
        max_params: limit of a network's parameters; None for no limit.
        max_macs: limit of the multiply-adds for an image; None for no limit.
        max_ms: limit of the milliseconds for an image, as estimated by `latency_model`.
        max_memory: limit of the bytes that a training needs, as estimated.
        latency_model: of this processor; needed for `max_ms`.

    Raises:
        ArgumentError: if neither blocks nor recipe contain a choice.

    Example:
        >>> from imgclf import choice, conv, global_pool
        >>> blocks = [conv(choice(8, 16)), global_pool()]
        >>> space = Space(blocks, Recipe(), (8, 8, 1), 10, max_params=200)
        >>> space.rejection_reason((conv(16), global_pool()))
        'has 330 parameters, more than max_params=200'
    """

    blocks: Sequence[BlockSpace]
    recipe: RecipeSpace
    image_shape: tuple[int | None, int | None, int]
    num_classes: int
    max_params: int | None = None
    max_macs: int | None = None
    max_ms: float | None = None
    max_memory: int | None = None
    latency_model: LatencyModel | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "blocks", check_blocks(self.blocks))
        shape = checks.image_shape("image_shape", self.image_shape)
        object.__setattr__(self, "image_shape", shape)
        checks.integer("num_classes", self.num_classes, low=2)
        if not all(isinstance(recipe, Recipe) for recipe in recipe_options(self.recipe)):
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

    def draw(self, hp: HyperParameters) -> tuple[tuple[Block, ...], Recipe]:
        """Returns the candidate that the hyperparameters stand for; missing ones are added.

        Args:
            hp: of keras-tuner.

        Returns:
            (blocks, recipe) without choices.

        Raises:
            ArgumentError: if settings that are valid alone exclude each other.
        """
        picker = _Picker(hp)
        blocks = resolve(self.blocks, picker)
        return blocks, resolve(self.recipe, picker, "recipe")

    def hyperparameters(self) -> HyperParameters:
        """Returns all hyperparameters, so that an oracle knows them before it draws."""
        import keras_tuner

        hp = keras_tuner.HyperParameters()
        pending: list[dict[str, Any]] = [{}]
        seen: set[str] = set()
        while pending:
            forced = pending.pop()
            hp.values.update(forced)
            picker = _Picker(hp)
            # A draw may end early where settings exclude each other; what it met is registered.
            with contextlib.suppress(ArgumentError):
                resolve(self.blocks, picker)
            with contextlib.suppress(ArgumentError):
                resolve(self.recipe, picker, "recipe")
            for name, labels in picker.branching.items():
                if name not in seen:
                    seen.add(name)
                    pending += [{**picker.chosen, name: label} for label in labels]
        return hp

    def middle(self) -> dict[str, Any]:
        """Returns keras-tuner's values of the candidate to begin with.

        It has the middle of each range and of each choice of numbers, and the first option of any
        other choice.
        """
        import keras_tuner

        hp = keras_tuner.HyperParameters()
        self.draw(hp)
        return dict(hp.values)

    def rejection_reason(
        self,
        blocks: Sequence[Block],
        recipe: Recipe | None = None,
        values: Mapping[str, Any] | None = None,  # noqa: ARG002  # for a HyperModelSpace
    ) -> str | None:
        """Returns why a candidate cannot be used, or None if it can; builds nothing.

        Args:
            blocks: its network.
            recipe: how it is trained; without it, `max_memory` is not checked.
            values: keras-tuner's; not used.
        """
        try:
            costs = self.costs(blocks, {})
        except BlockError as error:
            return str(error)
        if self.max_params is not None and costs.parameters > self.max_params:
            return f"has {costs.parameters:,} parameters, more than max_params={self.max_params:,}"
        reasons = [self._slow_reason(blocks, costs.macs)]
        if recipe is not None:
            reasons.append(self._memory_reason(blocks, recipe, costs.parameters))
        return next(filter(None, reasons), None)

    def _slow_reason(self, blocks: Sequence[Block], macs: int | None) -> str | None:
        if self.max_macs is None and self.max_ms is None:
            return None
        if macs is None:
            return "has an unknown number of multiply-adds, since height or width is open"
        if self.max_macs is not None and macs > self.max_macs:
            return f"takes {macs:,} multiply-adds, more than max_macs={self.max_macs:,}"
        if self.max_ms is None or self.latency_model is None:
            return None
        estimate = self.latency_model.estimate(blocks, macs)
        if estimate <= self.max_ms:
            return None
        return f"takes about {estimate:.2g} ms an image, more than max_ms={self.max_ms:g}"

    def _memory_reason(
        self, blocks: Sequence[Block], recipe: Recipe, parameters: int
    ) -> str | None:
        if self.max_memory is None:
            return None
        needed = estimate_training_bytes(
            blocks, self.image_shape, self.num_classes, parameters, recipe.batch_size
        )
        if needed is None or needed <= self.max_memory:
            return None
        return (
            f"needs about {show_bytes(needed)} of memory with batch_size={recipe.batch_size}, more "
            f"than the limit of {show_bytes(self.max_memory)}"
        )

    def key(
        self,
        blocks: Sequence[Block],
        recipe: Recipe,
        values: Mapping[str, Any],  # noqa: ARG002  # for a HyperModelSpace
    ) -> str:
        """Returns a text that is the same for equal candidates only."""
        return candidate_key(blocks, recipe)

    def costs(
        self,
        blocks: Sequence[Block],
        values: Mapping[str, Any],  # noqa: ARG002  # for a HyperModelSpace
    ) -> Description:
        """Returns parameters and multiply-adds of a candidate."""
        return describe(blocks, self.image_shape, self.num_classes)

    def settings(self) -> dict[str, Any]:
        """Returns every setting as it was written, to distinguish one space from another."""
        return {
            "blocks": describe_settings(self.blocks),
            "recipe": describe_settings(self.recipe),
        }


def recipe_options(recipe: Any) -> tuple[Any, ...]:
    """Returns the options of a choice of recipes, or the only recipe."""
    return tuple(recipe.options) if isinstance(recipe, Choice) else (recipe,)


def describe_settings(value: Any) -> Any:
    """Returns blocks, recipes and lists of them by their fields; anything else as its repr."""
    if isinstance(value, (list, tuple)):
        return {str(place): describe_settings(item) for place, item in enumerate(value)}
    if isinstance(value, Choice) and any(map(dataclasses.is_dataclass, value.options)):
        return {"choice of": describe_settings(value.options)}
    if isinstance(value, (Choice, Between)) or not dataclasses.is_dataclass(value):
        return repr(value)
    kind = getattr(value, "block_name", type(value).__name__)
    fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    plain = (str, int, float, type(None))
    return {
        "is": kind,
        **{
            name: field if isinstance(field, plain) else describe_settings(field)
            for name, field in fields.items()
        },
    }


def candidate_key(blocks: Sequence[Block], recipe: Recipe) -> str:
    """Returns a text that two candidates share only if network and recipe are equal."""
    return json.dumps([[block.to_dict() for block in blocks], recipe.to_dict()], sort_keys=True)


class _Picker:
    """Decides each choice by a hyperparameter of keras-tuner.

    Blocks that are alternatives may have settings of the same name. So a choice inside an
    alternative is registered under the alternative's number, and only where that one is chosen.
    """

    def __init__(self, hp: Any) -> None:
        self.hp = hp
        self.branching: dict[str, list[Any]] = {}  # options of choices that contain others
        self.chosen: dict[str, Any] = {}  # the option taken of each
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
            self.branching[place], self.chosen[place] = labels, label
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
    """Returns the options as plain values of one type, and the function that asks for one."""
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
    # Texts have no order: write the most promising option first.
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
    """Rounds to as many digits as a person would type, within the range."""
    return min(max(float(f"{value:.4g}"), decision.low), decision.high)
