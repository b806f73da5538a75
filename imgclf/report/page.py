"""Renders the frame of every HTML page that imgclf writes: one file that loads no other.

Style, script and images are in the page itself, and its content security policy forbids the
browser to load anything or to run any other script. The page follows the system's light or dark
mode, fits a phone and a desktop, prints, and works by keyboard and without JavaScript.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import hashlib
import importlib.resources
from collections.abc import Iterable
from typing import Any

from markupsafe import Markup

from imgclf.markup import visible

__all__ = ["Section", "page", "render", "scrolling"]


@dataclasses.dataclass(frozen=True)
class Section:
    """A section of a page.

    Args:
        id: the anchor of its links: letters, digits, hyphens.
        title: its heading, also shown in the contents.
        body: HTML, such as `render` returns, or plain text.
        lead: one or two sentences above the body.
    """

    id: str
    title: str
    body: Markup | str
    lead: Markup | str = ""


def page(
    title: str, summary: Markup | str, sections: Iterable[Section | None], *, footer: str = ""
) -> str:
    """Returns the text of a page.

    Args:
        title: of the page.
        summary: what stands at the top; HTML or plain text.
        sections: in order; None is skipped.
        footer: the last line, such as when the page was made.

    Returns:
        The text of a UTF-8 file. Whatever is not a `Markup` is escaped.

    Example:
        >>> from imgclf.markup import table
        >>> sizes = Section("sizes", "Sizes", table("", ["split", "images"], [["<train>", 9]]))
        >>> text = page("Cats & dogs", "91% of the images are classified correctly.", [sizes, None])
        >>> "<h1>Cats &amp; dogs</h1>" in text, "&lt;train&gt;" in text
        (True, True)
    """
    script = Markup(_read("page.js"))  # noqa: S704 - ours
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    text = render(
        "page.html",
        title=title,
        summary=summary,
        sections=[section for section in sections if section is not None],
        footer=footer,
        style=Markup(_read("page.css")),  # noqa: S704 - ours
        script=script,
        script_digest=digest,
    )
    return f"{visible(text)}\n"


def render(template: str, **values: object) -> Markup:
    """Renders a template of this folder; values that are text are escaped.

    Args:
        template: the name of the file.
        **values: what the template uses; a missing one is an error.
    """
    return Markup(_environment().get_template(template).render(**values))  # noqa: S704 - it escaped


def scrolling(title: str, content: Markup) -> Markup:
    """Returns content, such as a table, that scrolls sideways where the page is narrower.

    Args:
        title: what it is, for those who cannot see it.
        content: HTML.
    """
    return render("scroll.html", title=title, body=content)


@functools.cache
def _environment() -> Any:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader("imgclf.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _read(name: str) -> str:
    return (importlib.resources.files("imgclf.report") / "templates" / name).read_text("utf-8")
