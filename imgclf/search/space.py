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
from imgclf.architecture.block import Block, check_blocks
from imgclf.architecture.blocks import conv, conv_maxpool, dense_dropout, flatten, global_pool
from imgclf.architecture.choices import (
    Between,
    Choice,
    between,
    choice,
    holds_choices,
    optional,
    repeat,
    resolve,
)
from imgclf.architecture.describe import describe
from imgclf.errors import ArgumentError, ArgumentTypeError, BlockError
from imgclf.training.recipe import Recipe

if TYPE_CHECKING:
    import keras_tuner

__all__ = ["Space", "candidate_key", "default_recipe", "default_space"]


@dataclasses.dataclass(frozen=True)
class Space:
    """The candidates of a search.

    Args:
        blocks: a list of blocks in which values or blocks are `choice`, `between`, `optional` or
            `repeat`.
        recipe: how to train; its fields may be `choice` or `between`.
        image_shape: (height, width, channels) of the pictures.
        num_classes: how many classes to tell apart, at least 2.
        max_params: the most numbers that a network may hold; None for no limit.
        max_macs: the most multiply-adds that a picture may cost; None for no limit.

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
    recipe: Recipe
    image_shape: tuple[int | None, int | None, int]
    num_classes: int
    max_params: int | None = None
    max_macs: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "blocks", check_blocks(self.blocks))
        shape = checks.image_shape("image_shape", self.image_shape)
        object.__setattr__(self, "image_shape", shape)
        checks.integer("num_classes", self.num_classes, low=2)
        if not isinstance(self.recipe, Recipe):
            raise ArgumentTypeError(
                f"`recipe` must be a Recipe. {checks.received('recipe', self.recipe)}"
            )
        for name in ("max_params", "max_macs"):
            if getattr(self, name) is not None:
                checks.integer(name, getattr(self, name), low=1)
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

    def fits(self, blocks: Any) -> str | None:
        """Why a candidate cannot be used, before anything is built; None if it can."""
        try:
            costs = describe(blocks, self.image_shape, self.num_classes)
        except BlockError as error:
            return str(error)
        if self.max_params is not None and costs.parameters > self.max_params:
            return f"has {costs.parameters:,} parameters, more than max_params={self.max_params:,}"
        if self.max_macs is None:
            return None
        if costs.macs is None:
            return "its multiply-adds cannot be told, since height or width is open"
        if costs.macs > self.max_macs:
            return f"takes {costs.macs:,} multiply-adds, more than max_macs={self.max_macs:,}"
        return None


def candidate_key(blocks: Any, recipe: Recipe) -> str:
    """What two candidates share if and only if they are the same network, trained the same."""
    return json.dumps([[block.to_dict() for block in blocks], recipe.to_dict()], sort_keys=True)


def default_space(image_shape: Any) -> list[Any]:
    """The space named "default": stages that halve the map until its shorter side is 4 or less.

    Varied are depth, filters, kernel sizes, batch normalisation, dropout and the head.

    Args:
        image_shape: (height, width, channels); an open side counts as 32.

    Example:
        >>> len(default_space((8, 8, 1))), len(default_space((64, 64, 3)))
        (4, 10)
    """
    height, width, _ = checks.image_shape("image_shape", image_shape)
    side = min(height or 32, width or 32)
    blocks: list[Any] = []
    stages = max(1, math.ceil(math.log2(side / 4)))
    for stage in range(min(stages, 5)):
        filters = 32 * 2 ** min(stage, 2)
        settings: dict[str, Any] = {
            "normalization": choice("batch", None),
            "dropout": choice(0.0, 0.1, 0.2),
        }
        widths = choice(filters, 2 * filters)
        blocks.append(conv_maxpool(widths, kernel_size=choice(3, 5), **settings))
        blocks.append(repeat(conv(widths, **settings), 0, 2))
    rate = between(0.0, 0.5, step=0.1)
    return [
        *blocks,
        choice(global_pool("max", dropout=rate), flatten(dropout=rate)),
        optional(dense_dropout(choice(64, 128, 256), dropout=rate)),
    ]


def default_recipe(base: Recipe | None = None) -> Recipe:
    """`base`, with optimiser and learning rate left to the search.

    Example:
        >>> default_recipe().learning_rate
        between(0.0003, 0.01, log=True)
    """
    return (base or Recipe()).replace(
        optimizer=choice("adam", "adamw", "sgd"), learning_rate=between(3e-4, 1e-2, log=True)
    )


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
    return hp.Choice(name, options)


def _ask_between(hp: Any, name: str, decision: Between) -> Any:
    sampling = "log" if decision.log else "linear"
    low, high, step = decision.low, decision.high, decision.step
    if decision.whole:
        return hp.Int(name, low, high, step=step, sampling=sampling)
    value = hp.Float(name, float(low), float(high), step=step, sampling=sampling)
    # Four digits are as many as a person would type, and enough for a rate.
    return min(max(float(f"{value:.4g}"), low), high)
