"""keras-tuner's oracles, which propose the candidates, made to fit a search that keeps a journal.

What they propose is drawn anew where it cannot be used, so that it costs no trial. They write
nothing to the disk, and are brought back to where they were by the trials of the journal.
"""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterator
from typing import Any

from imgclf.errors import ArgumentError, RunFolderError
from imgclf.search.engine.local_search import looking_nearby
from imgclf.search.engine.objective import told
from imgclf.search.results.result import Trial
from imgclf.search.space.hypermodel_space import HyperModelSpace
from imgclf.search.space.space import Space
from imgclf.training.recipe.recipe import Recipe

__all__ = ["ALGORITHMS", "Proposer"]

ALGORITHMS = ("bayesian", "hyperband", "random")

# What keras-tuner calls the number by which it compares trials.
_WORTH = "worth"

# How often a candidate that cannot be used is drawn anew before the space counts as exhausted.
_DRAWS = 50

# Of the fit of the Bayesian search's regression: keras-tuner's 20 take seconds for each trial.
_REGRESSION_RESTARTS = 2

# Trials that a search without a limit of their number is expected to have.
_USUAL_TRIALS = 20

# Of these, one in so many is drawn at random before the model is asked. As much as SMAC, a tool for
# such searches, allows itself at most (`max_ratio` of its initial designs).
_DRAWN_FIRST = 4

# How much of the variance between trials is chance: the seed of a training and the validation
# images move an accuracy of 87% by half a point, candidates differ by several.
_CHANCE = 0.01


