"""Keeping to a budget when the machine becomes slower than it was when the epochs were fitted.

After each epoch the time that is left is compared with what the remaining epochs will take at the
pace of the last few. If they would end late, the run jumps over some of the next ones, as if it
were resumed at a later epoch: learning rate, image sizes and the order of images go on from
there. So the last epochs, which the schedule needs most, are always trained. The checkpoint says
where the run is, so a resumed run knows of the jump.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from imgclf.training.budget.budget import Budget
from imgclf.training.budget.plan import Pace
from imgclf.training.loop.callback_state import states
from imgclf.training.loop.checkpoint import Checkpoint, TrainingState

__all__ = ["Pacing"]

# How much longer than the budget a run may seem to become before it jumps.
_TOLERATED = 1.01

# The epochs whose middle pace is taken to be that of all that follow.
_COMPARED = 3


@dataclasses.dataclass(eq=False)
class Pacing:
    """When a run jumps, and where to.

    Args:
        budget: what the run was fitted to.
        pace: what it was fitted by.
        epochs: that were fitted.
        keep: makes a checkpoint of the model and a state.
        callbacks: whose states are kept.
        history: the `keras.callbacks.History` of the run.
    """

    budget: Budget
    pace: Pace
    epochs: int
    keep: Callable[[Any, TrainingState], Checkpoint]
    callbacks: Sequence[Any]
    history: Any

    def __post_init__(self) -> None:
        self.jump: Checkpoint | None = None
        self.slower = [1.0]  # by epoch, after what is taken for granted
        self.last = time.monotonic()
        self.beginning = self.pace.tracing + self.pace.first_reading - self.pace.reading

    def callback(self) -> Any:
        """A Keras callback, to come after those that save."""
        import keras

        pacing = self

        class Pacer(keras.callbacks.Callback):
            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
                pacing.after_epoch(self.model, epoch)

        return Pacer()

    def take(self) -> Checkpoint | None:
        """Where the run goes on, if it has jumped."""
        jump, self.jump = self.jump, None
        return jump

    def note(self, jump: Checkpoint) -> str:
        """What is shown of a jump."""
        return (
            f"Slower than it was at the start: going on with epoch {jump.state.epoch + 1} of "
            f"{self.epochs}, to end in time"
        )

    def after_epoch(self, model: Any, epoch: int) -> None:
        """Ends Keras's loop if it is to be taken up again at a later epoch."""
        now = time.monotonic()
        planned = self.pace.between(epoch, epoch + 1, self.epochs) + self.beginning
        self.slower.append((now - self.last) / planned)
        self.last, self.beginning = now, 0.0
        # One long epoch, of which only the time that it cost is lost, says nothing of the next.
        slower = statistics.median_low(self.slower[-_COMPARED:])
        following = self.following(epoch + 1, now - self.budget.started, slower)
        if following == epoch + 1 or model.stop_training:
            return
        state = TrainingState(
            epoch=following, history=self.history.history, callbacks=states(self.callbacks)
        )
        model.optimizer.iterations.assign(following * self.pace.steps)
        self.jump = self.keep(model, state)
        model.stop_training = True

    def following(self, over: int, spent: float, slower: float) -> int:
        """The epoch to go on with, counted from 0.

        Args:
            over: epochs that are over.
            spent: seconds of the budget.
            slower: how much longer everything takes than it did when it was measured.
        """
        whole = self.budget.seconds

        def ends(following: int) -> float:
            left = self.pace.between(following, self.epochs, self.epochs) + self.pace.ending
            return spent + slower * left

        if over >= self.epochs or ends(over) <= _TOLERATED * whole:
            return over
        later = range(over + 1, self.epochs)
        return next((following for following in later if ends(following) <= whole), self.epochs - 1)
