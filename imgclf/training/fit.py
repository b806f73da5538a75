"""`fit`: trains a Keras model on a data set by a recipe, with resume; all by `keras.Model.fit`."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from typing import Any

from imgclf import checks
from imgclf.data.dataset import Dataset
from imgclf.data.split import Split
from imgclf.errors import ArgumentError, ArgumentTypeError, NotFiniteError
from imgclf.training import flow
from imgclf.training.compile import compile_model, compiled_by_user, wants_one_hot
from imgclf.training.early_size import any_input_size, early_sizes
from imgclf.training.fused_norm import fused_batch_norm
from imgclf.training.precision import precision_note
from imgclf.training.progress import make_progress
from imgclf.training.recipe import Recipe
from imgclf.training.run_folder import RunFolder

__all__ = ["fit"]


def fit(
    model: Any,
    data: Dataset | Split,
    recipe: Recipe,
    *,
    validation: Split | None = None,
    callbacks: Sequence[Any] = (),
    run_dir: Any = None,
    verbose: Any = 0,
    config: dict[str, Any] | None = None,
) -> Any:
    """Trains a model.

    Args:
        model: a `keras.Model` that gives probabilities. If you compiled it, your optimiser, loss
            and metrics are used, and of the recipe only the rest.
        data: a `Dataset`, or the training `Split`.
        recipe: how to train.
        validation: what is looked at after each epoch; by default the data set's own.
        callbacks: any Keras callbacks. One that offers `get_state()` and `set_state(state)` is
            resumed too.
        run_dir: a folder for log, checkpoints and curves. The same call again goes on where the
            first stopped, and ends in the same weights.
        verbose: 0 is silent, 1 or "auto" live on a terminal, 2 a line an epoch.
        config: what else makes this run this run, such as the network's blocks.

    Returns:
        The `keras.callbacks.History` of all epochs, earlier ones of a resumed run included.

    Raises:
        NotFiniteError: if the loss becomes infinite or NaN. The last checkpoint stays.
        RunFolderError: if the folder holds another run, or is in use.
        ArgumentError: if the model does not fit the data.
    """
    checks.one_of("verbose", verbose, ["auto", 0, 1, 2])
    train, validation = _splits(data, validation)
    _check_model(model, train)
    with contextlib.ExitStack() as stack:
        folder = None
        if run_dir is not None:
            folder = RunFolder(run_dir)
            stack.enter_context(folder.lock())
            folder.claim(_config(recipe, train, validation, config))
        return _train(model, train, validation, recipe, list(callbacks), folder, verbose)


def _splits(data: Any, validation: Any) -> tuple[Split, Split | None]:
    if isinstance(data, Dataset):
        train = data.train
        validation = data.validation if validation is None else validation
    else:
        train = data
    for name, split in (("data", train), ("validation", validation)):
        if split is not None and not isinstance(split, Split):
            raise ArgumentTypeError(
                f"`{name}` must be a Dataset or a Split. {checks.received(name, split)}"
            )
    if len(train) == 0:
        raise ArgumentError("`data` must hold at least one picture to train on. Received: none.")
    return train, validation if validation is not None and len(validation) else None


def _check_model(model: Any, train: Split) -> None:
    wanted, given = tuple(model.input_shape[1:]), train.image_shape
    fits = len(wanted) == 3 and all(
        side in (None, size) for side, size in zip(wanted, given, strict=True)
    )
    if not fits:
        raise ArgumentError(
            f"The model takes images of the shape {wanted}, but the data has {given}."
        )
    classes = max(2, model.output_shape[-1])
    if classes != train.num_classes:
        raise ArgumentError(
            f"The model tells {classes} classes apart, but the data has {train.num_classes}."
        )


def _config(
    recipe: Recipe, train: Split, validation: Split | None, config: dict[str, Any] | None
) -> dict[str, Any]:
    return {
        "recipe": recipe.to_dict(),
        "train": train.fingerprint(),
        "validation": validation.fingerprint() if validation else None,
        "class_names": list(train.class_names),
        **(config or {}),
    }


def _train(
    model: Any,
    train: Split,
    validation: Split | None,
    recipe: Recipe,
    callbacks: list[Any],
    folder: RunFolder | None,
    verbose: Any,
) -> Any:
    import keras

    keras.utils.set_random_seed(recipe.seed)
    steps = flow.steps_per_epoch(train, recipe.batch_size)
    if not compiled_by_user(model):
        compile_model(model, recipe, steps)
    if recipe.patience is not None:
        if validation is None:
            raise ArgumentError("`patience` needs validation pictures to judge by.")
        callbacks = [_patience(recipe.patience), *callbacks]
    state = _restore(model, folder, callbacks)
    if state["finished"] or state["epoch"] >= recipe.epochs:
        return _history(model, state["history"])
    own: list[Any] = [_make_finite_check(), *_progress(model, recipe, steps, verbose)]
    if folder is not None:
        own.append(_make_checkpoint_callback(folder, state["history"], callbacks))
    one_hot = wants_one_hot(model)
    size_at = early_sizes(recipe, train.image_shape, steps)
    with fused_batch_norm(model), any_input_size(model) if size_at else contextlib.nullcontext():
        history = model.fit(
            flow.shuffled(
                train,
                batch_size=recipe.batch_size,
                seed=recipe.seed,
                epochs=range(state["epoch"], recipe.epochs),
                augmentation=recipe.augmentation,
                one_hot=one_hot,
                size_at=size_at,
            ),
            epochs=recipe.epochs,
            initial_epoch=state["epoch"],
            steps_per_epoch=steps,
            validation_data=None
            if validation is None
            else flow.ordered(validation, batch_size=max(256, recipe.batch_size), one_hot=one_hot),
            callbacks=[*callbacks, *own],
            shuffle=False,  # the flow has its own order
            verbose=0,
        )
    merged = _merge(state["history"], history.history)
    if folder is not None:
        # Once more: at the end of training callbacks may have gone back to the best weights.
        folder.checkpoints.save(model, _state(history.epoch[-1] + 1, merged, True, callbacks))
        folder.write_curves(merged)
    return _history(model, merged)


def _progress(model: Any, recipe: Recipe, steps: int, verbose: Any) -> list[Any]:
    note = f"{recipe.epochs} × {steps} steps of {recipe.batch_size} pictures, " + precision_note(
        model, recipe.precision
    )
    return make_progress(verbose, recipe.epochs, steps, note)


def _restore(model: Any, folder: RunFolder | None, callbacks: list[Any]) -> dict[str, Any]:
    """The state of the folder's checkpoint, put into model and callbacks; else a new one."""
    state = None
    if folder is not None:
        model.optimizer.build(model.trainable_variables)
        state = folder.checkpoints.restore(model)
    if state is None:
        return {"epoch": 0, "history": {}, "finished": False}
    for callback, stored in zip(_with_state(callbacks), state["callbacks"], strict=False):
        callback.set_state(stored)
    return state


