"""Translates the sections of our docstrings that griffe does not know."""

from __future__ import annotations

import re
from typing import Any

import griffe

_EXAMPLE = re.compile(r"^Example:$", re.MULTILINE)
_ARGUMENTS = re.compile(r"^Args:$", re.MULTILINE)
_PARAGRAPH = re.compile(r"^(Shape|Source):\n((?: {4}.*\n?)+)", re.MULTILINE)


class Sections(griffe.Extension):
    """Renders `Example:` as code, `Shape:` and `Source:` as a sentence, instead of as boxes.

    griffe finds no parameters in a `NamedTuple`: its fields are documented as attributes.
    """

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrites one docstring before it is parsed."""
        if obj.docstring is not None:
            text = _EXAMPLE.sub("Examples:", obj.docstring.value)
            if _is_named_tuple(obj):
                text = _ARGUMENTS.sub("Attributes:", text)
            obj.docstring.value = _PARAGRAPH.sub(_to_paragraph, text)


def _is_named_tuple(obj: griffe.Object) -> bool:
    return isinstance(obj, griffe.Class) and "NamedTuple" in map(str, obj.bases)


def _to_paragraph(found: re.Match[str]) -> str:
    return f"**{found[1]}:** {' '.join(found[2].split())}\n"
