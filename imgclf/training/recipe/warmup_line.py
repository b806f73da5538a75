"""A schedule that Keras lacks: a linear warm-up, then a straight line."""

from __future__ import annotations

from typing import Any

import keras

__all__ = ["WarmupLine"]


class WarmupLine(keras.optimizers.schedules.LearningRateSchedule):
    """Rises from 0 to `peak` in `warmup` steps, then goes straight to `end` at `steps`."""

    def __init__(self, peak: float, end: float, warmup: int, steps: int) -> None:
        self.peak, self.end, self.warmup, self.steps = peak, end, warmup, steps

    def __call__(self, step: Any) -> Any:
        """The learning rate at a step, counted from 0."""
        step = keras.ops.cast(step, "float32")
        rise = self.peak * (step + 1) / self.warmup
        part = keras.ops.clip((step - self.warmup) / max(1, self.steps - self.warmup), 0.0, 1.0)
        line = self.peak + (self.end - self.peak) * part
        return keras.ops.where(step < self.warmup, rise, line)

    def get_config(self) -> dict[str, Any]:
        """The arguments, for Keras."""
        return {"peak": self.peak, "end": self.end, "warmup": self.warmup, "steps": self.steps}
