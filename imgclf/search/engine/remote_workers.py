"""A search over many machines, by keras-tuner's own chief and workers.

The chief proposes the trials and writes the journal; workers ask it for trials by keras-tuner's
protocol (gRPC). keras-tuner's `OracleServicer` and `OracleClient` are used as they are. What they
lack is seen to here: a worker says that it lives every few seconds, by asking for its trial, and
the trial of one that has fallen silent is given to the next that asks.

Chief and workers share one folder: trainings and models are in it. The chief's port knows no
password, as keras-tuner has none: it belongs into a network whose machines are trusted.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent import futures
from typing import Any

from imgclf.errors import ArgumentError, RunFolderError, SearchError
from imgclf.search.engine.coordinator import Coordinator
from imgclf.search.engine.job import Job
from imgclf.search.engine.trainer import Trainer
from imgclf.search.results.result import Trial
from imgclf.search.space.hypermodel_space import HyperModelSpace
from imgclf.search.space.space import Space

__all__ = ["be_chief", "be_worker", "check_address"]

# Seconds between two signs of life, and after how many without one a worker counts as dead.
_BEAT = 2.0
_SILENCE = 30.0

# Seconds after which a worker that has nothing to do asks again.
_PAUSE = 1.0

# Seconds that a chief whose search is over stays, so that workers can hear of it.
_FAREWELL = 5.0

# The seconds that a worker waits for a chief which does not answer.
_PATIENCE = 120.0

# What rides in keras-tuner's values beside them: a job on its way out, a trial on its way in.
_JOB, _TRIAL = "imgclf/job", "imgclf/trial"


def check_address(name: str, value: Any) -> str:
    """HOST:PORT.

    Raises:
        ArgumentError: if it is not that.
    """
    host, _, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    if not host or not port.isdigit() or not 0 < int(port) < 2**16:
        raise ArgumentError(
            f'`{name}` must be such as "192.168.0.5:8000". Received: {name}={value!r}.'
        )
    return value


def be_chief(coordinator: Coordinator, address: str) -> None:
    """Hands out trials until the search is over.

    Args:
        coordinator: of the search.
        address: HOST:PORT to listen at.

    Raises:
        SearchError: if nothing can listen there.
    """
    import grpc
    from keras_tuner.src import protos
    from keras_tuner.src.distribute.oracle_chief import OracleServicer

    oracle = _ChiefOracle(coordinator)
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    protos.get_service_grpc().add_OracleServicer_to_server(OracleServicer(oracle), server)
    try:
        bound = server.add_insecure_port(address)
    except RuntimeError as error:
        raise SearchError(f"Nothing can listen at {address}: {error}") from error
    if not bound:
        raise SearchError(f"Nothing can listen at {address}: is the port in use?")
    server.start()
    try:
        while not oracle.is_over():
            time.sleep(_BEAT / 4)
            oracle.give_back_lost(_SILENCE)
        time.sleep(_FAREWELL)
    finally:
        server.stop(grace=1.0).wait()


class _ChiefOracle:
    """What keras-tuner's servicer asks, answered by a coordinator."""

    def __init__(self, coordinator: Coordinator) -> None:
        self.coordinator = coordinator
        self.seen: dict[int, float] = {}  # when each running trial was last heard of
        self.workers: dict[int, str] = {}  # who runs it
        self.failed: Exception | None = None

    def get_space(self) -> Any:
        """The space, by which workers see that theirs is the same."""
        return self.coordinator.proposer.space.hyperparameters()

    def create_trial(self, tuner_id: str) -> Any:
        job = self.coordinator.next_job()
        if job is None:
            return _kt_trial({}, "none", "STOPPED" if self._is_done() else "IDLE")
        self.seen[job.number], self.workers[job.number] = time.monotonic(), tuner_id
        left = self.coordinator.clock.left
        order = {
            "job": job.to_dict(),
            "left": None if left == float("inf") else left,
            "worth": self.coordinator.worth(),
            "alone": not self.coordinator.has_score(),
        }
        return _kt_trial({_JOB: json.dumps(order)}, str(job.number), "RUNNING")

    def get_trial(self, trial_id: str) -> Any:
        """A sign of life. The status is STOPPED if the trial was given to somebody else."""
        number, _, worker = trial_id.partition("/")
        mine = self.workers.get(int(number)) == worker
        if mine:
            self.seen[int(number)] = time.monotonic()
        return _kt_trial({}, trial_id, "RUNNING" if mine else "STOPPED")

    def end_trial(self, trial: Any) -> None:
        record = Trial.from_dict(json.loads(trial.hyperparameters.values[_TRIAL]))
        self.seen.pop(record.number, None)
        try:
            self.coordinator.finish(record)
        except Exception as error:  # gRPC would swallow it
            self.failed = error
            raise

    def give_back_lost(self, silence: float) -> None:
        """Trials whose workers have fallen silent become free."""
        now = time.monotonic()
        for number, last in list(self.seen.items()):
            if now - last > silence:
                del self.seen[number]
                self.workers.pop(number, None)
                self.coordinator.give_back(number, "its worker fell silent")

    def is_over(self) -> bool:
        """Whether nothing is left to do; raises what went wrong in a call of a worker."""
        if self.failed is not None:
            raise self.failed
        if self.coordinator.clock.left <= 0 and not self.coordinator.ongoing:
            self.coordinator.stopped_by = self.coordinator.stopped_by or "minutes"
            return True
        return self._is_done()

    def _is_done(self) -> bool:
        over = self.coordinator
        return over.stopped_by is not None and not over.ongoing and not over.can_go_on()


