"""One-line summaries of networks and their trainings, for tables."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable
from typing import Any

from imgclf.architecture.blocks.block import Block
from imgclf.search.results.trial import Trial

__all__ = ["summarize_blocks", "summarize_trial"]


def summarize_blocks(blocks: Iterable[Block]) -> str:
    """Lists blocks by name and size, with kernel and activation where they are not the default.

    Equal blocks in a row are counted.

    Example:
        >>> from imgclf import conv, conv_maxpool, global_pool
        >>> blocks = [conv_maxpool(16, kernel_size=5), conv(32), conv(32), global_pool("max")]
        >>> summarize_blocks(blocks)
        'conv_maxpool 16 5×5 · conv 32 ×2 · global_pool'
    """
    summaries = [_summarize(block) for block in blocks]
    groups = [(text, len(list(group))) for text, group in itertools.groupby(summaries)]
    return " · ".join(text if repeats == 1 else f"{text} ×{repeats}" for text, repeats in groups)


def summarize_trial(trial: Trial) -> str:
    """Describes a trial's network and recipe, after its status if it was not completed."""
    recipe = trial.recipe
    if trial.blocks:
        text = f"{summarize_blocks(trial.blocks)}, {recipe.optimizer} {recipe.learning_rate:g}"
    else:
        text = ", ".join(f"{name}={value!r}" for name, value in trial.hyperparameters.items())
    if trial.status == "completed":
        return text
    status = trial.status.replace("_", " ")
    return f"{status}{f': {trial.reason}' if trial.reason else ''} · {text}"


def _summarize(block: Any) -> str:
    inner = getattr(block, "blocks", None)
    if inner is not None:
        return f"{block.block_name}({summarize_blocks(inner)})"
    values = {field.name: getattr(block, field.name) for field in dataclasses.fields(block)}
    defaults = {field.name: field.default for field in dataclasses.fields(block)}
    words = [str(values[name]) for name in ("filters", "units") if values.get(name) is not None]
    kernel = values.get("kernel_size")
    if kernel is not None and kernel != defaults["kernel_size"]:
        sides = (kernel, kernel) if isinstance(kernel, int) else kernel
        words.append("×".join(map(str, sides)))
    if values.get("activation") != defaults.get("activation"):
        words.append(str(values["activation"]))
    return " ".join([block.block_name, *words])
