"""Times a few steps before a run, and puts back what they changed.

The steps are taken by `keras.Model.fit` on the network and images at hand, as the run will take
them. A run with a plan before it ends in the same weights as one without.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from imgclf.backend.keras_internals import forget_traces
from imgclf.data.decoding.image_batches import inference_batch_size
from imgclf.data.split import Split, unchecked_split
from imgclf.files.atomic import LEFTOVER
from imgclf.training.budget.memory import peak_memory
from imgclf.training.budget.pace import Pace
from imgclf.training.budget.plan import Plan
from imgclf.training.loop import batches as flow
from imgclf.training.loop.checkpoint import Checkpoints, TrainingState, state_variables
from imgclf.training.recipe.compile import wants_one_hot
from imgclf.training.recipe.recipe import Recipe
from imgclf.training.speed.fused_norm import fused_batch_norm
from imgclf.training.speed.progressive_size import any_input_size, progressive_sizes
from imgclf.training.speed.retracing import no_retracing_advice
from imgclf.training.speed.small_maps import small_map_gradients
from imgclf.typing import KerasModel

__all__ = ["make_plan", "measure_pace", "model_bytes"]

# For each size of images: seconds of steps that are timed, after one that is traced and one to
# warm up; and the most steps, of which a small network takes many in that time.
_SECONDS, _WARM_STEPS = 2.0, 1
_MOST_STEPS = 2000

# Seconds at the end of a run with a folder: the curves (which load matplotlib) and the model.
_END_SECONDS = 4.0


def make_plan(model: KerasModel, recipe: Recipe, pace: Pace) -> Plan:
    """The plan of a run of this recipe at this pace."""
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


def model_bytes(model: KerasModel) -> int:
    """The size of a model's file."""
    return sum(np.asarray(variable).nbytes for variable in model.variables)


def measure_pace(
    model: KerasModel,
    train: Split,
    validation: Split | None,
    recipe: Recipe,
    folder: Path | None,
) -> Pace:
    """Times a few steps of each kind, and puts back what they changed.

    Args:
        model: compiled; its optimiser and metrics have made their variables.
        train: images to train on.
        validation: images to evaluate after each epoch.
        recipe: how to train.
        folder: where checkpoints will be written; None if there are none.
    """
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
        no_retracing_advice(),
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
    model: KerasModel, split: Split, recipe: Recipe, size: tuple[int, int] | None
) -> tuple[float, float]:
    """Seconds of a step, and those before the first one is over that are not its own."""
    from imgclf.training.loop.callbacks import Stopwatch

    steps = flow.steps_per_epoch(split, recipe.batch_size)
    watch = Stopwatch(_SECONDS, _WARM_STEPS)
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


def _time_validation(model: KerasModel, validation: Split, recipe: Recipe) -> tuple[float, float]:
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


def _time_saving(model: KerasModel, folder: Path) -> float:
    with tempfile.TemporaryDirectory(prefix=LEFTOVER, dir=folder) as temporary:
        started = time.monotonic()
        Checkpoints(Path(temporary)).save(model, TrainingState())
        return time.monotonic() - started


@contextlib.contextmanager
def _put_back(model: KerasModel) -> Iterator[None]:
    """Restores model, optimiser and metrics at its end."""
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
