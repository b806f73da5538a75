"""What imgclf relies on of keras-tuner beyond its documentation; each test bears the name of it.

pyproject.toml must not allow a version of keras-tuner that fails one of these.
"""

from __future__ import annotations

import os
from concurrent import futures

import grpc
import keras_tuner
import numpy as np
import pytest
from keras_tuner.src import protos
from keras_tuner.src.distribute import oracle_client

from imgclf.search.engine import keras_tuner_internals as internals

ORACLES = keras_tuner.oracles
KINDS = {
    "random": (ORACLES.RandomSearchOracle, {}),
    "bayesian": (ORACLES.BayesianOptimizationOracle, {"num_initial_points": 2}),
    "hyperband": (ORACLES.HyperbandOracle, {"max_epochs": 4}),
}


def hyperparameters():
    hp = keras_tuner.HyperParameters()
    hp.Int("units", 1, 9)
    hp.Choice("kind", ["a", "b"])
    return hp


def make_oracle(kind, **settings):
    cls, own = KINDS[kind]
    oracle = cls(
        objective=keras_tuner.Objective("objective", "max"),
        hyperparameters=hyperparameters(),
        seed=1,
        **own,
        **settings,
    )
    oracle.verbose = 0
    return oracle


def end(oracle, trial, score):
    if score is not None:
        oracle.update_trial(trial.trial_id, {"objective": score})
    trial.status = "FAILED" if score is None else "COMPLETED"
    oracle.end_trial(trial)


@pytest.fixture
def bayesian(monkeypatch):
    """An oracle with two completed trials, one that failed, and a fit of its regression."""
    oracle = make_oracle("bayesian", max_consecutive_failed_trials=9)
    for name in ("save", "_save_trial"):
        monkeypatch.setattr(oracle, name, lambda *arguments: None)
    for number, score in enumerate([0.5, None, 0.75]):
        end(oracle, oracle.create_trial(str(number)), score)
    return oracle


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_random_values(kind, monkeypatch):
    """Oracle._random_values is where each oracle draws; None means that nothing is left."""
    oracle = make_oracle(kind)
    values = oracle._random_values()
    assert set(values) >= {"units", "kind"}
    monkeypatch.setattr(oracle, "_random_values", lambda: {"units": 7, "kind": "b"})
    proposed = oracle.populate_space("0")["values"]
    assert (proposed["units"], proposed["kind"]) == (7, "b")
    monkeypatch.setattr(oracle, "_random_values", lambda: None)
    assert oracle.populate_space("1")["status"] != "RUNNING"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_save_and_save_trial(kind, tmp_path, monkeypatch):
    """Oracle.save and Oracle._save_trial are all that writes; nothing fails without them."""
    oracle = make_oracle(kind)
    written = []
    monkeypatch.setattr(oracle, "save", lambda *arguments: written.append("save"))
    monkeypatch.setattr(oracle, "_save_trial", lambda trial: written.append("_save_trial"))
    monkeypatch.chdir(tmp_path)
    end(oracle, oracle.create_trial("0"), 0.5)
    assert set(written) == {"save", "_save_trial"}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_random_populate_space(bayesian):
    response = bayesian._random_populate_space()
    assert response["status"] == "RUNNING"
    assert set(response["values"]) == {"units", "kind"}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_vectorize_trials(bayesian):
    """BayesianOptimizationOracle._vectorize_trials skips failed trials, and negates scores."""
    points, losses = bayesian._vectorize_trials()
    assert points.shape == (2, 2)
    assert ((points >= 0) & (points <= 1)).all()
    assert losses.tolist() == [-0.5, -0.75]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_vector_to_values(bayesian):
    """BayesianOptimizationOracle._vector_to_values is the inverse of _vectorize_trials."""
    points, _ = bayesian._vectorize_trials()
    completed = [one for one in bayesian.trials.values() if one.status == "COMPLETED"]
    for point, trial in zip(points, completed, strict=True):
        assert bayesian._vector_to_values(point) == trial.hyperparameters.values


def test_random_state():
    oracle = make_oracle("bayesian")
    assert isinstance(oracle._random_state, np.random.RandomState)
    assert oracle._random_state.uniform() == np.random.RandomState(1).uniform()


def test_gpr():
    """BayesianOptimizationOracle.gpr is scikit-learn's, with n_restarts_optimizer."""
    from sklearn.gaussian_process import GaussianProcessRegressor

    gpr = make_oracle("bayesian", alpha=0.01).gpr
    assert isinstance(gpr, GaussianProcessRegressor)
    assert gpr.n_restarts_optimizer == 20
    assert (gpr.alpha, gpr.random_state) == (0.01, 1)


def test_hyperband_values():
    """tuner/epochs, tuner/bracket and tuner/round are in the values of each trial."""
    values = make_oracle("hyperband").populate_space("0")["values"]
    assert {"tuner/epochs", "tuner/bracket", "tuner/round"} <= set(values)


class Chief:
    """The methods that a chief has in place of an oracle."""

    def __init__(self):
        self.ended = None

    def get_space(self):
        return hyperparameters()

    def create_trial(self, tuner_id):
        return internals.make_message({"imgclf/job": f"for {tuner_id}"}, "7", "RUNNING")

    def get_trial(self, trial_id):
        return internals.make_message({}, trial_id, "STOPPED")

    def end_trial(self, trial):
        self.ended = trial


def test_protos_servicer_client_and_trial():
    """OracleServicer, OracleClient and engine.trial.Trial carry what chief and workers exchange."""
    chief = Chief()
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    internals.add_chief(chief, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    before, timeout = dict(os.environ), oracle_client.TIMEOUT
    try:
        client = internals.make_client("127.0.0.1", str(port), "worker-1", 30.0)
        assert dict(os.environ) == before
        assert oracle_client.TIMEOUT == 30.0
        assert [hp.name for hp in client.get_space().space] == ["units", "kind"]
        job = client.create_trial("worker-1")
        assert (job.status, job.trial_id) == ("RUNNING", "7")
        assert job.hyperparameters.values == {"imgclf/job": "for worker-1"}
        beat = client.get_trial("7/worker-1")
        assert (beat.status, beat.trial_id) == ("STOPPED", "7/worker-1")
        client.end_trial(internals.make_message({"imgclf/trial": "{}"}, "7", "COMPLETED"))
        assert chief.ended.hyperparameters.values == {"imgclf/trial": "{}"}
    finally:
        oracle_client.TIMEOUT = timeout
        server.stop(None).wait()
    assert hasattr(protos.get_service_grpc(), "OracleStub")


def test_every_private_name_is_in_the_list():
    """Names of the list exist; what is overridden or called privately is in it."""
    import ast
    import inspect

    listed = {name.rpartition(".")[2] for name in internals.RELIED_ON}
    tree = ast.parse(inspect.getsource(internals))
    private = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and node.attr[1] != "_"
    }
    assert private - {"_keys"} <= listed
    for name in internals.RELIED_ON:
        owner, _, attribute = name.partition(".")
        if owner in ("Oracle", "BayesianOptimizationOracle"):
            assert hasattr(make_oracle("bayesian"), attribute), name
