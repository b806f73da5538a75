"""What a search shows: a live table on a terminal, a line for each trial elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from imgclf.formatting import clock_time
from imgclf.search.engine.job import Job
from imgclf.search.results.network_summary import short_blocks
from imgclf.search.results.result import Trial

__all__ = ["Display"]

# Rows of the live table: the best trials and the last ones.
_BEST_ROWS = 5
_LAST_ROWS = 8


class Display:
    """Shows trials as they begin and end. It is silent by itself.

    Args:
        on_trial: called with each trial when it has ended.
    """

    def __init__(self, on_trial: Callable[[Trial], None] | None = None) -> None:
        self.on_trial = on_trial

    def __enter__(self) -> Display:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def begin(self, job: Job, left: float | None) -> None:
        """A trial begins; `left` seconds are left of the whole search, if that is known."""

    def end(self, trial: Trial, left: float | None) -> None:  # noqa: ARG002
        """A trial is over; `left` as in `begin`."""
        if self.on_trial is not None and trial.status != "cut":
            self.on_trial(trial)


def make_display(verbose: Any, on_trial: Callable[[Trial], None] | None) -> Display:
    """For `verbose` as `search` takes it: 0, 1, 2 or "auto"."""
    if verbose == 0:
        return Display(on_trial)
    live = verbose != 2 and sys.stderr.isatty()
    return _Table(on_trial) if live else _Lines(on_trial)


class _Lines(Display):
    def end(self, trial: Trial, left: float | None) -> None:
        words = [
            f"trial {trial.number}: {_accuracy(trial)}",
            _network(trial),
            f"{trial.seconds:.1f} s",
            f"{trial.parameters:,} parameters",
        ]
        if trial.train_fraction < 1:
            words.insert(1, f"{trial.train_fraction:.0%} of the images")
        if left is not None:
            words.append(f"{clock_time(left)} left")
        sys.stderr.write(", ".join(words) + "\n")
        sys.stderr.flush()
        super().end(trial, left)


class _Table(Display):
    """Drawn anew by rich; the clock goes on between trials."""

    def __init__(self, on_trial: Callable[[Trial], None] | None) -> None:
        super().__init__(on_trial)
        self.trials: list[Trial] = []
        self.jobs: dict[int, tuple[Job, float]] = {}
        self.ends: float | None = None

    def __enter__(self) -> Display:
        from rich.console import Console
        from rich.live import Live

        self.live = Live(
            console=Console(stderr=True), get_renderable=self._table, refresh_per_second=1
        )
        self.live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.live.stop()

    def begin(self, job: Job, left: float | None) -> None:
        import time

        self.jobs[job.number] = job, time.monotonic()
        self._set_end(left)

    def end(self, trial: Trial, left: float | None) -> None:
        self.jobs.pop(trial.number, None)
        self.trials.append(trial)
        self._set_end(left)
        self.live.refresh()
        super().end(trial, left)

    def _set_end(self, left: float | None) -> None:
        import time

        self.ends = None if left is None else time.monotonic() + left

    def _table(self) -> Any:
        import time

        from rich.table import Table

        left = (
            "" if self.ends is None else f"{clock_time(max(0, self.ends - time.monotonic()))} left"
        )
        table = Table(caption=left, caption_justify="left", box=None, padding=(0, 1))
        for name in ("trial", "accuracy", "seconds", "parameters"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("blocks", no_wrap=True, overflow="ellipsis")
        for trial in self._shown():
            blocks = _network(trial)
            if trial.train_fraction < 1:
                blocks = f"{trial.train_fraction:.0%} of the images: {blocks}"
            table.add_row(
                str(trial.number),
                _accuracy(trial),
                f"{trial.seconds:.0f}",
                f"{trial.parameters:,}",
                blocks,
            )
        for job, since in list(self.jobs.values()):
            seconds = f"{time.monotonic() - since:.0f}"
            table.add_row(str(job.number), "…", seconds, "", _network(job), style="dim")
        return table

    def _shown(self) -> list[Trial]:
        ranked = sorted(self.trials, key=lambda trial: -(trial.score or 0))
        shown = {trial.number for trial in [*ranked[:_BEST_ROWS], *self.trials[-_LAST_ROWS:]]}
        return [trial for trial in ranked if trial.number in shown]


def _network(trial: Trial | Job) -> str:
    """Its blocks, or the values that its hypermodel was given."""
    if trial.blocks:
        return short_blocks(trial.blocks)
    return " · ".join(f"{name} {value}" for name, value in trial.hyperparameters.items())


def _accuracy(trial: Trial) -> str:
    """`81.2% ± 2.4%`, and what else there is to say of how the trial ended."""
    if trial.score is None:
        return f"{trial.status}: {trial.reason}" if trial.reason else trial.status
    text = f"{trial.score:.1%}"
    interval = trial.accuracy_interval
    if interval is not None:
        text += f" ± {(interval[1] - interval[0]) / 2:.1%}"
    return text if trial.status == "completed" else f"{text} ({trial.status})"
