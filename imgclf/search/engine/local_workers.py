"""Trials in several processes on this machine.

Each process trains one trial after another. It is replaced after some, so that the memory it has
gathered returns to the system. Only the process that started them writes the journal. If one dies,
its trial goes to another process and resumes from its last checkpoint. If all die before they can
work, no trial is to blame: the search ends with an error and records nothing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Sequence
from multiprocessing import connection, current_process, get_context, parent_process
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgclf.data.dataset import Dataset
from imgclf.errors import SearchError
from imgclf.formatting import show_path
from imgclf.search.engine.coordinator import PROCESS_ENDED, Coordinator
from imgclf.search.engine.job import Job
from imgclf.search.engine.search_folder import SearchFolder
from imgclf.search.results.trial import Trial
from imgclf.search.space.hypermodel_space import HyperModelSpace

if TYPE_CHECKING:
    from imgclf.search.engine.trainer import Trainer

__all__ = ["check_main_guard", "limit_threads", "run_on_workers"]

# Loading TensorFlow takes as long as a small trial, so not after each one.
_TRIALS_PER_PROCESS = 10

# Seconds that a process has to save its training when the search is interrupted.
_GRACE_SECONDS = 20.0

# What a process is called, and its exit code if it finds itself in a call of `search`.
_NAME = "imgclf search worker"
_NO_GUARD = 86

_GUARD = (
    'With more than one worker, a script must search below `if __name__ == "__main__":`, because '
    "each worker process imports the script."
)


def check_main_guard() -> None:
    """Ends a worker process that runs its script when it should only import it."""
    process = current_process()
    # This attribute is set while the main module is imported.
    if process.name == _NAME and getattr(process, "_inheriting", False):
        raise SystemExit(_NO_GUARD)  # its parent says why


def run_on_workers(
    coordinator: Coordinator,
    data: Dataset,
    folder: SearchFolder,
    workers: int,
    hypermodel_space: HyperModelSpace | None = None,
) -> None:
    """Runs trials until the search is over.

    Args:
        coordinator: of the search.
        data: sent to each process.
        folder: where they keep their trainings and models.
        workers: number of processes.
        hypermodel_space: builds the networks, if they are not made of blocks; sent to each
            process.

    Raises:
        ArgumentError: if `hypermodel_space` cannot be sent.
        SearchError: if no process could begin to work.
    """
    if hypermodel_space is not None:
        hypermodel_space.check_workers()
    threads = max(1, (os.cpu_count() or 1) // workers)
    pool = [_Worker(data, folder, hypermodel_space, threads) for _ in range(workers)]
    try:
        while True:
            working = any(worker.was_ready for worker in pool)
            for worker in pool:
                # After a death at the start, only another process shows whether a next one can.
                if worker.job is not None or not (working or worker.exit_code is None):
                    continue
                if job := coordinator.next_job():
                    worker.send(job, coordinator)
            busy = {worker.pipe: worker for worker in pool if worker.job is not None}
            if not busy:
                if not working:
                    _check_started(pool)
                return
            for pipe in connection.wait(list(busy)):
                _receive(busy[pipe], coordinator)
    finally:
        for worker in pool:
            worker.stop()


def _receive(worker: _Worker, coordinator: Coordinator) -> None:
    job = worker.job
    assert job is not None  # noqa: S101
    answer = worker.receive()
    if isinstance(answer, _Ready):
        worker.was_ready = True
    elif isinstance(answer, _EpochBegun):
        coordinator.begin_epoch(job.number, answer.epoch)
    elif answer is None:
        coordinator.requeue(job.number, f"{PROCESS_ENDED} ({_exit_text(worker.exit_code)})")
    elif isinstance(answer, Exception):
        raise answer
    else:
        coordinator.finish(answer)


def _check_started(pool: Sequence[_Worker]) -> None:
    """Raises an error if processes have died, and none of the pool could begin to work."""
    codes = [worker.exit_code for worker in pool if worker.exit_code is not None]
    if not codes:
        return
    again = "No trial was recorded: once this is corrected, the same call begins the search."
    script = getattr(sys.modules["__main__"], "__file__", None)
    name = "the script" if script is None else show_path(script)
    if _NO_GUARD in codes:
        raise SearchError(
            f"No worker process could start: {name} calls `search` when it is imported. {_GUARD} "
            f"{again}"
        )
    hint = "" if script is None else f" {_GUARD}"
    if script is not None and not Path(script).exists():  # "<stdin>"
        hint = " A program from standard input cannot have workers: save it as a file."
    raise SearchError(
        f"The worker processes ended before they could train ({_exit_text(codes[0])}). Their own "
        f"error is printed above.{hint} `workers=1` searches without them. {again}"
    )


def _exit_text(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    name = signal.Signals(-code).name if -code in list(signal.Signals) else f"signal {-code}"
    memory = ", as by a system that is out of memory" if name == "SIGKILL" else ""
    return f"killed by {name}{memory}"


class _Ready:
    """What a process sends when it can train."""


@dataclasses.dataclass(frozen=True)
class _EpochBegun:
    """What a process sends when an epoch of its trial begins."""

    epoch: int


class _Worker:
    """A process, which is started when there is a trial for it."""

    def __init__(
        self,
        data: Dataset,
        folder: SearchFolder,
        hypermodel_space: HyperModelSpace | None,
        threads: int,
    ) -> None:
        self.arguments = (data, folder, hypermodel_space, threads)
        self.process: Any = None
        self.pipe: Any = None
        self.job: Job | None = None
        self.trials = 0
        self.was_ready = False  # in any of its processes
        self.exit_code: int | None = None  # of the last process that died

    def send(self, job: Job, coordinator: Coordinator) -> None:
        if self.trials >= _TRIALS_PER_PROCESS:
            self.stop()
        if self.process is None:
            self._start()
        self.job = job
        self.trials += 1
        left = coordinator.deadline.seconds_left
        with contextlib.suppress(OSError):  # it has died, which `receive` will notice
            self.pipe.send((job, left, coordinator.keep_above(), not coordinator.has_score()))

    def receive(self) -> Trial | Exception | _Ready | _EpochBegun | None:
        """Returns its trial or what it raised, or how far it is; None if the process has died."""
        try:
            answer: Trial | Exception | _Ready | _EpochBegun = self.pipe.recv()
        except (EOFError, OSError):
            self.job = None
            self.process.join()
            self.exit_code = self.process.exitcode
            self.stop()
            return None
        if isinstance(answer, (Trial, Exception)):
            self.job = None
        return answer

    def stop(self) -> None:
        if self.process is None:
            return
        self.pipe.close()
        if self.job is not None:
            self.process.terminate()  # SIGTERM: the training saves and ends
        self.process.join(_GRACE_SECONDS)
        self.process.kill()
        self.process, self.job, self.trials = None, None, 0

    def _start(self) -> None:
        context = get_context("spawn")
        self.pipe, remote = context.Pipe()
        self.process = context.Process(target=_work, args=(remote,), name=_NAME, daemon=True)
        self.process.start()
        remote.close()
        # Not as arguments of the process: if it dies before it has read them, `start` would wait
        # for ever.
        with contextlib.suppress(OSError):  # it has died, which `receive` will notice
            self.pipe.send(self.arguments)


def _work(pipe: Any) -> None:
    """Runs in a process: receives what `_Worker` has, then jobs; sends trials."""
    _exit_with_parent()
    try:
        trainer = _trainer(*pipe.recv())
    except Exception as error:  # raised by the process that started this one
        pipe.send(_sendable(error))
        return
    pipe.send(_Ready())

    from imgclf.search.engine.trainer import fast_garbage_collection

    with fast_garbage_collection():
        while True:
            try:
                job, left, keep_above, needs_score = pipe.recv()
            except EOFError:
                return
            try:
                answer: Trial | Exception = trainer.run(
                    job,
                    deadline=time.monotonic() + left,
                    keep_above=keep_above,
                    needs_score=needs_score,
                    on_epoch=lambda epoch: _send(pipe, _EpochBegun(epoch)),
                )
            except Exception as error:  # raised by the process that started this one
                answer = _sendable(error)
            _send(pipe, answer)


def _send(pipe: Any, answer: Trial | Exception | _EpochBegun) -> None:
    with contextlib.suppress(OSError):  # its parent has ended, and so will this process
        pipe.send(answer)


def _trainer(
    data: Dataset, folder: SearchFolder, hypermodel_space: HyperModelSpace | None, threads: int
) -> Trainer:
    limit_threads(threads)

    from imgclf.search.engine.trainer import Trainer

    return Trainer(data, folder, hypermodel_space)


def _sendable(error: Exception) -> Exception:
    """Returns the error, or one with its text if another process could not read it."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  # of this process
    except Exception:
        return SearchError(f"A worker failed. {type(error).__name__}: {error}")
    return error


def limit_threads(threads: int) -> None:
    """Limits TensorFlow to some threads; call it before TensorFlow computes anything."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def _exit_with_parent() -> None:
    """Ends this process when the one that writes the journal ends."""
    parent = parent_process()

    def watch() -> None:
        if parent is not None:
            connection.wait([parent.sentinel])
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
