"""Checkpoints: the whole state of a training in one file, so that it can go on as if never stopped.

A file holds every variable of the model (the states of dropout among them, which Keras's own
`BackupAndRestore` leaves out) and of the optimiser, the history, and the states of the callbacks
that offer one by `get_state` and `set_state`. It is written whole or not at all. Two are kept: if
the newest is damaged, the one before is used.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from imgclf.files import atomic

__all__ = ["Checkpoints"]

_KEPT = 2


class Checkpoints:
    """The checkpoints in one folder.

    Args:
        folder: where they are; made when the first is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, model: Any, state: dict[str, Any]) -> None:
        """Writes one for `state["epoch"]` finished epochs, and removes the oldest.

        Args:
            model: a compiled `keras.Model` whose optimiser is built.
            state: plain values to be given back by `restore`.
        """
        arrays = {
            f"v{position}": _storable(variable) for position, variable in enumerate(_state(model))
        }
        buffer = io.BytesIO()
        arrays["state"] = np.asarray(json.dumps(state))
        np.savez(buffer, **arrays)  # type: ignore[arg-type]
        atomic.write_bytes(self.folder / f"epoch-{state['epoch']:05d}.npz", buffer.getvalue())
        for old in self._newest_first()[_KEPT:]:
            old.unlink(missing_ok=True)

    def restore(self, model: Any) -> dict[str, Any] | None:
        """Puts the newest whole checkpoint into the model.

        Args:
            model: the same model, compiled and its optimiser built.

        Returns:
            The state that was saved, or None if there is no usable checkpoint.
        """
        for path in self._newest_first():
            loaded = _read(path)
            if loaded is None:
                continue
            state, arrays = loaded
            variables = _state(model)
            shapes = [tuple(array.shape) for array in arrays]
            if shapes != [tuple(variable.shape) for variable in variables]:
                continue
            for variable, array in zip(variables, arrays, strict=True):
                variable.assign(array)
            return state
        return None

    def _newest_first(self) -> list[Path]:
        return sorted(self.folder.glob("epoch-*.npz"), reverse=True)


def _state(model: Any) -> Sequence[Any]:
    """All variables in a fixed order; metrics start anew with each epoch and are left out."""
    metrics = {id(variable) for metric in model.metrics for variable in metric.variables}
    own = [variable for variable in model.variables if id(variable) not in metrics]
    return [*own, *model.optimizer.variables]


def _storable(variable: Any) -> np.ndarray:
    """bfloat16 is no dtype that a .npz file keeps; float32 holds each of its values exactly."""
    array = np.asarray(variable)
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array


def _read(path: Path) -> tuple[dict[str, Any], list[np.ndarray]] | None:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            state = json.loads(str(archive["state"]))
            arrays = [archive[f"v{position}"] for position in range(len(archive.files) - 1)]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return state, arrays
