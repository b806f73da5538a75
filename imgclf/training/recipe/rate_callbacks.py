"""Callbacks that set the learning rate, beside a recipe's schedule."""

from __future__ import annotations

from collections.abc import Sequence

from imgclf.backend.keras_internals import schedule_of
from imgclf.errors import ArgumentError
from imgclf.training.recipe.compile import compiled_by_user
from imgclf.training.recipe.recipe import Recipe
from imgclf.typing import KerasCallback, KerasModel

__all__ = ["check_rate_callbacks", "may_set_rate", "scheduled_by_callbacks"]

# Of Keras's callbacks, those that set the learning rate, or may.
_SETTING = ("LambdaCallback", "LearningRateScheduler", "ReduceLROnPlateau")


def may_set_rate(callbacks: Sequence[KerasCallback]) -> bool:
    """Whether one of the callbacks may set the learning rate: any but most of Keras's own."""
    return any(
        not type(callback).__module__.startswith("keras.") or type(callback).__name__ in _SETTING
        for callback in callbacks
    )


def scheduled_by_callbacks(
    model: KerasModel, recipe: Recipe, callbacks: Sequence[KerasCallback]
) -> Recipe:
    """The recipe, without a schedule of its own if `LearningRateScheduler` has one.

    Its function is given the learning rate of the epoch before, the recipe's at first.
    """
    constant = recipe.schedule == "constant" and not recipe.warmup
    if constant or not callbacks or compiled_by_user(model):
        return recipe
    import keras

    if not any(isinstance(one, keras.callbacks.LearningRateScheduler) for one in callbacks):
        return recipe
    return recipe.replace(schedule="constant", warmup=0.0)


def check_rate_callbacks(model: KerasModel, callbacks: Sequence[KerasCallback]) -> None:
    """Refuses what would end the training at the first change of the learning rate.

    Raises:
        ArgumentError: for one of Keras's callbacks that set it, if the model was compiled with a
            schedule.
    """
    if not callbacks or not compiled_by_user(model) or schedule_of(model.optimizer) is None:
        return
    import keras

    setting = keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau
    for callback in callbacks:
        if isinstance(callback, setting):
            raise ArgumentError(
                f"The callback {type(callback).__name__} sets the learning rate, but the model was "
                f"compiled with {type(schedule_of(model.optimizer)).__name__}, a schedule, which "
                "Keras does not let callbacks change. Compile it with a number as learning_rate, "
                "or leave that callback out."
            )
