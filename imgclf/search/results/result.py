"""`SearchResult`: the trials of a search, and the best of them."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgclf import checks
from imgclf.architecture.blocks.block import block_from_dict
from imgclf.classifier.classifier import Classifier, load
from imgclf.errors import ArgumentError, RunFolderError, SearchError
from imgclf.evaluation.intervals.by_formula import wilson_interval
from imgclf.export.imgclf_script import imgclf_script
from imgclf.export.keras_script import eject
from imgclf.files import atomic
from imgclf.files.csv_file import write_csv
from imgclf.files.migrations import migrate_trial
from imgclf.search.results.network_summary import short_blocks
from imgclf.search.results.pareto import cost_of, pareto_front, within
from imgclf.training.recipe.recipe import Recipe

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from imgclf.data.dataset import Dataset
    from imgclf.search.results.confirm import Confirmation, Run
    from imgclf.search.results.importance import Importance

__all__ = ["Blocks", "SearchResult", "Trial"]

# Trials that a notebook shows.
_SHOWN = 20


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
        macs: multiply-adds for one image; None if height or width is open.
        status: "completed", "stopped" if it was given up as hopeless, "failed", or "cut" if the
            time was over before it had ended.
        reason: why it failed or was stopped.
        hyperparameters: keras-tuner's hyperparameters.
        milliseconds: for a single image on this processor, measured after the training.
        epochs_run: epochs that were trained; fewer than the recipe's if it was stopped or cut.
        weights: where its model is kept, below the run folder; None if it is not.
        num_validation: validation images behind the score.
        train_fraction: the part of the training images that it was trained on.
        promoted_from: the number of the trial that this one repeats on more images.
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
        values = migrate_trial(values)
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
        space: the `HyperModelSpace` that was searched; None for one of blocks.
    """

    def __init__(
        self,
        trials: tuple[Trial, ...],
        stopped_by: str,
        classifier: Classifier | Path,
        *,
        run_dir: Path | None = None,
        space: Any = None,
    ) -> None:
        self.trials = trials
        self.stopped_by = stopped_by
        self.run_dir = run_dir
        self.space = space
        self._classifier = classifier
        self._confirmation: Confirmation | None = None

    def best(
        self,
        *,
        max_ms: float | None = None,
        max_params: int | None = None,
        max_macs: int | None = None,
    ) -> Trial:
        """The trial of the highest score, of two equal ones the first.

        Args:
            max_ms: the most milliseconds that a single image may take, as measured in the search.
            max_params: the most numbers that the network may hold.
            max_macs: the most multiply-adds that an image may cost.

        Raises:
            SearchError: if no trial keeps the limits.
        """
        limits = {"max_ms": max_ms, "max_params": max_params, "max_macs": max_macs}
        return best_of(within(self.trials, limits))

    @property
    def winner(self) -> Trial:
        """The trial that `confirm` put first; before it the best one."""
        if self._confirmation is None:
            return self.best()
        number = int(self._confirmation.first.name.removeprefix("trial "))
        return next(trial for trial in self.trials if trial.number == number)

    @property
    def best_blocks(self) -> Blocks:
        """The best network; prints as code."""
        return Blocks(self.best().blocks)

    @property
    def best_recipe(self) -> Recipe:
        """How the best network was trained."""
        return self.best().recipe

    @property
    def best_classifier(self) -> Classifier:
        """The best network with the weights of its best epoch."""
        if isinstance(self._classifier, Path):
            self._classifier = load(self._classifier)
        return self._classifier

    def classifier(self, trial: Trial) -> Classifier:
        """A trial's network with the weights of its best epoch.

        Args:
            trial: of this search.

        Raises:
            SearchError: if its weights were not kept.
        """
        if trial == self.best():
            return self.best_classifier
        if trial.weights is None or self.run_dir is None:
            anew = "Classifier.from_blocks(trial.blocks, data, trial.recipe)"
            if not trial.blocks:
                anew = "Classifier(result.space.build(trial.hyperparameters, trial.recipe))"
            raise SearchError(
                f"The weights of trial {trial.number} were not kept: a search with a run_dir keeps "
                f"those of its best trials. Train it anew with {anew}."
            )
        return load(self.run_dir / trial.weights)

    def confirm(
        self,
        data: Dataset,
        top: int = 3,
        seeds: int = 3,
        baselines: Sequence[str] = ("seed2017", "default"),
        *,
        seconds: float | None = None,
        run_dir: Any = None,
        verbose: Any = 0,
        on_run: Callable[[Run], None] | None = None,
    ) -> Confirmation:
        """Trains the best networks anew, with fresh seeds, and says whether the first is better.

        The best score of a search owes something to luck. Here each network is trained on the
        training images with seeds that the search did not use, and judged on the validation
        images by the weights that its training ends with. Test images are not looked at.

        Args:
            data: that was searched with.
            top: how many of the best networks; equal ones count once.
            seeds: how often each is trained, at least twice.
            baselines: what to compare with: names of presets, and "default", a small network with
                `Recipe()`.
            seconds: None trains each network by its own recipe, and the table says how long each
                took. A number fits the epochs of each to so many seconds, so that all have the same
                time.
            run_dir: a folder for `confirm.jsonl`, a line a training; the same call again goes on
                after the last line, and in the midst of a training. By default the folder "confirm"
                in that of the search; without one nothing is kept.
            verbose: as in `fit`, for each training.
            on_run: called with each new `Run` when it has ended.

        Returns:
            A `Confirmation`.

        Raises:
            SearchError: if no network could be trained twice.
            RunFolderError: if the folder holds another confirmation, or is in use.
            ArgumentError: if an argument cannot be used.
        """
        from imgclf.search.results.confirm import confirm

        if run_dir is None and self.run_dir is not None:
            run_dir = Path(self.run_dir) / "confirm"
        self._confirmation = confirm(
            self.ranked(),
            data,
            self.space,
            top=top,
            seeds=seeds,
            baselines=baselines,
            seconds=seconds,
            run_dir=run_dir,
            verbose=verbose,
            on_run=on_run,
        )
        return self._confirmation

    @property
    def confirmation(self) -> Confirmation | None:
        """What the last `confirm` gave; None before it."""
        return self._confirmation

    def table(self) -> list[dict[str, Any]]:
        """A plain dict a trial, the best first, failed ones last."""
        return [trial.to_dict() for trial in self.ranked()]

    def to_csv(self, path: str | Path) -> Path:
        """Writes the table for a spreadsheet: a row a trial, a column for each setting.

        Args:
            path: of the file; one that is there is replaced.

        Returns:
            The path.
        """
        trials = self.ranked()
        settings = list(dict.fromkeys(name for trial in trials for name in trial.hyperparameters))
        rows = (_row(trial, settings) for trial in trials)
        write_csv(checks.path("path", path), [*_COLUMNS, "network", *settings], rows)
        return Path(path)

    def pareto(self) -> list[Trial]:
        """The trials than which no other is both better and cheaper, the cheapest first.

        The cost is milliseconds for an image; where they are not known of each trial,
        multiply-adds.
        """
        return pareto_front(self.trials, cost_of(self.trials))

    def to_code(self, form: str = "imgclf", *, data: str = 'imgclf.load_folder("photos/")') -> str:
        """A script that builds the `winner` and trains it.

        Args:
            form: "imgclf" for a short one; "keras" for one in plain Keras, as `imgclf.eject` writes
                it.
            data: for "imgclf", the code that loads your data, such as "imgclf.load_digits()".

        Returns:
            The text of a Python file.

        Raises:
            ArgumentError: for another form, or "imgclf" for a network that is not of blocks.
        """
        checks.one_of("form", form, ["imgclf", "keras"])
        winner, confirmed = self.winner, self._confirmation
        reached = f"{winner.score:.1%} of the validation images"
        if confirmed is not None:
            reached = f"{confirmed.first.mean:.1%} of the validation images with fresh seeds"
        title = f"The winner of {len(self.trials)} trials: trial {winner.number}, {reached}."
        if form == "keras":
            clf = self.best_classifier if confirmed is None else confirmed.best_classifier
            return eject(clf, winner.recipe, title=title)
        if not winner.blocks:
            raise ArgumentError(
                '`form` must be "keras" for a network that a hypermodel built: it has no blocks. '
                + checks.received("form", form)
            )
        return imgclf_script(winner.blocks, winner.recipe, title=title, data=data)

    def save_scripts(
        self, folder: str | Path, *, data: str = 'imgclf.load_folder("photos/")'
    ) -> list[Path]:
        """Writes the scripts of `to_code`: `winner.py` and `winner_keras.py`.

        Args:
            folder: it is made if need be.
            data: as for `to_code`.

        Returns:
            The paths of the files; without `winner.py` if the network is not of blocks.
        """
        place = checks.path("folder", folder)
        texts = {"winner_keras.py": self.to_code("keras")}
        if self.winner.blocks:
            texts = {"winner.py": self.to_code(data=data), **texts}
        for name, text in texts.items():
            atomic.write_text(place / name, text)
        return [place / name for name in texts]

    def importance(self, seed: int = 0) -> Importance:
        """Which settings mattered for the score, as far as the trials can tell.

        Args:
            seed: of the random forests.
        """
        from imgclf.search.results.importance import importance

        return importance(self.trials, seed=seed)

    def plot(
        self, baseline: float | None = None, ax: Axes | None = None, by: str = "trial"
    ) -> Axes:
        """Draws the score of each trial and the best so far.

        Args:
            baseline: a validation accuracy to compare with.
            ax: where to draw.
            by: "trial", or "time" for the seconds that the trials took up to each.
        """
        from imgclf import plots

        checks.one_of("by", by, ["trial", "time"])
        scores = [math.nan if trial.score is None else trial.score for trial in self.trials]
        best: list[float] = []
        for score in scores:
            seen = [value for value in [*best[-1:], score] if not math.isnan(value)]
            best.append(max(seen, default=math.nan))
        times = None
        if by == "time":
            times = list(itertools.accumulate(trial.seconds for trial in self.trials))
        return plots.search_progress(scores, best, baseline=baseline, ax=ax, seconds=times)

    def plot_tradeoff(self, ax: Axes | None = None) -> Axes:
        """Draws accuracy against what an image costs, with the front of the best trades.

        Args:
            ax: where to draw.

        Raises:
            SearchError: if no trial's cost is known.
        """
        from imgclf import plots

        cost = cost_of(self.trials)
        shown = [
            trial
            for trial in self.trials
            if trial.score is not None and getattr(trial, cost) is not None
        ]
        if not shown:
            raise SearchError("There is no trial with a score of which the cost is known.")
        front = [shown.index(trial) for trial in pareto_front(shown, cost)]
        return plots.search_trade_off(
            [getattr(trial, cost) for trial in shown],
            [trial.score for trial in shown],
            front,
            [str(trial.number) for trial in shown],
            {"milliseconds": "milliseconds for an image", "macs": "multiply-adds"}[cost],
            ax=ax,
        )

    def plot_importance(self, ax: Axes | None = None) -> Axes:
        """Draws which settings mattered; see `importance`.

        Args:
            ax: where to draw.

        Raises:
            SearchError: if the trials cannot tell.
        """
        from imgclf import plots

        found = self.importance()
        if not found.settings:
            raise SearchError(found.note)
        return plots.search_importance(
            [setting.name for setting in found.settings],
            [setting.points for setting in found.settings],
            [setting.spread for setting in found.settings],
            ax=ax,
        )

    def plot_parallel(self, ax: Axes | None = None) -> Axes:
        """Draws each trial as a line through its settings, coloured by its score.

        Args:
            ax: where to draw.
        """
        from imgclf import plots

        shown = [trial for trial in self.trials if trial.score is not None]
        return plots.search_parallel(
            [trial.hyperparameters for trial in shown],
            [float(trial.score or 0) for trial in shown],
            ax=ax,
        )

    def report(self, path: str | Path) -> Path:
        """Writes one HTML page with trials, plots, the winner's code and its confirmation.

        The page needs no other file and no network.

        Args:
            path: of the file; one that is there is replaced.

        Returns:
            The path.
        """
        from imgclf.search.results.search_page import report_page

        atomic.write_text(checks.path("path", path), report_page(self))
        return Path(path)

    def __repr__(self) -> str:
        return f"SearchResult({len(self.trials)} trials, best {self.best().score:.1%})"

    def __str__(self) -> str:
        heads = ("trial", "accuracy", "95% interval", "parameters", "ms", "seconds")
        rows = [_cells(trial) for trial in self.ranked()]
        texts = [network_text(trial) for trial in self.ranked()]
        widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
        lines = [
            "  ".join([cell.rjust(width) for cell, width in zip(row, widths, strict=True)] + [text])
            for row, text in zip((heads, *rows), ("network and recipe", *texts), strict=True)
        ]
        rule = "─" * (sum(widths) + 2 * len(widths) + len("network and recipe"))
        return "\n".join([lines[0], rule, *lines[1:]])

    def _repr_html_(self) -> str:
        from imgclf.markup import notebook
        from imgclf.search.results.search_page import trials_table

        shown = self.ranked()[:_SHOWN]
        which = f"the best {len(shown)} of {len(self.trials)} trials"
        return notebook(trials_table(shown, which))

    def ranked(self) -> list[Trial]:
        """The trials, the best first, failed ones last."""
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


