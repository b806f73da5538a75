"""`Block`: a small frozen dataclass of settings that becomes a few Keras layers.

This file owns what all blocks share: checking their settings where they are typed, printing as the
call that makes them, JSON, and being called on a tensor. The blocks themselves are in the files
beside it.
"""

from __future__ import annotations

import abc
import dataclasses
import re
from collections.abc import Sequence
from typing import Any, ClassVar

from imgclf import checks
from imgclf.architecture.choices import Between, Choice, Optional, Repeat, holds_choices
from imgclf.architecture.initializer import Initializer
from imgclf.architecture.layers import Namer, Part, out_of
from imgclf.architecture.settings import check_settings
from imgclf.architecture.shapes import Shape
from imgclf.errors import ArgumentError, ArgumentTypeError, BlockError
from imgclf.typing import KerasTensor

__all__ = ["Block", "block_from_dict", "check_blocks", "fit_block", "known_blocks"]

# Each class under the name that stored blocks have; a class enters it when it is defined.
_REGISTRY: dict[str, type[Block]] = {}


class Block(abc.ABC):
    """Base of all blocks. Subclass it as a frozen dataclass to define your own.

    A subclass gives its settings as dataclass fields and its layers by `parts`. A constraint in
    the annotation of a field is checked where the block is made; `check` is for what depends on
    several fields. The block's name, under which it prints and is stored, comes from that of the
    class; no two classes may have the same.

    Example:
        >>> import dataclasses
        >>> from imgclf.architecture.layers import Activate, Convolve
        >>> @dataclasses.dataclass(frozen=True, repr=False)
        ... class DoubleConv(Block):
        ...     filters: int
        ...
        ...     def parts(self):
        ...         one = Convolve(self.filters, (3, 3))
        ...         return (one, Activate("relu"), one, Activate("relu"))
        >>> DoubleConv(8)
        double_conv(8)
        >>> DoubleConv(8).output_shape((32, 32, 3))
        (32, 32, 8)
    """

    block_name: ClassVar[str]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "block_name" not in cls.__dict__:
            cls.block_name = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
        known = _REGISTRY.get(cls.block_name, cls)
        if not _is_redefined(known, cls):
            own = known.__qualname__ == cls.__qualname__ and not _is_built_in(known)
            way_out = ", or restart Python if it has moved" if own else ""
            raise ArgumentError(
                f"The block name {cls.block_name!r} is taken by {known.__module__}."
                f"{known.__qualname__}, by which stored blocks of that name are read. Give the "
                f"class {cls.__qualname__} another name{way_out}."
            )
        _REGISTRY[cls.block_name] = cls

    def __init__(self, *values: object, **settings: object) -> None:  # noqa: ARG002
        # A dataclass has its own.
        raise ArgumentTypeError(
            f"The block {type(self).__name__} must be a frozen dataclass. Write "
            "@dataclasses.dataclass(frozen=True, repr=False) above the class."
        )

    @abc.abstractmethod
    def parts(self) -> tuple[Part, ...]:
        """The layers in order; called only when no setting is a choice."""

    def check(self) -> None:  # noqa: B027 - most blocks have nothing to add
        """Checks settings that depend on each other."""

    def __post_init__(self) -> None:
        check_settings(self)
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

    def __call__(self, tensor: KerasTensor, name: str | None = None) -> KerasTensor:
        """Applies new Keras layers to a tensor.

        Args:
            tensor: a Keras tensor (batch, height, width, channels) or (batch, features).
            name: prefix of the layers' names; the block's own name if left out.

        Returns:
            The output, a Keras tensor.

        Raises:
            BlockError: if the block does not fit the tensor's shape.
        """
        fit_block(self, tuple(tensor.shape[1:]), str(self))
        namer = Namer(name or self.block_name)
        for part in self.parts():
            tensor = part.apply(tensor, namer)
        return tensor

    def output_shape(self, shape: Shape) -> Shape:
        """The output shape for an input shape, both without the batch.

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


def _is_redefined(known: type[Block], new: type[Block]) -> bool:
    """Whether `new` is the class `known` again: run once more, or moved out of a notebook."""
    if known.__qualname__ != new.__qualname__:
        return False
    modules = {known.__module__, new.__module__}
    # The second name is that of the script in a worker process.
    moved = modules & {"__main__", "__mp_main__"} and not (_is_built_in(known) or _is_built_in(new))
    return len(modules) == 1 or bool(moved)


def _is_built_in(block: type[Block]) -> bool:
    return block.__module__.startswith("imgclf.")


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


def block_from_dict(values: object) -> Block:
    """Reads what `Block.to_dict` wrote.

    Raises:
        ArgumentError: for an unknown setting, or a block whose class is not defined.

    Example:
        >>> from imgclf import conv
        >>> block_from_dict(conv(32).to_dict()) == conv(32)
        True
    """
    name = values.get("block") if isinstance(values, dict) else None
    if not isinstance(values, dict) or not isinstance(name, str):
        raise ArgumentTypeError(
            "A stored block must be a dict with the name of a block under the key 'block'. "
            + checks.received("values", values)
        )
    if name not in _REGISTRY:
        raise ArgumentError(
            f"The block {name!r} is not defined here: import the module that defines its class "
            "before loading."
        )
    kind = _REGISTRY[name]
    settings = {name: _read(value) for name, value in values.items() if name != "block"}
    known = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for name in settings:
        checks.one_of(f"setting of {kind.block_name}", name, known)
    return kind(**settings)


def _read(value: Any) -> Any:
    """What `_plain` wrote: blocks inside a setting, alone or in a list."""
    if isinstance(value, list):
        return [_read(item) for item in value]
    return block_from_dict(value) if isinstance(value, dict) and "block" in value else value


def known_blocks() -> dict[str, type[Block]]:
    """All blocks by name: the built-in ones, and those defined by the user so far."""
    return dict(_REGISTRY)


def check_blocks(blocks: object, *, name: str = "blocks") -> tuple[Any, ...]:
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
