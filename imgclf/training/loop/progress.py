"""Keras callbacks that show how training goes: live on a terminal, plain lines elsewhere."""

from __future__ import annotations

import dataclasses
import functools
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from imgclf.formatting import clock_time, show_bytes, show_duration
from imgclf.training.budget.memory import peak_memory

__all__ = ["Work", "announce", "make_progress"]

# Seconds of steps that the estimate at the start is made from.
_ESTIMATED_AFTER = 2.0

# Columns of a terminal; on a narrower one the figures need the place of the bar.
_WIDTH_WITH_BAR = 100


@dataclasses.dataclass(frozen=True)
class Work:
    """What a run has to do.

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

    def part_done(self, step: int) -> float:
        """How much of the whole run's work is over after so many steps, from 0 to 1.

        A step costs as much as it has pixels.

        Example:
            >>> Work(2, 10, 500, lambda step: (16, 16) if step < 10 else (32, 32)).part_done(10)
            0.2
        """
        if self.size_at is None:
            return step / (self.epochs * self.steps)
        return float(self._pixels[step] / self._pixels[-1])

    @functools.cached_property
    def _pixels(self) -> np.ndarray:
        """Pixels of an image, added up over the steps before each."""
        assert self.size_at is not None  # noqa: S101
        sizes = [self.size_at(step) for step in range(self.epochs * self.steps)]
        return np.concatenate([[0], np.cumsum(np.prod(sizes, axis=1))])


class _Clock:
    """Where a run is, its speed, and the time that is left."""

    def __init__(self, work: Work, disk: int | None) -> None:
        self.work = work
        self.disk = disk
        self.told = False
        self.first: tuple[float, float] | None = None  # time and part done of the first batch

    def begin_epoch(self, epoch: int) -> None:
        self.epoch = epoch
        self.epoch_started = self.last_batch = time.monotonic()
        self.batches = 0

    def end_batch(self, batch: int) -> None:
        """Args: batch: its number in the epoch, from 0."""
        self.batches += 1
        self.last_batch = time.monotonic()
        self.part = self.work.part_done(self.epoch * self.work.steps + batch + 1)
        if self.first is None:
            self.first = self.last_batch, self.part

    @property
    def epoch_seconds(self) -> float:
        return time.monotonic() - self.epoch_started

    @property
    def images_per_second(self) -> float:
        """While training: without validation, and without batches before a resumed run's."""
        seconds = max(self.last_batch - self.epoch_started, 1e-9)
        return self.batches * self.work.batch_size / seconds

    @property
    def seconds_left(self) -> float | None:
        """From the pace since the first batch of this process; None until the second."""
        if self.first is None:
            return None
        started, part_at_start = self.first
        if self.part == part_at_start:
            return None
        seconds = time.monotonic() - started
        return seconds * (1 - self.part) / (self.part - part_at_start)


def _estimate(clock: _Clock) -> str | None:
    """What the first seconds of steps say of the whole run, once."""
    if clock.told or clock.first is None or clock.last_batch - clock.first[0] < _ESTIMATED_AFTER:
        return None
    clock.told = True
    left = clock.seconds_left
    facts = [] if left is None else [f"about {show_duration(left)} to go, validation not counted"]
    memory = peak_memory()
    if memory is not None:
        facts.append(f"{show_bytes(memory)} of memory so far")
    if clock.disk is not None:
        facts.append(f"{show_bytes(clock.disk)} of disk for checkpoints")
    return ", ".join(facts)


def make_progress(verbose: Any, work: Work, note: str, disk: int | None = None) -> list[Any]:
    """The callback for Keras's `verbose`: "auto" or 1 is live on a terminal, 2 is a line an epoch.

    Args:
        verbose: 0, 1, 2 or "auto".
        work: of the whole run.
        note: what is shown first, in one line.
        disk: bytes that the run's folder will take.

    Returns:
        A list with the callback, or an empty one where nothing is to be shown.
    """
    if verbose == 0:
        return []
    live = verbose != 2 and sys.stderr.isatty()
    return [_make_live(work, note, disk) if live else _make_lines(work, note, disk)]


def announce(verbose: Any, note: str) -> None:
    """Shows one line, unless nothing is to be shown."""
    if verbose != 0:
        sys.stderr.write(f"{note}\n")
        sys.stderr.flush()


def _figures(logs: dict[str, Any] | None) -> str:
    """`accuracy 85.1% loss 0.413 val_accuracy 82.0%`, short enough for a line of 80 characters."""
    words = []
    for name, value in (logs or {}).items():
        shown = f"{value:.1%}" if name.endswith("accuracy") else f"{value:.3g}"
        words.append(f"{name} {shown}")
    return " ".join(words)


def _epoch_line(epoch: int, clock: _Clock, logs: dict[str, Any] | None) -> str:
    work = clock.work
    line = f"epoch {epoch + 1}/{work.epochs} {_figures(logs)} {clock.epoch_seconds:.1f} s"
    if clock.batches:
        line += f", {clock.images_per_second:,.0f} images/s"
    left = clock.seconds_left
    if left is not None and epoch + 1 < work.epochs:
        line += f", {show_duration(left)} left"
    return line


def _make_lines(work: Work, note: str, disk: int | None) -> Any:
    import keras

    class Lines(keras.callbacks.Callback):
        """One line an epoch on stderr."""

        def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002
            self.clock = _Clock(work, disk)
            sys.stderr.write(f"{note}\n")

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            self.clock.begin_epoch(epoch)

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
            self.clock.end_batch(batch)
            estimate = _estimate(self.clock)
            if estimate:
                sys.stderr.write(f"{estimate}\n")
                sys.stderr.flush()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            sys.stderr.write(_epoch_line(epoch, self.clock, logs) + "\n")
            sys.stderr.flush()

    return Lines()


def _make_live(work: Work, note: str, disk: int | None) -> Any:
    import keras
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    class Live(keras.callbacks.Callback):
        """A bar over the whole run, with figures and the time left; each epoch leaves a line."""

        def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002
            self.clock = _Clock(work, disk)
            console = Console(stderr=True)
            columns: list[Any] = [
                TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
                TextColumn("step {task.fields[step]}/{task.fields[steps]}"),
                TextColumn("{task.fields[figures]}"),
                TextColumn("{task.fields[pace]}"),
            ]
            if console.width >= _WIDTH_WITH_BAR:
                columns.insert(2, BarColumn(bar_width=16))
            self.display = Progress(*columns, console=console, transient=True)
            self.task = self.display.add_task(
                "training",
                total=1.0,
                epoch=1,
                epochs=work.epochs,
                step=0,
                steps=work.steps,
                figures="",
                pace="",
            )
            self.display.start()
            self.display.console.print(note, highlight=False)

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            self.clock.begin_epoch(epoch)

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.clock.end_batch(batch)
            estimate = _estimate(self.clock)
            if estimate:
                self.display.console.print(estimate, highlight=False)
            left = self.clock.seconds_left
            pace = f"{self.clock.images_per_second:,.0f} images/s"
            self.display.update(
                self.task,
                completed=self.clock.part,
                epoch=self.clock.epoch + 1,
                step=batch + 1,
                figures=_figures(logs),
                pace=pace if left is None else f"{pace} {clock_time(left)} left",
            )

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.display.console.print(_epoch_line(epoch, self.clock, logs), highlight=False)

        def on_train_end(self, logs: Any = None) -> None:  # noqa: ARG002
            self.display.stop()

    return Live()
