"""`search`: tries candidates of a space one after another, and keeps the best.

keras-tuner's oracles propose the candidates. Building, training, budget, records and resuming are
done here, so that a candidate which cannot work costs nothing, and a trial that fails ends nothing.
"""

from __future__ import annotations

import contextlib
import gc
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from imgclf import checks
from imgclf.architecture.describe import describe
from imgclf.classifier import Classifier
from imgclf.data.dataset import Dataset
from imgclf.errors import (
    ArgumentError,
    ArgumentTypeError,
    ImgclfError,
    RunFolderError,
    SearchError,
)
from imgclf.search.journal import Journal
from imgclf.search.result import SearchResult, Trial
from imgclf.search.space import Space, candidate_key, default_recipe, default_space
from imgclf.training import fit as training
from imgclf.training.network import new_network, sample_images
from imgclf.training.recipe import Recipe
from imgclf.training.run_folder import RunFolder

__all__ = ["ALGORITHMS", "search"]

ALGORITHMS = ("bayesian", "hyperband", "random")

# How often a candidate that cannot be used is drawn anew before the space counts as exhausted.
_DRAWS = 50


def search(
    data: Dataset,
    blocks: Any = "default",
    *,
    recipe: Recipe | None = None,
    algorithm: str = "bayesian",
    max_trials: int = 20,
    minutes: float | None = None,
    epochs: int | None = None,
    max_params: int | None = None,
    max_macs: int | None = None,
    run_dir: Any = None,
    seed: int = 0,
    verbose: Any = 0,
    on_trial: Callable[[Trial], None] | None = None,
) -> SearchResult:
    """Searches for the network and the recipe with the highest validation accuracy.

    A trial's score is the highest validation accuracy of all its epochs, and the weights of that
    epoch are kept. Being the best of many looks at the same pictures, it is too high as a forecast:
    `result.best_classifier.evaluate(data.test)` tells what to expect. The test pictures are never
    looked at here.

    Candidates that cannot fit, exceed a limit, or equal one already tried are drawn anew before any
    network is built. A trial that fails is recorded with its reason, and the search goes on.

    Args:
        data: needs `train` and `validation`.
        blocks: a list of blocks in which values or blocks are `choice`, `between`, `optional` or
            `repeat`; or "default" for a space that scales with the pictures.
        recipe: how to train; its fields may be choices. If left out, optimiser and learning rate
            are searched; `Recipe()` keeps them fixed.
        algorithm: "bayesian" learns from the trials before; "random"; "hyperband" trains many
            candidates for few epochs and the better ones anew for more, up to the recipe's.
        max_trials: how many trials at most, those of a resumed run included.
        minutes: how long this call may take; None for no limit. Training stops at the next batch
            when it is over. The trial that this cuts is dropped, unless there is no other.
        epochs: of each trial; the recipe's if left out.
        max_params: the most numbers that a network may hold.
        max_macs: the most multiply-adds that a picture may cost.
        run_dir: a folder for `journal.jsonl`, a line a trial, and `best.keras`. The same call again
            goes on after the last recorded trial.
        seed: of the draws. The recipe's seed decides weights and order.
        verbose: as in `fit`, for each trial.
        on_trial: called with each new `Trial` when it has ended.

    Returns:
        A `SearchResult`.

    Raises:
        SearchError: if no trial could be run.
        RunFolderError: if the folder holds another search, or is in use.
        ArgumentError: if there is nothing to search, or an argument cannot be used.

    Example:
        >>> import imgclf
        >>> from imgclf import Recipe, choice, conv_maxpool, flatten
        >>> data = imgclf.load_digits()
        >>> space = [conv_maxpool(choice(4, 8)), flatten()]
        >>> result = imgclf.search(data, space, recipe=Recipe(epochs=1), max_trials=2)
        >>> sorted(trial.blocks[0].filters for trial in result.trials)
        [4, 8]
    """
    space = _space(data, blocks, recipe, epochs, max_params, max_macs)
    checks.one_of("algorithm", algorithm, ALGORITHMS)
    checks.integer("max_trials", max_trials, low=1)
    checks.integer("seed", seed, low=0)
    checks.one_of("verbose", verbose, ["auto", 0, 1, 2])
    if minutes is not None:
        checks.number("minutes", minutes, low=0, above=True)
    if algorithm == "hyperband" and not isinstance(space.recipe.epochs, int):
        raise ArgumentError(
            '`epochs` must be an int where the algorithm is "hyperband", which varies them '
            f"itself. {checks.received('epochs', space.recipe.epochs)}"
        )
    with contextlib.ExitStack() as stack:
        folder = None
        if run_dir is not None:
            folder = RunFolder(run_dir)
            stack.enter_context(folder.lock())
            folder.claim(_config(space, data, algorithm, seed))
        deadline = None if minutes is None else time.monotonic() + 60 * minutes
        run = _Run(
            space, data, None if folder is None else folder.path, deadline, verbose, on_trial
        )
        with _quiet_oracle():
            oracle = _make_oracle(algorithm, space, max_trials, seed)
        return run.run(oracle, max_trials)


