"""A search on several machines, by keras-tuner's chief and workers.

The chief proposes the trials and writes the journal. Workers ask it for trials by keras-tuner's
protocol over gRPC. Added to that protocol are heartbeats: a worker asks for its trial every few
seconds, and the trial of a silent worker goes to the next that asks.

Chief and workers share a folder for trainings and models. The chief's port has no authentication,
as in keras-tuner: use it only in a network that you trust.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent import futures
from typing import TYPE_CHECKING, Any

from imgclf.errors import ArgumentError, RunFolderError, SearchError
from imgclf.search.engine.coordinator import WORKER_SILENT, Coordinator
from imgclf.search.engine.job import Job
from imgclf.search.engine.trainer import Trainer
from imgclf.search.results.trial import Trial
from imgclf.search.space.hypermodel_space import HyperModelSpace
from imgclf.search.space.space import Space

if TYPE_CHECKING:
    import keras_tuner

__all__ = ["check_address", "run_chief", "run_remote_worker"]

# Seconds between two heartbeats, and after how many without one a worker counts as dead.
_HEARTBEAT_SECONDS = 2.0
_SILENCE_SECONDS = 30.0

# Seconds after which an idle worker asks again.
_IDLE_SECONDS = 1.0

# Seconds that a chief keeps answering after the search, so that workers learn of its end.
_FAREWELL_SECONDS = 5.0

# Seconds that a worker waits for a chief that does not answer.
_TIMEOUT_SECONDS = 120.0

# The hyperparameters that carry a job to a worker, and its trial back.
_JOB, _TRIAL = "imgclf/job", "imgclf/trial"


def check_address(name: str, value: object) -> str:
    """Returns the address.

    Raises:
        ArgumentError: if it is not HOST:PORT.
    """
    host, _, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    if not host or not port.isdigit() or not 0 < int(port) < 2**16:
        raise ArgumentError(
            f'`{name}` must be such as "192.168.0.5:8000". Received: {name}={value!r}.'
        )
    return f"{host}:{port}"


def run_chief(coordinator: Coordinator, address: str) -> None:
    """Hands out trials until the search is over.

    Args:
        coordinator: of the search.
        address: HOST:PORT to listen at.

    Raises:
        SearchError: if it cannot listen there.
    """
    import grpc

    from imgclf.search.engine.keras_tuner_internals import add_chief

    oracle = _ChiefOracle(coordinator)
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    add_chief(oracle, server)
    try:
        bound = server.add_insecure_port(address)
    except RuntimeError as error:
        raise SearchError(f"Nothing can listen at {address}: {error}") from error
    if not bound:
        raise SearchError(f"Nothing can listen at {address}: is the port in use?")
    server.start()
    try:
        while not oracle.is_over():
            time.sleep(_HEARTBEAT_SECONDS / 4)
            oracle.requeue_lost(_SILENCE_SECONDS)
        time.sleep(_FAREWELL_SECONDS)
    finally:
        server.stop(grace=1.0).wait()


@dataclasses.dataclass
class _RemoteTrial:
    """A trial that a worker runs.

    Args:
        number: of the trial.
        last_heartbeat: by `time.monotonic`.
    """

    number: int
    last_heartbeat: float


class _ChiefOracle:
    """Answers the calls of workers by a coordinator."""

    def __init__(self, coordinator: Coordinator) -> None:
        self.coordinator = coordinator
        self.running: dict[str, _RemoteTrial] = {}  # by `_heartbeat_id`
        self.failed: Exception | None = None

    def get_space(self) -> keras_tuner.HyperParameters:
        """Returns the space, which a worker compares with its own."""
        return self.coordinator.proposer.space.hyperparameters()

    def create_trial(self, tuner_id: str) -> Any:
        """Returns the next trial for a worker."""
        job = self.coordinator.next_job()
        if job is None:
            return _message({}, "none", "STOPPED" if self._is_done() else "IDLE")
        heartbeat_id = _heartbeat_id(job.number, tuner_id)
        self.running[heartbeat_id] = _RemoteTrial(job.number, time.monotonic())
        left = self.coordinator.deadline.seconds_left
        order = {
            "job": job.to_dict(),
            "seconds_left": None if math.isinf(left) else left,
            "keep_above": self.coordinator.keep_above(),
            "needs_score": not self.coordinator.has_score(),
        }
        return _message({_JOB: json.dumps(order)}, str(job.number), "RUNNING")

    def get_trial(self, trial_id: str) -> Any:
        """Takes a heartbeat; answers STOPPED if another worker has the trial."""
        trial = self.running.get(trial_id)
        if trial is not None:
            trial.last_heartbeat = time.monotonic()
        return _message({}, trial_id, "STOPPED" if trial is None else "RUNNING")

    def end_trial(self, message: Any) -> None:
        """Records the result of a trial."""
        trial = Trial.from_dict(json.loads(message.hyperparameters.values[_TRIAL]))
        self._forget(trial.number)
        try:
            self.coordinator.finish(trial)
        except Exception as error:  # gRPC would swallow it
            self.failed = error
            raise

    def requeue_lost(self, silence: float) -> None:
        """Queues the trials of workers that have been silent for so many seconds."""
        now = time.monotonic()
        for trial in list(self.running.values()):
            if now - trial.last_heartbeat > silence:
                self._forget(trial.number)
                self.coordinator.requeue(trial.number, WORKER_SILENT)

    def _forget(self, number: int) -> None:
        for heartbeat_id, trial in list(self.running.items()):
            if trial.number == number:
                self.running.pop(heartbeat_id, None)

    def is_over(self) -> bool:
        """Whether the search is over; raises what failed in a call of a worker."""
        if self.failed is not None:
            raise self.failed
        search = self.coordinator
        if search.deadline.seconds_left <= 0 and not search.running:
            search.stopped_by = search.stopped_by or "minutes"
            return True
        return self._is_done()

    def _is_done(self) -> bool:
        search = self.coordinator
        return search.stopped_by is not None and not search.running and not search.can_resume()


def _heartbeat_id(number: int, worker: str) -> str:
    """Identifies a trial of a worker: keras-tuner's protocol has room for one text."""
    return f"{number}/{worker}"


