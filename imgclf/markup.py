"""Builds HTML from small pieces: text is escaped, and what is HTML already says so by its type.

Reports and the displays of notebooks are made of these. A `Markup` is a `str` that MarkupSafe knows
to be HTML; any other text is escaped, since it may come from a stranger.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Iterable, Sequence

from markupsafe import Markup

__all__ = ["data_url", "image", "join", "notebook", "table", "visible"]

# Control characters, which HTML forbids, and lone surrogates, which UTF-8 cannot hold: undecodable
# bytes of a file name.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def join(parts: Iterable[str]) -> Markup:
    """Joins pieces of HTML; those that are text are escaped.

    Example:
        >>> join([Markup("<b>A</b>"), "<script>"])
        Markup('<b>A</b>&lt;script&gt;')
    """
    return Markup("").join(parts)


def data_url(content: bytes, kind: str) -> str:
    """Returns a URL that holds a file, so that a page needs no other file.

    Args:
        content: the bytes of the file.
        kind: its media type, such as "image/png".
    """
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def image(content: bytes, alt: str, *, kind: str = "image/png", width: int | None = None) -> Markup:
    """Returns an image that is part of the page.

    Args:
        content: the bytes of the file.
        alt: what it shows, for those who cannot see it.
        kind: the media type of the file.
        width: maximum width on the screen, pixels; its own by default.
    """
    size = Markup(' width="{}"').format(width) if width else ""
    return Markup('<img src="{}" alt="{}"{}>').format(data_url(content, kind), alt, size)


def table(
    caption: str,
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    text_columns: Collection[int] = (),
    sortable: bool = False,
) -> Markup:
    """Returns a table whose first column names the rows; the other columns are numbers.

    Args:
        caption: what the table shows.
        heads: the names of the columns.
        rows: the cells of each row: text or `Markup`.
        text_columns: indices of columns that hold text and wrap.
        sortable: whether the script of a page lets readers sort the table by a column.

    Example:
        >>> print(table("Sizes", ["split", "images"], [["<train>", "1,259"]]))
        <table><caption>Sizes</caption>
        <thead><tr><th scope="col">split</th><th scope="col">images</th></tr></thead>
        <tbody><tr><th scope="row">&lt;train&gt;</th><td>1,259</td></tr>
        </tbody></table>
    """
    kinds = [Markup(' class="words"') if at in text_columns else "" for at in range(len(heads))]
    head = join(
        Markup('<th scope="col"{}>{}</th>').format(kind, name)
        for kind, name in zip(kinds, heads, strict=True)
    )
    return Markup(
        "<table{}><caption>{}</caption>\n<thead><tr>{}</tr></thead>\n<tbody>{}</tbody></table>"
    ).format(
        Markup(' class="sortable"') if sortable else "",
        caption,
        head,
        join(_row(cells, kinds) for cells in rows),
    )


def _row(cells: Sequence[str], kinds: Sequence[str]) -> Markup:
    first, *others = cells
    rest = join(
        Markup("<td{}>{}</td>").format(kind, cell)
        for kind, cell in zip(kinds[1:], others, strict=True)
    )
    return Markup('<tr><th scope="row">{}</th>{}</tr>\n').format(first, rest)


# Enough to read a table in a notebook, light or dark; the front end has its own style for the rest.
_STYLE = Markup(
    "<style>.imgclf table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    ".imgclf th,.imgclf td{padding:.2em .7em;text-align:right;white-space:nowrap}"
    ".imgclf tr>:first-child{text-align:left}"
    ".imgclf caption{text-align:left;font-weight:bold}"
    ".imgclf p{margin:.3em 0}</style>"
)


def notebook(*parts: str) -> str:
    """Returns what a notebook shows for an object: its `_repr_html_`.

    Args:
        *parts: one below the other; text becomes a paragraph.
    """
    shown = join(
        part if isinstance(part, Markup) else Markup("<p>{}</p>").format(part) for part in parts
    )
    return visible(Markup('<div class="imgclf">{}{}</div>').format(_STYLE, shown))


def visible(html: str) -> str:
    r"""Replaces control characters in HTML by their escapes.

    Example:
        >>> visible("<b>\x1b[2J</b>")
        '<b>\\x1b[2J</b>'
    """
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], html)
