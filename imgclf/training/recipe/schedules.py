"""Learning-rate schedules: one row each, which the recipe, `compile` and `eject` read."""

from __future__ import annotations

import abc
import dataclasses

from imgclf.typing import KerasSchedule

__all__ = ["SCHEDULES", "Schedule"]

_KERAS = "keras.optimizers.schedules"


@dataclasses.dataclass(frozen=True)
class Schedule(abc.ABC):
    """The learning rate over the steps of a training, after a linear warm-up from 0.

    Args:
        name: what `Recipe.schedule` is.
    """

    name: str

    @abc.abstractmethod
    def make(self, peak: float, warmup: int, steps: int) -> KerasSchedule | float:
        """A Keras schedule, or a number if the rate never changes: then callbacks may change it.

        Args:
            peak: the highest learning rate.
            warmup: steps until it is reached.
            steps: of the whole training.
        """

    @abc.abstractmethod
    def code(self, peak: float, warmup: str) -> str:
        """The same in plain Keras, for a function that knows `steps`.

        Args:
            peak: the highest learning rate.
            warmup: code for its steps; "" without a warm-up.
        """

    def helpers(self, warmup: bool) -> tuple[type, ...]:  # noqa: ARG002
        """The classes of ours whose source the code needs beside it."""
        return ()


@dataclasses.dataclass(frozen=True)
class _Line(Schedule):
    """A straight line from the peak to `end` times the peak."""

    end: float

    def make(self, peak: float, warmup: int, steps: int) -> KerasSchedule | float:
        if warmup:
            from imgclf.training.recipe.warmup_line import WarmupLine

            return WarmupLine(peak, self.end * peak, warmup, steps)
        if self.end == 1:
            return peak
        import keras

        return keras.optimizers.schedules.PolynomialDecay(peak, max(1, steps), self.end * peak)

    def code(self, peak: float, warmup: str) -> str:
        end = self.end * peak
        if warmup:
            return f"WarmupLine({peak!r}, {end!r}, {warmup}, steps)"
        if self.end == 1:
            return repr(peak)
        return f"{_KERAS}.PolynomialDecay({peak!r}, max(1, steps), {end!r})"

    def helpers(self, warmup: bool) -> tuple[type, ...]:
        if not warmup:
            return ()
        from imgclf.training.recipe.warmup_line import WarmupLine

        return (WarmupLine,)


@dataclasses.dataclass(frozen=True)
class _Cosine(Schedule):
    """Half a cosine wave from the peak to 0."""

    def make(self, peak: float, warmup: int, steps: int) -> KerasSchedule | float:
        import keras

        decay = keras.optimizers.schedules.CosineDecay
        if not warmup:
            return decay(peak, max(1, steps))
        return decay(0.0, max(1, steps - warmup), warmup_target=peak, warmup_steps=warmup)

    def code(self, peak: float, warmup: str) -> str:
        if not warmup:
            return f"{_KERAS}.CosineDecay({peak!r}, max(1, steps))"
        return (
            f"{_KERAS}.CosineDecay(\n"
            f"        0.0,\n        max(1, steps - {warmup}),\n"
            f"        warmup_target={peak!r},\n        warmup_steps={warmup},\n    )"
        )


SCHEDULES = {
    row.name: row
    for row in (_Line("constant", end=1.0), _Cosine("cosine"), _Line("linear", end=0.0))
}
