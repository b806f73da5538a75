"""What is shown of a run's progress: its speed, the time left, a line an epoch."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from imgclf.formatting import clock_time, say, shorten, show_bytes, show_duration
from imgclf.training.budget.memory import peak_memory
from imgclf.typing import Verbose

__all__ = ["Clock", "LinePace", "Work", "announce", "epoch_line", "live_line", "metrics_line"]

# Seconds between lines of epochs; shorter runs have ten.
_LINE_SECONDS = 1.0

# Seconds of steps before the estimate at the start.
_ESTIMATED_AFTER = 2.0


@dataclasses.dataclass(frozen=True)
class Work:
    """The work of a whole run.

    Args:
        epochs: of the whole run.
        steps: batches in an epoch.
        batch_size: images in a batch.
        size_at: (height, width) of the images by the number of the step; None if always the same.
    """

    epochs: int
    steps: int
    batch_size: int
    size_at: Callable[[int], tuple[int, int]] | None = None

    def fraction_done(self, step: int) -> float:
        """The fraction of the work that is done after so many steps, by the pixels of each.

        Example:
            >>> Work(2, 10, 500, lambda step: (16, 16) if step < 10 else (32, 32)).fraction_done(10)
            0.2
        """
        if self.size_at is None:
            return step / (self.epochs * self.steps)
        return float(self._pixels[step] / self._pixels[-1])

    @functools.cached_property
    def _pixels(self) -> np.ndarray:
        """Pixels of an image, summed over the steps before each."""
        assert self.size_at is not None  # noqa: S101
        sizes = [self.size_at(step) for step in range(self.epochs * self.steps)]
        return np.concatenate([[0], np.cumsum(np.prod(sizes, axis=1))])


class Clock:
    """The position, the speed and the time left of a run.

    Args:
        work: of the whole run.
        disk: bytes that the run's folder will take; None without one.
    """

    def __init__(self, work: Work, disk: int | None) -> None:
        self.work = work
        self.disk = disk
        self.estimated = False
        self.first: tuple[float, float] | None = None  # time and fraction done at the first batch

    def begin_epoch(self, epoch: int) -> None:
        """Starts the clock of an epoch, counted from 0."""
        self.epoch = epoch
        self.epoch_started = self.last_batch = time.monotonic()
        self.batches = 0

    def end_batch(self, batch: int) -> None:
        """Notes that a batch is over, counted from 0 in its epoch."""
        self.batches += 1
        self.last_batch = time.monotonic()
        self.fraction = self.work.fraction_done(self.epoch * self.work.steps + batch + 1)
        if self.first is None:
            self.first = self.last_batch, self.fraction

    @property
    def epoch_seconds(self) -> float:
        """Seconds since the epoch began."""
        return time.monotonic() - self.epoch_started

    @property
    def images_per_second(self) -> float:
        """Speed of training in this epoch, without validation."""
        seconds = max(self.last_batch - self.epoch_started, 1e-9)
        return self.batches * self.work.batch_size / seconds

    @property
    def seconds_left(self) -> float | None:
        """Estimated by the pace since the first batch of this process; None until the second."""
        if self.first is None:
            return None
        started, fraction_at_start = self.first
        if self.fraction == fraction_at_start:
            return None
        seconds = time.monotonic() - started
        return seconds * (1 - self.fraction) / (self.fraction - fraction_at_start)

    def estimate(self) -> str | None:
        """What the first seconds of steps say about the whole run, once."""
        if self.first is None or self.last_batch - self.first[0] < _ESTIMATED_AFTER:
            return None
        if self.estimated:
            return None
        self.estimated = True
        left = self.seconds_left
        facts = (
            [] if left is None else [f"about {show_duration(left)} left, validation not counted"]
        )
        memory = peak_memory()
        if memory is not None:
            facts.append(f"{show_bytes(memory)} of memory so far")
        if self.disk is not None:
            facts.append(f"{show_bytes(self.disk)} of disk for checkpoints")
        return ", ".join(facts)


class LinePace:
    """Decides which epochs leave a line: at most one a second, or one a tenth of the run.

    The first epoch has one, so that there is a sign soon, and the last.

    Args:
        epochs: of the whole run.
        every: whether each epoch has one, however short.

    Example:
        >>> pace = LinePace(125)
        >>> [epoch + 1 for epoch in range(125) if pace.is_due(epoch)]
        [1, 13, 25, 38, 50, 63, 75, 88, 100, 113, 125]
    """

    def __init__(self, epochs: int, *, every: bool = False) -> None:
        self.epochs, self.every = epochs, every
        self.tenth = -1
        self.last = -_LINE_SECONDS

    def is_due(self, epoch: int) -> bool:
        """Whether an epoch that is over, counted from 0, has a line."""
        tenth = 10 * (epoch + 1) // self.epochs
        seconds = time.monotonic() - self.last
        if not (self.every or tenth > self.tenth or seconds >= _LINE_SECONDS):
            return False
        self.tenth, self.last = tenth, time.monotonic()
        return True


def announce(verbose: Verbose, note: str) -> None:
    """Shows a line on stderr, unless `verbose` is 0."""
    if verbose != 0:
        say(note)


def metrics_line(logs: dict[str, Any] | None) -> str:
    """Formats metrics: `accuracy 85.1% loss 0.413 val_accuracy 82.0%`."""
    words = []
    for name, value in (logs or {}).items():
        shown = f"{value:.1%}" if name.endswith("accuracy") else f"{value:.3g}"
        words.append(f"{name} {shown}")
    return " ".join(words)


def live_line(epoch: int, step: int, clock: Clock, logs: dict[str, Any] | None, width: int) -> str:
    """Formats where a run is, in one line; on a narrow terminal the least important is left out.

    Args:
        epoch: counted from 0.
        step: batches of the epoch that are over.
        clock: of the run.
        logs: the metrics so far.
        width: characters.
    """
    work, left = clock.work, clock.seconds_left
    metrics = metrics_line(logs).split()
    pairs = [" ".join(metrics[start : start + 2]) for start in range(0, len(metrics), 2)]
    parts = [
        f"epoch {epoch + 1}/{work.epochs}",
        f"step {step}/{work.steps}",
        *pairs,
        f"{clock.images_per_second:,.0f} images/s",
        *([] if left is None else [f"{clock_time(left)} left"]),
    ]
    # By their places: the last to stay are the epoch, the time left and the accuracy.
    dispensable = [len(pairs) + 2, 1, *range(len(pairs) + 1, 1, -1), len(pairs) + 3]
    dropped: set[int] = set()
    while True:
        line = " ".join(part for place, part in enumerate(parts) if place not in dropped)
        if len(line) <= width or not dispensable:
            return shorten(line, max(width, 1), "end")
        dropped.add(dispensable.pop(0))


def epoch_line(epoch: int, clock: Clock, logs: dict[str, Any] | None) -> str:
    """Formats an epoch that is over: metrics, seconds, speed, time left."""
    work = clock.work
    line = f"epoch {epoch + 1}/{work.epochs} {metrics_line(logs)} {clock.epoch_seconds:.1f} s"
    if clock.batches:
        line += f", {clock.images_per_second:,.0f} images/s"
    left = clock.seconds_left
    if left is not None and epoch + 1 < work.epochs:
        line += f", {show_duration(left)} left"
    return line
