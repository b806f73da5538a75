"""Shows progress over many files on stderr: a live line on a terminal, else a line at times."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

import click

from imgclf.formatting import is_terminal, show_duration

__all__ = ["FileProgress"]

Item = TypeVar("Item")

# Seconds. Shorter work needs no progress.
_FIRST_AFTER = 2.0
_EVERY_LIVE, _EVERY_LINE = 0.2, 15.0


class FileProgress:
    """Shows how many files are done; call it with that number and the total."""

    def __init__(self) -> None:
        self._live = is_terminal(sys.stderr)
        self._started = time.monotonic()
        self._next = self._started + _FIRST_AFTER
        self._shown = 0  # characters of the live line

    def __call__(self, done: int, total: int) -> None:
        """Shows the state if it is due."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + (_EVERY_LIVE if self._live else _EVERY_LINE)
        rate = done / (now - self._started)
        text = f"{done:,} of {total:,} files, {rate:,.0f} a second"
        if rate and done < total:
            text += f", {show_duration((total - done) / rate)} left"
        if self._live:
            click.echo(f"\r{text:<{self._shown}}", err=True, nl=False)
            self._shown = len(text)
        else:
            click.echo(text, err=True)

    def over(self, items: Iterable[Item], total: int) -> Iterator[Item]:
        """Yields the items, and shows how many have passed.

        Args:
            items: files, or results for files.
            total: maximum number of items.
        """
        try:
            for count, item in enumerate(items, start=1):
                yield item
                self(count, total)
        finally:
            self.close()

    def close(self) -> None:
        """Clears the live line."""
        if self._shown:
            click.echo(f"\r{' ' * self._shown}\r", err=True, nl=False)
