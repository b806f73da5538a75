"""Shows the headings of docstrings that griffe does not know as what they are."""

from __future__ import annotations

import re
from typing import Any

import griffe

_EXAMPLE = re.compile(r"^Example:$", re.MULTILINE)
_PARAGRAPH = re.compile(r"^(Shape|Source):\n((?: {4}.*\n?)+)", re.MULTILINE)


class Sections(griffe.Extension):
    """`Example:` holds code, `Shape:` and `Source:` a sentence; griffe makes boxes of them."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrites one docstring before it is parsed."""
        if obj.docstring is not None:
            text = _EXAMPLE.sub("Examples:", obj.docstring.value)
            obj.docstring.value = _PARAGRAPH.sub(_to_paragraph, text)


def _to_paragraph(found: re.Match[str]) -> str:
    return f"**{found[1]}:** {' '.join(found[2].split())}\n"
