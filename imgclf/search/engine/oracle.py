"""`Proposer`: proposes the candidates of a search, by one of keras-tuner's oracles.

Candidates that cannot be used are drawn again, so that they cost no trial. Oracles write nothing to
the disk: a resumed search replays the trials of the journal.
"""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from imgclf.architecture.blocks.block import Block
from imgclf.errors import ArgumentError, RunFolderError
from imgclf.files.stored_json import STORED_ERRORS, number, show_error, whole
from imgclf.search.engine.fractions import hyperband_fraction
from imgclf.search.engine.job import Job
from imgclf.search.engine.objective import objective_value
from imgclf.search.results.trial import Trial
from imgclf.search.space.hypermodel_space import HyperModelSpace
from imgclf.search.space.space import Space
from imgclf.training.recipe.recipe import Recipe

if TYPE_CHECKING:
    from imgclf.search.engine.keras_tuner_internals import CheckedOracle

__all__ = ["Proposer"]

# The name of the objective within keras-tuner.
_OBJECTIVE = "objective"

# Restarts of the fit of the Gaussian process: keras-tuner's 20 take seconds for each trial.
_REGRESSION_RESTARTS = 2

# Trials that are expected of a search without a limit of their number.
_EXPECTED_TRIALS = 20

# One in so many trials is drawn at random before the regression is used. SMAC, a tool for such
# searches, allows at most as many (`max_ratio` of its initial designs).
_RANDOM_TRIALS = 4

# The part of the variance between trials that is noise: the seed and the validation images move an
# accuracy of 87% by half a point, and candidates differ by several.
_NOISE = 0.01

# How far beyond its range, as a part of it, a number may be rounded.
_ROUNDING = 1e-3

# What keras-tuner's Hyperband adds to the values of a trial.
_EPOCHS, _BRACKET, _ROUND = "tuner/epochs", "tuner/bracket", "tuner/round"


