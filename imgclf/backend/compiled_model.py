"""`CompiledModel`: the predictions of a Keras model for batches, at little cost for each call.

Large batches go through one traced function that reads the model's variables, as
`keras.Model.predict` does. For a single image that costs too much: half of the time goes into
casting and reordering weights. So after a few calls the weights are written into a second graph as
constants, which TensorFlow casts, folds and reorders once.

Such a copy must never be out of date. The frozen graph also reads the variables, and its output
counts only if each of them still holds the very tensor that was copied. Tensors never change, and
the copied ones are kept alive, so no other tensor can have their address: the same address means
the same values, whether `fit`, `set_weights`, `assign` or a custom training loop wrote them. If an
address differs, the output is dropped and computed again from the variables.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from imgclf.backend.keras_internals import addresses, prediction_function, read_variable
from imgclf.backend.keras_settings import check_process
from imgclf.typing import KerasModel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["CompiledModel"]

# Up to this many images in a call frozen weights are faster; beyond it the difference is small.
_FEW_IMAGES = 64

# Freezing takes as long as some hundred calls save, so the first calls go without. Twice as many
# each time that the weights have changed, so that a model in training is not frozen repeatedly.
_CALLS_BEFORE_FREEZING = 8

# Bytes of weights. A larger network spends its time on its products, and copies would cost memory.
_MOST_FROZEN = 128 << 20


class CompiledModel:
    """Predicts with a model, always by its present weights.

    Args:
        model: a built `keras.Model` with one input and one output. As with `keras.Model.predict`,
            a change of a layer (other than of its weights) takes effect only after `compile`.
    """

    def __init__(self, model: KerasModel) -> None:
        self._model = model
        self._traced_by_keras = prediction_function(model)
        self._traced: dict[np.dtype, Any] = {}
        self._frozen: dict[np.dtype, _Frozen | None] = {}
        self._calls = 0
        self._patience = _CALLS_BEFORE_FREEZING

    def stands_for(self, model: KerasModel) -> bool:
        """Whether this is of `model`, and Keras has not dropped its own graph since."""
        return model is self._model and prediction_function(model) is self._traced_by_keras

    def __getstate__(self) -> dict[str, Any]:
        # Graphs can be neither copied nor pickled: they are traced again.
        return {"model": self._model}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["model"])  # type: ignore[misc]

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """The model's output for one batch.

        Args:
            images: (batch, height, width, channels), uint8 or float32.

        Returns:
            (batch, outputs), in the model's own dtype.
        """
        check_process()
        import tensorflow as tf

        if self._model.run_eagerly:
            return self._model.predict_on_batch(images)
        tensor = tf.constant(images)
        if len(images) <= _FEW_IMAGES:
            output = self._frozen_output(tensor, images.dtype)
            if output is not None:
                return output
        return np.asarray(self._plain(images.dtype)(tensor))

    def _plain(self, dtype: np.dtype) -> Any:
        """The function that reads the variables; traced once for each dtype of images."""
        if dtype not in self._traced:
            self._traced[dtype] = _trace(
                self._model, dtype, lambda images: self._model.predict_step((images,))
            )
        return self._traced[dtype]

    def _frozen_output(self, tensor: Any, dtype: np.dtype) -> np.ndarray | None:
        """The output by frozen weights; None without them, or if the weights have changed."""
        if dtype not in self._frozen:
            self._calls += 1
            if self._calls > self._patience:
                self._frozen[dtype] = _freeze(self._model, self._plain(dtype), dtype)
        frozen = self._frozen.get(dtype)
        if frozen is None:
            return None
        output = frozen(tensor)
        if output is None:
            self._frozen.clear()
            self._calls = 0
            self._patience *= 2
        return output


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class _Frozen:
    """A graph with constant weights, and the tensors that these were copied from."""

    function: Any
    copied: Sequence[np.ndarray]
    places: Sequence[int]

    def __call__(self, tensor: Any) -> np.ndarray | None:
        output, *weights = self.function(tensor)
        return np.asarray(output) if addresses(weights) == self.places else None


def _freeze(model: Any, plain: Any, dtype: np.dtype) -> _Frozen | None:
    """Copies the weights into a graph; None for a model where that would not be exact."""
    import keras
    import tensorflow as tf

    read = {id(variable) for variable in plain.variables}
    variables = [variable for variable in model.variables if id(variable.value) in read]
    tensors = [read_variable(variable) for variable in variables]
    copied = [np.asarray(tensor) for tensor in tensors]
    if sum(array.nbytes for array in copied) > _MOST_FROZEN:
        return None

    def answer(images: Any) -> list[Any]:
        constants = [tf.constant(array) for array in copied]
        with keras.StatelessScope(list(zip(variables, constants, strict=True))):
            output = model.predict_step((images,))
        return [output, *(read_variable(variable) for variable in variables)]

    function = _trace(model, dtype, answer)
    # The output must depend on images and constants alone: the only variables in the graph are
    # those that are read for the check, once each, and nothing is random or keeps a state.
    effects = [op.type for op in function.graph.get_operations() if op.op_def.is_stateful]
    alone = effects == ["ReadVariableOp"] * len(variables)
    if not alone or len(function.captured_inputs) != len(variables):
        return None
    # Another thread may have trained meanwhile; and where reading always copies, as from another
    # device, addresses say nothing.
    places = addresses(copied)
    if addresses([read_variable(variable) for variable in variables]) != places:
        return None
    return _Frozen(function, copied, places)


def _trace(model: Any, dtype: np.dtype, answer: Callable[[Any], Any]) -> Any:
    """A function for any number of images of this dtype, so that nothing is traced again."""
    import tensorflow as tf

    signature = tf.TensorSpec((None, *model.input_shape[1:]), dtype)
    return tf.function(answer, autograph=False).get_concrete_function(signature)
