"""Compiles a model by a recipe: optimiser with schedule, loss and metric."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from imgclf.backend.keras_internals import schedule_of
from imgclf.training.recipe.optimizers import OPTIMIZERS
from imgclf.training.recipe.recipe import Recipe
from imgclf.training.recipe.schedules import SCHEDULES
from imgclf.typing import KerasModel, KerasOptimizer

if TYPE_CHECKING:
    from imgclf.training.recipe.scalable_rate import ScalableRate

__all__ = [
    "compile_model",
    "compiled_by_user",
    "make_optimizer",
    "optimizer_for",
    "scalable_rate",
    "wants_one_hot",
]

# The name of the optimisers made here, which copies and pickles of a model keep. The next fit
# compiles a model that has one again, since its recipe may differ and its schedule starts from the
# beginning. A model that the user compiled is left alone.
_NAME = "imgclf_recipe"


def compile_model(
    model: KerasModel,
    recipe: Recipe,
    steps_per_epoch: int,
    optimizer: KerasOptimizer | None = None,
) -> None:
    """Compiles a model with the recipe's optimiser, cross-entropy and accuracy.

    Args:
        model: a `keras.Model` that gives probabilities.
        recipe: how to train.
        steps_per_epoch: batches in an epoch, for the schedule's length.
        optimizer: as `optimizer_for` made it, if it is there already.
    """
    import keras

    # Metrics are objects, not "accuracy": of a name Keras makes the variables in the first step,
    # which then is traced twice.
    losses, metrics = keras.losses, keras.metrics
    if model.output_shape[-1] == 1:
        loss: Any = losses.BinaryCrossentropy(label_smoothing=recipe.label_smoothing)
        accuracy: Any = metrics.BinaryAccuracy(name="accuracy")
    elif recipe.label_smoothing:
        # Keras's sparse cross-entropy has no label smoothing; the flow gives one-hot labels then.
        loss = losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing)
        accuracy = metrics.CategoricalAccuracy(name="accuracy")
    else:
        loss = losses.SparseCategoricalCrossentropy()
        accuracy = metrics.SparseCategoricalAccuracy(name="accuracy")
    if optimizer is None:
        optimizer = optimizer_for(model, recipe, steps_per_epoch)
    model.compile(optimizer, loss, metrics=[accuracy])


def optimizer_for(model: KerasModel, recipe: Recipe, steps_per_epoch: int) -> KerasOptimizer:
    """Makes the recipe's optimiser for a model, which stays as it is."""
    return make_optimizer(recipe, steps_per_epoch, head=_head_of(model))


def make_optimizer(recipe: Recipe, steps_per_epoch: int, head: str = "") -> KerasOptimizer:
    """Makes the recipe's Keras optimiser.

    Args:
        recipe: how to train.
        steps_per_epoch: batches in an epoch, for the schedule's length.
        head: the `path` of the output layer's kernel.
    """
    steps = recipe.epochs * steps_per_epoch
    schedule = SCHEDULES[recipe.schedule]
    rate = schedule.make(recipe.learning_rate, _warmup_steps(recipe, steps), steps)
    optimizer = OPTIMIZERS[recipe.optimizer].make(recipe, rate, head)
    optimizer.name = _NAME
    return optimizer


def _warmup_steps(recipe: Recipe, steps: int) -> int:
    return math.ceil(recipe.warmup * steps)


def scalable_rate(
    optimizer: KerasOptimizer, recipe: Recipe, steps_per_epoch: int
) -> ScalableRate | None:
    """Lets callbacks scale the schedule of an optimiser that `make_optimizer` made.

    None if it has no schedule: then Keras lets them set its learning rate.
    """
    schedule = schedule_of(optimizer)
    if schedule is None:
        return None
    from imgclf.training.recipe.scalable_rate import ScalableRate

    warmup = _warmup_steps(recipe, recipe.epochs * steps_per_epoch)
    rate = ScalableRate(schedule, recipe.learning_rate, warmup)
    rate.drive(optimizer)
    return rate


def _head_of(model: KerasModel) -> str:
    """The path of the last kernel of two dimensions; "" where there is none."""
    kernels = [variable.path for variable in model.trainable_variables if len(variable.shape) == 2]
    return kernels[-1] if kernels else ""


def compiled_by_user(model: KerasModel) -> bool:
    """Whether a model has an optimiser and a loss that did not come from a recipe."""
    return bool(model.compiled) and getattr(model.optimizer, "name", None) != _NAME


def wants_one_hot(model: KerasModel) -> bool:
    """Whether the compiled loss takes one-hot labels rather than integers."""
    import keras

    loss = keras.losses.get(model.loss) if isinstance(model.loss, str) else model.loss
    name = getattr(loss, "__name__", type(loss).__name__).lower().replace("_", "")
    return "sparse" not in name and name not in ("binarycrossentropy", "binaryfocalcrossentropy")
