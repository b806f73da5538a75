"""How a run ends before its end: by Ctrl-C or `kill`, or because a callback pauses it.

The first signal asks a run to save and end, the second ends it at once.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any, NoReturn

__all__ = ["StopRequest", "TrainingPaused", "stop_signals"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class TrainingPaused(Exception):  # noqa: N818  # no error: what was asked for
    """A training was saved and ended at a batch, since a callback has set its `pause` to True."""


class StopRequest:
    """Whether the process was asked to end, and by which signal."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    def __bool__(self) -> bool:
        return self.signal is not None

    def obey(self, message: str) -> NoReturn:
        """Ends as Python programs do: by `KeyboardInterrupt`, or by exit code 143 for SIGTERM."""
        if self.signal == signal.SIGTERM:
            sys.stderr.write(f"{message}\n")
            raise SystemExit(128 + signal.SIGTERM)
        raise KeyboardInterrupt(message)


@contextlib.contextmanager
def stop_signals() -> Iterator[StopRequest]:
    """Within it the first signal is only noted; the next one ends the process at once.

    Only in the main thread, since Python hands signals to no other; elsewhere nothing is changed.
    A signal that is ignored, as Ctrl-C is by programs that a script runs in the background, stays
    ignored.

    Yields:
        The request, which becomes true when a signal has come.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def note(number: int, frame: Any) -> None:  # noqa: ARG001
        request.signal = signal.Signals(number)
        for each in before:
            signal.signal(each, signal.SIG_DFL)
        sys.stderr.write("\nStopping after this batch; once more stops at once.\n")

    before = {number: signal.getsignal(number) for number in _SIGNALS}
    before = {n: handler for n, handler in before.items() if handler != signal.SIG_IGN}
    for number in before:
        signal.signal(number, note)
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
