"""`Block`: a small frozen dataclass of settings that becomes a few Keras layers.

This file owns what all blocks share: checking their settings where they are typed, printing as the
call that makes them, JSON, and being called on a tensor. The blocks themselves are in `blocks`.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from imgclf import checks
from imgclf.architecture.choices import Between, Choice, Optional, Repeat, holds_choices
from imgclf.architecture.initializer import Initializer, check_initializer
from imgclf.architecture.layers import Part, Shape, out_of
from imgclf.errors import ArgumentError, ArgumentTypeError, BlockError

__all__ = ["ACTIVATIONS", "Block", "block_from_dict", "check_blocks", "fit_block"]

# Names that `keras.activations.get` knows and that need no settings.
ACTIVATIONS = (
    "celu", "elu", "exponential", "gelu", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh",
    "leaky_relu", "linear", "log_sigmoid", "mish", "relu", "relu6", "selu", "sigmoid", "silu",
    "softplus", "softsign", "swish", "tanh",
)  # fmt: skip

_REGISTRY: dict[str, type[Block]] = {}


def _activation(name: str, value: Any) -> str | None:
    return None if value is None else str(checks.one_of(name, value, ACTIVATIONS))


def _normalization(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        value = block_from_dict(value)
    if value is None or value == "batch" or getattr(value, "block_name", "") == "batch_norm":
        return value
    raise ArgumentError(
        f'`{name}` must be None, "batch" or batch_norm(...). {checks.received(name, value)}'
    )


def _open_pair(name: str, value: Any) -> tuple[int, int] | None:
    return None if value is None else checks.size_pair(name, value)


def _open_flag(name: str, value: Any) -> bool | None:
    return None if value is None else checks.flag(name, value)


def _inner_blocks(name: str, value: Any) -> tuple[Any, ...]:
    return check_blocks(value, name=name)


def _rate(name: str, value: Any) -> Any:
    checks.number(name, value, low=0, high=1, below=True)
    return value


# What a setting must be, by its name: the same name means the same thing in every block.
_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "filters": lambda name, value: checks.integer(name, value, low=1),
    "units": lambda name, value: checks.integer(name, value, low=1),
    "kernel_size": checks.size_pair,
    "strides": checks.size_pair,
    "pool_size": checks.size_pair,
    "pool_strides": _open_pair,
    "padding": lambda name, value: checks.one_of(name, value, ["same", "valid"]),
    "pool_padding": lambda name, value: value and checks.one_of(name, value, ["same", "valid"]),
    "activation": _activation,
    "normalization": _normalization,
    "dropout": _rate,
    "rate": _rate,
    "momentum": _rate,
    "epsilon": lambda name, value: checks.number(name, value, low=0, above=True),
    "scale": checks.flag,
    "center": checks.flag,
    "use_bias": _open_flag,
    "kernel_initializer": check_initializer,
    "bias_initializer": check_initializer,
    "kind": lambda name, value: checks.one_of(name, value, ["average", "max"]),
    "blocks": _inner_blocks,
}


class Block(abc.ABC):
    """Base of all blocks. Subclass it as a frozen dataclass to make one of your own.

    A subclass gives its settings as dataclass fields and its layers by `parts`. Settings with the
    names that imgclf's own blocks use (`filters`, `kernel_size`, `dropout`, …) are checked as
    theirs are; others are checked by the subclass in `check`.

    Example:
        >>> import dataclasses
        >>> from imgclf.architecture.layers import Activate, Convolve
        >>> @dataclasses.dataclass(frozen=True, repr=False)
        ... class TwoConv(Block):
        ...     filters: int
        ...
        ...     def parts(self):
        ...         one = Convolve(self.filters, (3, 3))
        ...         return (one, Activate("relu"), one, Activate("relu"))
        >>> TwoConv(8)
        two_conv(8)
        >>> TwoConv(8).output_shape((32, 32, 3))
        (32, 32, 8)
    """

    block_name: ClassVar[str]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "block_name" not in cls.__dict__:
            name = cls.__name__
            cls.block_name = "".join(
                f"_{char.lower()}" if char.isupper() and place else char.lower()
                for place, char in enumerate(name)
            )
        _REGISTRY[cls.block_name] = cls

    @abc.abstractmethod
    def parts(self) -> tuple[Part, ...]:
        """The layers, in order, of a block whose choices are all made."""

    def check(self) -> None:  # noqa: B027 - most blocks have nothing to add
        """Checks settings that depend on each other, or that only this block has."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            check = _CHECKS.get(field.name)
            value = getattr(self, field.name)
            if check is None:
                continue
            if isinstance(value, (Choice, Between)):
                for sample in value.samples():
                    check(field.name, sample)
            else:
                checked = check(field.name, value)
                object.__setattr__(self, field.name, _as_typed(value, checked))
        if not holds_choices(self):
            self.check()

    def __repr__(self) -> str:
        words = []
        for position, field in enumerate(dataclasses.fields(self)):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if position == 0 and field.default is dataclasses.MISSING:
                words.append(_show(value))
            elif value != field.default:
                words.append(f"{field.name}={_show(value)}")
        return f"{self.block_name}({', '.join(words)})"

    def __call__(self, tensor: Any, name: str | None = None) -> Any:
        """Applies new Keras layers to a tensor.

        Args:
            tensor: a Keras tensor (batch, height, width, channels) or (batch, features).
            name: what the layers' names begin with; the block's own name if left out.

        Returns:
            The Keras tensor that comes out.

        Raises:
            BlockError: if the block does not fit the tensor's shape.
        """
        fit_block(self, tuple(tensor.shape[1:]), str(self))
        namer = _Namer(name or self.block_name)
        for part in self.parts():
            tensor = part.apply(tensor, namer)
        return tensor

    def output_shape(self, shape: Shape) -> Shape:
        """The shape, without the batch, that comes out for one that goes in.

        Raises:
            BlockError: if the block does not fit the shape.
        """
        return fit_block(self, shape, str(self))

    def to_dict(self) -> dict[str, Any]:
        """The block as plain values, for JSON; `block_from_dict` reads it."""
        values: dict[str, Any] = {"block": self.block_name}
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            values[field.name] = _plain(getattr(self, field.name))
        return values


