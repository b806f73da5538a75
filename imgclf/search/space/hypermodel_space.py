"""`HyperModelSpace`: anyone's `keras_tuner.HyperModel` as the space of a search.

It answers what the engine asks of a `Space`. Two things differ: a candidate has no blocks, only the
values that keras-tuner drew; and what it costs is known when it has been built, since only its own
code knows what it makes.
"""

from __future__ import annotations

import dataclasses
import json
import pickle
import sys
from typing import Any

from imgclf import checks
from imgclf.architecture.blocks.block import Block
from imgclf.architecture.choices import holds_choices
from imgclf.architecture.describe import describe
from imgclf.errors import ArgumentError, ArgumentTypeError
from imgclf.search.space.explore import explore
from imgclf.search.space.space import Space, written
from imgclf.training.recipe.compile import compiled_by_user
from imgclf.training.recipe.recipe import Recipe

__all__ = ["Costs", "HyperModelSpace", "is_foreign"]


def is_foreign(value: Any) -> bool:
    """Whether a search is given a `keras_tuner.HyperModel`, or a function `build(hp)`, as space."""
    if isinstance(value, Block) or hasattr(type(value), "trainable_variables"):
        return False  # blocks, Keras's layers and models have a `build` of another meaning
    return callable(getattr(value, "build", None)) or (
        callable(value) and not isinstance(value, type)
    )


@dataclasses.dataclass(frozen=True)
class Costs:
    """What a network costs.

    Args:
        parameters: how many numbers it holds; 0 if it cannot be built.
        macs: multiply-adds for an image; None if they cannot be told.
    """

    parameters: int
    macs: int | None


