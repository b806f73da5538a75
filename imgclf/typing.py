"""Names for the types of public parameters, and the one place that names types of Keras.

Keras and TensorFlow ship no type information, so type checkers see these names as `Any`; readers
see what is meant, and the day they ship it only this file changes.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    import keras
    import numpy.typing
    import tensorflow

    ArrayLike: TypeAlias = numpy.typing.ArrayLike
    KerasModel: TypeAlias = keras.Model
    KerasLayer: TypeAlias = keras.layers.Layer
    KerasTensor: TypeAlias = keras.KerasTensor
    KerasCallback: TypeAlias = keras.callbacks.Callback
    KerasHistory: TypeAlias = keras.callbacks.History
    KerasInitializer: TypeAlias = keras.initializers.Initializer
    KerasOptimizer: TypeAlias = keras.optimizers.Optimizer
    KerasSchedule: TypeAlias = keras.optimizers.schedules.LearningRateSchedule
    Tensor: TypeAlias = tensorflow.Tensor
else:
    ArrayLike = KerasModel = KerasLayer = KerasTensor = KerasCallback = KerasHistory = Any
    KerasInitializer = KerasOptimizer = KerasSchedule = Tensor = Any

__all__ = [
    "ArrayLike",
    "ImageSize",
    "KerasCallback",
    "KerasHistory",
    "KerasInitializer",
    "KerasLayer",
    "KerasModel",
    "KerasOptimizer",
    "KerasSchedule",
    "KerasTensor",
    "StrPath",
    "Tensor",
    "Verbose",
]

StrPath: TypeAlias = str | os.PathLike[str]

# (height, width) in pixels, or one int for both.
ImageSize: TypeAlias = int | tuple[int, int]

Verbose: TypeAlias = Literal["auto", 0, 1, 2]
