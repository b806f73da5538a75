"""`Pace`: how long each part of a run takes, and so how many epochs fit into a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

__all__ = ["Pace"]


@dataclasses.dataclass(frozen=True)
class Pace:
    """How long the parts of a run take, in seconds, as measured.

    Args:
        tracing: before the first step.
        step: with images of full size.
        early_step: with the smaller images of early epochs.
        validating: all validation images.
        reading: all training and validation images, if they were read before.
        first_reading: the same for the first time.
        saving: a checkpoint.
        ending: what follows the last epoch.
        steps: batches in an epoch.
        size_at: what `progressive_sizes` gives for a number of epochs.
    """

    tracing: float
    step: float
    early_step: float
    validating: float
    reading: float
    first_reading: float
    saving: float
    ending: float
    steps: int
    size_at: Callable[[int], Callable[[int], tuple[int, int]] | None]

    @property
    def starting(self) -> float:
        """What only the first epoch takes."""
        return self.tracing + self.first_reading - self.reading

    def seconds(self, epochs: int) -> float:
        """Duration of a run of so many epochs."""
        return self.starting + self.between(0, epochs, epochs) + self.ending

    def between(self, first: int, last: int, epochs: int) -> float:
        """Duration of the epochs from `first` to before `last`, in a run of so many epochs."""
        count = last - first
        early = min(max(0, self._early_steps(epochs) - first * self.steps), count * self.steps)
        steps = early * self.early_step + (count * self.steps - early) * self.step
        return steps + count * (self.reading + self.validating + self.saving)

    def most_epochs(self, seconds: float, limit: int) -> int:
        """The largest number of epochs that fit into a time, at most `limit`; 0 if none does."""
        fitting, too_many = 0, limit + 1
        while too_many - fitting > 1:
            middle = (fitting + too_many) // 2
            if self.seconds(middle) <= seconds:
                fitting = middle
            else:
                too_many = middle
        return fitting

    def _early_steps(self, epochs: int) -> int:
        size_at = self.size_at(epochs)
        if size_at is None:
            return 0
        full = size_at(epochs * self.steps)
        low, high = 0, epochs * self.steps  # the first step of full size, by bisection
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if size_at(middle) == full else (middle + 1, high)
        return low
