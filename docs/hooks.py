"""Puts the commands' own help texts into the pages, so that these cannot go stale."""

from __future__ import annotations

import re
from typing import Any

import click

_HELP = re.compile(r"<!-- help:(?P<name>[ \w-]*)-->")
_WIDTH = 76


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replaces `<!-- help: train -->` by what `imgclf train --help` prints."""
    return _HELP.sub(lambda found: _fenced_help(found["name"].strip()), markdown)


def on_page_content(html: str, page: Any, **_: Any) -> str:
    """In the reference, signatures carry the lower-case names that people type."""
    if page.file.src_uri not in ("reference/blocks.md", "reference/search.md"):
        return html
    from imgclf.architecture import choices, initializer
    from imgclf.architecture.blocks.block import known_blocks

    kinds: dict[str, Any] = dict(known_blocks())
    for module in (choices, initializer):
        kinds |= {name: getattr(module, name) for name in module.__all__ if name.islower()}
    for name, kind in kinds.items():
        if isinstance(kind, type):
            html = re.sub(
                rf'(<span class="n[a-z]?">){kind.__name__}(</span>)', rf"\1{name}\2", html
            )
    return html


def help_text(name: str) -> str:
    """What `imgclf NAME --help` prints; without a name, `imgclf --help`."""
    from imgclf.cli.main import main

    size = {"terminal_width": _WIDTH, "max_content_width": _WIDTH}
    context = click.Context(main, info_name="imgclf", **size)
    if not name:
        return main.get_help(context)
    command = main.get_command(context, name)
    if command is None:
        raise LookupError(
            f"imgclf has no command {name!r}, but a page of the docs asks for its help."
        )
    return command.get_help(click.Context(command, info_name=name, parent=context, **size))


def _fenced_help(name: str) -> str:
    call = " ".join(filter(None, ["imgclf", name, "--help"]))
    return f'```text title="{call}"\n{help_text(name)}\n```'