def _message(values: dict[str, Any], trial_id: str, status: str) -> Any:
    from imgclf.search.engine.keras_tuner_internals import make_message

    return make_message(values, trial_id, status)


def run_remote_worker(space: Space | HyperModelSpace, trainer: Trainer, address: str) -> int:
    """Trains what a chief hands out, until the search is over.

    Args:
        space: must be the chief's.
        trainer: with the folder that is the chief's, too.
        address: HOST:PORT of the chief.

    Returns:
        Number of trials run here.

    Raises:
        SearchError: if the chief cannot be reached, or searches another space.
    """
    import grpc

    from imgclf.search.engine.keras_tuner_internals import make_client

    worker = f"worker-{uuid.uuid4().hex[:12]}"
    host, _, port = address.rpartition(":")
    client = make_client(host, port, worker, _TIMEOUT_SECONDS)
    trials = 0
    try:
        _check_same_space(client.get_space(), space)
        while True:
            message = client.create_trial(worker)
            if message.status == "STOPPED":
                return trials
            if message.status == "IDLE":
                time.sleep(_IDLE_SECONDS)
                continue
            order = json.loads(message.hyperparameters.values[_JOB])
            job = Job.from_dict(order["job"])
            with _heartbeats(client, _heartbeat_id(job.number, worker)):
                trial = _run(trainer, job, order)
            client.end_trial(
                _message({_TRIAL: json.dumps(trial.to_dict())}, str(job.number), "COMPLETED")
            )
            trials += 1
    except grpc.RpcError as error:
        raise SearchError(
            f"The chief at {address} does not answer ({error.code().name}). Ended trials are in "
            "its journal: start the chief again, then the workers."
        ) from error


def _run(trainer: Trainer, job: Job, order: dict[str, Any]) -> Trial:
    left = order["seconds_left"]
    settings: dict[str, Any] = {
        "deadline": None if left is None else time.monotonic() + left,
        "keep_above": order["keep_above"],
        "needs_score": order["needs_score"],
    }
    try:
        return trainer.run(job, **settings)
    except RunFolderError:
        # A worker that counts as dead still trains in the trial's folder: train without a folder.
        return trainer.run(dataclasses.replace(job, resumable=False), **settings)


def _check_same_space(remote: keras_tuner.HyperParameters, space: Space | HyperModelSpace) -> None:
    here = {hp.name: _comparable(hp) for hp in space.hyperparameters().space}
    there = {hp.name: _comparable(hp) for hp in remote.space}
    different = sorted(name for name in {*here, *there} if here.get(name) != there.get(name))
    if different:
        raise SearchError(
            f"The chief searches another space. It differs in: {', '.join(different)}."
        )


def _comparable(hp: Any) -> str:
    # The protocol's 32 bits lose digits of numbers, and conditions lose their order.
    config = hp.get_config()
    kept = {key: value for key, value in config.items() if key in ("values", "min_value", "name")}
    return json.dumps(_rounded(kept))


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return f"{value:.5g}" if isinstance(value, (int, float)) else value


@contextlib.contextmanager
def _heartbeats(client: Any, heartbeat_id: str) -> Iterator[None]:
    """Tells the chief every few seconds that the trial is running."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(_HEARTBEAT_SECONDS):
            with contextlib.suppress(Exception):  # the next call that matters will raise it
                client.get_trial(heartbeat_id)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
