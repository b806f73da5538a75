"""Learning on from a network that has learned already: first a new output layer, then more.

In the first phase the body is frozen, so what it makes of each picture is computed once; the output
layer is trained on these features by the ordinary `fit`, in seconds. In the second, optional phase
the upper layers of the body are trained with it, by the ordinary `fit` again.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from imgclf import checks
from imgclf.architecture.temperature import without_temperature
from imgclf.data.split import Split
from imgclf.errors import ArgumentError
from imgclf.files import atomic
from imgclf.training import fit as training
from imgclf.training.augmentation import Augmentation
from imgclf.training.failed_write import naming_failed_write
from imgclf.training.progress import announce
from imgclf.training.recipe import Recipe
from imgclf.training.run_folder import RunFolder
from imgclf.training.run_time import timed

__all__ = ["TRANSFER", "body_of", "fit_in_phases", "transfer_recipe", "with_new_head"]

# Steps of the output layer cost next to nothing, so there are enough of them for few pictures too.
_STEPS = 1_000
_MOST_EPOCHS = 300

_BATCH = 64
_HEAD = "new_head"

TRANSFER = Recipe(
    epochs=20,
    batch_size=64,
    optimizer="adam",
    learning_rate=0.003,
    schedule="cosine",
    augmentation=Augmentation(flip=True),
)


def transfer_recipe(pictures: int, *, flip_safe: bool, **changes: Any) -> Recipe:
    """The recipe for so many training pictures, with some fields changed.

    Example:
        >>> transfer_recipe(320, flip_safe=True).epochs
        200
    """
    steps = -(-pictures // TRANSFER.batch_size)
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
        minutes: refused.

    Returns:
        The `keras.callbacks.History` of both phases, one after the other.
    """
    if minutes is not None:
        raise ArgumentError(
            "`minutes` does not go with learning on from a trained network, which has two phases: "
            "give `epochs` and `fine_tune_epochs`. " + checks.received("minutes", minutes)
        )
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
        return _train_phases(model, train, validation, recipe, None, settings)
    folder = RunFolder(run_dir)
    with folder.lock():
        folder.keep_ledger(data)
        history = _train_phases(model, train, validation, recipe, folder.path, settings)
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
) -> Any:
    verbose = settings["verbose"]
    body = _body(model)
    key = _digest(body)
    with timed(place):
        learned = _features(body, train, "train", key, place, verbose)
        judged = validation and _features(body, validation, "validation", key, place, verbose)
    head = _head_alone(model)
    calm = recipe.replace(augmentation=Augmentation(), early_size=1.0, early_part=0.0)
    announce(verbose, "phase 1: the output layer, on these features")
    history = training.fit(
        head,
        learned,
        calm,
        validation=judged,
        run_dir=place and place / "head",
        **settings,
    )
    model.get_layer(_HEAD).set_weights(head.layers[-1].get_weights())
    if recipe.fine_tune_epochs:
        announce(verbose, f"phase 2: fine-tuning {recipe.fine_tune_part:.0%} of the body's layers")
        later = _fine_tune(
            model, train, recipe, validation, place and place / "fine-tune", settings
        )
        history = _joined(history, later)
    history.recipe = recipe
    return history


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


def _digest(body: Any) -> str:
    digest = hashlib.sha256()
    for value in body.get_weights():
        digest.update(np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()


def _features(
    body: Any, split: Split, name: str, key: str, place: Path | None, verbose: Any
) -> Split:
    """What the body makes of each picture, computed once; in a run folder, kept there."""
    if place is None:
        return _split_of(_compute(body, split, name, verbose), split)
    stem = hashlib.sha256((key + split.fingerprint()).encode()).hexdigest()[:16]
    path = place / "features" / f"{name}-{stem}.npy"
    values = _stored(path, (len(split), body.output_shape[-1]))
    if values is None:
        values = _compute(body, split, name, verbose)
        with naming_failed_write(
            f"The features cannot be written to {str(path.parent)!r}",
            "Once this is mended, the same call computes them again.",
        ):
            path.parent.mkdir(exist_ok=True)
            with atomic.replacing(path) as temporary, temporary.open("wb") as file:
                np.save(file, values)
    return _split_of(values, split)


def _stored(path: Path, shape: tuple[int, int]) -> np.ndarray | None:
    """What an earlier call left; mapped, so that it takes no memory until it is used."""
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return values if values.shape == shape and values.dtype == np.float32 else None


def _compute(body: Any, split: Split, name: str, verbose: Any) -> np.ndarray:
    values = np.empty((len(split), body.output_shape[-1]), np.float32)
    started = time.monotonic()
    shown = started
    for start in range(0, len(split), _BATCH):
        images = np.asarray(split.images[start : start + _BATCH])
        values[start : start + len(images)] = body.predict_on_batch(images)
        done = start + len(images)
        if time.monotonic() - shown >= 10 and done < len(split):
            shown = time.monotonic()
            left = (shown - started) * (len(split) - done) / done
            announce(
                verbose,
                f"features of {done:,} of {len(split):,} {name} pictures, {left:,.0f} s left",
            )
    seconds = time.monotonic() - started
    announce(
        verbose,
        f"features of {len(split):,} {name} pictures in {seconds:.1f} s, "
        f"{values.nbytes / 1e6:,.1f} MB",
    )
    return values


def _split_of(features: np.ndarray, split: Split) -> Split:
    """Features in the place of pictures, past the checks that are made for pixels."""
    new = object.__new__(Split)
    values = {
        "images": features.reshape(len(features), 1, 1, -1),
        "labels": split.labels,
        "class_names": split.class_names,
    }
    for name, value in values.items():
        object.__setattr__(new, name, value)
    return new


def _fine_tune(
    model: Any,
    train: Split,
    recipe: Recipe,
    validation: Split | None,
    run_dir: Path | None,
    settings: dict[str, Any],
) -> Any:
    """Trains the upper layers; batch normalisation stays as the body brought it."""
    layers = list(_leaves(model))
    before = [(layer, layer.trainable) for layer in layers]
    _freeze(layers, recipe.fine_tune_part)
    changes = {"epochs": recipe.fine_tune_epochs, "early_size": 1.0, "early_part": 0.0}
    rate = recipe.fine_tune_learning_rate
    try:
        return training.fit(
            model,
            train,
            recipe.replace(learning_rate=rate, **changes),
            validation=validation,
            run_dir=run_dir,
            **settings,
        )
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
