"""What a search prints: a live table on a terminal, otherwise a line for each trial."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from imgclf.formatting import clock_time
from imgclf.search.engine.job import Job
from imgclf.search.results.network_summary import summarize_blocks
from imgclf.search.results.trial import Trial
from imgclf.typing import Verbose

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["TrialDisplay", "make_display"]

# Rows of the live table: the best trials and the last ones.
_BEST_ROWS = 5
_LAST_ROWS = 8


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
    live = verbose != 2 and sys.stderr.isatty()
    return _LiveTable(on_trial) if live else _Lines(on_trial)


class _Lines(TrialDisplay):
    def end(self, trial: Trial, seconds_left: float | None) -> None:
        words = [
            f"trial {trial.number}: {_accuracy(trial)}",
            _network(trial),
            f"{trial.seconds:.1f} s",
            f"{trial.parameters:,} parameters",
        ]
        if trial.train_fraction < 1:
            words.insert(1, f"{trial.train_fraction:.0%} of the images")
        if seconds_left is not None:
            words.append(f"{clock_time(seconds_left)} left")
        sys.stderr.write(", ".join(words) + "\n")
        sys.stderr.flush()
        super().end(trial, seconds_left)


class _LiveTable(TrialDisplay):
    """Redrawn by rich, also between trials, so that the time goes on."""

    def __init__(self, on_trial: Callable[[Trial], None] | None) -> None:
        super().__init__(on_trial)
        self.trials: list[Trial] = []
        self.jobs: dict[int, tuple[Job, float]] = {}
        self.end_time: float | None = None

    def __enter__(self) -> TrialDisplay:
        from rich.console import Console
        from rich.live import Live

        self.live = Live(
            console=Console(stderr=True), get_renderable=self._table, refresh_per_second=1
        )
        self.live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.live.stop()

    def begin(self, job: Job, seconds_left: float | None) -> None:
        self.jobs[job.number] = job, time.monotonic()
        self._set_end(seconds_left)

    def end(self, trial: Trial, seconds_left: float | None) -> None:
        self.jobs.pop(trial.number, None)
        self.trials.append(trial)
        self._set_end(seconds_left)
        self.live.refresh()
        super().end(trial, seconds_left)

    def _set_end(self, seconds_left: float | None) -> None:
        self.end_time = None if seconds_left is None else time.monotonic() + seconds_left

    def _table(self) -> Table:
        from rich.table import Table

        caption = ""
        if self.end_time is not None:
            caption = f"{clock_time(max(0, self.end_time - time.monotonic()))} left"
        table = Table(caption=caption, caption_justify="left", box=None, padding=(0, 1))
        for name in ("trial", "accuracy", "seconds", "parameters"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("network", no_wrap=True, overflow="ellipsis")
        for trial in self._shown():
            network = _network(trial)
            if trial.train_fraction < 1:
                network = f"{trial.train_fraction:.0%} of the images: {network}"
            table.add_row(
                str(trial.number),
                _accuracy(trial),
                f"{trial.seconds:.0f}",
                f"{trial.parameters:,}",
                network,
            )
        for job, started in list(self.jobs.values()):
            seconds = f"{time.monotonic() - started:.0f}"
            table.add_row(str(job.number), "…", seconds, "", _network(job), style="dim")
        return table

    def _shown(self) -> list[Trial]:
        ranked = sorted(self.trials, key=lambda trial: -(trial.score or 0))
        shown = {trial.number for trial in [*ranked[:_BEST_ROWS], *self.trials[-_LAST_ROWS:]]}
        return [trial for trial in ranked if trial.number in shown]


def _network(trial: Trial | Job) -> str:
    """Returns its blocks, or the hyperparameters of its hypermodel."""
    if trial.blocks:
        return summarize_blocks(trial.blocks)
    return " · ".join(f"{name} {value}" for name, value in trial.hyperparameters.items())


def _accuracy(trial: Trial) -> str:
    """Returns `81.2% ± 2.4%`, and how the trial ended if it was not completed."""
    status = trial.status.replace("_", " ")
    if trial.score is None:
        return f"{status}: {trial.reason}" if trial.reason else status
    text = f"{trial.score:.1%}"
    interval = trial.accuracy_interval
    if interval is not None:
        text += f" ± {(interval[1] - interval[0]) / 2:.1%}"
    return text if trial.status == "completed" else f"{text} ({status})"
