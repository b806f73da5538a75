"""The plan of a run before it starts: what a few real steps say about time, memory and disk.

The steps are taken by `keras.Model.fit` on the network and images at hand, as the run will take
them, and everything that they change is put back: a run with a plan before it ends in the same
weights as one without.
"""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from imgclf.backend.keras_internals import forget_traces
from imgclf.data.image_batches import inference_batch_size
from imgclf.data.split import Split, unchecked_split
from imgclf.files.atomic import LEFTOVER
from imgclf.formatting import plural, show_bytes
from imgclf.training.budget.memory import peak_memory
from imgclf.training.loop import batches as flow
from imgclf.training.loop.checkpoint import Checkpoints, TrainingState, state_variables
from imgclf.training.recipe.compile import wants_one_hot
from imgclf.training.recipe.recipe import Recipe
from imgclf.training.speed.fused_norm import fused_batch_norm
from imgclf.training.speed.progressive_size import any_input_size, progressive_sizes
from imgclf.training.speed.small_maps import small_map_gradients

__all__ = ["Pace", "Plan", "TransferPlan", "make_plan", "measure_pace", "model_bytes"]

# For each size of images: seconds of steps that are timed, after one that is traced and one to
# warm up; and the most steps, of which a small network takes many in that time.
_SECONDS, _WARM_STEPS, _MOST_STEPS = 2.0, 1, 2000

