"""Checkpoints: the whole state of a training in one file, to resume it as if it never stopped.

A file holds every variable of the model (the states of dropout among them, which Keras's own
`BackupAndRestore` leaves out), of the optimiser and of the metrics, the history, and the states of
the callbacks. It is written whole or not at all. Two are kept: if the newest is damaged, the one
before is used.
"""

from __future__ import annotations

import dataclasses
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from imgclf.errors import ArgumentTypeError, NotFiniteError, RunFolderError
from imgclf.files import atomic
from imgclf.files.stored_arrays import check_arrays
from imgclf.files.stored_json import STORED_ERRORS, Check, check_record, truth, whole
from imgclf.training.loop.callback_state import states
from imgclf.training.loop.failed_write import naming_failed_write
from imgclf.typing import KerasCallback, KerasModel

__all__ = [
    "Checkpoint",
    "Checkpoints",
    "TrainingState",
    "check_storable",
    "not_finite",
    "state_variables",
    "take_checkpoint",
]

_KEPT = 2

# In the JSON part of a file an array stands as {_ARRAY: its name}.
_ARRAY = "__array__"


@dataclasses.dataclass(frozen=True)
class TrainingState:
    """The position of a training, apart from the variables of model and optimiser.

    Args:
        epoch: epochs that are over, with their validation.
        step: batches that are over of the epoch after them.
        history: of the epochs that are over, by name.
        metrics: values of the metrics' variables in the middle of an epoch.
        callbacks: a state for each callback that keeps one.
        stopped: whether a callback has asked for the end.
        finished: whether the end is over too: best weights are restored, averages are in place.
    """

    epoch: int = 0
    step: int = 0
    history: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    metrics: Sequence[np.ndarray] = ()
    callbacks: Sequence[Any] = ()
    stopped: bool = False
    finished: bool = False

    @property
    def begun(self) -> bool:
        """Whether a batch is over."""
        return self.epoch > 0 or self.step > 0


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """The content of a file.

    Args:
        state: the position of the training.
        values: of all variables of model and optimiser.
    """

    state: TrainingState
    values: Sequence[np.ndarray]

    def put_into(self, model: KerasModel) -> None:
        """Gives model and optimiser the stored values, and in mid-epoch the metrics too.

        A run that was forced to go on with other metrics counts them from here.
        """
        for variable, value in zip(state_variables(model), self.values, strict=True):
            variable.assign(value)
        variables = model.metrics_variables
        alike = [tuple(one.shape) for one in variables] == [one.shape for one in self.state.metrics]
        if self.state.step and alike:
            for variable, value in zip(variables, self.state.metrics, strict=True):
                variable.assign(value)