def _space(
    data: Any, blocks: Any, recipe: Any, epochs: Any, max_params: Any, max_macs: Any
) -> Space:
    if not isinstance(data, Dataset):
        raise ArgumentTypeError(
            "`data` must be a Dataset such as load_digits() gives. "
            + checks.received("data", type(data).__name__)
        )
    if data.validation is None or not len(data.validation):
        raise ArgumentError(
            "`data` must have validation pictures: a search judges by them. Load it with "
            "validation=0.1. Received: data.validation=None."
        )
    if isinstance(blocks, str):
        checks.one_of("blocks", blocks, ["default"])
        blocks = default_space(data.image_shape)
    if recipe is None:
        recipe = default_recipe()
    elif not isinstance(recipe, Recipe):
        raise ArgumentTypeError(f"`recipe` must be a Recipe. {checks.received('recipe', recipe)}")
    if epochs is not None:
        recipe = recipe.replace(epochs=checks.integer("epochs", epochs, low=1))
    return Space(blocks, recipe, data.image_shape, data.num_classes, max_params, max_macs)


def _config(space: Space, data: Dataset, algorithm: str, seed: int) -> dict[str, Any]:
    """What makes a search this search; budget and number of trials may change from call to call."""
    assert data.validation is not None  # noqa: S101  # _space has checked it
    return {
        "search": {
            "blocks": [repr(block) for block in space.blocks],
            "recipe": repr(space.recipe),
            "algorithm": algorithm,
            "seed": seed,
            "max_params": space.max_params,
            "max_macs": space.max_macs,
            "image_shape": list(space.image_shape),
            "class_names": list(data.class_names),
            "train": data.train.fingerprint(),
            "validation": data.validation.fingerprint(),
        }
    }


