"""The Keras callbacks of a run. Imports Keras: to be imported where a run begins."""

# ruff: noqa: ARG002, D102 - the methods, with their arguments, are those of Keras

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, final

import keras
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn

from imgclf.errors import NotFiniteError
from imgclf.formatting import say
from imgclf.training.budget.pacing import Pacing
from imgclf.training.loop.callback_state import states
from imgclf.training.loop.checkpoint import Checkpoint, TrainingState
from imgclf.training.loop.progress import Clock, LinePace, Work, epoch_line, live_line
from imgclf.training.loop.run_folder import RunFolder
from imgclf.training.loop.stop_signals import StopRequest, TrainingPaused, position

__all__ = [
    "EpochLines",
    "FiniteCheck",
    "LiveProgress",
    "Pacer",
    "ResumedCallbackList",
    "Saver",
    "StepCurves",
    "Stopwatch",
]

Logs = dict[str, Any] | None

# Columns of a terminal; on a narrower one the metrics need the space of the bar.
_WIDTH_WITH_BAR, _BAR_WIDTH = 100, 16

# Of a run of so few epochs the steps are drawn, so many points an epoch.
MOST_EPOCHS_BY_STEP, POINTS_OF_AN_EPOCH = 3, 40


class FiniteCheck(keras.callbacks.Callback):
    """Ends the run at the first loss that is not finite, before it can count as a best one."""

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
            raise NotFiniteError(
                f"The loss became {loss} in epoch {self.epoch + 1}, step {batch + 1}, at a "
                f"learning rate of {rate:.3g}. Try a learning rate ten times smaller, a longer "
                "warmup, or precision='float32'."
            )


class _TimedProgress(keras.callbacks.Callback):
    """What both ways to show progress have in common: a clock, and an estimate when it is ready.

    Args:
        work: of the whole run.
        note: shown first.
        disk: bytes that the run's folder will take; None without one.
        every_epoch: whether each epoch leaves a line, however short.
    """

    def __init__(
        self, work: Work, note: str, disk: int | None = None, *, every_epoch: bool = False
    ) -> None:
        super().__init__()
        self.clock = Clock(work, disk)
        self.pace = LinePace(work.epochs, every=every_epoch)
        self.not_shown = ""
        self.note = note

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self.clock.begin_epoch(epoch)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        self.clock.end_batch(batch)
        estimate = self.clock.estimate()
        if estimate:
            self.show(estimate)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        line = epoch_line(epoch, self.clock, logs)
        self.not_shown = "" if self.pace.is_due(epoch) else line
        if not self.not_shown:
            self.show(line)

    def on_train_end(self, logs: Logs = None) -> None:
        if self.not_shown:  # of a run that a callback has ended
            self.show(self.not_shown)

    def show(self, line: str) -> None:
        """Shows a line."""
        raise NotImplementedError

    def close(self) -> None:
        """Leaves the terminal as it was, however the run ended."""


@final
class EpochLines(_TimedProgress):
    """Writes lines of epochs on stderr; the arguments are those of `_TimedProgress`."""

    def on_train_begin(self, logs: Logs = None) -> None:
        say(self.note)

    def show(self, line: str) -> None:
        say(line)


@final
class LiveProgress(_TimedProgress):
    """Shows a bar over the whole run, with metrics and the time left, below lines of epochs.

    The arguments are those of `_TimedProgress`.
    """

    display: Progress | None = None

    def on_train_begin(self, logs: Logs = None) -> None:
        console = Console(stderr=True)
        columns: list[ProgressColumn] = [TextColumn("{task.fields[line]}", markup=False)]
        if console.width >= _WIDTH_WITH_BAR:
            columns.insert(0, BarColumn(bar_width=_BAR_WIDTH))
        self.display = Progress(*columns, console=console, transient=True)
        self.task = self.display.add_task("training", total=1.0, line=self._first_line())
        self.display.start()
        self.display.console.print(self.note, highlight=False)

    def _first_line(self) -> str:
        work = self.clock.work
        return f"epoch 1/{work.epochs} step 0/{work.steps}"

    def show(self, line: str) -> None:
        if self.display is not None:
            self.display.console.print(line, highlight=False)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        super().on_train_batch_end(batch, logs)
        if self.display is None:
            return
        width = self.display.console.width
        width -= _BAR_WIDTH + 1 if width >= _WIDTH_WITH_BAR else 0
        line = live_line(self.clock.epoch, batch + 1, self.clock, logs, width)
        self.display.update(self.task, completed=self.clock.fraction, line=line)

    def on_train_end(self, logs: Logs = None) -> None:
        super().on_train_end(logs)
        self.close()

    def close(self) -> None:
        if self.display is not None:
            self.display.stop()  # shows the cursor, too


