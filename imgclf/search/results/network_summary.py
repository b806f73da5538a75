"""Networks in a few words, for tables."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

__all__ = ["short_blocks"]


def short_blocks(blocks: Any) -> str:
    """The blocks by name, size, and kernel and activation that are unusual; repetitions counted.

    Example:
        >>> from imgclf import conv, conv_maxpool, global_pool
        >>> short_blocks([conv_maxpool(16, kernel_size=5), conv(32), conv(32), global_pool("max")])
        'conv_maxpool 16 5×5 · conv 32 ×2 · global_pool'
    """
    names = [_short(block) for block in blocks]
    groups = [(name, len(list(group))) for name, group in itertools.groupby(names)]
    return " · ".join(name if count == 1 else f"{name} ×{count}" for name, count in groups)


def _short(block: Any) -> str:
    inner = getattr(block, "blocks", None)
    if inner is not None:
        return f"{block.block_name}({short_blocks(inner)})"
    values = {field.name: getattr(block, field.name) for field in dataclasses.fields(block)}
    usual = {field.name: field.default for field in dataclasses.fields(block)}
    words = [str(values[name]) for name in ("filters", "units") if values.get(name) is not None]
    kernel = values.get("kernel_size")
    if kernel is not None and kernel != usual["kernel_size"]:
        sides = (kernel, kernel) if isinstance(kernel, int) else kernel
        words.append("×".join(map(str, sides)))
    if values.get("activation") != usual.get("activation"):
        words.append(str(values["activation"]))
    return " ".join([block.block_name, *words])
