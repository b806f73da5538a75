"""`describe`: shapes, parameters and costs of a network, a row for each block.

Blocks are described by their own arithmetic, without TensorFlow. Any Keras model is described by
its layers; those from `build_classifier` are grouped by their blocks again.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from imgclf import checks
from imgclf.architecture.blocks.block import Block, check_blocks
from imgclf.architecture.build import check_fit
from imgclf.architecture.layers import Dense, Part, steps, widen
from imgclf.architecture.shapes import Shape, show_shape, total
from imgclf.backend.keras_internals import maker
from imgclf.errors import ArgumentError
from imgclf.typing import KerasModel

__all__ = ["Description", "Row", "describe"]

_HEADS = ("block", "output", "parameters", "multiply-adds", "sees")

# Layers of build_classifier without a cost.
_INPUT_AND_OUTPUT = {"rescaling", "temperature", "probabilities"}


@dataclasses.dataclass(frozen=True)
class Row:
    """One block, or one layer of a model without blocks.

    Args:
        name: the call that makes the block, or the layer's name.
        output_shape: without the batch.
        parameters: number of weights, trained or not.
        macs: multiply-adds of convolutions and dense layers for one image; None if height or width
            is open.
        receptive_field: (height, width) in pixels of the image that one output value depends on;
            None for the whole image, or if it is unknown.
    """

    name: str
    output_shape: Shape
    parameters: int
    macs: int | None
    receptive_field: tuple[int, int] | None


@dataclasses.dataclass(frozen=True, repr=False)
class Description:
    """A row for each block, and the totals. `str()` is a table; `records()` are plain values."""

    rows: tuple[Row, ...]

    @property
    def parameters(self) -> int:
        """The number of weights, trained or not."""
        return sum(row.parameters for row in self.rows)

    @property
    def macs(self) -> int | None:
        """Multiply-adds for one image; None if height or width is open."""
        return total([row.macs for row in self.rows])

    def records(self) -> list[dict[str, Any]]:
        """Returns a dict for each row, for a table or for JSON."""
        return [dataclasses.asdict(row) for row in self.rows]

    def cells(self) -> list[tuple[str, ...]]:
        """Returns the rows as texts: block, output, parameters, multiply-adds, sees."""
        return [_cells(row) for row in self.rows]

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from imgclf.markup import notebook, table

        sums = ("total", "", f"{self.parameters:,}", _count(self.macs), "")
        return notebook(table("", _HEADS, [*self.cells(), sums]))

    def __repr__(self) -> str:
        cells = self.cells()
        heads = _HEADS
        sums = ("total", "", f"{self.parameters:,}", _count(self.macs), "")
        widths = [max(map(len, column)) for column in zip(heads, *cells, sums, strict=True)]
        rule = "─" * (sum(widths) + 2 * (len(widths) - 1))
        lines = [_line(heads, widths), rule, *(_line(row, widths) for row in cells)]
        return "\n".join([*lines, rule, _line(sums, widths)])


class _HasModel(Protocol):
    """What `describe` needs of a `Classifier`."""

    @property
    def model(self) -> KerasModel: ...


def describe(
    model_or_blocks: _HasModel | KerasModel | Sequence[Block],
    image_shape: tuple[int | None, int | None, int] | None = None,
    num_classes: int | None = None,
) -> Description:
    """Describes a Keras model, a classifier, or a list of blocks.

    Args:
        model_or_blocks: a built functional or sequential `keras.Model`, a `Classifier`, or a list
            of blocks.
        image_shape: (height, width, channels); required for blocks, and only for them.
        num_classes: adds the output layer to a list of blocks.

    Returns:
        A `Description`: printable, and as `records()`.

    Raises:
        BlockError: if a block does not fit.
        ArgumentError: if `image_shape` is missing, or the model is not built.

    Example:
        >>> from imgclf import conv_maxpool, flatten
        >>> describe([conv_maxpool(32, kernel_size=7, strides=2), flatten()], (32, 32, 3), 10)
        block                                     output   parameters  multiply-adds   sees
        ───────────────────────────────────────────────────────────────────────────────────
        conv_maxpool(32, kernel_size=7, strides=2)  8×8×32       4,736      1,204,224    9×9
        flatten()                                     2,048           0              0    all
        dense(10, activation=None)                       10      20,490         20,480    all
        ───────────────────────────────────────────────────────────────────────────────────
        total                                                25,226      1,224,704
    """
    model = getattr(model_or_blocks, "model", model_or_blocks)
    if hasattr(model, "layers") and hasattr(model, "count_params"):
        if image_shape is not None or num_classes is not None:
            raise ArgumentError(
                "`image_shape` and `num_classes` belong to a list of blocks; a model has its own."
            )
        return Description(tuple(_rows_of_model(model)))
    blocks = check_blocks(model_or_blocks, name="model_or_blocks")
    if image_shape is None:
        raise ArgumentError(
            "`image_shape` must be given with a list of blocks, such as (32, 32, 3)."
        )
    return Description(tuple(_rows_of_blocks(blocks, image_shape, num_classes)))


def _rows_of_blocks(
    blocks: tuple[Any, ...], image_shape: Any, num_classes: int | None
) -> Iterable[Row]:
    shape: Shape = checks.image_shape("image_shape", image_shape)
    if num_classes is not None:
        checks.integer("num_classes", num_classes, low=2)
    check_fit(blocks, shape)
    sees, jump = (1, 1), (1, 1)
    groups: list[tuple[str, tuple[Part, ...]]] = [(repr(block), block.parts()) for block in blocks]
    if num_classes is not None:
        groups.append((f"dense({num_classes}, activation=None)", (Dense(num_classes),)))
    for name, parts in groups:
        costs = steps(parts, shape)
        for part in parts:
            sees, jump = widen(sees, jump, part)
        after = parts[-1].output_shape(costs[-1][1]) if parts else shape
        yield Row(
            name,
            after,
            sum(part.parameters(before) for part, before in costs),
            total([part.macs(before) for part, before in costs]),
            sees if len(after) == 3 else None,
        )
        shape = after


def _rows_of_model(model: Any) -> Iterable[Row]:
    if not model.built:
        raise ArgumentError(
            "`model_or_blocks` must be a built model. Call model.build(...) or model(images) first."
        )
    import keras

    fields = _receptive_fields(model)
    groups: dict[str, list[Any]] = {}
    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer) or layer.name in _INPUT_AND_OUTPUT:
            continue
        groups.setdefault(layer.name.split(".")[0], []).append(layer)
    for name, layers in groups.items():
        output = _single(layers[-1].output)
        costs = [_layer_macs(layer) for layer in layers]
        yield Row(
            name,
            tuple(output.shape[1:]),
            sum(layer.count_params() for layer in layers),
            total(costs),
            fields.get(layers[-1].name) if len(output.shape) == 4 else None,
        )


def _single(tensors: Any) -> Any:
    return tensors[0] if isinstance(tensors, (list, tuple)) else tensors


def _layer_macs(layer: Any) -> int | None:
    """Multiply-adds of one Keras layer; None if a size is open."""
    import keras

    layers = keras.layers
    if isinstance(layer, keras.Model):
        return total([_layer_macs(inner) for inner in layer.layers])
    if isinstance(layer, layers.Dense):
        return math.prod(layer.kernel.shape)
    places = _places(layer)
    if isinstance(layer, layers.SeparableConv2D):
        kernels = math.prod(layer.depthwise_kernel.shape) + math.prod(layer.pointwise_kernel.shape)
        return None if places is None else places * kernels
    if isinstance(layer, layers.DepthwiseConv2D) or hasattr(layer, "groups"):
        return None if places is None else places * math.prod(layer.kernel.shape)
    return 0


def _places(layer: Any) -> int | None:
    """The number of positions in the layer's output map."""
    shape = _single(layer.output).shape[1:-1]
    return None if None in shape else math.prod(shape)