class StepCurves:
    """Means of metrics over some steps each, to draw runs of too few epochs for a curve.

    Args:
        steps: batches in an epoch.
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.values: dict[str, list[tuple[float, float]]] = {}
        self._before: tuple[int, int, Mapping[str, float]] = (0, 0, {})

    def add(self, epoch: int, step: int, means: Mapping[str, float]) -> None:
        """Notes the metrics after a step, as Keras logs them: means over the epoch so far."""
        if epoch >= MOST_EPOCHS_BY_STEP:
            return
        last, first, before = self._before if self._before[0] == epoch else (epoch, 0, {})
        if step < self.steps and (step - first) * POINTS_OF_AN_EPOCH < self.steps:
            return
        for name, mean in means.items():
            sums = step * mean - first * before.get(name, 0.0)
            place = last * self.steps + (first + step) / 2
            self.values.setdefault(name, []).append((place, float(sums / (step - first))))
        self._before = (epoch, step, dict(means))


class Saver(keras.callbacks.Callback):
    """Saves after each epoch, within long ones, and when the run is asked to end.

    It comes after all other callbacks, so that it saves what they have done.

    Args:
        folder: of the run.
        callbacks: whose states are kept.
        history: of the run.
        steps: batches in an epoch.
        seconds: between two checkpoints within an epoch.
        stop: asked after each batch.
    """

    def __init__(
        self,
        folder: RunFolder,
        callbacks: Sequence[keras.callbacks.Callback],
        history: keras.callbacks.History,
        *,
        steps: int,
        seconds: float,
        stop: StopRequest,
    ) -> None:
        super().__init__()
        self.folder, self.callbacks, self.run_history = folder, callbacks, history
        self.steps, self.seconds, self.stop = steps, seconds, stop
        self.epoch = self.step = 0
        self.curves = StepCurves(steps)
        self.metrics: Sequence[np.ndarray] = ()
        self.last = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        self.step = batch + 1
        self.curves.add(self.epoch, self.step, logs or {})
        due = self.step < self.steps and time.monotonic() - self.last >= self.seconds
        pause = any(getattr(callback, "pause", False) for callback in self.callbacks)
        if due or self.stop or pause or self.step == self.steps:
            # Of the last batch too, since the validation that follows uses the same variables.
            self.metrics = [np.asarray(variable) for variable in self.model.metrics_variables]
        if self.stop:
            self._save_and_end()
        if due or pause:
            self._save(self.epoch, self.step, self.metrics)
        if pause:
            raise TrainingPaused

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        if self.stop:
            self._save_and_end()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self._save(epoch + 1)
        self.folder.write_log(self.run_history.history)
        if self.stop:
            self.stop.obey(f"Stopped {position(epoch + 1)}. The same call resumes from there.")

    def save_end(self) -> None:
        """Saves once more, when callbacks have restored the best weights; and the curves."""
        self._save(len(self.run_history.epoch), finished=True)
        # The log too: a run may have been killed between its last checkpoint and its log.
        self.folder.write_log(self.run_history.history)
        self.folder.write_curves(self.run_history.history, self.curves.values)

    def _save_and_end(self) -> None:
        """What the first signal asks for."""
        self._save(self.epoch, self.step, self.metrics)
        self.stop.obey(
            f"Stopped {position(self.epoch, self.step, self.steps)}. "
            "The same call resumes from there."
        )

    def _save(
        self,
        epoch: int,
        step: int = 0,
        metrics: Sequence[np.ndarray] = (),
        *,
        finished: bool = False,
    ) -> None:
        state = TrainingState(
            epoch=epoch,
            step=step,
            history=self.run_history.history,
            metrics=metrics,
            callbacks=states(self.callbacks),
            stopped=bool(self.model.stop_training),
            finished=finished,
        )
        self.folder.checkpoints.save(self.model, state)
        self.last = time.monotonic()
        self.stop.saved(position(epoch, step, self.steps))


class Pacer(keras.callbacks.Callback):
    """Ends Keras's loop where the run jumps to a later epoch to end in time.

    The checkpoint of the jump says where the run is, so a resumed run knows of it. It comes after
    the callbacks that save.

    Args:
        pacing: decides.
        keep: makes a checkpoint of a model and a state.
        callbacks: whose states are kept.
        history: of the run.
    """

    def __init__(
        self,
        pacing: Pacing,
        keep: Callable[[Any, TrainingState], Checkpoint],
        callbacks: Sequence[keras.callbacks.Callback],
        history: keras.callbacks.History,
    ) -> None:
        super().__init__()
        self.pacing, self.keep = pacing, keep
        self.callbacks, self.run_history = callbacks, history
        self.jump: Checkpoint | None = None

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        following = self.pacing.after(epoch)
        if following == epoch + 1 or self.model.stop_training:
            return
        state = TrainingState(
            epoch=following, history=self.run_history.history, callbacks=states(self.callbacks)
        )
        self.model.optimizer.iterations.assign(following * self.pacing.pace.steps)
        self.jump = self.keep(self.model, state)
        self.model.stop_training = True

    def take(self) -> Checkpoint | None:
        """Where the run continues, if it has jumped."""
        jump, self.jump = self.jump, None
        return jump


class Stopwatch(keras.callbacks.Callback):
    """Notes when each step is over, and ends the training when there are enough.

    Args:
        seconds: of steps that are timed.
        warm_steps: that are left out, unless a step takes so long that their share is small.
    """

    def __init__(self, seconds: float, warm_steps: int) -> None:
        super().__init__()
        self.seconds, self.warm_steps = seconds, warm_steps
        self.ends: list[float] = []

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        self.ends.append(time.monotonic())
        warm = self.warm_steps if self.ends[-1] - self.ends[0] < 2 * self.seconds else 0
        if len(self.ends) > warm + 1:
            self.model.stop_training = self.ends[-1] - self.ends[warm] >= self.seconds


class ResumedCallbackList(keras.callbacks.CallbackList):
    """The callbacks of a run that begins at a batch in the middle, and notice nothing of it.

    Args:
        callbacks: in the order in which they are called.
        model: what is trained.
        state: where the run begins; batches of its epoch that are over are not reported.
        restore: called once, when Keras and the callbacks have prepared themselves and nothing
            would overwrite what is restored.
        epochs: of the whole run.
        steps: batches in an epoch.
        continues: whether the same training continues at once: then no begin is reported.
        will_continue: asked at the end: whether it will; then no end is reported.
    """

    callbacks: list[keras.callbacks.Callback]

    def __init__(
        self,
        callbacks: Sequence[keras.callbacks.Callback],
        model: keras.Model,
        state: TrainingState,
        restore: Callable[[], None],
        *,
        epochs: int,
        steps: int,
        continues: bool = False,
        will_continue: Callable[[], bool] = lambda: False,
    ) -> None:
        self.state, self.restore = state, restore
        self.continues, self.will_continue = continues, will_continue
        self.over = 0  # batches of the present epoch that are over
        super().__init__(list(callbacks), model=model, epochs=epochs, steps=steps, verbose=0)

    def on_train_begin(self, logs: Logs = None) -> None:
        with self._reporting_to_none(self.continues):
            super().on_train_begin(logs)
        if not self.state.step:
            self.restore()

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        super().on_epoch_begin(epoch, logs)
        self.over = self.state.step if epoch == self.state.epoch else 0
        if self.over:
            self.restore()

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        if batch >= self.over:
            super().on_train_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        if batch >= self.over:
            super().on_train_batch_end(batch, logs)

    def on_train_end(self, logs: Logs = None) -> None:
        with self._reporting_to_none(self.will_continue()):
            super().on_train_end(logs)

    @contextlib.contextmanager
    def _reporting_to_none(self, silent: bool) -> Iterator[None]:
        kept = self.callbacks
        self.callbacks = [] if silent else kept
        try:
            yield
        finally:
            self.callbacks = kept
