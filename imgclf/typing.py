"""Names for the types of public parameters, and the one place that names types of Keras.

Keras and TensorFlow ship no type information, so type checkers see these names as `Any`; readers
see what is meant, and the day they ship it only this file changes. At run time, names of heavy
packages are `Any`, so that `typing.get_type_hints` works without importing those packages.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    import keras
    import keras_tuner
    import matplotlib.axes
    import matplotlib.figure
    import numpy.typing
    import PIL.Image
    import tensorflow

    Axes: TypeAlias = matplotlib.axes.Axes
    Figure: TypeAlias = matplotlib.figure.Figure
    PILImage: TypeAlias = PIL.Image.Image
    ArrayLike: TypeAlias = numpy.typing.ArrayLike
    KerasModel: TypeAlias = keras.Model
    KerasLayer: TypeAlias = keras.layers.Layer
    KerasTensor: TypeAlias = keras.KerasTensor
    KerasCallback: TypeAlias = keras.callbacks.Callback
    KerasHistory: TypeAlias = keras.callbacks.History
    KerasInitializer: TypeAlias = keras.initializers.Initializer
    KerasOptimizer: TypeAlias = keras.optimizers.Optimizer
    KerasSchedule: TypeAlias = keras.optimizers.schedules.LearningRateSchedule
    HyperParameters: TypeAlias = keras_tuner.HyperParameters
    Tensor: TypeAlias = tensorflow.Tensor
else:  # none of these packages is imported for its types
    Axes = Figure = PILImage = HyperParameters = Any
    ArrayLike = KerasModel = KerasLayer = KerasTensor = KerasCallback = KerasHistory = Any
    KerasInitializer = KerasOptimizer = KerasSchedule = Tensor = Any

__all__ = [
    "ArrayLike",
    "Axes",
    "Figure",
    "HyperParameters",
    "ImageSize",
    "KerasCallback",
    "KerasHistory",
    "KerasInitializer",
    "KerasLayer",
    "KerasModel",
    "KerasOptimizer",
    "KerasSchedule",
    "KerasTensor",
    "PILImage",
    "RgbColor",
    "StrPath",
    "Tensor",
    "Verbose",
]

StrPath: TypeAlias = str | os.PathLike[str]

# A name such as "black", "#rrggbb", or (red, green, blue) from 0 to 255.
RgbColor: TypeAlias = str | tuple[int, int, int]

# (height, width) in pixels, or one int for both.
ImageSize: TypeAlias = int | tuple[int, int]

Verbose: TypeAlias = Literal["auto", 0, 1, 2]