# Seconds at the end of a run with a folder: the curves (which load matplotlib) and the model.
_END_SECONDS = 4.0


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a run will take. `str()` is a report, `to_dict()` plain values.

    Args:
        epochs: how often all training images are seen.
        steps: batches in an epoch.
        batch_size: images in a batch.
        seconds: of the run, from the call of `fit` to its end.
        images_per_second: while training on images of full size, without validation.
        early_images_per_second: in early epochs with smaller images; None if there are none.
        memory: bytes that the process has needed at most, data and libraries included; None where
            the system does not tell.
        checkpoint_bytes: of all checkpoints that are on disk at a time.
        model_bytes: of the trained model's file.

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
        """The time of the run."""
        return self.seconds / 60

    @property
    def work(self) -> str:
        """What is done, in words."""
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
    """What learning on from a trained network will take. `str()` is a report, `to_dict()` values.

    Args:
        images: whose features are computed: for training and for validation.
        features_seconds: of that.
        features_bytes: of the features, in memory and in the run folder.
        head: training the output layer on them.
        fine_tuning: training the upper layers after that; None if they are not trained.
        model_bytes: of the trained model's file.

    Example:
        >>> head = Plan(200, 5, 64, 6.0, 9000.0, None, 900_000_000, 1_600_000, 300_000)
        >>> print(TransferPlan(400, 24.0, 2_000_000, head, None, 4_400_000))
        0.5 minutes
          0.4 for the features of 400 images, 17 a second
          0.1 for the output layer: 200 epochs × 5 steps of 64 images
          902 MB of memory
          8.0 MB of disk: 2.0 MB features, 1.6 MB checkpoints, 4.4 MB model
    """

    images: int
    features_seconds: float
    features_bytes: int
    head: Plan
    fine_tuning: Plan | None
    model_bytes: int

    @property
    def phases(self) -> list[Plan]:
        """The plans of one or two trainings."""
        return [self.head] if self.fine_tuning is None else [self.head, self.fine_tuning]

    @property
    def seconds(self) -> float:
        """Of the run, from the call of `fit` to its end."""
        return self.features_seconds + sum(phase.seconds for phase in self.phases)

    @property
    def minutes(self) -> float:
        """The time of the run."""
        return self.seconds / 60

    @property
    def memory(self) -> int | None:
        """Bytes that the process will need at most; None where the system does not tell."""
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
        speed = self.images / self.features_seconds
        lines = [
            f"{self.minutes:.1f} minutes",
            f"{self.features_seconds / 60:.1f} for the features of {self.images:,} images, "
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


@dataclasses.dataclass(frozen=True)
class Pace:
    """How long the parts of a run take, in seconds, as they were measured.

    Args:
        tracing: before the first step.
        step: with images of full size.
        early_step: with the smaller ones of early epochs.
        validating: all validation images.
        reading: all training and validation images, when they were read before.
        first_reading: the same for the first time.
        saving: a checkpoint.
        ending: what comes after the last epoch.
        steps: batches in an epoch.
        size_at: as `progressive_sizes` gives it for a number of epochs.
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

    def seconds(self, epochs: int) -> float:
        """Of a run of so many epochs."""
        first = self.tracing + self.first_reading - self.reading
        return first + self.between(0, epochs, epochs) + self.ending

    def between(self, first: int, last: int, epochs: int) -> float:
        """Of the epochs from `first` to before `last` in a run of so many, images read before."""
        count = last - first
        early = min(max(0, self._early_steps(epochs) - first * self.steps), count * self.steps)
        steps = early * self.early_step + (count * self.steps - early) * self.step
        return steps + count * (self.reading + self.validating + self.saving)

    def most_epochs(self, seconds: float, limit: int) -> int:
        """How many epochs fit into a time, at most `limit`; 0 if none does."""
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
        low, high = 0, epochs * self.steps  # the first step of full size, by halving
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if size_at(middle) == full else (middle + 1, high)
        return low


def make_plan(model: Any, recipe: Recipe, pace: Pace) -> Plan:
    """What a run of this recipe will take at this pace."""
    early = pace.size_at(recipe.epochs) is not None
    return Plan(
        epochs=recipe.epochs,
        steps=pace.steps,
        batch_size=recipe.batch_size,
        seconds=pace.seconds(recipe.epochs),
        images_per_second=recipe.batch_size / pace.step,
        early_images_per_second=recipe.batch_size / pace.early_step if early else None,
        memory=peak_memory(),
        checkpoint_bytes=Checkpoints(Path()).size_of(model),
        model_bytes=model_bytes(model),
    )


def model_bytes(model: Any) -> int:
    """What a model's file will take."""
    return sum(np.asarray(variable).nbytes for variable in model.variables)


def measure_pace(
    model: Any, train: Split, validation: Split | None, recipe: Recipe, folder: Path | None
) -> Pace:
    """Takes a few steps of each kind and puts back what they changed.

    Args:
        model: compiled; its optimiser and metrics have made their variables.
        train: to train on.
        validation: what is looked at after each epoch.
        recipe: how to train.
        folder: where checkpoints will be written; None if there are none.
    """
    import keras

    steps = flow.steps_per_epoch(train, recipe.batch_size)

    def size_at(epochs: int) -> Callable[[int], tuple[int, int]] | None:
        return progressive_sizes(recipe.replace(epochs=epochs), train.image_shape, steps)

    any_early = size_at(max(recipe.epochs, 10))
    sizes: list[Any] = [None]
    if any_early:
        sizes = [train.image_shape[:2], any_early(0)]
    few, first, again = _read(train, recipe.batch_size)
    with (
        _put_back(model),
        fused_batch_norm(model),
        small_map_gradients(model),
        any_input_size(model) if any_early else contextlib.nullcontext(),
    ):
        timed = [_time_steps(model, few, recipe, size) for size in sizes]
        validating, tracing = 0.0, timed[0][1]
        if validation is not None:
            validating, more = _time_validation(model, validation, recipe)
            tracing += more
    saving = 0.0 if folder is None else _time_saving(model, folder)
    keras.utils.set_random_seed(recipe.seed)
    images = len(train) + (0 if validation is None else len(validation))
    return Pace(
        tracing=tracing,
        step=timed[0][0],
        early_step=timed[-1][0],
        validating=validating,
        reading=again / len(few) * images,
        first_reading=first / len(few) * images,
        saving=saving,
        ending=0.0 if folder is None else _END_SECONDS + saving,
        steps=steps,
        size_at=size_at,
    )


def _read(train: Split, batch_size: int) -> tuple[Split, float, float]:
    """A few whole batches in memory, and how long reading them took, and took once more."""
    count = min(len(train), batch_size * max(1, min(2, len(train) // batch_size)))
    rows = np.linspace(0, len(train) - 1, count).astype(int)
    times = []
    for _ in range(2):
        started = time.monotonic()
        images = np.asarray(train.images[rows])
        times.append(time.monotonic() - started)
    return unchecked_split(images, train.labels[rows], train.class_names), times[0], times[1]


def _time_steps(
    model: Any, split: Split, recipe: Recipe, size: tuple[int, int] | None
) -> tuple[float, float]:
    """Seconds of a step, and those before the first one is over that are not its own."""
    steps = flow.steps_per_epoch(split, recipe.batch_size)
    watch = _make_stopwatch()
    started = time.monotonic()
    model.fit(
        flow.shuffled(
            split,
            batch_size=recipe.batch_size,
            seed=recipe.seed,
            epochs=range(_MOST_STEPS // steps + 1),
            augmentation=recipe.augmentation,
            sampling=recipe.sampling,
            one_hot=wants_one_hot(model),
            size_at=None if size is None else lambda step: size,  # noqa: ARG005
        ),
        epochs=1,
        steps_per_epoch=_MOST_STEPS,
        callbacks=[watch],
        shuffle=False,  # the flow has its own order
        verbose=0,
    )
    ends = watch.ends
    warm = min(_WARM_STEPS, len(ends) - 2)
    each = (ends[-1] - ends[warm]) / (len(ends) - 1 - warm)
    return each, max(0.0, ends[0] - started - each)


def _make_stopwatch() -> Any:
    import keras

    class Stopwatch(keras.callbacks.Callback):
        """Notes when each step is over, and ends the training when there are enough."""

        def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002
            self.ends: list[float] = []

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
            self.ends.append(time.monotonic())
            # What warms up costs little of a step that takes long.
            warm = _WARM_STEPS if self.ends[-1] - self.ends[0] < 2 * _SECONDS else 0
            if len(self.ends) > warm + 1:
                timed = self.ends[-1] - self.ends[warm]
                self.model.stop_training = timed >= _SECONDS

    return Stopwatch()


def _time_validation(model: Any, validation: Split, recipe: Recipe) -> tuple[float, float]:
    """Seconds of all validation images, and of tracing."""
    batch_size = max(recipe.batch_size, inference_batch_size(validation.image_shape))
    some = slice(0, 2 * batch_size)
    images = np.asarray(validation.images[some])
    few = unchecked_split(images, validation.labels[some], validation.class_names)
    times = []
    for _ in range(2):
        batch_images = flow.ordered(few, batch_size=batch_size, one_hot=wants_one_hot(model))
        started = time.monotonic()
        model.evaluate(batch_images, verbose=0)
        times.append(time.monotonic() - started)
    return times[1] / len(few) * len(validation), max(0.0, times[0] - times[1])


def _time_saving(model: Any, folder: Path) -> float:
    with tempfile.TemporaryDirectory(prefix=LEFTOVER, dir=folder) as temporary:
        started = time.monotonic()
        Checkpoints(Path(temporary)).save(model, TrainingState())
        return time.monotonic() - started


@contextlib.contextmanager
def _put_back(model: Any) -> Iterator[None]:
    """At its end model, optimiser and metrics are what they were at its beginning."""
    variables = state_variables(model)
    values = [np.array(variable) for variable in variables]
    try:
        yield
    finally:
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        model.reset_metrics()
        model.stop_training = False
        # Traced within the contexts of this timing.
        forget_traces(model)
