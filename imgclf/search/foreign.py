"""`ForeignSpace`: anyone's `keras_tuner.HyperModel` as the space of a search.

It answers what the engine asks of a `Space`. Two things differ: a candidate has no blocks, only the
values that keras-tuner drew; and whether it fits is known when it has been built, since only its
own code knows what it makes.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

from imgclf import checks
from imgclf.architecture.choices import holds_choices
from imgclf.architecture.describe import describe
from imgclf.errors import ArgumentError, ArgumentTypeError
from imgclf.search.space import Space
from imgclf.training.compile import compiled_by_user
from imgclf.training.recipe import Recipe

__all__ = ["ForeignSpace", "is_foreign"]

# How many networks are built to find hyperparameters that are asked for only under some values.
_MOST_BUILDS = 40

# More options than these of one hyperparameter are not tried one by one.
_MOST_OPTIONS = 6


def is_foreign(value: Any) -> bool:
    """Whether a search is given a `keras_tuner.HyperModel`, or a function `build(hp)`, as space."""
    return callable(getattr(value, "build", None)) or (
        callable(value) and not isinstance(value, type)
    )


class ForeignSpace:
    """The candidates of somebody's `keras_tuner.HyperModel`.

    Args:
        hypermodel: a `keras_tuner.HyperModel`, or a function that takes keras-tuner's `hp` and
            gives a Keras model. If it compiles the model, its optimiser, loss and metrics are used,
            and "accuracy" must be one of them.
        recipe: what remains to be said: epochs, batch size, augmentation, …; of a model that is
            not compiled also the optimiser. Its fields may be choices.
        image_shape: (height, width, channels) of the pictures.
        num_classes: how many classes to tell apart.
        max_params: the most numbers that a network may hold; None for no limit.
        max_macs: the most multiply-adds that a picture may cost; None for no limit.

    Raises:
        ArgumentError: if it varies nothing, cannot be built with its default values, or trains by a
            `fit` of its own.

    Example:
        >>> import keras
        >>> def build(hp):
        ...     return keras.Sequential([
        ...         keras.Input((8, 8, 1)),
        ...         keras.layers.Flatten(),
        ...         keras.layers.Dense(hp.Int("units", 8, 64, step=8), activation="relu"),
        ...         keras.layers.Dense(10, activation="softmax"),
        ...     ])
        >>> space = ForeignSpace(build, Recipe(epochs=1), (8, 8, 1), 10)
        >>> [hp.name for hp in space.hyperparameters().space]
        ['units']
        >>> space.build({"units": 16}, Recipe(epochs=1)).count_params()
        1210
    """

    blocks: tuple[Any, ...] = ()

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
        if not self.hyperparameters().space:
            raise ArgumentError(
                "There is nothing to search: neither `hypermodel` nor `recipe` asks for a "
                "hyperparameter."
            )

    def hyperparameters(self) -> Any:
        """All that there is to decide, as keras-tuner's `HyperParameters`.

        keras-tuner learns of a hyperparameter when the code asks for it. So some networks are built
        here, thrown away at once, with each option taken once.
        """
        if self._found is None:
            self._found = _explore(self._build)
            if self._recipes is not None:
                self._recipes.draw(self._found)
        return self._found.copy()

    def draw(self, hp: Any) -> tuple[tuple[Any, ...], Recipe]:
        """No blocks, and the recipe that the hyperparameters stand for."""
        return (), self.recipe if self._recipes is None else self._recipes.draw(hp)[1]

    def fits(self, blocks: Any) -> str | None:  # noqa: ARG002
        """None: what a candidate is made of is known when it has been built."""
        return None

    def key(self, values: dict[str, Any], recipe: Recipe) -> str:
        """What two candidates share if and only if the hypermodel was given the same values."""
        asked = {hp.name for hp in self.hyperparameters().space}
        active = {name: value for name, value in values.items() if name in asked}
        return json.dumps([active, recipe.to_dict()], sort_keys=True)

    def identity(self) -> list[Any]:
        """What tells this space from another, as plain values for the run folder's config."""
        hp = self.hyperparameters().get_config()["space"]
        return [_name_of(self.hypermodel), json.loads(json.dumps(hp, default=repr))]

    def build(self, values: dict[str, Any], recipe: Recipe) -> Any:
        """A new network for the values that were drawn; the recipe's seed decides its weights.

        Raises:
            ArgumentError: if it does not fit the pictures, the classes or a limit. Whatever else
                the hypermodel's own code raises comes through.
        """
        import keras

        hp = self.hyperparameters()
        hp.values = dict(values)
        keras.utils.set_random_seed(recipe.seed)
        model = self._build(hp)
        reason = self._misfit(model)
        if reason is not None:
            raise ArgumentError(reason)
        return model

    def _build(self, hp: Any) -> Any:
        make = getattr(self.hypermodel, "build", self.hypermodel)
        return make(hp)

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
        return self._too_large(model)

    def _too_large(self, model: Any) -> str | None:
        parameters = model.count_params()
        if self.max_params is not None and parameters > self.max_params:
            return f"has {parameters:,} parameters, more than max_params={self.max_params:,}"
        if self.max_macs is None:
            return None
        macs = describe(model).macs
        if macs is None:
            return "its multiply-adds cannot be told"
        if macs > self.max_macs:
            return f"takes {macs:,} multiply-adds, more than max_macs={self.max_macs:,}"
        return None


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


def _explore(build: Callable[[Any], Any]) -> Any:
    """The hyperparameters that a hypermodel asks for, with all that hang on others' values."""
    import keras_tuner

    found = keras_tuner.HyperParameters()
    try:
        build(found)
    except Exception as error:  # anyone's code may raise anything
        raise ArgumentError(
            f"`hypermodel` cannot be built with its default values: {type(error).__name__}: {error}"
        ) from error
    tried: set[tuple[str, str]] = set()
    pending = list(_options(found, tried))
    for _ in range(_MOST_BUILDS):
        if not pending:
            break
        name, value = pending.pop(0)
        hp = found.copy()
        hp.values[name] = value
        for other in hp.space:  # what the value opens gets its default, what it closes goes
            if hp.is_active(other):
                hp.values.setdefault(other.name, other.default)
            else:
                hp.values.pop(other.name, None)
        with contextlib.suppress(Exception):  # a candidate that cannot be built fails its trial
            build(hp)
        found.merge(hp.space, overwrite=False)
        pending += _options(found, tried)
    found.values = {hp.name: hp.default for hp in found.space if found.is_active(hp)}
    return found


def _options(hp: Any, tried: set[tuple[str, str]]) -> Iterator[tuple[str, Any]]:
    """The values under which others may be asked for: each of a few, or the largest of many."""
    for one in hp.space:
        options = list(one.values)
        if len(options) > _MOST_OPTIONS:
            options = options[-1:]
        for value in options:
            if value != one.default and (one.name, repr(value)) not in tried:
                tried.add((one.name, repr(value)))
                yield one.name, value