class _Run:
    """One call of `search`: the trials so far and the best classifier."""

    def __init__(
        self,
        space: Space,
        data: Dataset,
        folder: Path | None,
        deadline: float | None,
        verbose: Any,
        on_trial: Callable[[Trial], None] | None,
    ) -> None:
        self.space = space
        self.data = data
        self.best_path = None if folder is None else folder / "best.keras"
        self.journal = None if folder is None else Journal(folder / "journal.jsonl")
        self.deadline = deadline
        self.verbose = verbose
        self.on_trial = on_trial
        self.sample = sample_images(data.train)
        self.trials: list[Trial] = []
        self.best: Classifier | None = None

    def run(self, oracle: Any, max_trials: int) -> SearchResult:
        recorded = [] if self.journal is None else self.journal.read()
        self._replay(oracle, [Trial.from_dict(record) for record in recorded])
        stopped_by = "max_trials"
        new = 0
        while len(self.trials) < max_trials:
            if new and self._is_over():
                stopped_by = "minutes"
                break
            with _quiet_oracle():
                proposal = oracle.create_trial("imgclf")
            if proposal.status != "RUNNING":
                stopped_by = "space"
                break
            trial = self._try(oracle, proposal)
            new += 1
            if trial.status == "cut":
                stopped_by = "minutes"
                if trial.score is not None and not self._has_score():
                    self.trials.append(trial)
                break
            _tell(oracle, proposal, trial)
            self._record(trial)
            gc.collect()  # Keras models are rings of references
        return self._result(stopped_by, oracle)

    def _replay(self, oracle: Any, recorded: list[Trial]) -> None:
        """Brings the oracle to where it was behind the recorded trials."""
        for trial in recorded:
            oracle.replayed = trial.values
            with _quiet_oracle():
                proposal = oracle.create_trial("imgclf")
            if proposal.status != "RUNNING":
                raise RunFolderError(
                    f"The journal's trial {trial.number} is not one that this search proposes. "
                    "Use another run_dir."
                )
            _tell(oracle, proposal, trial)
            self.trials.append(trial)

    def _try(self, oracle: Any, proposal: Any) -> Trial:
        blocks, recipe = _candidate(self.space, oracle, proposal.hyperparameters.values)
        costs = describe(blocks, self.space.image_shape, self.space.num_classes)
        started = time.monotonic()
        score, status, reason = None, "completed", None
        try:
            score, cut = self._train(blocks, recipe)
            status = "cut" if cut else status
        except _failures() as error:
            status, reason = "failed", f"{type(error).__name__}: {error}"
        return Trial(
            number=len(self.trials) + 1,
            blocks=blocks,
            recipe=recipe,
            score=score,
            seconds=round(time.monotonic() - started, 3),
            parameters=costs.parameters,
            macs=costs.macs,
            status=status,
            reason=reason,
            values=dict(proposal.hyperparameters.values),
        )

    def _train(self, blocks: Any, recipe: Recipe) -> tuple[float | None, bool]:
        """The score, and whether the time was over before the training's end."""
        model = new_network(
            self.space.image_shape, self.space.num_classes, blocks, recipe, self.sample
        )
        keep_best, budget = _make_callbacks(recipe.epochs, self.deadline)
        history = training.fit(
            model,
            self.data.train,
            recipe,
            validation=self.data.validation,
            callbacks=[keep_best, budget],
            verbose=self.verbose,
        ).history
        scores = history.get("val_accuracy", [])
        score = max(scores) if scores else None
        # A cut trial counts only where there is no other.
        if score is not None and self._is_best(score) and not (budget.cut and self._has_score()):
            self.best = Classifier(model, self.data.class_names, recipe=recipe, blocks=blocks)
            self.best.history = history
            if self.best_path is not None:
                self.best.save(self.best_path)
        return score, budget.cut

    def _is_best(self, score: float) -> bool:
        return all(trial.score is None or score > trial.score for trial in self.trials)

    def _has_score(self) -> bool:
        return any(trial.score is not None for trial in self.trials)

    def _is_over(self) -> bool:
        return self.deadline is not None and time.monotonic() >= self.deadline

    def _record(self, trial: Trial) -> None:
        self.trials.append(trial)
        if self.journal is not None:
            self.journal.append(trial.to_dict())
        if self.on_trial is not None:
            self.on_trial(trial)

    def _result(self, stopped_by: str, oracle: Any) -> SearchResult:
        if not self._has_score():
            if self.trials:
                raise SearchError(
                    f"All {len(self.trials)} trials failed. The last: {self.trials[-1].reason}"
                )
            if stopped_by == "minutes":
                raise SearchError("The time was over before the first trial had seen a batch.")
            raise SearchError(f"No candidate of the space can be used. The last: {oracle.refused}.")
        best = self.best or self.best_path
        assert best is not None  # noqa: S101  # a score has a classifier, or a journal with a file
        return SearchResult(tuple(self.trials), stopped_by, best)


def _candidate(space: Space, oracle: Any, values: dict[str, Any]) -> tuple[Any, Recipe]:
    hp = oracle.get_space()
    hp.values = dict(values)
    blocks, recipe = space.draw(hp)
    if "tuner/epochs" in values:  # Hyperband's; it trains the better candidates anew for longer
        recipe = recipe.replace(epochs=int(values["tuner/epochs"]))
    return blocks, recipe


def _tell(oracle: Any, proposal: Any, trial: Trial) -> None:
    with _quiet_oracle():
        if trial.score is not None:
            oracle.update_trial(proposal.trial_id, {"val_accuracy": trial.score})
        proposal.status = "COMPLETED" if trial.score is not None else "FAILED"
        proposal.message = trial.reason
        oracle.end_trial(proposal)


def _failures() -> tuple[type[Exception], ...]:
    """What a candidate may fail with: our errors, TensorFlow's, Keras's ValueError, memory."""
    import tensorflow as tf

    return (ImgclfError, tf.errors.OpError, ValueError, MemoryError)


