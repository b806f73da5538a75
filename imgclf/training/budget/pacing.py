"""`Pacing`: keeps a run within its budget if the machine becomes slower than it was when timed.

After each epoch the time left is compared with what the remaining epochs will take at the pace of
the last few. If they would end late, the run jumps over some of the next epochs, as if it were
resumed at a later one: learning rate, image sizes and the order of images continue from there. So
the last epochs, which the schedule needs most, are always trained.
"""

from __future__ import annotations

import dataclasses
import statistics
import time

from imgclf.training.budget.budget import Budget
from imgclf.training.budget.pace import Pace

__all__ = ["Pacing"]

# How far beyond the budget a run may be expected to end before it jumps.
_TOLERATED = 1.01

# The last epochs whose median pace is expected of all that follow.
_COMPARED = 3


@dataclasses.dataclass(eq=False)
class Pacing:
    """Decides after each epoch which one is next.

    Args:
        budget: what the run was fitted to.
        pace: as measured before the run.
        epochs: of the whole run.
    """

    budget: Budget
    pace: Pace
    epochs: int

    def __post_init__(self) -> None:
        self._slowdowns = [1.0]  # by epoch, the first one assumed
        self._last = time.monotonic()
        self._starting = self.pace.starting

    def after(self, epoch: int) -> int:
        """The epoch that follows this one, counted from 0; `epoch + 1` unless the run is late."""
        now = time.monotonic()
        planned = self.pace.between(epoch, epoch + 1, self.epochs) + self._starting
        self._slowdowns.append((now - self._last) / planned)
        self._last, self._starting = now, 0.0
        # One long epoch, of which only the time that it cost is lost, says nothing of the next.
        slowdown = statistics.median_low(self._slowdowns[-_COMPARED:])
        return self.following(epoch + 1, now - self.budget.started, slowdown)

    def following(self, done: int, spent: float, slowdown: float) -> int:
        """The epoch to continue with, counted from 0.

        Args:
            done: epochs that are over.
            spent: seconds of the budget that are over.
            slowdown: how many times longer everything takes than it did when it was measured.
        """
        whole = self.budget.seconds

        def ends(following: int) -> float:
            left = self.pace.between(following, self.epochs, self.epochs) + self.pace.ending
            return spent + slowdown * left

        if done >= self.epochs or ends(done) <= _TOLERATED * whole:
            return done
        later = range(done + 1, self.epochs)
        return next((following for following in later if ends(following) <= whole), self.epochs - 1)