_COLUMNS = (
    "number", "score", "low", "high", "status", "reason", "seconds", "epochs_run", "parameters",
    "macs", "milliseconds", "num_validation",
)  # fmt: skip


def _row(trial: Trial, settings: list[str]) -> list[Any]:
    low, high = trial.accuracy_interval or (None, None)
    known = {**dataclasses.asdict(dataclasses.replace(trial, blocks=())), "low": low, "high": high}
    blocks = ", ".join(map(repr, trial.blocks))
    return [
        *(known[name] for name in _COLUMNS),
        f"[{blocks}]" if trial.blocks else None,
        *(trial.hyperparameters.get(name) for name in settings),
    ]


def _cells(trial: Trial) -> tuple[str, ...]:
    interval = trial.accuracy_interval
    return (
        str(trial.number),
        "–" if trial.score is None else f"{trial.score:.1%}",
        "" if interval is None else f"{interval[0]:.1%} to {interval[1]:.1%}",
        f"{trial.parameters:,}",
        "" if trial.milliseconds is None else f"{trial.milliseconds:.2f}",
        f"{trial.seconds:.1f}",
    )


def network_text(trial: Trial) -> str:
    """A trial's network and recipe in short, behind its status if it was not completed."""
    recipe = trial.recipe
    if trial.blocks:
        what = f"{short_blocks(trial.blocks)}, {recipe.optimizer} {recipe.learning_rate:g}"
    else:
        what = ", ".join(f"{name}={value!r}" for name, value in trial.hyperparameters.items())
    if trial.status != "completed":
        what = f"{trial.status}{f': {trial.reason}' if trial.reason else ''} · {what}"
    return what
