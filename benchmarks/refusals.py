"""Processor seconds until each command refuses a wrong path or argument.

    python benchmarks/refusals.py
    python benchmarks/refusals.py --checkout ../another-checkout

Each call is a process of its own, in an empty folder. Processor time, not time on the clock, since
other work on the machine changes that more. The tests look at what is imported instead.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from conditions import conditions

COMMANDS = (
    "predict runs/none x.png",
    "explain runs/none x.png",
    "evaluate runs/none digits",
    "report runs/none",
    "compare runs/none runs/other",
    "calibrate runs/none digits",
    "train nowhere",
    "train digits --preset fats",
    "train digits --from-model runs/none",
    "train digits --out /dev/null",
    "search nowhere",
    "search digits --out /dev/null",
    "learning-curve nowhere",
    "inspect nowhere",
    "demo --out /dev/null",
)


def processor_seconds(command: str, checkout: Path) -> float:
    """The time that the process and its children took, in user mode and in the kernel."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "imgclf", *command.split()],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(checkout)},
            capture_output=True,
            check=False,
        )
    if done.returncode not in (1, 2):
        raise SystemExit(f"{command}: was not refused, exit code {done.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkout", type=Path, default=Path(__file__).resolve().parents[1])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    seconds = {}
    for command in COMMANDS:
        runs = [
            processor_seconds(command, options.checkout.resolve()) for _ in range(options.repeat)
        ]
        seconds[command] = runs
        print(
            f"{command:40s} {statistics.median(runs):6.2f} s ({min(runs):.2f} to {max(runs):.2f})"
        )
    record = {"processor_seconds": seconds, **conditions()}
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "refusals.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
