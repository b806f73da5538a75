"""Shows the network and the recipe."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from imgclf.architecture.describe import Description
from imgclf.markup import table
from imgclf.report.page import Section, render, scrolling
from imgclf.training.recipe.recipe import changed_settings

if TYPE_CHECKING:
    from imgclf.architecture.blocks.block import Block
    from imgclf.training.recipe.recipe import Recipe

__all__ = ["architecture", "recipe_code", "recipe_used"]

# A backbone has hundreds of layers.
_ROWS = 60


def architecture(description: Description, blocks: Sequence[Block] | None = None) -> Section:
    """Shows the layers or blocks.

    Args:
        description: as `describe` returns it.
        blocks: that the network was built from, if any.
    """
    rows = description.cells()
    shown = [list(row) for row in rows[:_ROWS]]
    if rows[_ROWS:]:
        shown.append([f"{len(rows) - _ROWS:,} more layers", "", "", "", ""])
    macs = "?" if description.macs is None else f"{description.macs:,}"
    shown.append(["all", "", f"{description.parameters:,}", macs, ""])
    heads = ["block", "output", "parameters", "multiply-adds", "receptive field"]
    body = scrolling("Layers", table("", heads, shown))
    if blocks:
        code = "\n".join(["[", *(f"    {block!r}," for block in blocks), "]"])
        body += render("code.html", title="As code", code=code)
    return Section(
        "network",
        "Network",
        body,
        f"{description.parameters:,} parameters. Receptive field: the window of pixels that one "
        "output value depends on.",
    )


def recipe_used(recipe: Recipe) -> Section:
    """Shows the recipe: the settings that differ from the defaults, and all of them."""
    fields = [(field.name, getattr(recipe, field.name)) for field in dataclasses.fields(recipe)]
    every = table("", ["setting", "value"], [[name, repr(value)] for name, value in fields])
    body = render("code.html", title="", code=recipe_code(recipe))
    body += render("folded.html", title="Every setting", body=every)
    return Section("recipe", "Recipe", body, "The settings that differ from the defaults.")


def recipe_code(recipe: Recipe) -> str:
    """Returns the call that makes the recipe, a setting per line."""
    changed = [f"    {name}={value!r}," for name, value in changed_settings(recipe).items()]
    return "\n".join(["Recipe(", *changed, ")"]) if changed else "Recipe()"
