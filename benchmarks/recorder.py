"""Records a run: test accuracy over time, memory, time to the first step.

Times start with the process (`run.py` passes the time at which it started it). Evaluations on the
test images are not part of training: their time is excluded from `seconds` and from the curve, and
included in `seconds_with_evaluations`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from conditions import conditions, peak_memory_mb

_STARTED = float(os.environ.get("BENCHMARK_STARTED", time.monotonic()))


def arguments(description: str) -> argparse.ArgumentParser:
    """The options of every row."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--archive", required=True, help="cifar-10-python.tar.gz")
    parser.add_argument("--out", required=True, type=Path, help="the JSON file to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, help="use only this many images, for a short trial")
    return parser


class Recorder:
    """Collects the measurements of one run and writes them as JSON."""

    def __init__(self, options: argparse.Namespace) -> None:
        given = {name: value for name, value in vars(options).items() if value is not None}
        self._out = given.pop("out")
        del given["archive"]  # a path on this machine; `data` names the images
        self._record: dict[str, Any] = {"seed": given.pop("seed", 0), "settings": given}
        self._record |= conditions()
        self._evaluating = 0.0
        self._first_step: float | None = None
        self.curve: list[tuple[float, float]] = []

    @property
    def seconds(self) -> float:
        """Seconds since the start of the process, without evaluations."""
        return time.monotonic() - _STARTED - self._evaluating

    @contextlib.contextmanager
    def evaluating(self) -> Iterator[None]:
        """Stops the clock inside the context."""
        started = time.monotonic()
        yield
        self._evaluating += time.monotonic() - started

    def step(self) -> None:
        """Call this after each training step; only the first one is recorded."""
        if self._first_step is None:
            self._first_step = self.seconds

    def point(self, test_accuracy: float) -> None:
        """Adds a point to the curve at the current time."""
        self.curve.append((round(self.seconds, 2), round(float(test_accuracy), 4)))
        print(f"{self.seconds:7.1f} s  {test_accuracy:.2%}", flush=True)

    def finish(self, images: int | None = None, **more: Any) -> None:
        """Stops the clock and writes the file; the last point of the curve is the result.

        Args:
            images: training images seen after the first step, for `images_per_second`.
            **more: further values to store.
        """
        seconds, accuracy = self.curve[-1]
        self._record |= {
            "test_accuracy": accuracy,
            "seconds": seconds,
            "seconds_with_evaluations": round(seconds + self._evaluating, 2),
            "seconds_to_first_step": self._first_step and round(self._first_step, 2),
            "images_per_second": self._rate(images),
            "curve": self.curve,
        }
        self.write(**more)

    def write(self, **more: Any) -> None:
        """Writes the file, for rows that do not train or that have other measurements."""
        self._record |= {"peak_memory_mb": round(peak_memory_mb()), **more}
        self._out.write_text(json.dumps(self._record, indent=2) + "\n")

    def _rate(self, images: int | None) -> float | None:
        if not images or self._first_step is None:
            return None
        return round(images / max(self.curve[-1][0] - self._first_step, 1e-3), 1)
