"""What a search prints: a live table on a terminal, otherwise a line for each trial."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from imgclf.formatting import clock_time, is_terminal, say
from imgclf.search.engine.job import Job
from imgclf.search.results.network_summary import summarize_blocks
from imgclf.search.results.progress_table import (
    EndedRow,
    Row,
    RunningRow,
    RunningTrial,
    progress_table,
    show_accuracy,
)
from imgclf.search.results.trial import Trial, rank_trials
from imgclf.typing import Verbose

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["TrialDisplay", "make_display"]

# Rows of the live table: the best trials and the last ones.
_BEST_ROWS = 5
_LAST_ROWS = 8

# Lines of the terminal that the rows leave free: header, time left, and the one below the table.
_OTHER_LINES = 3


class TrialDisplay:
    """Prints nothing, and calls `on_trial`; the other displays print, too.

    Args:
        on_trial: called with each trial that has ended.
    """

    def __init__(self, on_trial: Callable[[Trial], None] | None = None) -> None:
        self.on_trial = on_trial

    def __enter__(self) -> TrialDisplay:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def begin(self, job: Job, seconds_left: float | None) -> None:
        """Shows that a trial begins.

        Args:
            job: of the trial.
            seconds_left: of the whole search; None if it is unknown.
        """

    def note(self, text: str) -> None:
        """Shows a message.

        Args:
            text: of the message.
        """

    def epoch(self, number: int, epoch: int) -> None:
        """Shows that an epoch of a running trial begins.

        Args:
            number: of the trial.
            epoch: counted from 1.
        """

    def end(self, trial: Trial, seconds_left: float | None) -> None:  # noqa: ARG002
        """Shows that a trial has ended.

        Args:
            trial: with its result.
            seconds_left: of the whole search; None if it is unknown.
        """
        if self.on_trial is not None and trial.status != "timed_out":
            self.on_trial(trial)


def make_display(verbose: Verbose, on_trial: Callable[[Trial], None] | None) -> TrialDisplay:
    """Returns the display for `verbose` as `search` takes it."""
    if verbose == 0:
        return TrialDisplay(on_trial)
    live = verbose != 2 and is_terminal(sys.stderr)
    return _LiveTable(on_trial) if live else _Lines(on_trial)


class _Lines(TrialDisplay):
    def note(self, text: str) -> None:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def end(self, trial: Trial, seconds_left: float | None) -> None:
        words = [
            f"trial {trial.number}: {_result(trial)}",
            _network(trial),
            f"{trial.seconds:.1f} s",
            f"{trial.parameters:,} parameters",
        ]
        if trial.train_fraction < 1:
            words.insert(1, f"{trial.train_fraction:.0%} of the images")
        if seconds_left is not None:
            words.append(f"{clock_time(seconds_left)} left")
        say(", ".join(words))
        super().end(trial, seconds_left)


def _result(trial: Trial) -> str:
    """Returns `81.2% ± 2.4%`, and how the trial ended if it was not completed."""
    status = trial.status.replace("_", " ")
    if trial.score is None:
        return f"{status}: {trial.reason}" if trial.reason else status
    text = show_accuracy(trial)
    return text if trial.status == "completed" else f"{text} ({status})"


class _LiveTable(TrialDisplay):
    """Redrawn by rich, also between trials, so that the time goes on."""

    def __init__(self, on_trial: Callable[[Trial], None] | None) -> None:
        super().__init__(on_trial)
        self.trials: list[Trial] = []
        self.running: dict[int, RunningTrial] = {}
        self.end_time: float | None = None

    def __enter__(self) -> TrialDisplay:
        from rich.console import Console
        from rich.live import Live

        self.console = Console(stderr=True)
        self.live = Live(console=self.console, get_renderable=self._table, refresh_per_second=1)
        self.live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.live.stop()

    def note(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False)

    def begin(self, job: Job, seconds_left: float | None) -> None:
        self.running[job.number] = RunningTrial(job.number, _network(job), job.recipe.epochs)
        self._set_end(seconds_left)

    def epoch(self, number: int, epoch: int) -> None:
        if (trial := self.running.get(number)) is not None:
            trial.begin_epoch(epoch)

    def end(self, trial: Trial, seconds_left: float | None) -> None:
        self.running.pop(trial.number, None)
        self.trials.append(trial)
        self._set_end(seconds_left)
        self.live.refresh()
        super().end(trial, seconds_left)

    def _set_end(self, seconds_left: float | None) -> None:
        self.end_time = None if seconds_left is None else time.monotonic() + seconds_left

    def _table(self) -> Table:
        running = list(self.running.values())
        size = self.console.size
        # Below the rows stands the time left, above them the header.
        ended = self._shown(max(1, size.height - len(running) - _OTHER_LINES))
        left = None if self.end_time is None else max(0.0, self.end_time - time.monotonic())
        rows: list[Row] = [
            *(EndedRow(trial, _network(trial)) for trial in ended),
            *(RunningRow(trial) for trial in running),
        ]
        return progress_table(rows, size.width, seconds_left=left)

    def _shown(self, most: int) -> list[Trial]:
        """Returns the best trials and the last ones, the best first."""
        ranked = rank_trials(self.trials)
        last = min(_LAST_ROWS, most // 2)
        best = min(_BEST_ROWS, most - last)
        shown = {
            trial.number for trial in [*ranked[:best], *self.trials[len(self.trials) - last :]]
        }
        return [trial for trial in ranked if trial.number in shown]


def _network(trial: Trial | Job) -> str:
    """Returns its blocks, or the hyperparameters of its hypermodel."""
    if trial.blocks:
        return summarize_blocks(trial.blocks)
    return " · ".join(f"{name} {value}" for name, value in trial.hyperparameters.items())
