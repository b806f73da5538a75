"""`Trial`: one candidate of a search with its result, and how trials are ranked."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from typing import Any, Literal, TypeAlias, get_args

from imgclf.architecture.blocks.block import Block, block_from_dict
from imgclf.errors import RunFolderError
from imgclf.evaluation.intervals.by_formula import wilson_interval
from imgclf.files.migrations import migrate_trial
from imgclf.files.stored_json import (
    STORED_ERRORS,
    Check,
    check_record,
    list_of,
    number,
    one_of,
    optional,
    show_error,
    text,
    values_by_name,
    whole,
)
from imgclf.training.recipe.recipe import Recipe

__all__ = ["MAX_NUMBER", "Status", "Trial", "best_trial", "rank_trials"]

Status: TypeAlias = Literal["completed", "stopped", "failed", "timed_out"]

_HYPERBAND_PREFIX = "tuner/"

# More trials than these nobody runs, and the names of their folders have a bounded length.
MAX_NUMBER = 10_000_000

# What the record of a trial may hold. Blocks and recipes are checked by their own classes.
_STORED: dict[str, Check] = {
    "number": whole(1, MAX_NUMBER),
    "blocks": list_of(("an object", lambda value: isinstance(value, dict))),
    "recipe": ("an object", lambda value: isinstance(value, dict)),
    "score": optional(number(0, 1)),
    "seconds": number(0, 1e9),
    "parameters": whole(0, 2**53),
    "macs": optional(whole(0, 2**63)),
    "status": one_of(*get_args(Status)),
    "reason": optional(text(100_000)),
    "hyperparameters": values_by_name(),
    "milliseconds": optional(number(0, 1e9)),
    "epochs_run": optional(whole(0, 10**9)),
    "weights": optional(
        (
            "the path of a model below trials/",
            lambda value: (
                isinstance(value, str)
                and re.fullmatch(r"trials/\d{1,9}/model\.keras", value) is not None
            ),
        )
    ),
    "num_validation": optional(whole(1, 2**53)),
    "train_fraction": number(0, 1),
    "promoted_from": optional(whole(1, MAX_NUMBER)),
    "curve": list_of(number(0, 1)),
}


@dataclasses.dataclass(frozen=True)
class Trial:
    """One candidate of a search and its result.

    Args:
        number: counted from 1.
        blocks: the network; empty if a hypermodel built it.
        recipe: how it was trained.
        score: the highest validation accuracy of all its epochs; None if it failed.
        seconds: time of building and training. Of a trial that was killed and resumed, it counts
            only the work that was kept.
        parameters: number of parameters of the network.
        macs: multiply-adds for one image; None if height or width is open.
        status: "completed", "stopped" by early stopping, "failed", or "timed_out" if the search
            ran out of time during the trial.
        reason: why it failed or was stopped.
        hyperparameters: the values of keras-tuner's hyperparameters.
        milliseconds: time for a single image on this processor, measured after the training.
        epochs_run: number of epochs trained; fewer than the recipe's if it was stopped or timed
            out.
        weights: path of the saved model, relative to the run folder; None if it was not kept.
        num_validation: number of validation images behind the score.
        train_fraction: fraction of the training images that it was trained on.
        promoted_from: number of the trial that this one repeats on more images.
        curve: validation accuracy after each epoch.
    """

    number: int
    blocks: tuple[Block, ...]
    recipe: Recipe
    score: float | None
    seconds: float
    parameters: int
    macs: int | None
    status: Status = "completed"
    reason: str | None = None
    hyperparameters: dict[str, Any] = dataclasses.field(default_factory=dict, repr=False)
    milliseconds: float | None = None
    epochs_run: int | None = None
    weights: str | None = None
    num_validation: int | None = None
    train_fraction: float = 1.0
    promoted_from: int | None = None
    curve: tuple[float, ...] = dataclasses.field(default=(), repr=False)

    @property
    def accuracy_interval(self) -> tuple[float, float] | None:
        """95% Wilson interval of the score as (low, high); None without a score.

        It holds for a network that is evaluated once. The best of many trials is likely to be
        worse.
        """
        if self.score is None or self.num_validation is None:
            return None
        return wilson_interval(round(self.score * self.num_validation), self.num_validation)

    @property
    def searched_hyperparameters(self) -> dict[str, Any]:
        """The hyperparameters without those that keras-tuner's Hyperband adds for itself."""
        return {
            name: value
            for name, value in self.hyperparameters.items()
            if not name.startswith(_HYPERBAND_PREFIX)
        }

    def to_dict(self) -> dict[str, Any]:
        """Returns the trial as plain values for JSON; `from_dict` reads them."""
        plain = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        plain["blocks"] = [block.to_dict() for block in self.blocks]
        plain["recipe"] = self.recipe.to_dict()
        plain["curve"] = list(self.curve)
        return plain

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Trial:
        """Reads what `to_dict` wrote.

        Args:
            values: of this version or an earlier one.

        Raises:
            RunFolderError: if they are not the record of a trial.
        """
        try:
            values = migrate_trial(values)
            check_record(values, _STORED, ("number", "blocks", "recipe", "score", "seconds"))
            blocks = tuple(block_from_dict(block) for block in values["blocks"])
            recipe = Recipe.from_dict(values["recipe"])
            curve = tuple(values.get("curve", ()))
            return cls(**{**values, "blocks": blocks, "recipe": recipe, "curve": curve})
        except STORED_ERRORS as error:
            raise RunFolderError(
                f"The record of a trial cannot be read ({type(error).__name__}: "
                f"{show_error(error)}). "
                "Use another run_dir."
            ) from error


def rank_trials(trials: Iterable[Trial]) -> list[Trial]:
    """Sorts trials by score, the best first.

    Of equal scores the earlier trial comes first. Trials that were not completed come after all
    that were, and failed ones last.
    """
    return sorted(trials, key=_rank)


def best_trial(trials: Iterable[Trial]) -> Trial:
    """Returns the first of `rank_trials`."""
    return min(trials, key=_rank)


def _rank(trial: Trial) -> tuple[bool, bool, float, int]:
    return (
        trial.score is None,
        trial.status != "completed",
        -(trial.score or 0.0),
        trial.number,
    )
