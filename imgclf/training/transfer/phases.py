"""Learning on from a network that has learned already: first a new output layer, then more.

In the first phase the body is frozen, so what it makes of each image is computed once; the output
layer is trained on these features by the ordinary `fit`, in seconds. In the second, optional phase
the upper layers of the body are trained with it, by the ordinary `fit` again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from imgclf import checks
from imgclf.architecture.temperature import without_temperature
from imgclf.data.split import Split
from imgclf.errors import ArgumentError
from imgclf.training.budget.budget import Budget, TooFewMinutesError
from imgclf.training.budget.plan import Pace, TransferPlan, make_plan, model_bytes
from imgclf.training.loop import fit as training
from imgclf.training.loop.progress import announce
from imgclf.training.loop.run_folder import RunFolder
from imgclf.training.loop.run_time import timed
from imgclf.training.recipe.augmentation import Augmentation
from imgclf.training.recipe.recipe import Recipe
from imgclf.training.transfer.features import Features

__all__ = [
    "TRANSFER",
    "body_of",
    "fit_in_phases",
    "plan_in_phases",
    "transfer_recipe",
    "with_new_head",
]

# Steps of the output layer cost next to nothing, so there are enough of them for few images too.
_STEPS = 1_000
_MOST_EPOCHS = 300

_HEAD = "new_head"

TRANSFER = Recipe(
    epochs=20,
    batch_size=64,
    optimizer="adam",
    learning_rate=0.003,
    schedule="cosine",
    augmentation=Augmentation(flip=True),
)


def transfer_recipe(images: int, *, flip_safe: bool, **changes: Any) -> Recipe:
    """The recipe for so many training images, with some fields changed.

    Example:
        >>> transfer_recipe(320, flip_safe=True).epochs
        200
    """
    steps = -(-images // TRANSFER.batch_size)
    epochs = max(TRANSFER.epochs, min(_MOST_EPOCHS, -(-_STEPS // steps)))
    recipe = TRANSFER.replace(epochs=epochs, augmentation=Augmentation(flip=flip_safe))
    return recipe.replace(**changes)


def body_of(model: Any) -> Any:
    """What stands before the output layer of a classifier, as a copy with weights of its own.

    Args:
        model: a functional `keras.Model` that ends in a `Dense` layer, which softmax or another
            activation may follow.

    Returns:
        A `keras.Model` that gives what the output layer took.

    Raises:
        ArgumentError: if the model ends otherwise.
    """
    import keras

    layers = keras.layers
    if isinstance(model, keras.Sequential) or not hasattr(model, "operations"):
        raise ArgumentError(
            "The model must be a functional keras.Model to learn on from. "
            f"Received: {type(model).__name__}."
        )
    model = without_temperature(model)
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    layer = next(
        layer
        for layer in reversed(copy.layers)
        if not isinstance(layer, (layers.Activation, layers.Softmax))
    )
    if not isinstance(layer, layers.Dense) or len(layer.input.shape) != 2:
        raise ArgumentError(
            "The model must end in a Dense layer, whose place a new one takes. "
            f"Received: {type(layer).__name__} {layer.name!r}."
        )
    return keras.Model(copy.inputs[0], layer.input, name=f"{model.name}_body")


def with_new_head(body: Any, num_classes: int, seed: int) -> Any:
    """The body and a new output layer after it, as one plain functional model."""
    import keras

    head = keras.layers.Dense(
        num_classes,
        activation="softmax",
        dtype="float32",
        kernel_initializer=keras.initializers.GlorotUniform(seed=seed),
        name=_HEAD,
    )
    return keras.Model(body.inputs[0], head(body.outputs[0]), name=body.name)


def fit_in_phases(
    model: Any,
    data: Any,
    recipe: Recipe,
    *,
    validation: Split | None = None,
    callbacks: Sequence[Any] = (),
    run_dir: Any = None,
    resume: str = "auto",
    checkpoint_seconds: float = 60.0,
    verbose: Any = 0,
    config: dict[str, Any] | None = None,
    minutes: Any = None,
) -> Any:
    """Trains a model of `with_new_head`: its output layer, then its upper layers if asked for.

    Args:
        model: as `with_new_head` makes it.
        data: a `Dataset`, or the training `Split`.
        recipe: `epochs` is for the output layer, `fine_tune_epochs` for the phase after it.
        validation: as in `fit`.
        callbacks: as in `fit`; used in both phases.
        run_dir: as in `fit`. Each phase has a folder in it, `head` and `fine-tune`, and the
            features are kept in `features`.
        resume: as in `fit`.
        checkpoint_seconds: as in `fit`.
        verbose: as in `fit`.
        config: as in `fit`.
        minutes: a time, or a `Budget`: then `epochs` and `fine_tune_epochs` are the most, and as
            many are trained as fit. If not even one epoch of fine-tuning does, it is left out.

    Returns:
        The `keras.callbacks.History` of both phases, one after the other.
    """
    budget = None if minutes is None else Budget.of(minutes)
    train, validation = training.splits(data, validation)
    training.check_model(model, train)
    settings: dict[str, Any] = {
        "callbacks": callbacks,
        "resume": resume,
        "checkpoint_seconds": checkpoint_seconds,
        "verbose": verbose,
        "config": config,
    }
    if run_dir is None:
        return _train_phases(model, train, validation, recipe, None, settings, budget)
    folder = RunFolder(run_dir)
    with folder.lock():
        folder.keep_ledger(data)
        history = _train_phases(model, train, validation, recipe, folder.path, settings, budget)
        folder.write_log(history.history)
        folder.write_curves(history.history)
    return history


def _train_phases(
    model: Any,
    train: Split,
    validation: Split | None,
    recipe: Recipe,
    place: Path | None,
    settings: dict[str, Any],
    budget: Budget | None,
) -> Any:
    verbose = settings["verbose"]
    features = Features(_body(model), place, verbose)
    if budget:
        announce(verbose, f"Timing the features, to keep to {budget.shown}")
        _, seconds = features.seconds(_named(train, validation))
        _check_time_for_features(budget, seconds)
    with timed(place):
        learned = features.of(train, "train")
        judged = validation and features.of(validation, "validation")
    head = _head_alone(model)
    announce(verbose, "phase 1: the output layer, on these features")
    history = training.fit(
        head,
        learned,
        _for_head(recipe),
        validation=judged,
        run_dir=place and place / "head",
        minutes=budget and _budget_of_head(budget, recipe),
        **settings,
    )
    epochs, fine_tune_epochs = history.recipe.epochs, 0
    model.get_layer(_HEAD).set_weights(head.layers[-1].get_weights())
    if recipe.fine_tune_epochs:
        announce(
            verbose, f"phase 2: fine-tuning {recipe.fine_tune_fraction:.0%} of the body's layers"
        )
        try:
            with _upper_layers(model, recipe):
                later = training.fit(
                    model,
                    train,
                    _for_fine_tuning(recipe),
                    validation=validation,
                    run_dir=place and place / "fine-tune",
                    minutes=budget and _budget_of_fine_tuning(budget, recipe),
                    **settings,
                )
        except TooFewMinutesError as error:
            announce(
                verbose, f"phase 2 is left out: one epoch needs {error.needed:.2g} minutes in all"
            )
        else:
            history, fine_tune_epochs = _joined(history, later), later.recipe.epochs
    history.recipe = recipe.replace(epochs=epochs, fine_tune_epochs=fine_tune_epochs)
    return history


def plan_in_phases(
    model: Any,
    data: Any,
    recipe: Recipe,
    *,
    minutes: Any = None,
    validation: Split | None = None,
) -> TransferPlan:
    """What `fit_in_phases` will take, by a few batches and steps of each phase.

    Args:
        model: as for `fit_in_phases`, like all that follows.
        data: a `Dataset`, or the training `Split`.
        recipe: how to train.
        minutes: then the plan is that of the epochs that fit.
        validation: what is looked at after each epoch.
    """
    budget = None if minutes is None else Budget.of(minutes)
    train, validation = training.splits(data, validation)
    training.check_model(model, train)
    features = Features(_body(model), None, 0)
    tracing, computing = features.seconds(_named(train, validation))
    judged = validation and features.stand_in(validation)
    head, calm = _head_alone(model), _for_head(recipe)
    pace = training.measure(head, features.stand_in(train), calm, judged)
    fine_tuning: Pace | None = None
    upper = _for_fine_tuning(recipe)
    if recipe.fine_tune_epochs:
        with _upper_layers(model, recipe):
            fine_tuning = training.measure(model, train, upper, validation)
    if budget:
        _check_time_for_features(budget, computing)
        later = budget.after(computing)
        calm = calm.replace(epochs=_budget_of_head(later, recipe).epochs(pace, calm.epochs))
        if fine_tuning:
            later = _budget_of_fine_tuning(later.after(pace.seconds(calm.epochs)), recipe)
            try:
                upper = upper.replace(epochs=later.epochs(fine_tuning, upper.epochs))
            except TooFewMinutesError:
                fine_tuning = None
    splits = _named(train, validation).values()
    return TransferPlan(
        images=sum(map(len, splits)),
        features_seconds=tracing + computing,
        features_bytes=sum(map(features.nbytes, splits)),
        head=make_plan(head, calm, pace),
        fine_tuning=None if fine_tuning is None else make_plan(model, upper, fine_tuning),
        model_bytes=model_bytes(model),
    )


def _named(train: Split, validation: Split | None) -> dict[str, Split]:
    return {"train": train} | ({} if validation is None else {"validation": validation})


def _for_head(recipe: Recipe) -> Recipe:
    """Features are no images: nothing is augmented or made smaller."""
    return recipe.replace(
        augmentation=Augmentation(), progressive_size=1.0, progressive_fraction=0.0
    )


def _for_fine_tuning(recipe: Recipe) -> Recipe:
    return recipe.replace(
        epochs=max(1, recipe.fine_tune_epochs),
        learning_rate=recipe.fine_tune_learning_rate,
        progressive_size=1.0,
        progressive_fraction=0.0,
    )


def _budget_of_head(budget: Budget, recipe: Recipe) -> Budget:
    """Half of what is left at most, if there is to be fine-tuning."""
    kept_back = max(0.0, budget.left) / 2 if recipe.fine_tune_epochs else 0.0
    return dataclasses.replace(budget, most_epochs=recipe.epochs, kept_back=kept_back)


def _budget_of_fine_tuning(budget: Budget, recipe: Recipe) -> Budget:
    return dataclasses.replace(budget, most_epochs=recipe.fine_tune_epochs)


def _check_time_for_features(budget: Budget, seconds: float) -> None:
    needed = (budget.spent + seconds) / 60
    if seconds and needed > budget.minutes:  # of features that are kept already, nothing is needed
        raise TooFewMinutesError(
            f"`minutes` must be enough for the features of all images, which need {needed:.2g} "
            "minutes here with the start. Give more, take a smaller backbone or smaller images. "
            + checks.received("minutes", budget.minutes),
            needed,
        )


def _body(model: Any) -> Any:
    import keras

    return keras.Model(model.inputs[0], model.get_layer(_HEAD).input)


def _head_alone(model: Any) -> Any:
    """The output layer as a model of features, with the same weights."""
    import keras

    layer = model.get_layer(_HEAD)
    inputs = keras.Input((1, 1, layer.input.shape[-1]))
    copy = keras.layers.Dense.from_config(layer.get_config())
    head = keras.Model(inputs, copy(keras.layers.Flatten()(inputs)))
    copy.set_weights(layer.get_weights())
    return head


@contextlib.contextmanager
def _upper_layers(model: Any, recipe: Recipe) -> Iterator[None]:
    """Within it only upper layers are trained; batch normalisation stays as the body brought it."""
    layers = list(_leaves(model))
    before = [(layer, layer.trainable) for layer in layers]
    _freeze(layers, recipe.fine_tune_fraction)
    try:
        yield
    finally:
        for layer, trainable in before:
            layer.trainable = trainable


def _leaves(model: Any) -> Any:
    """All layers in their order, those of models inside the model in its place."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _leaves(layer)
        else:
            yield layer


def _freeze(layers: list[Any], part: float) -> None:
    import keras

    body = [layer for layer in layers if layer.name != _HEAD and layer.weights]
    lower = len(body) - math.ceil(part * len(body))
    for number, layer in enumerate(body):
        normalises = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = bool(layer.trainable and number >= lower and not normalises)


def _joined(first: Any, second: Any) -> Any:
    """The history of both phases: what one of them does not have is left out."""
    import keras

    history = keras.callbacks.History()
    history.history = {
        name: [*values, *second.history[name]]
        for name, values in first.history.items()
        if name in second.history
    }
    history.epoch = list(range(len(first.epoch) + len(second.epoch)))
    return history