class HyperModelSpace:
    """The candidates of somebody's `keras_tuner.HyperModel`.

    Args:
        hypermodel: a `keras_tuner.HyperModel`, or a function that takes keras-tuner's `hp` and
            gives a Keras model. If it compiles the model, its optimiser, loss and metrics are used,
            and "accuracy" must be one of them.
        recipe: what remains to be said: epochs, batch size, augmentation, …; of a model that is
            not compiled also the optimiser. Its fields may be choices.
        image_shape: (height, width, channels) of the images.
        num_classes: how many classes to tell apart.
        max_params: the most numbers that a network may hold; None for no limit.
        max_macs: the most multiply-adds that an image may cost; None for no limit.

    Raises:
        ArgumentError: if it varies nothing, cannot be built with its default values or makes what
            the data does not fit to, or trains by a `fit` of its own.

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

    blocks: tuple[Any, ...] = ()
    max_ms: float | None = None  # there is no estimate of what is not made of blocks
    max_memory: int | None = None

    def __init__(
        self,
        hypermodel: Any,
        recipe: Recipe,
        image_shape: tuple[int | None, int | None, int],
        num_classes: int,
        max_params: int | None = None,
        max_macs: int | None = None,
    ) -> None:
        if not is_foreign(hypermodel):
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
                "There is nothing to search: neither `hypermodel` nor `recipe` asks for a "
                "hyperparameter."
            )
        reason = self._misfit(self._build(self.hyperparameters()))
        if reason is not None:
            raise ArgumentError(reason)

    def hyperparameters(self) -> Any:
        """All that there is to decide, as keras-tuner's `HyperParameters`.

        Some networks are built to find it, thrown away at once, with each option taken once.
        """
        if self._found is None:
            self._found = explore(self._build)
            if self._recipes is not None:
                self._recipes.draw(self._found)
        return self._found.copy()

    def middle(self) -> dict[str, Any]:
        """keras-tuner's values of the candidate to begin with: the defaults."""
        return dict(self.hyperparameters().values)

    def draw(self, hp: Any) -> tuple[tuple[Any, ...], Recipe]:
        """No blocks, and the recipe that the hyperparameters stand for."""
        return (), self.recipe if self._recipes is None else self._recipes.draw(hp)[1]

    def fits(self, blocks: Any, recipe: Any, values: dict[str, Any]) -> str | None:  # noqa: ARG002
        """Why a candidate is beyond a limit; None if it is not, or if it cannot be built.

        One that cannot be built is a trial that fails, so that its reason is written down. Where
        there are limits, the network is built, but not trained.
        """
        if self.max_params is None and self.max_macs is None:
            return None
        costs = self._measured(values)
        return None if costs is None else self._too_large(costs)

    def key(self, blocks: Any, recipe: Recipe, values: dict[str, Any]) -> str:  # noqa: ARG002
        """What two candidates share if and only if the hypermodel was given the same values."""
        return json.dumps([self._asked(values), recipe.to_dict()], sort_keys=True)

    def costs(self, blocks: Any, values: dict[str, Any]) -> Costs:  # noqa: ARG002
        """What a candidate costs; its network is built for it."""
        return self._measured(values) or Costs(0, None)

    def settings(self) -> dict[str, Any]:
        """Name, hyperparameters and recipe, to tell one space from another."""
        configs = [hp.get_config() for hp in self.hyperparameters().space]
        configs = json.loads(json.dumps(configs, default=repr))
        named = {config["name"]: config for config in configs}
        blocks = {"is": _name_of(self.hypermodel), "hyperparameters": named}
        return {"blocks": blocks, "recipe": written(self.recipe)}

    def check_workers(self) -> None:
        """Sees to it that other processes of this machine can have the hypermodel.

        Raises:
            ArgumentError: if they cannot.
        """
        advice = (
            "With more than one worker, `hypermodel` must be a function or a class of a module or "
            "a script, which other processes can import. "
        )
        main = sys.modules.get("__main__")
        typed = getattr(main, "__file__", None) is None  # in a notebook or at a prompt
        if _name_of(self.hypermodel).startswith("__main__.") and typed:
            raise ArgumentError(f"{advice}Received: {_name_of(self.hypermodel)}.")
        try:
            pickle.dumps(self)
        except Exception as error:  # of anyone's class
            raise ArgumentError(
                f"{advice}Received: {_name_of(self.hypermodel)} ({type(error).__name__}: {error})."
            ) from error

    def build(self, values: dict[str, Any], recipe: Recipe) -> Any:
        """A new network for the values that were drawn; the recipe's seed decides its weights.

        Raises:
            ArgumentError: if it does not fit the images, the classes or a limit. Whatever else
                the hypermodel's own code raises comes through.
        """
        import keras

        hp = self.hyperparameters()
        hp.values = dict(values)
        keras.utils.set_random_seed(recipe.seed)
        model = self._build(hp)
        reason = self._misfit(model) or self._too_large(_costs_of(model))
        if reason is not None:
            raise ArgumentError(reason)
        return model

    def _build(self, hp: Any) -> Any:
        make = getattr(self.hypermodel, "build", self.hypermodel)
        return make(hp)

    def _asked(self, values: dict[str, Any]) -> dict[str, Any]:
        """The values without what keras-tuner's oracles add to them."""
        asked = {hp.name for hp in self.hyperparameters().space}
        return {name: value for name, value in values.items() if name in asked}

    def _measured(self, values: dict[str, Any]) -> Costs | None:
        """What a candidate costs; None if it cannot be built."""
        asked = self._asked(values)
        key = json.dumps(asked, sort_keys=True)
        if key not in self._costs:
            hp = self.hyperparameters()
            hp.values = asked
            try:
                self._costs[key] = _costs_of(self._build(hp))
            except Exception:  # anyone's code may raise anything; its trial will say what
                self._costs[key] = None
        return self._costs[key]

    def _misfit(self, model: Any) -> str | None:
        """Why a network cannot be used; None if it can."""
        shape = getattr(model, "input_shape", None)
        if not (isinstance(shape, tuple) and len(shape) == 4 and hasattr(model, "count_params")):
            return (
                "The hypermodel must give a built Keras model that takes (batch, height, width, "
                f"channels). Received: {type(model).__name__} with the input shape {shape}."
            )
        fits = all(
            side in (None, size) for side, size in zip(shape[1:], self.image_shape, strict=True)
        )
        classes = max(2, model.output_shape[-1])
        if not fits or classes != self.num_classes:
            return (
                f"The hypermodel's network goes from {shape[1:]} to {classes} classes, but the "
                f"data from {self.image_shape} to {self.num_classes}."
            )
        if compiled_by_user(model) and not _measures_accuracy(model):
            return (
                'The hypermodel must compile with metrics=["accuracy"], or not at all: trials are '
                "judged by it."
            )
        return None

    def _too_large(self, costs: Costs) -> str | None:
        if self.max_params is not None and costs.parameters > self.max_params:
            return f"has {costs.parameters:,} parameters, more than max_params={self.max_params:,}"
        if self.max_macs is None:
            return None
        if costs.macs is None:
            return "its multiply-adds cannot be told"
        if costs.macs > self.max_macs:
            return f"takes {costs.macs:,} multiply-adds, more than max_macs={self.max_macs:,}"
        return None


def _costs_of(model: Any) -> Costs:
    try:
        macs = describe(model).macs
    except Exception:  # layers of anyone's own
        macs = None
    return Costs(model.count_params(), macs)


def _check_fit(hypermodel: Any) -> None:
    import keras_tuner

    own = getattr(type(hypermodel), "fit", None)
    if isinstance(hypermodel, keras_tuner.HyperModel) and own is not keras_tuner.HyperModel.fit:
        raise ArgumentError(
            "`hypermodel` must not train by a `fit` of its own, since imgclf.search trains itself. "
            "Put what it varies into the recipe, as in Recipe(batch_size=choice(32, 64)). "
            f"Received: {_name_of(hypermodel)}.fit."
        )


def _name_of(hypermodel: Any) -> str:
    named = hypermodel if hasattr(hypermodel, "__qualname__") else type(hypermodel)
    return f"{named.__module__}.{named.__qualname__}"


def _measures_accuracy(model: Any) -> bool:
    config = model.get_compile_config() or {}
    return '"accuracy"' in json.dumps(config.get("metrics"), default=str)
