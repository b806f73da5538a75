"""From a recipe to what Keras needs: the optimiser with its schedule, the loss, the metric."""

from __future__ import annotations

import math
import weakref
from typing import Any

from imgclf.training.recipe.recipe import Recipe

__all__ = ["compile_model", "compiled_by_user", "make_optimizer", "wants_one_hot"]

# The optimisers made here. A model that has one is compiled anew by the next fit, whose recipe may
# differ and whose schedule starts from the beginning; one that the user compiled is left alone.
_FROM_RECIPES: weakref.WeakSet[Any] = weakref.WeakSet()


def compile_model(model: Any, recipe: Recipe, steps_per_epoch: int) -> None:
    """Compiles a model with the recipe's optimiser, cross-entropy and accuracy.

    Args:
        model: a `keras.Model` that gives probabilities.
        recipe: how to train.
        steps_per_epoch: batches in an epoch, for the schedule's length.
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
    optimizer = make_optimizer(recipe, steps_per_epoch, head=_head_of(model))
    _FROM_RECIPES.add(optimizer)
    model.compile(optimizer, loss, metrics=[accuracy])


def make_optimizer(recipe: Recipe, steps_per_epoch: int, head: str = "") -> Any:
    """The recipe's Keras optimiser.

    Args:
        recipe: how to train.
        steps_per_epoch: batches in an epoch, for the schedule's length.
        head: the `path` of the output layer's kernel.
    """
    import keras

    rate = _learning_rate(recipe, steps_per_epoch)
    settings: dict[str, Any] = {"weight_decay": recipe.weight_decay or None}
    if recipe.ema_momentum:
        settings |= {"use_ema": True, "ema_momentum": recipe.ema_momentum}
    if recipe.optimizer in ("sgd", "muon"):
        from imgclf.training.recipe.optimizers import FilterMuon, GroupedSGD

        grouped = FilterMuon if recipe.optimizer == "muon" else GroupedSGD
        return grouped(
            rate,
            recipe.momentum,
            head_factor=(recipe.head_learning_rate or recipe.learning_rate) / recipe.learning_rate,
            head=head,
            **settings,
        )
    if recipe.optimizer == "rmsprop":
        return keras.optimizers.RMSprop(rate, momentum=recipe.momentum, **settings)
    if recipe.optimizer == "adamw":
        return keras.optimizers.AdamW(rate, **settings | {"weight_decay": recipe.weight_decay})
    return keras.optimizers.Adam(rate, **settings)


def _head_of(model: Any) -> str:
    """The path of the last kernel of two dimensions; "" where there is none."""
    kernels = [variable.path for variable in model.trainable_variables if len(variable.shape) == 2]
    return kernels[-1] if kernels else ""


def _learning_rate(recipe: Recipe, steps_per_epoch: int) -> Any:
    """A plain number where it never changes, so that Keras's callbacks may change it."""
    import keras

    schedules = keras.optimizers.schedules
    steps = recipe.epochs * steps_per_epoch
    warmup = math.ceil(recipe.warmup * steps)
    if recipe.schedule == "constant" and not warmup:
        return recipe.learning_rate
    if recipe.schedule == "cosine":
        return schedules.CosineDecay(
            recipe.learning_rate if not warmup else 0.0,
            max(1, steps - warmup),
            warmup_target=recipe.learning_rate if warmup else None,
            warmup_steps=warmup,
        )
    end = 0.0 if recipe.schedule == "linear" else recipe.learning_rate
    if warmup:
        return _warm_line(recipe.learning_rate, end, warmup, steps)
    return schedules.PolynomialDecay(recipe.learning_rate, max(1, steps), end)


def _warm_line(peak: float, end: float, warmup: int, steps: int) -> Any:
    """Up from 0 in `warmup` steps, then straight to `end` at `steps`; Keras has none such."""
    import keras

    class WarmLine(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step: Any) -> Any:
            step = keras.ops.cast(step, "float32")
            rise = peak * (step + 1) / warmup
            part = keras.ops.clip((step - warmup) / max(1, steps - warmup), 0.0, 1.0)
            return keras.ops.where(step < warmup, rise, peak + (end - peak) * part)

        def get_config(self) -> dict[str, Any]:
            return {"peak": peak, "end": end, "warmup": warmup, "steps": steps}

    return WarmLine()


def compiled_by_user(model: Any) -> bool:
    """Whether a model has an optimiser and a loss that did not come from a recipe."""
    return bool(model.compiled) and model.optimizer not in _FROM_RECIPES


def wants_one_hot(model: Any) -> bool:
    """Whether the compiled loss takes one-hot labels rather than integers."""
    import keras

    loss = keras.losses.get(model.loss) if isinstance(model.loss, str) else model.loss
    name = getattr(loss, "__name__", type(loss).__name__).lower().replace("_", "")
    return "sparse" not in name and name not in ("binarycrossentropy", "binaryfocalcrossentropy")
