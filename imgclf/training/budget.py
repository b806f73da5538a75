"""`Budget`: a time that a run is fitted into before it starts."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

from imgclf import checks
from imgclf.errors import ArgumentError
from imgclf.training.plan import Pace

__all__ = ["Budget"]

# The part of the time that is planned with. The rest is for a machine that becomes busier, which a
# run of few epochs cannot make up for.
_PLANNED = 0.92

# More epochs than these do not make a network better, however much time there is.
_MOST_EPOCHS = 200


@dataclasses.dataclass(frozen=True)
class Budget:
    """So many minutes from a moment on.

    Args:
        minutes: above 0.
        started: the moment, by `time.monotonic`; now if left out.
    """

    minutes: float
    started: float = dataclasses.field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        minutes = checks.number("minutes", self.minutes, low=0, above=True)
        object.__setattr__(self, "minutes", minutes)

    @classmethod
    def of(cls, minutes: Any) -> Budget:
        """A number of minutes from now on; a budget is left as it is."""
        return minutes if isinstance(minutes, Budget) else cls(minutes)

    def epochs(self, pace: Pace, usual: int) -> int:
        """How many whole epochs fit into what is left.

        Args:
            pace: of the run, as measured.
            usual: the recipe's own number, which a long budget may exceed up to 200.

        Raises:
            ArgumentError: if not even one does.
        """
        spent = time.monotonic() - self.started
        whole = 60 * self.minutes
        epochs = pace.most_epochs(whole * _PLANNED - spent, max(usual, _MOST_EPOCHS))
        needed = spent + pace.seconds(1)
        if epochs == 0 and needed > whole:
            raise ArgumentError(
                f"`minutes` must be enough for one epoch, which needs {needed / 60:.2g} minutes "
                "here with start and end. Give that, take the preset 'quick' or smaller pictures. "
                + checks.received("minutes", self.minutes)
            )
        return max(1, epochs)