class _Namer:
    """Names of layers, each once: `conv_0.conv`, `conv_0.norm`, then `conv_0.conv_1`."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.used: dict[str, int] = {}

    def __call__(self, kind: str) -> str:
        count = self.used.get(kind, 0)
        self.used[kind] = count + 1
        return f"{self.prefix}.{kind}" + (f"_{count}" if count else "")


def _as_typed(value: Any, checked: Any) -> Any:
    """Keeps `3` where a check made (3, 3) of it, so that the repr is what was typed."""
    if isinstance(value, list):
        return tuple(checked)
    return value if isinstance(value, (int, float)) else checked


def _show(value: Any) -> str:
    if isinstance(value, tuple) and any(isinstance(item, Block) for item in value):
        return f"[{', '.join(map(repr, value))}]"
    return repr(value)


def _plain(value: Any) -> Any:
    if isinstance(value, (Block, Initializer)):
        return value.to_dict()
    if isinstance(value, (Choice, Between, Optional, Repeat)):
        raise ArgumentError(f"A block that holds a choice cannot be stored. Received: {value!r}.")
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def block_from_dict(values: Any) -> Block:
    """Reads what `Block.to_dict` wrote.

    Raises:
        ArgumentError: for an unknown block or setting.

    Example:
        >>> from imgclf import conv
        >>> block_from_dict(conv(32).to_dict()) == conv(32)
        True
    """
    if not isinstance(values, dict) or "block" not in values:
        raise ArgumentTypeError(
            "A stored block must be a dict with the key 'block'. "
            + checks.received("values", values)
        )
    # The built-in blocks register themselves when their module is imported.
    import imgclf.architecture.blocks.standard  # noqa: F401

    kind = _REGISTRY[checks.one_of("block", values["block"], _REGISTRY)]
    settings = {name: value for name, value in values.items() if name != "block"}
    known = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for name in settings:
        checks.one_of(f"setting of {kind.block_name}", name, known)
    if "blocks" in settings:
        settings["blocks"] = [block_from_dict(inner) for inner in settings["blocks"]]
    return kind(**settings)


def check_blocks(blocks: Any, *, name: str = "blocks") -> tuple[Any, ...]:
    """A list of blocks, with or without choices, as a tuple."""
    if isinstance(blocks, Block) or not isinstance(blocks, Sequence) or isinstance(blocks, str):
        raise ArgumentTypeError(
            f"`{name}` must be a list of blocks such as [conv_maxpool(32), flatten()]. "
            + checks.received(name, blocks)
        )
    for position, block in enumerate(blocks):
        inside = isinstance(block, Choice)
        allowed = Block if inside else (Block, Optional, Repeat)
        for option in block.options if inside else (block,):
            if not isinstance(option, allowed):
                raise ArgumentTypeError(
                    f"`{name}` must hold only blocks such as conv_maxpool(32). "
                    f"Received: {name}[{position}]={block!r}."
                )
    return tuple(blocks)


def fit_block(block: Block, shape: Shape, place: str) -> Shape:
    """The shape behind `block`; a failure names `place`, such as `blocks[3] conv(8)`."""
    if holds_choices(block):
        raise BlockError(
            f"{place}: still holds a choice. Give a value, or pass the blocks to imgclf.search()."
        )
    try:
        return out_of(block.parts(), shape)
    except BlockError as error:
        raise BlockError(f"{place}: {error}") from None
