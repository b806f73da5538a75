"""`Plan` and `TransferPlan`: what a run will take in time, memory and disk, as plain values."""

from __future__ import annotations

import dataclasses
from typing import Any

from imgclf.formatting import plural, show_bytes

__all__ = ["Plan", "TransferPlan"]


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a run will take. `str()` is a report, `to_dict()` plain values.

    Args:
        epochs: passes over all training images.
        steps: batches in an epoch.
        batch_size: images in a batch.
        seconds: duration of the run, from the call of `fit` to its end.
        images_per_second: speed of training on images of full size, without validation.
        early_images_per_second: speed in early epochs with smaller images; None if there are none.
        memory: peak memory of the process in bytes, data and libraries included; None where the
            system does not report it.
        checkpoint_bytes: size of all checkpoints that are on disk at a time.
        model_bytes: size of the trained model's file.

    Example:
        >>> plan = Plan(7, 90, 500, 204.0, 1500.0, 2600.0, 1_200_000_000, 13_000_000, 4_400_000)
        >>> print(plan)
        3.4 minutes: 7 epochs × 90 steps of 500 images
          1,500 images a second; 2,600 in early epochs, which see smaller ones
          1.2 GB of memory
          17 MB of disk: 13 MB checkpoints, 4.4 MB model
    """

    epochs: int
    steps: int
    batch_size: int
    seconds: float
    images_per_second: float
    early_images_per_second: float | None
    memory: int | None
    checkpoint_bytes: int
    model_bytes: int

    @property
    def minutes(self) -> float:
        """Duration of the run."""
        return self.seconds / 60

    @property
    def work(self) -> str:
        """Epochs and steps, in words."""
        epochs, steps = plural(self.epochs, "epoch"), plural(self.steps, "step")
        return f"{epochs} × {steps} of {self.batch_size} images"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {"minutes": self.minutes, **dataclasses.asdict(self)}

    def __str__(self) -> str:
        speed = f"{self.images_per_second:,.0f} images a second"
        if self.early_images_per_second is not None:
            early = f"{self.early_images_per_second:,.0f}"
            speed += f"; {early} in early epochs, which see smaller ones"
        disk = show_bytes(self.checkpoint_bytes + self.model_bytes)
        parts = f"{show_bytes(self.checkpoint_bytes)} checkpoints, {show_bytes(self.model_bytes)}"
        lines = [
            f"{self.minutes:.1f} minutes: {self.work}",
            speed,
            *([] if self.memory is None else [f"{show_bytes(self.memory)} of memory"]),
            f"{disk} of disk: {parts} model",
        ]
        return "\n  ".join(lines)


@dataclasses.dataclass(frozen=True)
class TransferPlan:
    """What transfer learning will take. `str()` is a report, `to_dict()` plain values.

    Args:
        num_images: images whose features are computed, for training and for validation.
        features_seconds: time to compute the features.
        features_bytes: size of the features, in memory and in the run folder.
        head: training of the output layer on the features.
        fine_tuning: training of the upper layers after that; None if they are not trained.
        model_bytes: size of the trained model's file.

    Example:
        >>> head = Plan(200, 5, 64, 6.0, 9000.0, None, 900_000_000, 1_600_000, 300_000)
        >>> print(TransferPlan(400, 24.0, 2_000_000, head, None, 4_400_000))
        0.5 minutes
          0.4 for the features of 400 images, 17 a second
          0.1 for the output layer: 200 epochs × 5 steps of 64 images
          902 MB of memory
          8.0 MB of disk: 2.0 MB features, 1.6 MB checkpoints, 4.4 MB model
    """

    num_images: int
    features_seconds: float
    features_bytes: int
    head: Plan
    fine_tuning: Plan | None
    model_bytes: int

    @property
    def phases(self) -> list[Plan]:
        """The plans of the one or two trainings."""
        return [self.head] if self.fine_tuning is None else [self.head, self.fine_tuning]

    @property
    def seconds(self) -> float:
        """Duration of the run, from the call of `fit` to its end."""
        return self.features_seconds + sum(phase.seconds for phase in self.phases)

    @property
    def minutes(self) -> float:
        """Duration of the run."""
        return self.seconds / 60

    @property
    def memory(self) -> int | None:
        """Peak memory of the process in bytes; None where the system does not report it."""
        most = self.phases[-1].memory
        return None if most is None else most + self.features_bytes

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "minutes": self.minutes,
            "seconds": self.seconds,
            "memory": self.memory,
            **dataclasses.asdict(self),
        }

    def __str__(self) -> str:
        speed = self.num_images / self.features_seconds
        lines = [
            f"{self.minutes:.1f} minutes",
            f"{self.features_seconds / 60:.1f} for the features of {self.num_images:,} images, "
            f"{speed:,.0f} a second",
        ]
        for name, phase in zip(("the output layer", "fine-tuning"), self.phases, strict=False):
            lines.append(f"{phase.minutes:.1f} for {name}: {phase.work}")
        if self.memory is not None:
            lines.append(f"{show_bytes(self.memory)} of memory")
        checkpoints = sum(phase.checkpoint_bytes for phase in self.phases)
        disk = show_bytes(self.features_bytes + checkpoints + self.model_bytes)
        lines.append(
            f"{disk} of disk: {show_bytes(self.features_bytes)} features, "
            f"{show_bytes(checkpoints)} checkpoints, {show_bytes(self.model_bytes)} model"
        )
        return "\n  ".join(lines)
