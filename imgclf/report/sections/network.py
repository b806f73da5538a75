"""The network, and how it was trained."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from imgclf.architecture.describe import Description
from imgclf.markup import table
from imgclf.report.page import Section, render
from imgclf.training.recipe.recipe import changed_settings

if TYPE_CHECKING:
    from imgclf.training.recipe.recipe import Recipe

__all__ = ["architecture", "recipe_code", "recipe_used"]

# A backbone has hundreds of layers.
_ROWS = 60


def architecture(description: Description, blocks: Sequence[Any] | None = None) -> Section:
    """What it is made of.

    Args:
        description: as `describe` gives it.
        blocks: those that the network was built of, if it was.
    """
    rows = description.cells()
    shown = [list(row) for row in rows[:_ROWS]]
    if rows[_ROWS:]:
        shown.append([f"{len(rows) - _ROWS:,} more layers", "", "", "", ""])
    macs = "?" if description.macs is None else f"{description.macs:,}"
    shown.append(["all", "", f"{description.parameters:,}", macs, ""])
    body = render(
        "scroll.html",
        title="Layers",
        body=table("", ["block", "output", "parameters", "multiply-adds", "sees"], shown),
    )
    if blocks:
        code = "\n".join(["[", *(f"    {block!r}," for block in blocks), "]"])
        body += render("code.html", title="As code", code=code)
    return Section(
        "network",
        "Network",
        body,
        f"{description.parameters:,} parameters. “Sees”: the window of pixels that one value of "
        "the output depends on.",
    )


def recipe_used(recipe: Recipe) -> Section:
    """How it was trained: what differs from the ordinary, and all of it."""
    fields = [(field.name, getattr(recipe, field.name)) for field in dataclasses.fields(recipe)]
    every = table("", ["setting", "value"], [[name, repr(value)] for name, value in fields])
    body = render("code.html", title="", code=recipe_code(recipe))
    body += render("folded.html", title="Every setting", body=every)
    return Section("recipe", "Recipe", body, "How it was trained, where that is not the default.")


def recipe_code(recipe: Recipe) -> str:
    """The call that makes the recipe, a setting a line."""
    changed = [f"    {name}={value!r}," for name, value in changed_settings(recipe).items()]
    return "\n".join(["Recipe(", *changed, ")"]) if changed else "Recipe()"