def _kt_trial(values: dict[str, Any], trial_id: str, status: str) -> Any:
    import keras_tuner
    from keras_tuner.src.engine.trial import Trial as TunerTrial

    hp = keras_tuner.HyperParameters()
    hp.values = values
    return TunerTrial(hyperparameters=hp, trial_id=trial_id, status=status)


def be_worker(space: Space | HyperModelSpace, trainer: Trainer, address: str) -> int:
    """Trains what a chief hands out, until it has nothing more.

    Args:
        space: must be the chief's.
        trainer: with the folder that is the chief's, too.
        address: HOST:PORT of the chief.

    Returns:
        How many trials were run here.

    Raises:
        SearchError: if the chief cannot be reached, or searches another space.
    """
    import grpc

    worker = f"worker-{uuid.uuid4().hex[:12]}"
    client = _client(address, worker)
    trials = 0
    try:
        _check_same_space(client.get_space(), space)
        while True:
            proposal = client.create_trial(worker)
            if proposal.status == "STOPPED":
                return trials
            if proposal.status == "IDLE":
                time.sleep(_PAUSE)
                continue
            order = json.loads(proposal.hyperparameters.values[_JOB])
            job = Job.from_dict(order["job"])
            left = order["left"]
            with _signs_of_life(client, f"{job.number}/{worker}"):
                trial = _run(trainer, job, left, order)
            client.end_trial(
                _kt_trial({_TRIAL: json.dumps(trial.to_dict())}, str(job.number), "COMPLETED")
            )
            trials += 1
    except grpc.RpcError as error:
        raise SearchError(
            f"The chief at {address} does not answer ({error.code().name}). Trials that are over "
            "are in its journal: start the chief anew, then the workers."
        ) from error


def _run(trainer: Trainer, job: Job, left: float | None, order: dict[str, Any]) -> Trial:
    settings: dict[str, Any] = {
        "deadline": None if left is None else time.monotonic() + left,
        "worth": order["worth"],
        "alone": order["alone"],
    }
    try:
        return trainer.run(job, **settings)
    except RunFolderError:
        # A worker that was taken for dead still trains in the trial's folder: without one, then.
        return trainer.run(dataclasses.replace(job, resumable=False), **settings)


def _client(address: str, worker: str) -> Any:
    """keras-tuner's client, which takes its settings from the environment."""
    from keras_tuner.src.distribute import oracle_client

    oracle_client.TIMEOUT = _PATIENCE  # it would wait for an hour
    host, _, port = address.rpartition(":")
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


def _check_same_space(theirs: Any, space: Space | HyperModelSpace) -> None:
    here = {hp.name: hp.get_config() for hp in space.hyperparameters().space}
    there = {hp.name: hp.get_config() for hp in theirs.space}
    different = sorted(name for name in {*here, *there} if _told(here, name) != _told(there, name))
    if different:
        raise SearchError(
            f"The chief searches another space. It differs in: {', '.join(different)}."
        )


def _told(configs: dict[str, Any], name: str) -> str | None:
    config = configs.get(name)
    if config is None:
        return None
    # On its way numbers of a 32-bit protocol lose digits, and conditions their order.
    kept = {key: value for key, value in config.items() if key in ("values", "min_value", "name")}
    return json.dumps(_rounded(kept))


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return f"{value:.5g}" if isinstance(value, (int, float)) else value


@contextlib.contextmanager
def _signs_of_life(client: Any, trial_id: str) -> Iterator[None]:
    """Within it the chief hears every few seconds that the trial is being run."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(_BEAT):
            with contextlib.suppress(Exception):  # the next call that matters will tell
                client.get_trial(trial_id)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
