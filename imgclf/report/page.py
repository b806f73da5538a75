"""`page`: the frame of every HTML page that imgclf writes, in one file that loads no other.

Style, script, and images are in the page itself, and its content security policy forbids the
browser to load anything or to run any other script. It is light or dark as the reader's system is,
fits a phone and a desktop, prints, and can be used by keyboard and without JavaScript.
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

__all__ = ["Section", "page", "render"]


@dataclasses.dataclass(frozen=True)
class Section:
    """One part of a page.

    Args:
        id: a word by which links find it: letters, digits, hyphens.
        title: its heading, also in the contents.
        body: its HTML, such as `render` gives, or a text.
        lead: what it shows, in a sentence or two above the body.
    """

    id: str
    title: str
    body: Markup | str
    lead: Markup | str = ""


def page(
    title: str, summary: Markup | str, sections: Iterable[Section | None], *, footer: str = ""
) -> str:
    """A whole page.

    Args:
        title: of the page.
        summary: what the reader should know if nothing else is read; HTML or a text.
        sections: in order; None where there is nothing to show.
        footer: the last line, such as when and by what the page was made.

    Returns:
        The text of a file in UTF-8. Whatever is not a `Markup` is escaped.

    Example:
        >>> from imgclf.markup import table
        >>> sizes = Section("sizes", "Sizes", table("", ["part", "images"], [["<train>", 9]]))
        >>> text = page("Cats & dogs", "91% of the images are named right.", [sizes, None])
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


def render(template: str, **values: Any) -> Markup:
    """A template of this folder with these values, which are escaped where they are text.

    Args:
        template: the name of its file.
        **values: what the template asks for; one that is missing is an error.
    """
    return Markup(_environment().get_template(template).render(**values))  # noqa: S704 - it escaped


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