def _receptive_fields(model: Any) -> dict[str, tuple[int, int]]:
    """By layer name: the largest window of image pixels that an output value depends on."""
    import keras

    known: dict[str, tuple[tuple[int, int], tuple[int, int]]] = {}
    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer):
            known[layer.name] = (1, 1), (1, 1)
            continue
        sources = [known[name] for name in _sources(layer) if name in known] or [((1, 1), (1, 1))]
        sees = tuple(max(field[0][axis] for field in sources) for axis in (0, 1))
        jump = tuple(max(field[1][axis] for field in sources) for axis in (0, 1))
        known[layer.name] = widen(sees, jump, _LayerWindow(layer))  # type: ignore[arg-type]
    return {name: field[0] for name, field in known.items()}


def _sources(layer: Any) -> list[str]:
    inputs = layer.input if isinstance(layer.input, (list, tuple)) else [layer.input]
    return [maker(tensor).name for tensor in inputs]


class _LayerWindow:
    """The window of a Keras layer, as `widen` asks for it."""

    def __init__(self, layer: Any) -> None:
        self.layer = layer

    def window(self) -> tuple[tuple[int, int], tuple[int, int]]:
        size = getattr(self.layer, "kernel_size", getattr(self.layer, "pool_size", None))
        strides = getattr(self.layer, "strides", (1, 1))
        if size is None or len(size) != 2:
            return (1, 1), (1, 1)
        dilation = getattr(self.layer, "dilation_rate", (1, 1))
        high, wide = ((side - 1) * rate + 1 for side, rate in zip(size, dilation, strict=True))
        return (high, wide), tuple(strides)


def _cells(row: Row) -> tuple[str, ...]:
    shape = (
        f"{row.output_shape[0]:,}" if len(row.output_shape) == 1 else show_shape(row.output_shape)
    )
    sees = show_shape(row.receptive_field) if row.receptive_field else "all"
    return row.name, shape, f"{row.parameters:,}", _count(row.macs), sees


def _count(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"


def _line(cells: Iterable[str], widths: list[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    words = [first[0].ljust(first[1]), *(text.rjust(width) for text, width in others)]
    return "  ".join(words).rstrip()