def _state(
    epoch: int, history: dict[str, list[float]], finished: bool, callbacks: list[Any]
) -> dict[str, Any]:
    """What a checkpoint keeps beside the variables."""
    return {
        "epoch": epoch,
        "history": history,
        "finished": finished,
        "callbacks": [callback.get_state() for callback in _with_state(callbacks)],
    }


def _with_state(callbacks: list[Any]) -> list[Any]:
    return [c for c in callbacks if hasattr(c, "get_state") and hasattr(c, "set_state")]


def _history(model: Any, merged: dict[str, list[float]]) -> Any:
    import keras

    history = keras.callbacks.History()
    history.set_model(model)
    history.history = merged
    history.epoch = list(range(len(merged["loss"])))
    model.history = history
    return history


def _merge(before: dict[str, list[float]], after: dict[str, Any]) -> dict[str, list[float]]:
    names = [*before, *(name for name in after if name not in before)]
    return {name: [*before.get(name, []), *map(float, after.get(name, []))] for name in names}


def _patience(patience: int) -> Any:
    import keras

    return keras.callbacks.EarlyStopping(
        "val_accuracy", mode="max", patience=patience, restore_best_weights=True
    )


def _make_finite_check() -> Any:
    import keras

    class FiniteCheck(keras.callbacks.Callback):
        """Ends the run at the first loss that is not finite, before it can count as a best one."""

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            self.epoch = epoch

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            loss = (logs or {}).get("loss", 0.0)
            if not math.isfinite(loss):
                rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
                raise NotFiniteError(
                    f"The loss became {loss} in epoch {self.epoch + 1}, step {batch + 1}, at a "
                    f"learning rate of {rate:.3g}. Try a learning rate ten times smaller, a longer "
                    "warmup, or precision='float32'."
                )

    return FiniteCheck()


def _make_checkpoint_callback(
    folder: RunFolder, before: dict[str, list[float]], callbacks: list[Any]
) -> Any:
    import keras

    class SaveEpoch(keras.callbacks.Callback):
        """Writes a checkpoint and the log at the end of each epoch."""

        def __init__(self) -> None:
            super().__init__()
            self.seen = {name: list(values) for name, values in before.items()}

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.seen = _merge(self.seen, {name: [value] for name, value in (logs or {}).items()})
            state = _state(epoch + 1, self.seen, False, callbacks)
            folder.checkpoints.save(self.model, state)
            folder.write_log(self.seen)

    return SaveEpoch()