class Checkpoints:
    """The checkpoints in one folder.

    Args:
        folder: where they are; made when the first is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, model: KerasModel, state: TrainingState) -> Checkpoint:
        """Writes a checkpoint, and removes the oldest.

        Args:
            model: a compiled `keras.Model` whose optimiser is built.
            state: to be given back by `load`.

        Returns:
            What `load` would read now.

        Raises:
            NotFiniteError: if a weight is infinite or NaN; then nothing is written.
            RunFolderError: if it cannot be written; those before stay.
        """
        checkpoint = take_checkpoint(model, state)
        values = checkpoint.values
        arrays = {f"v{position}": value for position, value in enumerate(values)}
        packed = _pack({field: getattr(state, field) for field in _FIELDS}, arrays)
        arrays["state"] = np.asarray(json.dumps(packed))
        name = f"epoch-{state.epoch:05d}-step-{state.step:06d}.npz"
        with naming_failed_write(
            f"A checkpoint cannot be written to {str(self.folder)!r}",
            "The one before it is whole: once this is fixed, the same call resumes from there.",
        ):
            with atomic.replacing(self.folder / name, verify=_check_whole) as temporary:
                np.savez(temporary, **arrays)  # type: ignore[arg-type]
            for old in self._newest_first()[_KEPT:]:
                old.unlink(missing_ok=True)
        return checkpoint

    def load(self, model: KerasModel, optimizer: Any = None) -> Checkpoint | None:
        """Reads the newest whole checkpoint.

        Args:
            model: the same model; it is not changed.
            optimizer: the built one that the model will be compiled with, if it is not yet.

        Returns:
            The checkpoint, or None if none was saved.

        Raises:
            RunFolderError: if there are checkpoints, but none that is whole and of such a model.
        """
        paths = self._newest_first()
        shapes = [tuple(variable.shape) for variable in state_variables(model, optimizer)]
        for path in paths:
            checkpoint = _read(path)
            if checkpoint and [value.shape for value in checkpoint.values] == shapes:
                return checkpoint
        if paths:
            raise RunFolderError(
                f"None of the {len(paths)} checkpoints in {str(self.folder)!r} is whole and of a "
                "model like this one. Remove the run folder to start over, or use another run_dir."
            )
        return None

    def size_of(self, model: KerasModel, optimizer: Any = None) -> int:
        """Bytes that the checkpoints of this model take, with one that is being written."""
        each = sum(_storable(variable).nbytes for variable in state_variables(model, optimizer))
        return (_KEPT + 1) * each

    def _newest_first(self) -> list[Path]:
        return sorted(self.folder.glob("epoch-*.npz"), reverse=True)


# What the JSON part of a file may hold.
_STATE: dict[str, Check] = {
    "epoch": whole(0, 10**9),
    "step": whole(0, 2**53),
    "history": (
        "lists of numbers",
        lambda value: isinstance(value, dict) and all(map(_is_curve, value.values())),
    ),
    "metrics": ("a list", lambda value: isinstance(value, list)),
    "callbacks": ("a list", lambda value: isinstance(value, list)),
    "stopped": truth(),
    "finished": truth(),
}

_FIELDS = [field.name for field in dataclasses.fields(TrainingState)]


def take_checkpoint(model: KerasModel, state: TrainingState) -> Checkpoint:
    """What `Checkpoints.save` would write, in memory."""
    _check_finite(model, state)
    return Checkpoint(state, [_storable(variable) for variable in state_variables(model)])


def check_storable(callbacks: Sequence[KerasCallback]) -> None:
    """Checks that the states of callbacks can be stored, as far as they have any before a run.

    Raises:
        ArgumentTypeError: if one holds what a checkpoint does not keep.
    """
    for callback in callbacks:
        try:
            [state] = states([callback])
        except Exception:  # noqa: S112 - it has none, or makes it in `on_train_begin`
            continue
        _pack(state, {})


def state_variables(model: KerasModel, optimizer: Any = None) -> Sequence[Any]:
    """All variables of model and optimiser in a fixed order, without those of metrics."""
    optimizer = model.optimizer if optimizer is None else optimizer
    metrics = {id(variable) for metric in model.metrics for variable in metric.variables}
    own = [variable for variable in model.variables if id(variable) not in metrics]
    return [*own, *optimizer.variables]


def _storable(variable: Any) -> np.ndarray:
    """bfloat16 is no dtype that a .npz file keeps; float32 holds each of its values exactly."""
    array = np.asarray(variable)
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array


def _check_finite(model: KerasModel, state: TrainingState) -> None:
    path = not_finite(model.trainable_variables)
    if path is not None:
        raise NotFiniteError(
            f"The weights {path!r} became infinite or NaN in epoch {state.epoch + 1}. "
            "The last checkpoint is from before. Try a learning rate ten times smaller, a "
            "longer warmup, or precision='float32'."
        )


def not_finite(variables: Sequence[Any]) -> str | None:
    """The path of the first variable with a value that is infinite or NaN; None without one."""
    for variable in variables:
        values = _storable(variable)
        if np.issubdtype(values.dtype, np.inexact) and not np.isfinite(values).all():
            return str(variable.path)
    return None


def _check_whole(path: Path) -> None:
    if _read(path) is None:
        raise OSError(f"{path.name} cannot be read again as it was written")


def _read(path: Path) -> Checkpoint | None:
    try:
        check_arrays(path)
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            stored = {name: archive[name] for name in archive.files}
        state = _unpack(json.loads(str(stored["state"])), stored)
        check_record(state, _STATE)
        count = sum(name.startswith("v") for name in stored)
        values = [stored[f"v{position}"] for position in range(count)]
    except (OSError, EOFError, *STORED_ERRORS, NotImplementedError, zipfile.BadZipFile):
        return None
    return Checkpoint(TrainingState(**state), values)


def _is_curve(value: Any) -> bool:
    """Whether it is a list of numbers, of which some may be NaN."""
    return isinstance(value, list) and all(
        isinstance(each, (int, float)) or each is None for each in value
    )


def _pack(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """`value` as JSON knows it; arrays are put aside into `arrays`."""
    if isinstance(value, dict):
        return {str(key): _pack(inner, arrays) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_pack(inner, arrays) for inner in value]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        name = f"a{len(arrays)}"
        arrays[name] = _storable(value)
        return {_ARRAY: name}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ArgumentTypeError(
        "The state of a callback must be made of numbers, strings, arrays, lists and dicts. "
        f"Received: a {type(value).__name__}."
    )


def _unpack(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(value, dict):
        if value.keys() == {_ARRAY}:
            return arrays[value[_ARRAY]]
        return {key: _unpack(inner, arrays) for key, inner in value.items()}
    if isinstance(value, list):
        return [_unpack(inner, arrays) for inner in value]
    return value
