"""Progress over many files on stderr: a live line on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

import click

__all__ = ["FileProgress"]

Thing = TypeVar("Thing")

# Seconds. What is done sooner needs no progress.
_FIRST_AFTER = 2.0
_EVERY_LIVE, _EVERY_LINE = 0.2, 15.0


class FileProgress:
    """Called with how many files are done and how many there are."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._started = time.monotonic()
        self._next = self._started + _FIRST_AFTER
        self._shown = 0  # characters of the live line

    def __call__(self, done: int, total: int) -> None:
        """Shows the state if it is time to."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + (_EVERY_LIVE if self._live else _EVERY_LINE)
        rate = done / (now - self._started)
        text = f"{done:,} of {total:,} files, {rate:,.0f} a second"
        if rate and done < total:
            text += f", {(total - done) / rate:,.0f} s left"
        if self._live:
            click.echo(f"\r{text:<{self._shown}}", err=True, nl=False)
            self._shown = len(text)
        else:
            click.echo(text, err=True)

    def over(self, things: Iterable[Thing], total: int) -> Iterator[Thing]:
        """Gives the things on, and shows how many of all they are.

        Args:
            things: files, or what was found about each.
            total: how many there are at most.
        """
        try:
            for count, thing in enumerate(things, start=1):
                yield thing
                self(count, total)
        finally:
            self.close()

    def close(self) -> None:
        """Takes the live line away."""
        if self._shown:
            click.echo(f"\r{' ' * self._shown}\r", err=True, nl=False)
