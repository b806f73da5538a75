"""`Job`: a trial to be run, as it is handed out and as it is stored while it runs."""

from __future__ import annotations

import dataclasses
from typing import Any

from imgclf.architecture.blocks.block import Block, block_from_dict
from imgclf.errors import RunFolderError
from imgclf.files.migrations import migrate_job
from imgclf.files.stored_json import (
    STORED_ERRORS,
    Check,
    check_record,
    list_of,
    number,
    optional,
    show_error,
    truth,
    values_by_name,
    whole,
)
from imgclf.search.results.trial import MAX_NUMBER
from imgclf.training.recipe.recipe import Recipe

__all__ = ["Job"]

_STORED: dict[str, Check] = {
    "number": whole(1, MAX_NUMBER),
    "hyperparameters": values_by_name(),
    "blocks": list_of(("an object", lambda value: isinstance(value, dict))),
    "recipe": ("an object", lambda value: isinstance(value, dict)),
    "train_fraction": number(0, 1),
    "promoted_from": optional(whole(1, MAX_NUMBER)),
    "stopping_thresholds": list_of(number(0, 1)),
    "resumable": truth(),
}


@dataclasses.dataclass(frozen=True)
class Job:
    """What is to be trained, and how.

    Args:
        number: of the trial.
        hyperparameters: the values of keras-tuner's hyperparameters.
        blocks: the network; empty if a hypermodel builds it.
        recipe: how it is trained, with the planned number of epochs.
        train_fraction: fraction of the training images.
        promoted_from: number of the trial that it repeats on more images, if any.
        stopping_thresholds: validation accuracy by epoch, below which the trial is stopped; empty
            without early stopping.
        resumable: whether there is room on the disk for checkpoints.
    """

    number: int
    hyperparameters: dict[str, Any]
    blocks: tuple[Block, ...]
    recipe: Recipe
    train_fraction: float = 1.0
    promoted_from: int | None = None
    stopping_thresholds: tuple[float, ...] = ()
    resumable: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Returns the job as plain values for JSON; `from_dict` reads them."""
        plain = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {
            **plain,
            "blocks": [block.to_dict() for block in self.blocks],
            "recipe": self.recipe.to_dict(),
            "stopping_thresholds": list(self.stopping_thresholds),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Job:
        """Reads what `to_dict` wrote.

        Args:
            values: of this version or an earlier one.

        Raises:
            RunFolderError: if they are not those of a job.
        """
        try:
            values = migrate_job(values)
            check_record(values, _STORED, ("number", "hyperparameters", "blocks", "recipe"))
            plain = {
                "blocks": tuple(block_from_dict(block) for block in values["blocks"]),
                "recipe": Recipe.from_dict(values["recipe"]),
                "stopping_thresholds": tuple(values.get("stopping_thresholds", ())),
            }
            return cls(**{**values, **plain})
        except STORED_ERRORS as error:
            raise RunFolderError(
                f"The plan of a trial cannot be read ({type(error).__name__}: "
                f"{show_error(error)}). "
                "Use another run_dir."
            ) from error
