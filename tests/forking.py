"""Programs in processes that are forked from one that has imported TensorFlow.

A new process spends most of a test's time on importing. Here one process a session imports; each
program is a fork of it, which has imported TensorFlow but not used it.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import runpy
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing.context import ForkServerProcess
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import IO, Any, NamedTuple

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tensorflow", "keras", "imgclf.cli.main"])


class Finished(NamedTuple):
    """What a program ended in."""

    returncode: int
    stdout: str
    stderr: str


class Program:
    """A running program: `process` is that of `multiprocessing`, `stderr` what it writes there."""

    def __init__(self, process: ForkServerProcess, stderr: IO[str]) -> None:
        self.process = process
        self.stderr = stderr

    def send_signal(self, number: int) -> None:
        os.kill(self.process.pid or 0, number)


@contextlib.contextmanager
def started(
    words: Sequence[object],
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdout: IO[str] | None = None,
) -> Iterator[Program]:
    """Starts `imgclf` if the first word says so, else the script of that path; waits at the end.

    Args:
        words: the program and its arguments.
        cwd: its folder; the present one if left out.
        environment: variables of it, beside those of this process.
        stdout: a file that takes what it prints; left out, that is lost.
    """
    reading, writing = os.pipe()
    with Path(os.devnull).open("w") as nowhere, os.fdopen(reading) as stderr:
        process = _CONTEXT.Process(
            target=_run,
            args=(
                [str(word) for word in words],
                str(cwd or Path.cwd()),
                {**os.environ, **(environment or {})},
                _Handle((stdout or nowhere).fileno()),
                _Handle(writing),
            ),
        )
        process.start()
        os.close(writing)
        try:
            yield Program(process, stderr)
            process.join(timeout=300)
        finally:
            process.kill()  # if a test failed meanwhile, or it never ends
            process.join()


def run(words: Sequence[object], **settings: Any) -> Finished:
    """Runs a program to its end; arguments as of `started`."""
    with tempfile.TemporaryFile("w+") as stdout:
        with started(words, stdout=stdout, **settings) as program:
            shown = program.stderr.read()
        stdout.seek(0)
        return Finished(program.process.exitcode or 0, stdout.read(), shown)


class _Handle:
    """A file handle that goes to the other process."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> tuple[Any, ...]:
        return _detached, (DupFd(self.number),)


def _detached(handle: Any) -> int:
    number: int = handle.detach()
    return number


def _run(words: list[str], cwd: str, environment: dict[str, str], out: int, err: int) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    for number, standard in ((out, 1), (err, 2)):
        os.dup2(number, standard)
        os.close(number)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    sys.argv = words
    try:
        if words[0] == "imgclf":
            runpy.run_module("imgclf", run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(words[0], run_name="__main__")
    finally:
        sys.stdout.flush()
