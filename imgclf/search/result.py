"""`SearchResult`: the trials of a search, and the best of them."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgclf.architecture.block import block_from_dict
from imgclf.classifier import Classifier, load
from imgclf.errors import RunFolderError
from imgclf.evaluation.interval import wilson_interval
from imgclf.training.recipe import Recipe

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Blocks", "SearchResult", "Trial"]


class Blocks(list[Any]):
    """A list of blocks that prints as code to be pasted, one block a line.

    Example:
        >>> from imgclf import conv, flatten
        >>> Blocks([conv(8), flatten()])
        [
            conv(8),
            flatten(),
        ]
    """

    def __repr__(self) -> str:
        lines = "".join(f"    {block!r},\n" for block in self)
        return f"[\n{lines}]"


@dataclasses.dataclass(frozen=True)
class Trial:
    """One candidate, and what came of it.

    Args:
        number: counted from 1.
        blocks: its network.
        recipe: how it was trained.
        score: the highest validation accuracy of all its epochs; None if it failed.
        seconds: how long building and training took; of a trial that went on after a kill, without
            what was lost.
        parameters: how many numbers the network holds.
        macs: multiply-adds for one picture; None if height or width is open.
        status: "completed", "stopped" if it was given up as hopeless, "failed", or "cut" if the
            time was over before it had ended.
        reason: why it failed or was stopped.
        values: keras-tuner's hyperparameters.
        milliseconds: for a single picture on this processor, measured after the training.
        epochs_run: epochs that were trained; fewer than the recipe's if it was stopped or cut.
        weights: where its model is kept, below the run folder; None if it is not.
        num_validation: validation pictures behind the score.
        part: the part of the training pictures that it was trained on.
        promoted_from: the number of the trial that this one repeats on more pictures.
        curve: validation accuracy after each epoch.
    """

    number: int
    blocks: tuple[Any, ...]
    recipe: Recipe
    score: float | None
    seconds: float
    parameters: int
    macs: int | None
    status: str = "completed"
    reason: str | None = None
    values: dict[str, Any] = dataclasses.field(default_factory=dict, repr=False)
    milliseconds: float | None = None
    epochs_run: int | None = None
    weights: str | None = None
    num_validation: int | None = None
    part: float = 1.0
    promoted_from: int | None = None
    curve: tuple[float, ...] = dataclasses.field(default=(), repr=False)

    @property
    def accuracy_interval(self) -> tuple[float, float] | None:
        """95% Wilson interval of the score: (low, high); None without a score.

        It is that of a network looked at once. The best of many is likely to be worse than this.
        """
        if self.score is None or self.num_validation is None:
            return None
        return wilson_interval(round(self.score * self.num_validation), self.num_validation)

    def to_dict(self) -> dict[str, Any]:
        """The trial as plain values, for JSON; `from_dict` reads it."""
        plain = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        plain["blocks"] = [block.to_dict() for block in self.blocks]
        plain["recipe"] = self.recipe.to_dict()
        plain["curve"] = list(self.curve)
        return plain

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Trial:
        """Reads what `to_dict` wrote.

        Raises:
            RunFolderError: if it is not that.
        """
        try:
            blocks = tuple(block_from_dict(block) for block in values["blocks"])
            recipe = Recipe.from_dict(values["recipe"])
            curve = tuple(values.get("curve", ()))
            return cls(**{**values, "blocks": blocks, "recipe": recipe, "curve": curve})
        except (KeyError, TypeError, ValueError) as error:
            raise RunFolderError(
                f"The record of a trial cannot be read ({type(error).__name__}: {error}). "
                "Use another run_dir."
            ) from error


class SearchResult:
    """What a search found. `str()` is a table.

    Args:
        trials: in the order in which they were run; at least one has a score.
        stopped_by: why the search ended: "max_trials", "minutes", or "space" if it is exhausted.
        classifier: the best trial's classifier, or the path of its file.
        run_dir: the folder of the search; None if it has none.
    """

    def __init__(
        self,
        trials: tuple[Trial, ...],
        stopped_by: str,
        classifier: Classifier | Path,
        *,
        run_dir: Path | None = None,
    ) -> None:
        self.trials = trials
        self.stopped_by = stopped_by
        self.run_dir = run_dir
        self._classifier = classifier

    @property
    def best(self) -> Trial:
        """The trial of the highest score, of two equal ones the first."""
        return best_of(self.trials)

    @property
    def best_blocks(self) -> Blocks:
        """The best network; prints as code."""
        return Blocks(self.best.blocks)

    @property
    def best_recipe(self) -> Recipe:
        """How the best network was trained."""
        return self.best.recipe

    @property
    def best_classifier(self) -> Classifier:
        """The best network with the weights of its best epoch."""
        if isinstance(self._classifier, Path):
            self._classifier = load(self._classifier)
        return self._classifier

    def table(self) -> list[dict[str, Any]]:
        """A plain dict a trial, the best first, failed ones last."""
        return [trial.to_dict() for trial in self._ranked()]

    def plot(self, baseline: float | None = None, ax: Axes | None = None) -> Axes:
        """Draws the score of each trial and the best so far.

        Args:
            baseline: a validation accuracy to compare with.
            ax: where to draw.
        """
        from imgclf import plots

        scores = [math.nan if trial.score is None else trial.score for trial in self.trials]
        best: list[float] = []
        for score in scores:
            seen = [value for value in [*best[-1:], score] if not math.isnan(value)]
            best.append(max(seen, default=math.nan))
        return plots.search_progress(scores, best, baseline=baseline, ax=ax)

    def __repr__(self) -> str:
        return f"SearchResult({len(self.trials)} trials, best {self.best.score:.1%})"

    def __str__(self) -> str:
        heads = ("trial", "accuracy", "parameters", "seconds", "network and recipe")
        rows = [_cells(trial) for trial in self._ranked()]
        widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
        lines = [
            "  ".join(
                [cell.rjust(width) for cell, width in zip(row[:4], widths[:4], strict=True)]
                + [row[4]]
            )
            for row in (heads, *rows)
        ]
        return "\n".join([lines[0], "─" * (sum(widths[:4]) + 8 + len(heads[4])), *lines[1:]])

    def _ranked(self) -> list[Trial]:
        return sorted(self.trials, key=_rank)


def best_of(trials: Any) -> Trial:
    """The best trial; one that was cut counts only where no other was completed."""
    return min(trials, key=_rank)


def _rank(trial: Trial) -> tuple[bool, bool, float, int]:
    return (
        trial.score is None,
        trial.status != "completed",
        -(trial.score or 0.0),
        trial.number,
    )


def _cells(trial: Trial) -> tuple[str, ...]:
    score = "–" if trial.score is None else f"{trial.score:.1%}"
    recipe = trial.recipe
    what = f"[{', '.join(map(repr, trial.blocks))}], {recipe.optimizer} {recipe.learning_rate:g}"
    if trial.status != "completed":
        what = f"{trial.status}{f': {trial.reason}' if trial.reason else ''} · {what}"
    counts = (f"{trial.parameters:,}", f"{trial.seconds:.1f}")
    return (str(trial.number), score, *counts, what)
