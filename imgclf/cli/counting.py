"""Where a long list of pictures is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

import click

__all__ = ["counting"]

# Fewer are done before anybody asks.
_FEW = 200

# Seconds between two lines where there is no terminal.
_PAUSE = 30.0


def counting(things: Iterable[Any], total: int) -> Iterator[Any]:
    """Gives the things on, and shows on stderr how many of all they are.

    Args:
        things: pictures, or what was found about each.
        total: how many there are at most.
    """
    if total < _FEW:
        yield from things
    elif sys.stderr.isatty():
        with click.progressbar(
            things, length=total, label="pictures", show_pos=True, file=sys.stderr
        ) as shown:
            yield from shown
    else:
        yield from _with_lines(things, total)


def _with_lines(things: Iterable[Any], total: int) -> Iterator[Any]:
    started = told = time.monotonic()
    for count, thing in enumerate(things, start=1):
        yield thing
        now = time.monotonic()
        if now - told >= _PAUSE:
            told = now
            pace = count / (now - started)
            words = f"{count:,} of {total:,} pictures, {pace:,.0f} a second"
            click.echo(f"{words}, {(total - count) / pace:,.0f} s left", err=True)