class Proposer:
    """Proposes candidates, by one of keras-tuner's oracles, and is told what came of them.

    Args:
        algorithm: one of `ALGORITHMS`.
        space: of the candidates.
        max_trials: how many there will be at most; None if only the time limits them.
        seed: of the draws.
        epochs: the most epochs of a trial, which Hyperband divides.
    """

    def __init__(
        self,
        algorithm: str,
        space: Space | HyperModelSpace,
        max_trials: int | None,
        seed: int,
        epochs: int,
    ) -> None:
        self.algorithm = algorithm
        self.space = space
        self._proposals: dict[int, Any] = {}  # by the number of the trial
        self._over: list[Trial] = []
        with _quiet():
            self.oracle = _make_oracle(algorithm, space, max_trials, seed, epochs)

    @property
    def refused(self) -> str:
        """Why the last candidate that was not used could not be."""
        return self.oracle.refused

    def propose(
        self, number: int, values: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """A candidate for the trial of that number.

        Args:
            number: of the trial, which is running from now on.
            values: what was proposed when the search was here before.

        Returns:
            "RUNNING" and keras-tuner's values; or "IDLE" if the oracle waits for trials that are
            running, or "STOPPED" if the space is exhausted.
        """
        self.oracle.replayed = values
        with _quiet():
            proposal = self.oracle.create_trial(f"trial {number}")
        if proposal.status == "RUNNING":
            self._proposals[number] = proposal
        return proposal.status, dict(proposal.hyperparameters.values)

    def tell(self, trial: Trial) -> None:
        """What came of a trial that was proposed."""
        proposal = self._proposals.pop(trial.number)
        with _quiet():
            if trial.score is not None:
                worth = told(trial, self._over) if self.algorithm == "bayesian" else trial.score
                self.oracle.update_trial(proposal.trial_id, {_WORTH: worth})
            proposal.status = "COMPLETED" if trial.score is not None else "FAILED"
            proposal.message = trial.reason
            self.oracle.end_trial(proposal)
        self._over.append(trial)

    def replay(self, trial: Trial) -> None:
        """Goes through a trial of the journal.

        Raises:
            RunFolderError: if this search would not have come to it.
        """
        status, _ = self.propose(trial.number, trial.hyperparameters)
        if status != "RUNNING":
            raise RunFolderError(
                f"The journal's trial {trial.number} is not one that this search proposes. "
                "Use another run_dir."
            )
        self.tell(trial)

    def candidate(self, values: dict[str, Any]) -> tuple[Any, Recipe]:
        """The blocks and the recipe that values stand for."""
        return _candidate(self.space, self.oracle, values)


def _candidate(
    space: Space | HyperModelSpace, oracle: Any, values: dict[str, Any]
) -> tuple[Any, Recipe]:
    hp = oracle.get_space()
    hp.values = dict(values)
    blocks, recipe = space.draw(hp)
    if "tuner/epochs" in values:  # Hyperband's; it trains the better candidates anew for longer
        recipe = recipe.replace(epochs=int(values["tuner/epochs"]))
    return blocks, recipe


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """keras-tuner's locks use names that Python has deprecated; users can do nothing about it."""
    import threadpoolctl

    # Its matrices are tiny: many threads would only wait for one another.
    with warnings.catch_warnings(), threadpoolctl.threadpool_limits(1):
        warnings.simplefilter("ignore", DeprecationWarning)
        # A Gaussian process over few trials: nothing that the user could change.
        warnings.filterwarnings("ignore", module="sklearn")
        yield


def _make_oracle(
    algorithm: str, space: Space | HyperModelSpace, max_trials: int | None, seed: int, epochs: int
) -> Any:
    """keras-tuner's oracle of that name, which refuses candidates that cannot be used."""
    import keras_tuner

    oracles = keras_tuner.oracles
    hyperparameters = space.hyperparameters()
    settings: dict[str, Any] = {
        "objective": keras_tuner.Objective(_WORTH, "max"),
        "hyperparameters": hyperparameters,
        "seed": seed + 1,  # 0 would mean a random one
        "max_consecutive_failed_trials": sys.maxsize,
    }
    if algorithm == "hyperband":
        kind = oracles.HyperbandOracle
        settings |= {"max_epochs": epochs, "hyperband_iterations": None}
    elif algorithm == "random":
        kind = oracles.RandomSearchOracle
        settings["max_trials"] = max_trials
    else:
        kind = looking_nearby(oracles.BayesianOptimizationOracle)
        # Keras-tuner's own 3 a dimension would leave a usual search wholly random.
        part = (max_trials or _USUAL_TRIALS) // _DRAWN_FIRST
        start = max(3, min(3 * len(hyperparameters.space), part))
        settings |= {"max_trials": max_trials, "num_initial_points": start, "alpha": _CHANCE}
    oracle = _refusing(kind, space)(**settings)
    oracle.verbose = 0
    if algorithm == "bayesian":
        oracle.first = space.middle()
        oracle.gpr.n_restarts_optimizer = _REGRESSION_RESTARTS
    return oracle


def _refusing(kind: type, space: Space | HyperModelSpace) -> type:  # noqa: C901  # one class, made lazily
    """The oracle class, made to redraw what cannot be used and to write nothing to the disk.

    `_random_values` is where all oracles draw; redrawing there rather than around `populate_space`
    keeps Hyperband's brackets in order. What the Bayesian one proposes otherwise it asks `_accept`.
    """

    class Refusing(kind):
        refused = "nothing was drawn"
        replayed: dict[str, Any] | None = None
        first: dict[str, Any] | None = None

        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self._keys: set[str] = set()

        def _random_values(self) -> dict[str, Any] | None:
            first, self.first = self.first, None
            if first is not None and self._accept(first):
                return first
            for _ in range(_DRAWS):
                values = super()._random_values()
                if values is None:
                    return None
                if self._accept(values):
                    return values
            return None

        def populate_space(self, trial_id: str) -> dict[str, Any]:
            response = super().populate_space(trial_id)
            if self.replayed is not None:
                response = {"status": "RUNNING", "values": dict(self.replayed)}
                self._accept(self.replayed)
                self.replayed = None
            return response

        def _accept(self, values: dict[str, Any]) -> bool:
            reason, key = _judge(space, self, values)
            if reason is None and key not in self._keys:
                self._keys.add(key)
                return True
            self.refused = reason or "equals a candidate already tried"
            return False

        def save(self, *arguments: Any) -> None:
            """Nothing: the journal is the record."""

        def _save_trial(self, trial: Any) -> None:
            """Nothing: the journal is the record."""

    return Refusing


def _judge(
    space: Space | HyperModelSpace, oracle: Any, values: dict[str, Any]
) -> tuple[str | None, str]:
    """Why a candidate cannot be used, if so, and what tells it from others."""
    # Without Hyperband's epochs: the same candidate for more epochs is no new one.
    plain = {name: value for name, value in values.items() if name != "tuner/epochs"}
    try:
        blocks, recipe = _candidate(space, oracle, plain)
    except ArgumentError as error:
        return str(error), ""
    return space.fits(blocks, recipe, plain), space.key(blocks, recipe, plain)
