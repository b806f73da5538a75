"""`HyperModelSpace`: a user's `keras_tuner.HyperModel` as the space of a search.

It has the methods of a `Space`, with two differences. A candidate has no blocks, only the values
that keras-tuner drew. And its costs are known only after its network was built.
"""

from __future__ import annotations

import dataclasses
import json
import pickle
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from imgclf import checks
from imgclf.architecture.blocks.block import Block
from imgclf.architecture.choices import holds_choices
from imgclf.architecture.describe import describe
from imgclf.backend.keras_internals import fresh_layer_names
from imgclf.backend.random_state import seeded
from imgclf.errors import ArgumentError, ArgumentTypeError
from imgclf.search.space.hyperparameter_discovery import discover_hyperparameters
from imgclf.search.space.space import Space, describe_settings
from imgclf.training.recipe.compile import compiled_by_user
from imgclf.training.recipe.recipe import Recipe
from imgclf.typing import HyperParameters, KerasModel

__all__ = ["Costs", "HyperModel", "HyperModelSpace", "is_hypermodel"]


class Builds(Protocol):
    """What is used of a `keras_tuner.HyperModel`."""

    def build(self, hp: HyperParameters) -> KerasModel:
        """Builds the network of some values."""


HyperModel: TypeAlias = Builds | Callable[[HyperParameters], KerasModel]


def is_hypermodel(value: Any) -> bool:
    """Whether a value is a `keras_tuner.HyperModel`, or may be a function `build(hp)`."""
    if isinstance(value, Block) or hasattr(type(value), "trainable_variables"):
        return False  # the `build` of blocks, layers and models has another meaning
    return callable(getattr(value, "build", None)) or (
        callable(value) and not isinstance(value, type)
    )


@dataclasses.dataclass(frozen=True)
class Costs:
    """Parameters and multiply-adds of a network.

    Args:
        parameters: number of parameters; 0 if it cannot be built.
        macs: multiply-adds for an image; None if they are unknown.
    """

    parameters: int
    macs: int | None


