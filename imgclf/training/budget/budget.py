"""`Budget`: the time that a run is fitted to before it starts."""

from __future__ import annotations

import dataclasses
import time

from imgclf import checks
from imgclf.errors import ArgumentError
from imgclf.training.budget.pace import Pace

__all__ = ["Budget", "TooFewMinutesError"]

# The fraction of the time that is planned. The rest is for a machine that becomes busier, which a
# run of few epochs cannot make up for.
_PLANNED = 0.92

# More epochs than these do not make a network better, however much time there is.
_MOST_EPOCHS = 200


class TooFewMinutesError(ArgumentError):
    """The time is too short for the smallest run.

    Args:
        message: says what is needed.
        needed: minutes from the start of the budget.
    """

    def __init__(self, message: str, needed: float) -> None:
        super().__init__(message)
        self.needed = needed


@dataclasses.dataclass(frozen=True)
class Budget:
    """A number of minutes, counted from a moment.

    Args:
        minutes: above 0.
        started: the moment, by `time.monotonic`; now if left out.
        kept_back: seconds that are kept for what follows the run.
        most_epochs: limit of the run's epochs; if left out, 200 or the recipe's own number.
    """

    minutes: float
    started: float = dataclasses.field(default_factory=time.monotonic)
    kept_back: float = 0.0
    most_epochs: int | None = None

    def __post_init__(self) -> None:
        minutes = checks.number("minutes", self.minutes, low=0, above=True)
        object.__setattr__(self, "minutes", minutes)

    @classmethod
    def of(cls, minutes: float | Budget) -> Budget:
        """A budget that starts now; one that is given is returned as it is."""
        return minutes if isinstance(minutes, Budget) else cls(minutes)

    @property
    def seconds(self) -> float:
        """From its start to when the run must be over."""
        return 60 * self.minutes - self.kept_back

    @property
    def shown(self) -> str:
        """The whole time, in words."""
        return "1 minute" if self.minutes == 1 else f"{self.minutes:g} minutes"

    @property
    def spent(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    @property
    def left(self) -> float:
        """Seconds left to plan with."""
        return self.seconds * _PLANNED - self.spent

    def after(self, seconds: float) -> Budget:
        """The same budget after so many more seconds."""
        return dataclasses.replace(self, started=self.started - seconds)

    def epochs(self, pace: Pace, usual: int) -> int:
        """The number of epochs that fit into the time left.

        Args:
            pace: of the run, as measured.
            usual: the recipe's own number, which a long budget may exceed up to 200.

        Raises:
            TooFewMinutesError: if not even one epoch fits.
        """
        limit = self.most_epochs or max(usual, _MOST_EPOCHS)
        epochs = pace.most_epochs(self.left, limit)
        needed = self.spent + pace.seconds(1)
        if epochs == 0 and needed > self.seconds:
            raise TooFewMinutesError(
                f"`minutes` must be enough for one epoch, which needs {needed / 60:.2g} minutes "
                "here with start and end. Give that, take the preset 'quick' or smaller images. "
                + checks.received("minutes", self.minutes),
                needed / 60,
            )
        return max(1, epochs)
