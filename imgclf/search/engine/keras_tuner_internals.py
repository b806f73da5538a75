"""The private surface of keras-tuner that imgclf relies on, all in this file.

keras-tuner's oracles propose the candidates, but they write their state to the disk and train
candidates that cannot fit. What changes that overrides or calls methods that keras-tuner does not
document; `RELIED_ON` lists them. `tests/search/engine/test_keras_tuner_internals.py` tests each by
its name. pyproject.toml excludes the next minor version of keras-tuner until that test passes.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import keras_tuner
from keras_tuner.src import protos
from keras_tuner.src.distribute import oracle_chief, oracle_client
from keras_tuner.src.engine import trial as trial_module

from imgclf.search.engine.local_search import propose_points

__all__ = [
    "RELIED_ON",
    "BayesianOracle",
    "CheckCandidate",
    "CheckedOracle",
    "HyperbandOracle",
    "RandomOracle",
    "add_chief",
    "make_client",
    "make_message",
]

# Each private name, and what is relied on.
RELIED_ON = {
    "Oracle._random_values": "draws the values of a candidate, or None; every oracle draws by it",
    "Oracle._save_trial": "writes a trial's file; nothing else needs it",
    "Oracle.save": "writes the oracle's file; nothing else needs it",
    "BayesianOptimizationOracle._random_populate_space": "a response with values drawn at random",
    "BayesianOptimizationOracle._vectorize_trials": "points from 0 to 1 and losses of the trials",
    "BayesianOptimizationOracle._vector_to_values": "the values that a point stands for",
    "BayesianOptimizationOracle._random_state": "a numpy RandomState of the oracle's seed",
    "BayesianOptimizationOracle.gpr": "the Gaussian process, with n_restarts_optimizer",
    "HyperbandOracle values": "tuner/epochs, tuner/bracket and tuner/round are set in each trial",
    "protos": "gRPC service and messages of chief and workers",
    "OracleServicer": "answers a worker's calls by an object's get_space, create_trial, …",
    "OracleClient": "takes its address from the environment, and waits for at most TIMEOUT",
    "engine.trial.Trial": "carries the values of its hyperparameters through gRPC unchanged",
}

# How often a candidate that cannot be used is drawn again before the space counts as exhausted.
_MAX_DRAWS = 50

# Returns why the values of a candidate cannot be used, or None, and what identifies the candidate.
CheckCandidate = Callable[[dict[str, Any]], tuple[str | None, str]]


class CheckedOracle:
    """Makes an oracle draw again what cannot be used, and write nothing to the disk.

    `_random_values` is where all oracles draw. Drawing again there, rather than around
    `populate_space`, keeps Hyperband's brackets in order. What an oracle proposes in another way it
    must pass to `accept`.

    Args:
        check: of the values of a candidate.
        first: values of the first candidate.
        **settings: of keras-tuner's oracle.
    """

    def __init__(
        self, check: CheckCandidate, first: dict[str, Any] | None = None, **settings: Any
    ) -> None:
        super().__init__(**settings)
        self.check = check
        self.first = first
        self.refused = "nothing was drawn"  # why the last candidate was
        self.replayed: dict[str, Any] | None = None  # values of the next trial, from the journal
        self._keys: set[str] = set()

    def _random_values(self) -> dict[str, Any] | None:
        first, self.first = self.first, None
        if first is not None and self.accept(first):
            return first
        for _ in range(_MAX_DRAWS):
            values = super()._random_values()  # type: ignore[misc]
            if values is None or self.accept(values):
                return values
        return None

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Proposes the next candidate, or the one to be replayed."""
        response = super().populate_space(trial_id)  # type: ignore[misc]
        if self.replayed is not None:
            response = {"status": "RUNNING", "values": dict(self.replayed)}
            self.accept(self.replayed)
            self.replayed = None
        return response

    def accept(self, values: dict[str, Any]) -> bool:
        """Whether a candidate can be used and is new; it then counts as proposed."""
        reason, key = self.check(values)
        if reason is None and key not in self._keys:
            self._keys.add(key)
            return True
        self.refused = reason or "equals a candidate already tried"
        return False

    def save(self, *arguments: Any) -> None:
        """Writes nothing: the journal is the record."""

    def _save_trial(self, trial: Any) -> None:
        """Writes nothing: the journal is the record."""


class RandomOracle(CheckedOracle, keras_tuner.oracles.RandomSearchOracle):
    """Draws each candidate at random."""


class HyperbandOracle(CheckedOracle, keras_tuner.oracles.HyperbandOracle):
    """Trains many candidates for few epochs, and the better ones again for more."""


class _LocalSearch(keras_tuner.oracles.BayesianOptimizationOracle):
    """Varies the best trials, instead of optimising over the whole space."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:  # noqa: ARG002
        """Proposes the most promising variation that can be used."""
        completed = sum(trial.status == "COMPLETED" for trial in self.trials.values())
        if completed < self.num_initial_points:
            return self._random_populate_space()
        points, losses = self._vectorize_trials()
        for point in propose_points(self.gpr, points, losses, self._random_state):
            values = self._vector_to_values(point)
            if self.accept(values):
                return {"status": "RUNNING", "values": values}
        return self._random_populate_space()


class BayesianOracle(CheckedOracle, _LocalSearch):
    """Draws some candidates at random, then proposes variations of the best.

    Args:
        regression_restarts: of the fit of the Gaussian process.
        **settings: of `CheckedOracle` and keras-tuner's oracle.
    """

    def __init__(self, regression_restarts: int, **settings: Any) -> None:
        super().__init__(**settings)
        self.gpr.n_restarts_optimizer = regression_restarts


def add_chief(oracle: Any, server: Any) -> None:
    """Lets a gRPC server answer the calls of workers.

    Args:
        oracle: an object with the methods of an oracle that workers call.
        server: of grpc.
    """
    servicer = oracle_chief.OracleServicer(oracle)
    protos.get_service_grpc().add_OracleServicer_to_server(servicer, server)


def make_client(host: str, port: str, worker: str, timeout: float) -> Any:
    """Returns keras-tuner's client of a chief, which takes its settings from the environment.

    Args:
        host: of the chief.
        port: of the chief.
        worker: a name for this process.
        timeout: seconds that a call waits for the chief; keras-tuner would wait for an hour.
    """
    oracle_client.TIMEOUT = timeout
    wanted = {
        "KERASTUNER_TUNER_ID": worker,
        "KERASTUNER_ORACLE_IP": host,
        "KERASTUNER_ORACLE_PORT": port,
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        return oracle_client.OracleClient(None)
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def make_message(values: dict[str, Any], trial_id: str, status: str) -> Any:
    """Returns a trial of keras-tuner, as chief and workers exchange them.

    Args:
        values: of its hyperparameters.
        trial_id: of the trial.
        status: of keras-tuner's.
    """
    hp = keras_tuner.HyperParameters()
    hp.values = values
    return trial_module.Trial(hyperparameters=hp, trial_id=trial_id, status=status)