def _make_callbacks(epochs: int, deadline: float | None) -> tuple[Any, Any]:
    """One that gives the model back the weights of its best epoch, one that watches the time."""
    import keras

    class Budget(keras.callbacks.Callback):
        cut = False

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
            if deadline is not None and time.monotonic() >= deadline:
                self.cut = self.model.stop_training = True

    keep_best = keras.callbacks.EarlyStopping(
        "val_accuracy", mode="max", patience=epochs, restore_best_weights=True
    )
    return keep_best, Budget()


@contextlib.contextmanager
def _quiet_oracle() -> Iterator[None]:
    """keras-tuner's locks use names that Python has deprecated; users can do nothing about it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        # A Gaussian process over few trials: nothing that the user could change.
        warnings.filterwarnings("ignore", module="sklearn")
        yield


def _make_oracle(algorithm: str, space: Space, max_trials: int, seed: int) -> Any:
    """keras-tuner's oracle of that name, which refuses candidates that cannot be used."""
    import keras_tuner

    oracles = keras_tuner.oracles
    hyperparameters = space.hyperparameters()
    settings: dict[str, Any] = {
        "objective": keras_tuner.Objective("val_accuracy", "max"),
        "hyperparameters": hyperparameters,
        "seed": seed + 1,  # 0 would mean a random one
        "max_consecutive_failed_trials": sys.maxsize,
    }
    if algorithm == "hyperband":
        kind = oracles.HyperbandOracle
        settings |= {"max_epochs": space.recipe.epochs, "hyperband_iterations": None}
    elif algorithm == "random":
        kind = oracles.RandomSearchOracle
        settings["max_trials"] = max_trials
    else:
        kind = oracles.BayesianOptimizationOracle
        # Keras-tuner's own 3 a dimension would leave a usual search wholly random.
        start = max(3, min(3 * len(hyperparameters.space), max_trials // 3))
        settings |= {"max_trials": max_trials, "num_initial_points": start}
    oracle = _refusing(kind, space)(**settings)
    oracle.verbose = 0
    return oracle


def _refusing(kind: type, space: Space) -> type:  # noqa: C901  # one class, made lazily
    """The oracle class, made to redraw what cannot be used and to write nothing to the disk.

    `_random_values` is where all oracles draw; redrawing there rather than around `populate_space`
    keeps Hyperband's brackets in order.
    """

    class Refusing(kind):
        refused = "nothing was drawn"
        replayed: dict[str, Any] | None = None

        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self._keys: set[str] = set()
            self._accepted: Any = None

        def _random_values(self) -> dict[str, Any] | None:
            for _ in range(_DRAWS):
                values = super()._random_values()
                if values is None:
                    return None
                if self._accept(values):
                    return values
            return None

        def populate_space(self, trial_id: str) -> dict[str, Any]:
            response = super().populate_space(trial_id)
            values = response.get("values")
            if response["status"] == "RUNNING" and not self._knows(values):
                values = self._random_values()  # the model would propose the same again
                response = {"status": "RUNNING" if values else "STOPPED", "values": values}
            if self.replayed is not None:
                response = {"status": "RUNNING", "values": dict(self.replayed)}
                self._accept(self.replayed)
                self.replayed = None
            return response

        def _knows(self, values: Any) -> bool:
            promoted = "tuner/trial_id" in values  # Hyperband runs its better ones again
            return promoted or values is self._accepted or self._accept(values)

        def _accept(self, values: dict[str, Any]) -> bool:
            reason, key = _judge(space, self, values)
            if reason is None and key not in self._keys:
                self._keys.add(key)
                self._accepted = values
                return True
            self.refused = reason or "equals a candidate already tried"
            return False

        def save(self, *arguments: Any) -> None:
            """Nothing: the journal is the record."""

        def _save_trial(self, trial: Any) -> None:
            """Nothing: the journal is the record."""

    return Refusing


def _judge(space: Space, oracle: Any, values: dict[str, Any]) -> tuple[str | None, str]:
    """Why a candidate cannot be used, if so, and what tells it from others."""
    # Without Hyperband's epochs: the same candidate for more epochs is no new one.
    plain = {name: value for name, value in values.items() if name != "tuner/epochs"}
    try:
        blocks, recipe = _candidate(space, oracle, plain)
    except ArgumentError as error:
        return str(error), ""
    return space.fits(blocks), candidate_key(blocks, recipe)
