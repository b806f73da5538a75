"""A Keras callback that shows how training goes: live on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any

__all__ = ["make_progress"]


def make_progress(verbose: Any, epochs: int, steps: int, note: str) -> list[Any]:
    """The callback for Keras's `verbose`: "auto" or 1 is live on a terminal, 2 is a line an epoch.

    Args:
        verbose: 0, 1, 2 or "auto".
        epochs: of the whole run.
        steps: batches in an epoch.
        note: what is shown first, in one line.

    Returns:
        A list with the callback, or an empty one where nothing is to be shown.
    """
    if verbose == 0:
        return []
    live = verbose != 2 and sys.stderr.isatty()
    return [_make_live(epochs, steps, note) if live else _make_lines(epochs, note)]


def _figures(logs: dict[str, Any] | None) -> str:
    """`accuracy 85.1% loss 0.413 val_accuracy 82.0%`, short enough for a line of 80 characters."""
    words = []
    for name, value in (logs or {}).items():
        shown = f"{value:.1%}" if name.endswith("accuracy") else f"{value:.3g}"
        words.append(f"{name} {shown}")
    return " ".join(words)


def _make_lines(epochs: int, note: str) -> Any:
    import keras

    class Lines(keras.callbacks.Callback):
        """One line an epoch on stderr."""

        def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002
            sys.stderr.write(f"{note}\n")

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            self.started = time.monotonic()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            seconds = time.monotonic() - self.started
            line = f"epoch {epoch + 1}/{epochs} {_figures(logs)} {seconds:.1f} s\n"
            sys.stderr.write(line)
            sys.stderr.flush()

    return Lines()


def _make_live(epochs: int, steps: int, note: str) -> Any:
    import keras
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    class Live(keras.callbacks.Callback):
        """A bar over the whole run, with figures and the time left; each epoch leaves a line."""

        def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002
            self.display = Progress(
                TextColumn("epoch {task.fields[epoch]}"),
                BarColumn(bar_width=24),
                TextColumn("{task.fields[figures]}"),
                TimeRemainingColumn(compact=True),
                TextColumn("left"),
                console=Console(stderr=True),
                transient=True,
            )
            self.task = self.display.add_task(
                "training", total=epochs * steps, epoch=f"1/{epochs}", figures=""
            )
            self.display.start()
            self.display.console.print(note, highlight=False)

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            self.started = time.monotonic()
            self.display.update(self.task, completed=epoch * steps, epoch=f"{epoch + 1}/{epochs}")

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
            self.display.update(self.task, advance=1, figures=_figures(logs))

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            seconds = time.monotonic() - self.started
            self.display.console.print(
                f"epoch {epoch + 1}/{epochs} {_figures(logs)} {seconds:.1f} s", highlight=False
            )

        def on_train_end(self, logs: Any = None) -> None:  # noqa: ARG002
            self.display.stop()

    return Live()
