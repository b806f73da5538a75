"""How a run ends before its end: by Ctrl-C or `kill`, or because a callback pauses it.

The first signal asks a run to save and end. The second ends it at once and says what is saved.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, NoReturn

from imgclf.formatting import is_terminal, say, show_duration

__all__ = ["StopRequest", "TrainingPaused", "position", "stop_signals"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)

# Python runs its handlers between two instructions of its own. TensorFlow may be busy for longer
# than that: after so many seconds the process is ended from another thread.
_PATIENCE = 2.0

_SHOW_CURSOR = "\x1b[?25h"


class TrainingPaused(Exception):  # noqa: N818  # no error: what was asked for
    """A training was saved and ended at a batch, since a callback has set its `pause` to True."""


class StopRequest:
    """Whether the process was asked to end, by which signal, and what is saved."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self._saved: tuple[str, float] | None = None

    def __bool__(self) -> bool:
        return self.signal is not None

    def saved(self, position: str) -> None:
        """Notes what the run can be resumed from now.

        Args:
            position: as `position` words it.
        """
        self._saved = position, time.monotonic()

    def at_once(self) -> str:
        """The message of a run that ends without saving again."""
        if self._saved is None:
            return "Stopped at once. Nothing was saved by this call."
        place, when = self._saved
        return (
            f"Stopped at once. The last checkpoint is of {show_duration(time.monotonic() - when)} "
            f"ago, {place}. The same call resumes from there."
        )

    def obey(self, message: str) -> NoReturn:
        """Ends as Python programs do: by `KeyboardInterrupt`, or by exit code 143 for SIGTERM."""
        if self.signal == signal.SIGTERM:
            say(message)
            raise SystemExit(128 + signal.SIGTERM)
        raise KeyboardInterrupt(message)


def position(epoch: int, step: int = 0, steps: int = 0) -> str:
    """Words where a run is, by the epochs that are over and the steps of the next one.

    Example:
        >>> position(0), position(2), position(2, 20, 50)
        ('before the first step', 'after epoch 2', 'in epoch 3, after step 20 of 50')
    """
    if step:
        return f"in epoch {epoch + 1}, after step {step} of {steps}"
    return f"after epoch {epoch}" if epoch else "before the first step"


@contextlib.contextmanager
def stop_signals() -> Iterator[StopRequest]:
    """Within it the first signal is only noted; the next one ends the process at once.

    In an interactive session, such as a notebook, the next one raises `KeyboardInterrupt`, so that
    the session goes on.

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
    with contextlib.ExitStack() as undo:

        def note(number: int, frame: Any) -> None:  # noqa: ARG001
            if request:
                _end_at_once(request, number)
            request.signal = signal.Signals(number)
            _tell("Stopping after this batch; once more stops at once.")

        if not _is_interactive():
            _watch(request, undo)
        for number in _SIGNALS:
            before = signal.getsignal(number)
            if before != signal.SIG_IGN:
                signal.signal(number, note)
                undo.callback(signal.signal, number, before)
        yield request


def _end_at_once(request: StopRequest, number: int) -> NoReturn:
    """Ends the process as an unhandled signal does, so that a shell's loop ends, too."""
    if _is_interactive():
        raise KeyboardInterrupt(request.at_once())
    _tell(request.at_once(), last=True)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    raise KeyboardInterrupt  # Windows may deliver it later


def _watch(request: StopRequest, undo: contextlib.ExitStack) -> None:
    """Starts a thread that ends the process if the main thread does not react to two signals."""
    if os.name == "nt":
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    if before != -1:  # another event loop listens
        signal.set_wakeup_fd(before)
        os.close(reading)
        os.close(writing)
        return
    over = threading.Event()

    def watch() -> None:
        left = 2
        while left and (number := os.read(reading, 1)):
            left -= number[0] in _SIGNALS
        if not left and not over.wait(_PATIENCE):
            _tell(request.at_once(), last=True)
            os._exit(128 + number[0])
        os.close(reading)

    thread = threading.Thread(target=watch, name="imgclf-stop", daemon=True)
    thread.start()
    undo.callback(thread.join, _PATIENCE)
    undo.callback(os.close, writing)
    undo.callback(signal.set_wakeup_fd, -1)
    undo.callback(over.set)


def _tell(message: str, *, last: bool = False) -> None:
    """Writes a line on stderr.

    Args:
        message: the line.
        last: whether the process ends: then it is written past rich's live display, which would
            not come to show it, with the cursor that this display hides.
    """
    stream: Any = sys.stderr
    if stream is None:
        return
    if last:
        stream = getattr(stream, "rich_proxied_file", stream)
    cursor = _SHOW_CURSOR if last and is_terminal(stream) else ""
    text = f"{cursor}\n{message}\n"
    try:
        stream.write(text)
        stream.flush()
    except RuntimeError:  # the signal came while the main thread was writing there
        os.write(2, text.encode())


def _is_interactive() -> bool:
    return hasattr(sys, "ps1") or bool(sys.flags.interactive) or "ipykernel" in sys.modules