class Proposer:
    """Proposes candidates, and learns from their results.

    Args:
        algorithm: one of `imgclf.search.algorithms`.
        space: of the candidates.
        max_trials: number of trials; None if only the time limits them.
        seed: of the draws.
        epochs: the most epochs of a trial, for Hyperband.
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
        self.most_epochs = epochs
        self._proposals: dict[int, Any] = {}  # by the number of the trial
        self._ended: list[Trial] = []
        with _quiet():
            self.oracle: Any = self._make_oracle(max_trials, seed, epochs)

    @property
    def refused(self) -> str:
        """Why the last candidate that was not used could not be."""
        reason: str = self.oracle.refused
        return reason

    def propose(
        self, number: int, values: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Proposes a candidate for a trial.

        Args:
            number: of the trial, which counts as running from now on.
            values: what was proposed for it before; None for a new candidate.

        Returns:
            "RUNNING" and keras-tuner's values; or "IDLE" if the oracle waits for running trials,
            or "STOPPED" if the space is exhausted.
        """
        self.oracle.replayed = values
        with _quiet(), self._unlimited(values is not None):
            proposal = self.oracle.create_trial(f"trial {number}")
        if proposal.status == "RUNNING":
            self._proposals[number] = proposal
        return proposal.status, dict(proposal.hyperparameters.values)

    @contextlib.contextmanager
    def _unlimited(self, unlimited: bool) -> Iterator[None]:
        """Lets trials of an earlier call be proposed again, though this one may allow fewer."""
        limit = self.oracle.max_trials
        if unlimited and limit is not None:
            self.oracle.max_trials = max(limit, len(self.oracle.trials) + 1)
        try:
            yield
        finally:
            self.oracle.max_trials = limit

    def record(self, trial: Trial) -> None:
        """Takes the result of a trial that was proposed."""
        proposal = self._proposals.pop(trial.number)
        with _quiet():
            if trial.score is not None:
                bayesian = self.algorithm == "bayesian"
                value = objective_value(trial, self._ended) if bayesian else trial.score
                self.oracle.update_trial(proposal.trial_id, {_OBJECTIVE: value})
            proposal.status = "COMPLETED" if trial.score is not None else "FAILED"
            proposal.message = trial.reason
            self.oracle.end_trial(proposal)
        self._ended.append(trial)

    def replay(self, trial: Trial) -> None:
        """Proposes and records a trial of the journal.

        Raises:
            RunFolderError: if this search would not have come to it.
        """
        self.stored_candidate(trial)
        try:
            status, _ = self.propose(trial.number, trial.hyperparameters)
            if status == "RUNNING":
                self.record(trial)
                return
        except (*STORED_ERRORS, IndexError) as error:  # from values that keras-tuner adds
            raise RunFolderError(
                f"The journal's trial {trial.number} cannot be repeated ({show_error(error)}). "
                "Use another run_dir."
            ) from error
        raise RunFolderError(
            f"The journal's trial {trial.number} is not one that this search proposes. "
            "Use another run_dir."
        )

    def stored_candidate(self, stored: Trial | Job) -> tuple[tuple[Block, ...], Recipe]:
        """Returns the blocks and the recipe of a trial that a folder has stored.

        Raises:
            RunFolderError: if it is none of this space, so that another search or a person wrote
                it.
        """
        values = stored.hyperparameters
        outside = [
            hp.name
            for hp in self.oracle.get_space().space
            if hp.name in values and not _is_allowed(hp, values[hp.name])
        ]
        if _EPOCHS in values:
            most = self.most_epochs if self.promotes else 0
            outside += [] if whole(1, most)[1](values[_EPOCHS]) else [_EPOCHS]
        if not outside:
            with contextlib.suppress(*STORED_ERRORS):
                blocks, recipe = self.candidate(values)
                if blocks == stored.blocks:
                    return blocks, recipe
        raise RunFolderError(
            f"The stored trial {stored.number} is not one of this space. Use another run_dir."
        )

    def candidate(self, values: dict[str, Any]) -> tuple[tuple[Block, ...], Recipe]:
        """Returns the blocks and the recipe that the values of a proposal stand for."""
        hp = self.oracle.get_space()
        hp.values = dict(values)
        blocks, recipe = self.space.draw(hp)
        if _EPOCHS in values:
            recipe = recipe.replace(epochs=int(values[_EPOCHS]))
        return blocks, recipe

    def train_fraction(self, train_fractions: tuple[float, ...], values: dict[str, Any]) -> float:
        """Returns the fraction of the training images for a proposal."""
        if _ROUND not in values:
            return train_fractions[0]
        return hyperband_fraction(train_fractions, int(values[_BRACKET]), int(values[_ROUND]))

    @property
    def promotes(self) -> bool:
        """Whether the algorithm itself repeats the better candidates."""
        return self.algorithm == "hyperband"

    def _make_oracle(self, max_trials: int | None, seed: int, epochs: int) -> CheckedOracle:
        import keras_tuner

        from imgclf.search.engine import keras_tuner_internals as oracles

        hyperparameters = self.space.hyperparameters()
        settings: dict[str, Any] = {
            "check": self._check,
            "objective": keras_tuner.Objective(_OBJECTIVE, "max"),
            "hyperparameters": hyperparameters,
            "seed": seed + 1,  # 0 would mean a random one
            "max_consecutive_failed_trials": sys.maxsize,
        }
        oracle: Any
        if self.algorithm == "hyperband":
            oracle = oracles.HyperbandOracle(
                max_epochs=epochs, hyperband_iterations=None, **settings
            )
        elif self.algorithm == "random":
            oracle = oracles.RandomOracle(max_trials=max_trials, **settings)
        else:
            # keras-tuner's default of 3 a setting would leave most searches wholly random.
            start = (max_trials or _EXPECTED_TRIALS) // _RANDOM_TRIALS
            oracle = oracles.BayesianOracle(
                first=self.space.middle(),
                max_trials=max_trials,
                num_initial_points=max(3, min(3 * len(hyperparameters.space), start)),
                alpha=_NOISE,
                regression_restarts=_REGRESSION_RESTARTS,
                **settings,
            )
        oracle.verbose = 0
        return oracle

    def _check(self, values: dict[str, Any]) -> tuple[str | None, str]:
        """Returns why a candidate cannot be used, or None, and what identifies it."""
        # Without Hyperband's epochs: the same candidate for more epochs is not a new one.
        plain = {name: value for name, value in values.items() if name != _EPOCHS}
        try:
            blocks, recipe = self.candidate(plain)
        except ArgumentError as error:
            return str(error), ""
        reason = self.space.rejection_reason(blocks, recipe, plain)
        return reason, self.space.key(blocks, recipe, plain)


def _is_allowed(hp: Any, value: Any) -> bool:
    """Whether one of keras-tuner's hyperparameters has this value among its own."""
    if not hasattr(hp, "min_value"):
        return value in hp.values
    room = _ROUNDING * max(abs(hp.min_value), abs(hp.max_value))
    return bool(number(hp.min_value - room, hp.max_value + room)[1](value))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hides warnings of keras-tuner and scikit-learn, about which a user can do nothing."""
    import threadpoolctl

    # Their matrices are tiny: many threads would only wait for one another.
    with warnings.catch_warnings(), threadpoolctl.threadpool_limits(1):
        warnings.simplefilter("ignore", DeprecationWarning)  # of names that Python deprecates
        warnings.filterwarnings("ignore", module="sklearn")  # of a fit to few trials
        yield