class HyperModelSpace:
    """The candidates of a `keras_tuner.HyperModel`.

    Args:
        hypermodel: a `keras_tuner.HyperModel`, or a function that takes keras-tuner's `hp` and
            returns a Keras model. If it compiles the model, its optimiser, loss and metrics are
            used, and "accuracy" must be one of the metrics.
        recipe: everything else: epochs, batch size, augmentation, …, and the optimiser if the
            model is not compiled. Its fields may be choices.
        image_shape: (height, width, channels) of the images.
        num_classes: number of classes.
        max_params: limit of a network's parameters; None for no limit.
        max_macs: limit of the multiply-adds for an image; None for no limit.

    Raises:
        ArgumentError: if it has no hyperparameters, cannot be built with its default values,
            builds a network that does not fit the data, or has a `fit` of its own.

    Example:
        >>> import keras
        >>> def build(hp):
        ...     return keras.Sequential([
        ...         keras.Input((8, 8, 1)),
        ...         keras.layers.Flatten(),
        ...         keras.layers.Dense(hp.Int("units", 8, 64, step=8), activation="relu"),
        ...         keras.layers.Dense(10, activation="softmax"),
        ...     ])
        >>> space = HyperModelSpace(build, Recipe(epochs=1), (8, 8, 1), 10)
        >>> [hp.name for hp in space.hyperparameters().space]
        ['units']
        >>> space.build({"units": 16}, Recipe(epochs=1)).count_params()
        1210
    """

    blocks: tuple[Block, ...] = ()
    max_ms: float | None = None  # there are estimates for blocks only
    max_memory: int | None = None

    def __init__(
        self,
        hypermodel: HyperModel,
        recipe: Recipe,
        image_shape: tuple[int | None, int | None, int],
        num_classes: int,
        max_params: int | None = None,
        max_macs: int | None = None,
    ) -> None:
        if not is_hypermodel(hypermodel):
            raise ArgumentTypeError(
                "`hypermodel` must be a keras_tuner.HyperModel or a function build(hp). "
                + checks.received("hypermodel", hypermodel)
            )
        if not isinstance(recipe, Recipe):
            raise ArgumentTypeError(
                f"`recipe` must be a Recipe. {checks.received('recipe', recipe)}"
            )
        _check_fit(hypermodel)
        self.hypermodel = hypermodel
        self.recipe = recipe
        self.image_shape = checks.image_shape("image_shape", image_shape)
        self.num_classes = checks.integer("num_classes", num_classes, low=2)
        for name, limit in (("max_params", max_params), ("max_macs", max_macs)):
            if limit is not None:
                checks.integer(name, limit, low=1)
        self.max_params, self.max_macs = max_params, max_macs
        self._recipes = (
            Space((), recipe, self.image_shape, self.num_classes) if holds_choices(recipe) else None
        )
        self._found: Any = None
        self._costs: dict[str, Costs | None] = {}  # None: cannot be built
        if not self.hyperparameters().space:
            raise ArgumentError(
                "There is nothing to search: neither `hypermodel` nor `recipe` has a "
                "hyperparameter."
            )
        reason = self._misfit(self._build(self.hyperparameters()))
        if reason is not None:
            raise ArgumentError(reason)

    def hyperparameters(self) -> HyperParameters:
        """Returns all hyperparameters.

        The first call builds some networks to find them.
        """
        if self._found is None:
            self._found = discover_hyperparameters(self._build)
            if self._recipes is not None:
                self._recipes.draw(self._found)
        return self._found.copy()

    def middle(self) -> dict[str, Any]:
        """Returns the values of the candidate to begin with: the defaults."""
        return dict(self.hyperparameters().values)

    def draw(self, hp: HyperParameters) -> tuple[tuple[Block, ...], Recipe]:
        """Returns no blocks, and the recipe that the hyperparameters stand for."""
        return (), self.recipe if self._recipes is None else self._recipes.draw(hp)[1]

    def rejection_reason(
        self,
        blocks: Sequence[Block],  # noqa: ARG002
        recipe: Recipe | None,  # noqa: ARG002
        values: Mapping[str, Any],
    ) -> str | None:
        """Returns why a candidate exceeds a limit, or None if it does not.

        If there are limits, its network is built. One that cannot be built is accepted: its trial
        fails and records the reason.
        """
        if self.max_params is None and self.max_macs is None:
            return None
        costs = self._measure(values)
        return None if costs is None else self._too_large(costs)

    def key(
        self,
        blocks: Sequence[Block],  # noqa: ARG002
        recipe: Recipe,
        values: Mapping[str, Any],
    ) -> str:
        """Returns a text that is the same for equal values and recipes only."""
        return json.dumps([self._own_values(values), recipe.to_dict()], sort_keys=True)

    def costs(self, blocks: Sequence[Block], values: Mapping[str, Any]) -> Costs:  # noqa: ARG002
        """Builds a candidate's network to count its parameters and multiply-adds."""
        return self._measure(values) or Costs(0, None)

    def settings(self) -> dict[str, Any]:
        """Returns name, hyperparameters and recipe, to distinguish one space from another."""
        configs = [hp.get_config() for hp in self.hyperparameters().space]
        configs = json.loads(json.dumps(configs, default=repr))
        named = {config["name"]: config for config in configs}
        blocks = {"is": _name_of(self.hypermodel), "hyperparameters": named}
        return {"blocks": blocks, "recipe": describe_settings(self.recipe)}

    def check_workers(self) -> None:
        """Checks that the hypermodel can be sent to other processes of this machine.

        Raises:
            ArgumentError: if it cannot.
        """
        advice = (
            "With more than one worker, `hypermodel` must be a function or a class of a module or "
            "a script, which other processes can import. "
        )
        main = sys.modules.get("__main__")
        interactive = getattr(main, "__file__", None) is None  # a notebook or a prompt
        if _named(self.hypermodel).__module__ == "__main__" and interactive:
            raise ArgumentError(f"{advice}Received: {_name_of(self.hypermodel)}.")
        try:
            pickle.dumps(self)
        except Exception as error:  # a user's class may raise anything
            raise ArgumentError(
                f"{advice}Received: {_name_of(self.hypermodel)} ({type(error).__name__}: {error})."
            ) from error

    def build(self, values: Mapping[str, Any], recipe: Recipe) -> KerasModel:
        """Builds a network; its weights depend on the recipe's seed.

        Args:
            values: of the hyperparameters.
            recipe: of the candidate.

        Raises:
            ArgumentError: if it does not fit the images, the classes or a limit. The hypermodel's
                own code may raise other errors.
        """
        hp = self.hyperparameters()
        hp.values = dict(values)
        model = self._build(hp, recipe.seed)
        reason = self._misfit(model) or self._too_large(_costs_of(model))
        if reason is not None:
            raise ArgumentError(reason)
        return model

    def _build(self, hp: HyperParameters, seed: int = 0) -> KerasModel:
        make: Any = getattr(self.hypermodel, "build", self.hypermodel)
        with seeded(seed), fresh_layer_names():
            return make(hp)

    def _own_values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the values without those that keras-tuner's oracles add."""
        names = {hp.name for hp in self.hyperparameters().space}
        return {name: value for name, value in values.items() if name in names}

    def _measure(self, values: Mapping[str, Any]) -> Costs | None:
        """Returns the costs of a candidate; None if it cannot be built."""
        own = self._own_values(values)
        key = json.dumps(own, sort_keys=True)
        if key not in self._costs:
            hp = self.hyperparameters()
            hp.values = own
            try:
                self._costs[key] = _costs_of(self._build(hp))
            except Exception:  # its trial will record the reason
                self._costs[key] = None
        return self._costs[key]

    def _misfit(self, model: KerasModel) -> str | None:
        """Returns why a network does not fit the data; None if it does."""
        shape = getattr(model, "input_shape", None)
        if not (isinstance(shape, tuple) and len(shape) == 4 and hasattr(model, "count_params")):
            return (
                "The hypermodel must return a built Keras model that takes (batch, height, width, "
                f"channels). Received: {type(model).__name__} with the input shape {shape}."
            )
        fits = all(
            side in (None, size) for side, size in zip(shape[1:], self.image_shape, strict=True)
        )
        classes = max(2, model.output_shape[-1])
        if not fits or classes != self.num_classes:
            return (
                f"The hypermodel's network is for images of {shape[1:]} and {classes} classes, but "
                f"the data has {self.image_shape} and {self.num_classes}."
            )
        if compiled_by_user(model) and not _measures_accuracy(model):
            return (
                'The hypermodel must compile with metrics=["accuracy"], or not at all: trials are '
                "compared by it."
            )
        return None

    def _too_large(self, costs: Costs) -> str | None:
        if self.max_params is not None and costs.parameters > self.max_params:
            return f"has {costs.parameters:,} parameters, more than max_params={self.max_params:,}"
        if self.max_macs is None:
            return None
        if costs.macs is None:
            return "has an unknown number of multiply-adds"
        if costs.macs > self.max_macs:
            return f"takes {costs.macs:,} multiply-adds, more than max_macs={self.max_macs:,}"
        return None


def _costs_of(model: KerasModel) -> Costs:
    try:
        macs = describe(model).macs
    except Exception:  # of custom layers
        macs = None
    return Costs(model.count_params(), macs)


def _check_fit(hypermodel: HyperModel) -> None:
    import keras_tuner

    own = getattr(type(hypermodel), "fit", None)
    if isinstance(hypermodel, keras_tuner.HyperModel) and own is not keras_tuner.HyperModel.fit:
        raise ArgumentError(
            "`hypermodel` must not have a `fit` of its own, since imgclf.search trains itself. "
            "Put what it varies into the recipe, as in Recipe(batch_size=choice(32, 64)). "
            f"Received: {_name_of(hypermodel)}.fit."
        )


def _name_of(hypermodel: HyperModel) -> str:
    named = _named(hypermodel)
    return f"{named.__module__}.{named.__qualname__}"


def _named(hypermodel: HyperModel) -> Any:
    """Returns the function, or the class."""
    return hypermodel if hasattr(hypermodel, "__qualname__") else type(hypermodel)


def _measures_accuracy(model: KerasModel) -> bool:
    config = model.get_compile_config() or {}
    return '"accuracy"' in json.dumps(config.get("metrics"), default=str)
