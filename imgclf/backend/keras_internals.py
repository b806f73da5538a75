"""Everything of Keras and TensorFlow that imgclf relies on without a promise from them.

Private names, and behaviour that no documentation states, are used here and nowhere else (but for
`untrusted.building`, which imports nothing of imgclf). `tests/backend/test_keras_internals.py`
holds each to what is relied on, and fails with its name when a version of Keras changes it; the
bounds of the versions in `pyproject.toml` follow from it.
"""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from imgclf.typing import KerasLayer, KerasModel, KerasOptimizer, KerasSchedule, KerasTensor, Tensor

__all__ = [
    "CALLBACK_STATE",
    "MISSING_WEIGHTS",
    "addresses",
    "all_layers",
    "any_image_size",
    "forget_traces",
    "fresh_layer_names",
    "inputs_of",
    "is_graph",
    "keras_random_state",
    "maker",
    "prediction_function",
    "read_variable",
    "replaced_methods",
    "replaced_train_function",
    "schedule_of",
    "set_keras_random_state",
    "set_tensorflow_random_state",
    "tensorflow_has_started",
    "tensorflow_random_state",
    "variable_index",
]

# Attributes of Keras's callbacks that change while training.
CALLBACK_STATE = {
    "EarlyStopping": ("best", "wait", "best_epoch", "stopped_epoch", "best_weights"),
    "ReduceLROnPlateau": ("best", "wait", "cooldown_counter"),
    "ModelCheckpoint": ("best", "_batches_seen_since_last_saving", "_last_batch_seen"),
}

# The beginning of Keras's warning for a file without some of the weights.
MISSING_WEIGHTS = "Skipping nested container"


def maker(tensor: KerasTensor) -> Any:
    """The layer or operation whose output a symbolic tensor is.

    Relies on `KerasTensor._keras_history`.
    """
    return tensor._keras_history.operation


def inputs_of(tensor: KerasTensor) -> list[KerasTensor]:
    """The symbolic tensors from which a tensor was computed; none for an input.

    Relies on `KerasTensor._keras_history` and `Operation._inbound_nodes`.
    """
    history = tensor._keras_history
    nodes = history.operation._inbound_nodes
    return list(nodes[history.node_index].input_tensors) if nodes else []


def is_graph(model: KerasModel) -> bool:
    """Whether a model is a graph of layers, functional or sequential.

    Relies on the module of the class `Functional`, which has no public name.
    """
    import keras

    return isinstance(model, (keras.Sequential, keras.src.models.functional.Functional))


def all_layers(model: KerasModel) -> list[KerasLayer]:
    """The layers of a model and of the models in it, at any depth.

    Relies on `Layer._flatten_layers`; `Model.layers` is the first level only.
    """
    return list(model._flatten_layers(include_self=False))


@contextlib.contextmanager
def any_image_size(model: KerasModel) -> Iterator[None]:
    """Within it, a functional model accepts images of any height and width.

    Relies on `Functional.input_spec`: setting it stores `_manual_input_spec`, and deleting that
    restores the spec of the inputs.
    """
    import keras

    model.input_spec = keras.layers.InputSpec(ndim=4, axes={-1: model.input_shape[-1]})
    try:
        yield
    finally:
        del model._manual_input_spec


@contextlib.contextmanager
def replaced_methods(
    layers: Iterable[KerasLayer],
    name: str,
    replacement: Callable[[KerasLayer], Callable[..., Any]],
) -> Iterator[None]:
    """Within it, layers have another method; afterwards that of their class, come what may.

    Relies on Keras calling `layer.call` and `layer.convolution_op` by these names on the instance,
    where an attribute hides the method of the class.

    Args:
        layers: Keras layers.
        name: of the method.
        replacement: layer → what is called in its place.
    """
    layers = list(layers)
    for layer in layers:
        setattr(layer, name, replacement(layer))
    try:
        yield
    finally:
        for layer in layers:
            delattr(layer, name)


@contextlib.contextmanager
def replaced_train_function(
    model: KerasModel, replacement: Callable[[Callable[[], None]], Callable[[Any], Any]]
) -> Iterator[None]:
    """Within it, `fit` calls another function for each step.

    Relies on `Model.fit` making `train_function` only where there is none, reading it again for
    each step, and calling it with the iterator of the batches.

    Args:
        model: a compiled `keras.Model`.
        replacement: restore → the function in its place; `restore()` puts Keras's own back.
    """
    model.make_train_function()
    own = model.train_function

    def restore() -> None:
        model.train_function = own

    model.train_function = replacement(restore)
    try:
        yield
    finally:
        restore()


