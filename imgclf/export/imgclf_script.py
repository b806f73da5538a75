"""A network and a recipe as a short script in imgclf."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from imgclf.architecture.blocks.block import Block
from imgclf.architecture.initializer import Initializer
from imgclf.training.recipe.augmentation import Augmentation
from imgclf.training.recipe.recipe import Recipe

__all__ = ["imgclf_script", "recipe_code"]


# Where nobody knows how the data was loaded.
_NO_DATA = """\
def load_data():
    # The search used arrays in memory, of which this script knows nothing. Return the same images
    # here, such as imgclf.Dataset.from_arrays(images, labels).
    raise SystemExit("Write into load_data() of this script how your data is loaded.")


data = load_data()"""


def imgclf_script(blocks: Sequence[Block], recipe: Recipe, *, title: str, data: str | None) -> str:
    """Writes a script that trains and evaluates a network of blocks.

    Args:
        blocks: without choices.
        recipe: how to train.
        title: the first line.
        data: the code that loads the data, such as "imgclf.load_digits()"; None leaves a place for
            it.
    """
    names = dict(_names([*blocks, recipe]))
    ours = sorted(name for name, module in names.items() if module is None)
    theirs = sorted((module, name) for name, module in names.items() if module is not None)
    listed = "".join(f"    {block!r},\n" for block in blocks)
    lines = [
        f'"""{title}"""',
        "",
        "import imgclf",
        f"from imgclf import {', '.join(ours)}",
        *(f"from {module} import {name}" for module, name in theirs),
        "",
        *(["", _NO_DATA] if data is None else [f"data = {data}"]),
        f"blocks = [\n{listed}]",
        f"recipe = {recipe_code(recipe)}",
        "clf = imgclf.Classifier.from_blocks(blocks, data, recipe)",
        'clf.fit(data, run_dir="runs/winner")  # run again, it resumes where it stopped',
        "",
        "# The search chose by validation images: only images that it never saw show what to",
        "# expect.",
        "if data.test is not None:",
        "    print(clf.evaluate(data.test))",
    ]
    return "\n".join(lines) + "\n"


def recipe_code(recipe: Recipe) -> str:
    """Returns the call that makes a recipe, with only what differs from the defaults.

    Example:
        >>> print(recipe_code(Recipe(epochs=3, optimizer="sgd")))
        Recipe(epochs=3, optimizer='sgd')
    """
    line = f"Recipe({', '.join(_changed(recipe))})"
    if len(line) <= 90:
        return line
    return f"Recipe(\n{''.join(f'    {word},{chr(10)}' for word in _changed(recipe))})"


def _changed(value: Any) -> list[str]:
    plain = type(value)()
    return [
        f"{field.name}={_shown(getattr(value, field.name))}"
        for field in dataclasses.fields(value)
        if getattr(value, field.name) != getattr(plain, field.name)
    ]


def _shown(value: Any) -> str:
    if isinstance(value, Augmentation):
        return f"Augmentation({', '.join(_changed(value))})"
    return repr(value)


def _names(value: Any) -> Iterator[tuple[str, str | None]]:
    """The names that the code of a value uses, each with its module, or None if imgclf's."""
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _names(item)
    elif isinstance(value, Initializer):
        yield "initializer", None
    elif isinstance(value, Recipe):
        yield "Recipe", None
        if value.augmentation != Augmentation():
            yield "Augmentation", None
    elif isinstance(value, Block):
        module, kind = type(value).__module__, type(value).__name__
        if module.startswith("imgclf."):
            yield value.block_name, None
        else:  # a block prints under its lower-case name
            yield f"{kind} as {value.block_name}", module
        for field in dataclasses.fields(value):  # type: ignore[arg-type]
            yield from _names(getattr(value, field.name))
