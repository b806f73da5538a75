"""Trials in processes of their own on this machine.

Each process trains one trial after another and is replaced after some, so that whatever memory it
has gathered goes back to the system. Only the process that started them writes the journal. When
one dies, its trial is given to another and goes on from its last checkpoint.
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
from imgclf.search.results.result import Trial
from imgclf.search.space.hypermodel_space import HyperModelSpace

__all__ = ["run_on_workers"]

# Loading TensorFlow takes as long as a small trial: not after each one.
_TRIALS_A_PROCESS = 10

# Seconds that a process has for saving its training when the search is interrupted.
_GRACE = 20.0


def run_on_workers(
    coordinator: Coordinator,
    data: Dataset,
    folder: SearchFolder,
    workers: int,
    foreign: HyperModelSpace | None = None,
) -> None:
    """Runs trials until the search is over.

    Args:
        coordinator: says which.
        data: is sent to each process.
        folder: where they keep their trainings and models.
        workers: how many processes.
        foreign: builds the networks, if they are not made of blocks; is sent to each process.

    Raises:
        ArgumentError: if `foreign` cannot be sent.
    """
    if foreign is not None:
        foreign.check_workers()
    threads = max(1, (os.cpu_count() or 1) // workers)
    pool = [_Worker(data, folder, foreign, threads) for _ in range(workers)]
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
        coordinator.give_back(job.number, f"its process ended ({worker.last_words})")
    elif isinstance(answer, Exception):
        raise answer
    else:
        coordinator.finish(answer)


class _Worker:
    """A process, which is started when there is a trial for it."""

    def __init__(
        self, data: Dataset, folder: SearchFolder, foreign: HyperModelSpace | None, threads: int
    ) -> None:
        self.given = (data, folder, foreign, threads)
        self.process: Any = None
        self.pipe: Any = None
        self.job: Job | None = None
        self.trials = 0
        self.last_words = ""

    def send(self, job: Job, coordinator: Coordinator) -> None:
        if self.trials >= _TRIALS_A_PROCESS:
            self.stop()
        if self.process is None:
            self._start()
        self.job = job
        self.trials += 1
        left = coordinator.clock.left
        with contextlib.suppress(OSError):  # it has died meanwhile, as `receive` will see
            self.pipe.send((job, left, coordinator.worth(), not coordinator.has_score()))

    def receive(self) -> Trial | Exception | None:
        """What came of its trial; None if the process has died."""
        self.job = None
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            self.last_words = f"exit code {self.process.exitcode}"
            self.stop()
            return None

    def stop(self) -> None:
        if self.process is None:
            return
        self.pipe.close()
        if self.job is not None:
            self.process.terminate()  # SIGTERM: the training saves and ends
        self.process.join(_GRACE)
        self.process.kill()
        self.process, self.job, self.trials = None, None, 0

    def _start(self) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, *self.given), daemon=True)
        self.process.start()
        theirs.close()


def _work(
    pipe: Any, data: Dataset, folder: SearchFolder, foreign: HyperModelSpace | None, threads: int
) -> None:
    """The life of a process: jobs come in, trials go out."""
    _end_with_parent()
    limit_threads(threads)
    import time

    from imgclf.search.engine.trainer import Trainer, forgetting_fast

    trainer = Trainer(data, folder, foreign)
    with forgetting_fast():
        while True:
            try:
                job, left, worth, alone = pipe.recv()
            except EOFError:
                return
            try:
                answer: Any = trainer.run(
                    job, deadline=time.monotonic() + left, worth=worth, alone=alone
                )
            except Exception as error:  # it is raised where the search was called
                answer = error
            with contextlib.suppress(OSError):
                pipe.send(answer)


def limit_threads(threads: int) -> None:
    """Keeps TensorFlow to its share of the processor; before it has computed anything."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def _end_with_parent() -> None:
    """Without the process that writes the journal, nobody waits for a trial."""
    parent = parent_process()

    def watch() -> None:
        if parent is not None:
            connection.wait([parent.sentinel])
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
