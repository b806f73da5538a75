"""Trials in several processes on this machine.

Each process trains one trial after another. It is replaced after some, so that the memory it has
gathered returns to the system. Only the process that started them writes the journal. If one dies,
its trial goes to another process and resumes from its last checkpoint.
"""

from __future__ import annotations

import contextlib
import os
import threading
from multiprocessing import connection, get_context, parent_process
from typing import Any

from imgclf.data.dataset import Dataset
from imgclf.search.engine.coordinator import Coordinator
from imgclf.search.engine.job import Job
from imgclf.search.engine.search_folder import SearchFolder
from imgclf.search.results.trial import Trial
from imgclf.search.space.hypermodel_space import HyperModelSpace

__all__ = ["run_on_workers"]

# Loading TensorFlow takes as long as a small trial, so not after each one.
_TRIALS_PER_PROCESS = 10

# Seconds that a process has to save its training when the search is interrupted.
_GRACE_SECONDS = 20.0


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
    """
    if hypermodel_space is not None:
        hypermodel_space.check_workers()
    threads = max(1, (os.cpu_count() or 1) // workers)
    pool = [_Worker(data, folder, hypermodel_space, threads) for _ in range(workers)]
    try:
        while True:
            for worker in pool:
                if worker.job is None and (job := coordinator.next_job()):
                    worker.send(job, coordinator)
            busy = {worker.pipe: worker for worker in pool if worker.job is not None}
            if not busy:
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
    if answer is None:
        coordinator.requeue(job.number, f"its process ended ({worker.last_exit})")
    elif isinstance(answer, Exception):
        raise answer
    else:
        coordinator.finish(answer)


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
        self.last_exit = ""

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

    def receive(self) -> Trial | Exception | None:
        """Returns its trial, or what it raised; None if the process has died."""
        self.job = None
        try:
            answer: Trial | Exception = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            self.last_exit = f"exit code {self.process.exitcode}"
            self.stop()
            return None
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
        self.process = context.Process(target=_work, args=(remote, *self.arguments), daemon=True)
        self.process.start()
        remote.close()


def _work(
    pipe: Any,
    data: Dataset,
    folder: SearchFolder,
    hypermodel_space: HyperModelSpace | None,
    threads: int,
) -> None:
    """Runs in a process: receives jobs, sends trials."""
    _exit_with_parent()
    limit_threads(threads)
    import time

    from imgclf.search.engine.trainer import Trainer, fast_garbage_collection

    trainer = Trainer(data, folder, hypermodel_space)
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
                )
            except Exception as error:  # raised by the process that started this one
                answer = error
            with contextlib.suppress(OSError):
                pipe.send(answer)


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