def forget_traces(model: KerasModel) -> None:
    """Makes Keras trace training and evaluation again the next time.

    Relies on `fit` and `evaluate` making the functions where they are None.
    """
    model.train_function = model.test_function = None


@contextlib.contextmanager
def fresh_layer_names() -> Iterator[None]:
    """Within it, this thread names layers from the start: "dense", "dense_1"; afterwards as before.

    Relies on the name of the global attribute that `keras.utils.clear_session` clears, too.
    """
    from keras.src.backend.common.global_state import get_global_attribute, set_global_attribute

    kept = get_global_attribute("object_name_uids")
    set_global_attribute("object_name_uids", None)
    try:
        yield
    finally:
        set_global_attribute("object_name_uids", kept)


def prediction_function(model: KerasModel) -> Any:
    """What `model.predict` calls; another object once Keras has dropped its graph.

    Relies on `make_predict_function` keeping what it has made in `predict_function`.
    """
    model.make_predict_function()
    return model.predict_function


def schedule_of(optimizer: KerasOptimizer) -> KerasSchedule | None:
    """The schedule that an optimiser takes its learning rate from; None if it is a number.

    Relies on `Optimizer._learning_rate`; the public `learning_rate` is a number in either case.
    `training.recipe.scalable_rate` also relies on its setter calling `_learning_rate.assign`.
    """
    import keras

    rate = getattr(optimizer, "_learning_rate", None)
    kind = keras.optimizers.schedules.LearningRateSchedule
    return rate if isinstance(rate, kind) else None


def variable_index(optimizer: KerasOptimizer, variable: Any) -> int:
    """The place of a variable among those that an optimiser was built with.

    Relies on `Optimizer._get_variable_index`.
    """
    return int(optimizer._get_variable_index(variable))


def read_variable(variable: Any) -> Tensor:
    """The tensor that a Keras variable holds now, not a copy of it.

    Relies on `Variable.value` being a resource variable of TensorFlow.
    """
    import tensorflow as tf

    return tf.raw_ops.ReadVariableOp(resource=variable.value.handle, dtype=variable.value.dtype)


def addresses(tensors: Sequence[Tensor]) -> list[int]:
    """Where the values of tensors are in memory.

    Relies on tensors on the CPU sharing their memory with NumPy, and on each assignment to a
    variable making a new tensor while the old one is alive.
    """
    return [np.asarray(tensor).__array_interface__["data"][0] for tensor in tensors]


# Of this thread: the seed that was set, and the generator of random functions without a seed.
_KERAS_RANDOM_STATE = ("global_random_seed", "global_seed_generator")


def keras_random_state() -> tuple[Any, ...]:
    """What Keras's random functions without a seed draw from, in this thread.

    Relies on the names of two global attributes, which `keras.utils.set_random_seed` sets.
    """
    from keras.src.backend.common.global_state import get_global_attribute

    return tuple(map(get_global_attribute, _KERAS_RANDOM_STATE))


def set_keras_random_state(state: Sequence[Any]) -> None:
    """Sets what `keras_random_state` returns: a seed, and a generator, or None to make one."""
    from keras.src.backend.common.global_state import set_global_attribute

    for name, value in zip(_KERAS_RANDOM_STATE, state, strict=True):
        set_global_attribute(name, value)


def tensorflow_has_started() -> bool:
    """Whether TensorFlow has made its threads, as it does for the first tensor.

    Relies on `context_safe` and `Context._context_handle`. Imports nothing.
    """
    eager = sys.modules.get("tensorflow.python.eager.context")
    context = None if eager is None else eager.context_safe()
    return getattr(context, "_context_handle", None) is not None


def tensorflow_random_state() -> tuple[int | None, random.Random | None]:
    """The global seed of TensorFlow, and what it draws the seeds of operations from.

    Relies on `Context._seed` and `Context._rng`.
    """
    from tensorflow.python.eager.context import context

    return context()._seed, getattr(context(), "_rng", None)


def set_tensorflow_random_state(state: tuple[int | None, random.Random | None]) -> None:
    """Sets what `tensorflow_random_state` returns.

    Does what `tf.random.set_seed` does, but for clearing the counters of random operations that
    have a seed of their own: nothing could give those back to the caller.
    """
    from tensorflow.python.eager.context import context

    context()._seed, context()._rng = state
