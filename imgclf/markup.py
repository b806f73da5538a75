"""HTML in small pieces: text is escaped, and what is markup already says so by its type.

Reports and the displays of notebooks are made of these. A `Markup` is a `str` that MarkupSafe knows
to be HTML; whatever else is put into one is text, a stranger's perhaps, and is escaped.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from typing import Any

from markupsafe import Markup

__all__ = ["data_url", "image", "join", "notebook", "table", "visible"]

# Control characters, which HTML forbids, and halves of characters, which no file can hold: bytes of
# a file name that are no text.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def join(parts: Iterable[Any]) -> Markup:
    """One piece of many; those that are text are escaped.

    Example:
        >>> join([Markup("<b>A</b>"), "<script>"])
        Markup('<b>A</b>&lt;script&gt;')
    """
    return Markup("").join(parts)


def data_url(content: bytes, kind: str) -> str:
    """A file as an address that holds it, so that a page needs no other file.

    Args:
        content: the bytes of the file.
        kind: its media type, such as "image/png".
    """
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def image(content: bytes, alt: str, *, kind: str = "image/png", width: int | None = None) -> Markup:
    """An image that is part of the page.

    Args:
        content: the bytes of the file.
        alt: what it shows, for those who do not see it.
        kind: the media type of the file.
        width: pixels on the screen, at most; its own if left out.
    """
    size = Markup(' width="{}"').format(width) if width else ""
    return Markup('<img src="{}" alt="{}"{}>').format(data_url(content, kind), alt, size)


def table(caption: str, heads: Sequence[Any], rows: Iterable[Sequence[Any]]) -> Markup:
    """A table whose first column names the rows, and whose other columns are figures.

    Args:
        caption: what the table shows.
        heads: the names of the columns.
        rows: the cells of each row: text or `Markup`.

    Example:
        >>> print(table("Sizes", ["part", "images"], [["<train>", "1,259"]]))
        <table><caption>Sizes</caption>
        <thead><tr><th scope="col">part</th><th scope="col">images</th></tr></thead>
        <tbody><tr><th scope="row">&lt;train&gt;</th><td>1,259</td></tr>
        </tbody></table>
    """
    head = join(Markup('<th scope="col">{}</th>').format(name) for name in heads)
    body = join(_row(cells) for cells in rows)
    return Markup(
        "<table><caption>{}</caption>\n<thead><tr>{}</tr></thead>\n<tbody>{}</tbody></table>"
    ).format(caption, head, body)


def _row(cells: Sequence[Any]) -> Markup:
    first, *others = cells
    rest = join(Markup("<td>{}</td>").format(cell) for cell in others)
    return Markup('<tr><th scope="row">{}</th>{}</tr>\n').format(first, rest)


# Enough to be read in a notebook, light or dark; the frontend has its own style for the rest.
_STYLE = Markup(
    "<style>.imgclf table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    ".imgclf th,.imgclf td{padding:.2em .7em;text-align:right;white-space:nowrap}"
    ".imgclf tr>:first-child{text-align:left}"
    ".imgclf caption{text-align:left;font-weight:bold}"
    ".imgclf p{margin:.3em 0}</style>"
)


def notebook(*parts: Any) -> str:
    """What a notebook shows for an object: its `_repr_html_`.

    Args:
        *parts: one below the other; text becomes a paragraph.
    """
    shown = join(
        part if isinstance(part, Markup) else Markup("<p>{}</p>").format(part) for part in parts
    )
    return visible(Markup('<div class="imgclf">{}{}</div>').format(_STYLE, shown))


def visible(html: str) -> str:
    r"""HTML in which control characters are shown by their numbers.

    Example:
        >>> visible("<b>\x1b[2J</b>")
        '<b>\\x1b[2J</b>'
    """
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], html)
