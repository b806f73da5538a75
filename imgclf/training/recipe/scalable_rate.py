"""A schedule that callbacks may scale, as they may set a learning rate that has none.

Keras lets callbacks set the learning rate of an optimiser only if it is a plain number. Imports
Keras: to be imported where a run begins.
"""

from __future__ import annotations

from typing import Any

import keras

from imgclf.typing import KerasOptimizer, KerasSchedule, Tensor

__all__ = ["ScalableRate"]


@keras.saving.register_keras_serializable(package="imgclf")
class ScalableRate:
    """A schedule times a factor, which follows from what callbacks set.

    An optimiser takes it for a function without arguments that gives the learning rate. Keras's
    setter of `learning_rate` calls `assign`, as it does for the variable of a plain number.

    Args:
        schedule: gives the rate by the number of the step.
        peak: the highest rate of the schedule.
        warmup: steps until it is reached.
        factor: the schedule is multiplied by.
    """

    def __init__(
        self, schedule: KerasSchedule, peak: float, warmup: int, factor: float = 1.0
    ) -> None:
        self.schedule, self.peak, self.warmup = schedule, peak, warmup
        # Not among the optimiser's variables: checkpoints without this class still fit.
        self.factor = keras.Variable(factor, dtype="float32", trainable=False, name="rate_factor")
        self._optimizer: KerasOptimizer | None = None

    def drive(self, optimizer: KerasOptimizer) -> None:
        """Takes the place of an optimiser's learning rate."""
        self._optimizer = optimizer
        optimizer.learning_rate = self

    def release(self) -> None:
        """Gives the optimiser its schedule back."""
        if self._optimizer is not None:
            self._optimizer.learning_rate = self.schedule

    def __call__(self) -> Tensor:
        """The learning rate of the present step."""
        return self._scheduled() * self.factor

    def assign(self, value: Any) -> None:
        """Scales the schedule so that the rate is `value` now, and in proportion from here on.

        Before the first step `value` is what the warm-up leads to. Within the warm-up the rate may
        be far from its peak: the factor is limited so that it will not exceed both peak and value.
        """
        value = float(keras.ops.convert_to_numpy(value))
        step = 0 if self._optimizer is None else int(self._optimizer.iterations)
        now = float(keras.ops.convert_to_numpy(self._scheduled()))
        factor = value / self.peak if step == 0 or now == 0 else value / now
        if step < self.warmup:
            factor = min(factor, max(1.0, value / self.peak))
        self.factor.assign(factor)

    def _scheduled(self) -> Any:
        return self.schedule(0 if self._optimizer is None else self._optimizer.iterations)

    def get_state(self) -> float:
        """The factor, for a checkpoint."""
        return float(keras.ops.convert_to_numpy(self.factor))

    def set_state(self, state: float) -> None:
        """Continues with the factor of a checkpoint."""
        self.factor.assign(state)

    def get_config(self) -> dict[str, Any]:
        """The arguments, for Keras."""
        return {
            "schedule": keras.optimizers.schedules.serialize(self.schedule),
            "peak": self.peak,
            "warmup": self.warmup,
            "factor": self.get_state(),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ScalableRate:
        """Makes it again, for Keras."""
        schedule = keras.optimizers.schedules.deserialize(config["schedule"])
        return cls(**{**config, "schedule": schedule})
