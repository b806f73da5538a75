"""The table of a running search, laid out for the width of a terminal.

The columns of trial, accuracy, parameters and time have a fixed width, and the network gets the
rest. In a narrow terminal the intervals are left out and the numbers of parameters are shortened;
only then is the network shortened, too.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from imgclf.formatting import clock_time, shorten
from imgclf.search.results.trial import Trial

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["EndedRow", "Row", "RunningRow", "RunningTrial", "progress_table", "show_accuracy"]

# Columns of a terminal below which numbers are shortened.
_WIDE = 72

# The widths of trial, accuracy, parameters and time, and of the space after each of them.
_WIDTHS = {True: (5, 14, 11, 9), False: (5, 8, 6, 9)}
_SPACE = 1


class Row(Protocol):
    """A row of the table."""

    dim: bool

    def cells(self, *, wide: bool) -> tuple[str, str, str, str, str]:
        """Returns the texts for trial, accuracy, parameters, time and network."""


def progress_table(rows: Iterable[Row], width: int, *, seconds_left: float | None) -> Table:
    """Lays out the rows.

    Args:
        rows: from top to bottom.
        width: columns of the terminal.
        seconds_left: of the whole search; None if it is unknown.
    """
    from rich.table import Table
    from rich.text import Text

    wide = width >= _WIDE
    widths = _WIDTHS[wide]
    network_width = max(1, width - sum(widths) - len(widths) * _SPACE)
    caption = "" if seconds_left is None else f"{clock_time(seconds_left)} left"
    table = Table(
        caption=caption, caption_justify="left", box=None, padding=(0, _SPACE, 0, 0), pad_edge=False
    )
    names = ("trial", "accuracy", "parameters" if wide else "params", "time")
    for name, column_width in zip(names, widths, strict=True):
        table.add_column(name, justify="right", no_wrap=True, width=column_width)
    table.add_column("network", no_wrap=True, width=network_width)
    for row in rows:
        *numbers, network = row.cells(wide=wide)
        # As text: brackets of a hypermodel's names are no markup.
        cells = [Text(text) for text in (*numbers, shorten(network, network_width, "end"))]
        table.add_row(*cells, style="dim" if row.dim else "")
    return table


@dataclasses.dataclass
class EndedRow:
    """The row of a trial that has ended.

    Args:
        trial: with its result.
        network: in words.
    """

    trial: Trial
    network: str
    dim: bool = False

    def cells(self, *, wide: bool) -> tuple[str, str, str, str, str]:
        """Returns the texts for trial, accuracy, parameters, time and network."""
        trial, words = self.trial, []
        if trial.status != "completed":
            status = trial.status.replace("_", " ")
            # Only a failure has no other sign of its reason.
            failed = trial.status == "failed" and trial.reason
            words.append(f"{status}: {trial.reason}" if failed else status)
        if trial.train_fraction < 1:
            words.append(f"{trial.train_fraction:.0%} of the images")
        accuracy = "–" if trial.score is None else show_accuracy(trial, interval=wide)
        return (
            str(trial.number),
            accuracy,
            _parameters(trial.parameters, wide=wide),
            clock_time(trial.seconds),
            " · ".join([*words, self.network]),
        )


@dataclasses.dataclass
class RunningTrial:
    """A trial that is being trained, and how fast.

    Args:
        number: of the trial.
        network: in words.
        epochs: of the whole training.
        started: by `time.monotonic`.
    """

    number: int
    network: str
    epochs: int
    started: float = dataclasses.field(default_factory=time.monotonic)
    epoch: int | None = None  # counted from 1; None until the first one begins

    def __post_init__(self) -> None:
        self._first: tuple[int, float] | None = None  # epoch that was begun first, and when
        self._last = self.started  # when the present epoch began

    def begin_epoch(self, epoch: int) -> None:
        """Records that an epoch begins, counted from 1."""
        self.epoch, self._last = epoch, time.monotonic()
        self._first = self._first or (epoch, self._last)

    def seconds_left(self) -> float | None:
        """Estimates when it ends, by the epochs that it has trained here; None before any."""
        if self.epoch is None or self._first is None or self.epoch <= self._first[0]:
            return None
        first, begun = self._first
        one = (self._last - begun) / (self.epoch - first)
        left = one * (self.epochs - self.epoch + 1) - (time.monotonic() - self._last)
        return max(0.0, left)


@dataclasses.dataclass
class RunningRow:
    """The row of a trial that is being trained."""

    trial: RunningTrial
    dim: bool = True

    def cells(self, *, wide: bool) -> tuple[str, str, str, str, str]:
        """Returns the texts for trial, accuracy, parameters, time and network."""
        trial = self.trial
        epoch = "…"
        if trial.epoch is not None:
            epoch = f"{'epoch ' if wide else ''}{trial.epoch}/{trial.epochs}"
        left = trial.seconds_left()
        spent = clock_time(time.monotonic() - trial.started)
        shown = spent if left is None else _time_left(left)
        return str(trial.number), epoch, "", shown, trial.network


def show_accuracy(trial: Trial, *, interval: bool = True) -> str:
    """Shows the score of a trial as `81.2% ± 2.4%`.

    Args:
        trial: with a score.
        interval: whether to show half the width of its 95% interval.
    """
    text = f"{trial.score:.1%}"
    found = trial.accuracy_interval
    if interval and found is not None:
        text += f" ± {(found[1] - found[0]) / 2:.1%}"
    return text


def _parameters(count: int, *, wide: bool) -> str:
    """Shows 1234567 as 1,234,567 if there is room, else as 1.2M."""
    if wide and count < 1_000_000_000:
        return f"{count:,}"
    for size, letter in ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "k")):
        if count >= 0.9995 * size:  # 999,600 is 1M to three digits
            return f"{count / size:.3g}{letter}"
    return str(count)


def _time_left(seconds: float) -> str:
    return f"{clock_time(seconds)} left" if seconds < 3600 else f"{seconds / 3600:.0f} h left"
