"""`Job`: one trial that is to be run, as it is handed out and as it is kept on the disk."""

from __future__ import annotations

import dataclasses
from typing import Any

from imgclf.architecture.blocks.block import block_from_dict
from imgclf.errors import RunFolderError
from imgclf.files.migrations import migrate_job
from imgclf.training.recipe.recipe import Recipe

__all__ = ["Job"]


@dataclasses.dataclass(frozen=True)
class Job:
    """What is to be trained, and how.

    Args:
        number: of the trial.
        hyperparameters: keras-tuner's hyperparameters.
        blocks: the network.
        recipe: how it is trained, with the epochs that are planned.
        train_fraction: the part of the training images.
        promoted_from: the trial that is repeated on more images, if it is one.
        floors: validation accuracy below which the trial is hopeless, by epoch; empty if nothing
            is to be given up.
        resumable: whether there is room on the disk for checkpoints.
    """

    number: int
    hyperparameters: dict[str, Any]
    blocks: tuple[Any, ...]
    recipe: Recipe
    train_fraction: float = 1.0
    promoted_from: int | None = None
    floors: tuple[float, ...] = ()
    resumable: bool = True

    def to_dict(self) -> dict[str, Any]:
        """The job as plain values, for JSON; `from_dict` reads it."""
        plain = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {
            **plain,
            "blocks": [block.to_dict() for block in self.blocks],
            "recipe": self.recipe.to_dict(),
            "floors": list(self.floors),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Job:
        """Reads what `to_dict` wrote.

        Raises:
            RunFolderError: if it is not that.
        """
        values = migrate_job(values)
        try:
            plain = {
                "blocks": tuple(block_from_dict(block) for block in values["blocks"]),
                "recipe": Recipe.from_dict(values["recipe"]),
                "floors": tuple(values["floors"]),
            }
            return cls(**{**values, **plain})
        except (KeyError, TypeError, ValueError) as error:
            raise RunFolderError(
                f"The plan of a trial cannot be read ({type(error).__name__}: {error}). "
                "Use another run_dir."
            ) from error
