"""`SearchResult`: the trials of a search, and the best of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from imgclf import checks
from imgclf.architecture.blocks.block import Block
from imgclf.classifier.classifier import Classifier
from imgclf.classifier.loading import load
from imgclf.data.dataset import Dataset
from imgclf.errors import ArgumentError, ImgclfError, SearchError
from imgclf.export.imgclf_script import imgclf_script
from imgclf.export.keras_script import eject
from imgclf.files import atomic
from imgclf.search.results.confirm import confirm
from imgclf.search.results.confirmation import Confirmation, Run
from imgclf.search.results.importance import Importance, importance
from imgclf.search.results.pareto import cost_field, pareto_front, within_limits
from imgclf.search.results.tables import html_table, text_table, write_trials
from imgclf.search.results.trial import Trial, best_trial, rank_trials
from imgclf.search.space.hypermodel_space import HyperModelSpace
from imgclf.training.recipe.recipe import Recipe
from imgclf.typing import Axes, StrPath, Verbose

__all__ = ["Blocks", "SearchResult"]

# Trials that a notebook shows.
_SHOWN = 20


class Blocks(list[Block]):
    """A list of blocks that prints as code, one block a line.

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


class SearchResult:
    """The trials of a search, and the best of them. `str()` is a table.

    Args:
        trials: in the order in which they were run; at least one has a score.
        stopped_by: why the search ended: "max_trials", "minutes", or "space" if it is exhausted.
        classifier: of the best trial, or the path of its file.
        run_dir: the folder of the search; None if it has none.
        space: the `HyperModelSpace` that was searched; None for a space of blocks.
        data: the code that loads the data, for scripts; None if there is none.
    """

    def __init__(
        self,
        trials: tuple[Trial, ...],
        stopped_by: str,
        classifier: Classifier | Path,
        *,
        run_dir: Path | None = None,
        space: HyperModelSpace | None = None,
        data: str | None = None,
    ) -> None:
        self.trials = trials
        self.stopped_by = stopped_by
        self.run_dir = run_dir
        self.space = space
        self.data = data
        self._classifier = classifier
        self._confirmation: Confirmation | None = None

    def best(
        self,
        *,
        max_ms: float | None = None,
        max_params: int | None = None,
        max_macs: int | None = None,
    ) -> Trial:
        """Returns the trial with the highest score; of equal ones the first.

        Args:
            max_ms: limit of the milliseconds for a single image, as measured in the search.
            max_params: limit of the network's parameters.
            max_macs: limit of the multiply-adds for an image.

        Raises:
            SearchError: if no trial is within the limits.
        """
        limits = {"max_ms": max_ms, "max_params": max_params, "max_macs": max_macs}
        return best_trial(within_limits(self.trials, limits))

    @property
    def winner(self) -> Trial:
        """The trial that `confirm` ranked first; without a confirmation, the best one."""
        if self._confirmation is None:
            return self.best()
        number = self._confirmation.first.trial_number
        return next(trial for trial in self.trials if trial.number == number)

    @property
    def best_blocks(self) -> Blocks:
        """The blocks of the best trial; they print as code."""
        return Blocks(self.best().blocks)

    @property
    def best_recipe(self) -> Recipe:
        """The recipe of the best trial."""
        return self.best().recipe

    @property
    def best_classifier(self) -> Classifier:
        """The classifier of the best trial, with the weights of its best epoch."""
        if isinstance(self._classifier, Path):
            self._classifier = load(self._classifier)
        return self._classifier

    def classifier(self, trial: Trial) -> Classifier:
        """Loads the classifier of a trial, with the weights of its best epoch.

        Args:
            trial: of this search.

        Raises:
            SearchError: if its weights were not kept.
        """
        if trial == self.best():
            return self.best_classifier
        if trial.weights is None or self.run_dir is None:
            code = "Classifier.from_blocks(trial.blocks, data, trial.recipe)"
            if not trial.blocks:
                code = "Classifier(result.space.build(trial.hyperparameters, trial.recipe))"
            raise SearchError(
                f"The weights of trial {trial.number} were not kept: a search with a run_dir keeps "
                f"those of its best trials. Train it again with {code}."
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
        run_dir: StrPath | None = None,
        verbose: Verbose = 0,
        on_run: Callable[[Run], None] | None = None,
    ) -> Confirmation:
        """Trains the best networks again with fresh seeds, and compares them.

        The best score of a search is likely to be too high. Here each network is trained on the
        training images with seeds that the search did not use, and evaluated on the validation
        images with the weights at the end of its training. The test images are not used.

        Args:
            data: that was searched with.
            top: number of the best networks to train; equal ones count once.
            seeds: number of trainings of each, at least 2.
            baselines: networks to compare with: names of presets, or "default" for a small network
                with `Recipe()`.
            seconds: fits the epochs of each training to this time, so that all networks get the
                same. None trains each network by its own recipe; the table then shows the times.
            run_dir: a folder for the trainings and `confirm.jsonl`, a line for each training. The
                same call again resumes, even within a training. By default it is the folder
                "confirm" in that of the search; without either, nothing is kept.
            verbose: as in `fit`, for each training.
            on_run: called with each new `Run` when it has ended.

        Returns:
            A `Confirmation`.

        Raises:
            SearchError: if no network could be trained twice.
            RunFolderError: if the folder holds another confirmation, or is in use.
            ArgumentError: if an argument cannot be used.
        """
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
        """The result of the last `confirm`; None before it."""
        return self._confirmation

    def table(self) -> list[dict[str, Any]]:
        """Returns a plain dict for each trial, the best first, failed ones last."""
        return [trial.to_dict() for trial in self.ranked()]

    def to_csv(self, path: StrPath) -> Path:
        """Writes the trials as a CSV file: a row for each trial, a column for each setting.

        Args:
            path: of the file; an existing one is replaced.

        Returns:
            The path.
        """
        target = checks.path("path", path)
        write_trials(target, self.ranked())
        return target

    def pareto(self) -> list[Trial]:
        """Returns the trials that no other beats in both accuracy and cost, the cheapest first.

        The cost is the milliseconds for an image, or its multiply-adds if any trial was not timed.
        """
        return pareto_front(self.trials, cost_field(self.trials))

    def to_code(
        self,
        form: Literal["imgclf", "keras"] = "imgclf",
        *,
        data: str | None = None,
    ) -> str:
        """Returns a script that builds the `winner` and trains it.

        Args:
            form: "imgclf" for a short script; "keras" for one in plain Keras, as `imgclf.eject`
                writes it.
            data: the code that loads your data, such as "imgclf.load_digits()"; for "imgclf" only.
                By default that of the search, with absolute paths. If the search used arrays, the
                script says where to put it.

        Returns:
            The text of a Python file.

        Raises:
            ArgumentError: for any other form, or for "imgclf" if the network has no blocks.
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
        code = self.data if data is None else checks.text("data", data)
        return imgclf_script(winner.blocks, winner.recipe, title=title, data=code)

    def save_scripts(self, folder: StrPath, *, data: str | None = None) -> list[Path]:
        """Writes the scripts of `to_code`: `winner.py` and `winner_keras.py`.

        Args:
            folder: it is made if it does not exist.
            data: as for `to_code`.

        Returns:
            The paths of the files; without `winner.py` if the network has no blocks.
        """
        target = checks.path("folder", folder)
        texts = {"winner_keras.py": self.to_code("keras")}
        if self.winner.blocks:
            texts = {"winner.py": self.to_code(data=data), **texts}
        for name, text in texts.items():
            atomic.write_text(target / name, text)
        return [target / name for name in texts]

    def importance(self, seed: int = 0) -> Importance:
        """Estimates how much each setting matters for the score.

        Args:
            seed: of the random forests.
        """
        return importance(self.trials, seed=seed)

    def plot(
        self,
        baseline: float | None = None,
        ax: Axes | None = None,
        by: Literal["trial", "time"] = "trial",
    ) -> Axes:
        """Draws the score of each trial and the best so far.

        Args:
            baseline: a validation accuracy to compare with.
            ax: where to draw.
            by: "trial", or "time" for the seconds up to the end of each trial.
        """
        from imgclf.search.results.search_plots import plot_progress

        return plot_progress(self.trials, by=by, baseline=baseline, ax=ax)

    def plot_tradeoff(self, ax: Axes | None = None) -> Axes:
        """Draws accuracy against the cost of an image, with the Pareto front.

        Args:
            ax: where to draw.

        Raises:
            SearchError: if no trial's cost is known.
        """
        from imgclf.search.results.search_plots import plot_tradeoff

        return plot_tradeoff(self.trials, ax=ax)

    def plot_importance(self, ax: Axes | None = None) -> Axes:
        """Draws how much each setting matters; see `importance`.

        Args:
            ax: where to draw.

        Raises:
            SearchError: if the trials do not show it.
        """
        from imgclf.search.results.search_plots import plot_importance

        return plot_importance(self.importance(), ax=ax)

    def plot_parallel(self, ax: Axes | None = None) -> Axes:
        """Draws each trial as a line through its settings, coloured by its score.

        Args:
            ax: where to draw.
        """
        from imgclf.search.results.search_plots import plot_parallel

        return plot_parallel(self.trials, ax=ax)

    def report(self, path: StrPath) -> Path:
        """Writes an HTML page with the trials, plots, scripts of the winner and confirmation.

        It is one file that loads nothing from the network.

        Args:
            path: of the file; an existing one is replaced.

        Returns:
            The path.
        """
        from imgclf.search.results.search_page import SearchPageData, search_page

        data = SearchPageData(
            trials=self.trials,
            stopped_by=self.stopped_by,
            winner=self.winner.number,
            scripts={
                "In imgclf": self._code_or_reason("imgclf"),
                "In plain Keras": self._code_or_reason("keras"),
            },
            importance=self.importance(),
            confirmation=self._confirmation,
        )
        target = checks.path("path", path)
        atomic.write_text(target, search_page(data))
        return target

    def _code_or_reason(self, form: Literal["imgclf", "keras"]) -> str:
        try:
            return self.to_code(form)
        except ImgclfError as error:
            return f"# {error}"

    def ranked(self) -> list[Trial]:
        """Returns the trials, the best first, failed ones last."""
        return rank_trials(self.trials)

    def __repr__(self) -> str:
        return f"SearchResult({len(self.trials)} trials, best {self.best().score:.1%})"

    def __str__(self) -> str:
        return text_table(self.ranked())

    def _repr_html_(self) -> str:
        from imgclf.markup import notebook

        shown = self.ranked()[:_SHOWN]
        return notebook(html_table(shown, f"the best {len(shown)} of {len(self.trials)} trials"))
