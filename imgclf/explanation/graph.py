"""Finds feature maps, logits and features within the graph of a network.

A network within a network, such as a backbone, is searched too. Layers are shared with the model:
only the output layer is copied, without its softmax.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

from imgclf import checks
from imgclf.architecture.temperature import logits_model, without_temperature
from imgclf.backend.keras_internals import inputs_of, maker
from imgclf.errors import ArgumentError
from imgclf.typing import KerasLayer, KerasModel, KerasTensor

__all__ = ["Tap", "features_model", "tap"]

# Rows and columns that a map must have to localize. The preset "fast" ends in 3 × 3; covering
# the hottest region of the 7 × 7 before it lowered the probability by 1.7 times as much (CIFAR-10).
# In tiny images such a map comes too early: for the 8 × 8 digits the last 3 × 3 are better.
_FINE = 4
_LARGE = 224  # the side of images, where the model takes any


@dataclasses.dataclass(frozen=True, eq=False)
class Tap:
    """A network that also returns the feature map of one of its layers.

    Args:
        layer: whose map it is; "network/layer" for one inside another.
        run: from (batch, height, width, channels) float32 to the map (batch, rows, columns,
            filters) and the logits, both tensors, with the second computed from the first.
    """

    layer: str
    run: Callable[[KerasTensor], tuple[KerasTensor, KerasTensor]]


def tap(model: KerasModel, layer: str | None = None) -> Tap:
    """Finds the last map behind a convolution that is fine enough, or that of a named layer.

    Args:
        model: a `keras.Model` from images to probabilities.
        layer: of which to take the map, as `Tap.layer` names it. If left out, the last one of at
            least 4 rows and columns, of images below 16 pixels a fourth of those; where no map
            has so many, the last one.

    Raises:
        ArgumentError: if there is no such map.
    """
    whole = _with_logits(without_temperature(model))
    inputs, logits = whole.inputs[0], whole.outputs[0]
    names = _maps(inputs, logits, inputs.shape)
    if layer is None and names:
        wanted = min(_FINE, *((side or _LARGE) // 4 for side in inputs.shape[1:3]))
        fine = (name for name, side in names if side is None or side >= wanted)
        layer = next(fine, names[0][0])
    found = None if layer is None else _tap(inputs, logits, layer, "")
    if found is not None:
        return found
    if names:
        last = ", ".join(name for name, _ in names[:8])
        raise ArgumentError(
            "`layer` must be the name of a layer behind a convolution whose output is a map "
            f"(height, width, filters), such as {last}. {checks.received('layer', layer)}"
        )
    raise ArgumentError(
        'method="grad-cam" needs a convolution whose output is a map of the image, and the '
        'model has none. method="occlusion" works with any model.'
    )


def features_model(model: KerasModel) -> KerasModel:
    """Makes the network up to the input of its output layer.

    Args:
        model: a `keras.Model` from images to probabilities.

    Returns:
        A `keras.Model` from images to (batch, features): the input of the last `Dense` layer. Of
        a model without one, to its logits.
    """
    import keras

    whole = logits_model(model)
    tensor = whole.outputs[0]
    trained = without_temperature(model)
    if getattr(trained, "outputs", None):
        output = trained.outputs[0]
        while _is_activation(maker(output)):
            output = inputs_of(output)[0]
        layer = maker(output)
        if isinstance(layer, keras.layers.Dense) and len(inputs_of(output)[0].shape) == 2:
            return keras.Model(trained.inputs[0], inputs_of(output)[0])
    return keras.Model(whole.inputs[0], tensor)


def _with_logits(model: KerasModel) -> KerasModel:
    """The network up to its logits, also where softmax is part of its output layer.

    There the gradient of the probability would depend on all classes, and vanish where the network
    is confident.
    """
    import keras

    output = model.outputs[0] if getattr(model, "outputs", None) else None
    layer = None if output is None else maker(output)
    activation = getattr(getattr(layer, "activation", None), "__name__", "")
    if not isinstance(layer, keras.layers.Dense) or activation not in ("softmax", "sigmoid"):
        return logits_model(model)
    plain = type(layer).from_config(layer.get_config() | {"activation": "linear"})
    logits = plain(inputs_of(output)[0])
    plain.set_weights(layer.get_weights())
    return keras.Model(model.inputs[0], logits)


def _tap(inputs: KerasTensor, outputs: KerasTensor, layer: str, prefix: str) -> Tap | None:
    """A tap within one graph, from a tensor in it to another."""
    import keras

    for one, made in _behind_convolution(outputs):
        name = prefix + one.name
        if _is_map(made) and layer == name:
            both = keras.Model(inputs, [made, outputs])
            return Tap(name, functools.partial(both, training=False))
        if _is_graph(one) and layer.startswith(f"{name}/"):
            inner = _tap(one.inputs[0], one.outputs[0], layer, f"{name}/")
            if inner is not None:
                return _joined(inputs, made, inner, outputs)
    return None


def _maps(
    inputs: KerasTensor, outputs: KerasTensor, shape: tuple[int | None, ...], prefix: str = ""
) -> list[tuple[str, int | None]]:
    """Name and shorter side of every map behind a convolution, the last one first.

    `shape` is that of the images: a backbone on its own takes any size, and does not say how
    large its maps will be.
    """
    import keras

    steps = _behind_convolution(outputs)
    if not steps:
        return []
    every = keras.Model(inputs, [made for _, made in steps])
    sizes = every.compute_output_spec(keras.KerasTensor(shape))
    found = []
    for (one, made), size in zip(steps, sizes, strict=True):
        name = prefix + one.name
        # Zero padding would make a map look finer than it is, and shift it.
        if _is_map(size) and not isinstance(one, keras.layers.ZeroPadding2D):
            rows, columns = size.shape[1:3]
            found.append((name, None if None in (rows, columns) else min(rows, columns)))
        if _is_graph(one):
            source = inputs_of(made)[0]
            entering = keras.Model(inputs, source).compute_output_spec(keras.KerasTensor(shape))
            found += _maps(one.inputs[0], one.outputs[0], entering.shape, f"{name}/")
    return found


def _behind_convolution(outputs: KerasTensor) -> list[tuple[KerasLayer, KerasTensor]]:
    """The operations from the first convolution on, the last one first."""
    steps = _steps(outputs)
    first = next((at for at, (one, _) in enumerate(steps) if _holds_convolution(one)), len(steps))
    return steps[first:][::-1]


def _steps(outputs: KerasTensor) -> list[tuple[KerasLayer, KerasTensor]]:
    """The operations behind a tensor and what each made, in an order in which they can be done."""
    done: dict[int, tuple[KerasLayer, KerasTensor]] = {}
    waiting = [outputs]
    while waiting:
        tensor = waiting[-1]
        before = [one for one in inputs_of(tensor) if id(one) not in done]
        if before:
            waiting += before
        else:
            waiting.pop()
            done[id(tensor)] = maker(tensor), tensor
    return list(done.values())


def _joined(inputs: KerasTensor, tensor: KerasTensor, inner: Tap, outputs: KerasTensor) -> Tap:
    """A tap inside the network that made a tensor, with what stands before and behind it."""
    import keras

    source = inputs_of(tensor)[0]
    before = None if source is inputs else keras.Model(inputs, source)
    behind = None if tensor is outputs else keras.Model(tensor, outputs)

    def run(images: KerasTensor) -> tuple[KerasTensor, KerasTensor]:
        maps, values = inner.run(images if before is None else before(images, training=False))
        return maps, values if behind is None else behind(values, training=False)

    return Tap(inner.layer, run)


def _holds_convolution(operation: KerasLayer) -> bool:
    if _is_graph(operation):
        return any(_holds_convolution(one) for one, _ in _steps(operation.outputs[0]))
    return "Conv" in type(operation).__name__ and hasattr(operation, "kernel_size")


def _is_graph(operation: KerasLayer) -> bool:
    import keras

    return isinstance(operation, keras.Model) and bool(getattr(operation, "inputs", None))


def _is_map(tensor: KerasTensor) -> bool:
    """Whether a tensor has rows and columns, more than one value of them."""
    if len(tensor.shape) != 4:
        return False
    rows, columns = tensor.shape[1:3]
    return rows is None or columns is None or rows * columns > 1


def _is_activation(operation: KerasLayer) -> bool:
    import keras

    return isinstance(operation, (keras.layers.Activation, keras.layers.Softmax))
