"""The cost of an `Evaluation` compared with its predictions, on the test images of CIFAR-10.

    python benchmarks/evaluate.py --archive cifar-10-python.tar.gz
    python benchmarks/evaluate.py --archive cifar-10-python.tar.gz --presets quick --rounds 10

The calls alternate in one process. The networks are not trained, which does not affect the time.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from conditions import conditions
from predict import classifier

import imgclf

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgclf.data import Split


def contenders(clf: imgclf.Classifier, test: Split) -> dict[str, Callable[[], object]]:
    """The prediction first, then more and more metrics computed from it."""
    return {
        "predict_proba": lambda: clf.predict_proba(test.images),
        "evaluate": lambda: clf.evaluate(test).accuracy,
        "evaluate, printed": lambda: str(clf.evaluate(test)),
        "evaluate, all metrics and intervals": lambda: clf.evaluate(test).intervals,
    }


def race(found: dict[str, Callable[[], object]], rounds: int) -> dict[str, dict[str, object]]:
    """Seconds of each, alternating, and the ratio to the prediction in the same round."""
    times: dict[str, list[float]] = {name: [] for name in found}
    for number in range(rounds + 1):
        for name, run in found.items():
            start = time.perf_counter()
            run()
            if number:  # the first round traces and imports
                times[name].append(time.perf_counter() - start)
    reference = np.asarray(next(iter(times.values())))
    return {name: _measurements(np.asarray(taken), reference) for name, taken in times.items()}


def _measurements(seconds: np.ndarray, reference: np.ndarray) -> dict[str, object]:
    ratios = seconds / reference
    return {
        "median_seconds": float(np.median(seconds)),
        "times_of_prediction": float(np.median(ratios)),
        "range": [float(ratios.min()), float(ratios.max())],
        "rounds": len(seconds),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--archive", required=True, type=Path)
    parser.add_argument("--presets", nargs="+", default=["quick", "fast"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    test = imgclf.load_cifar10(archive=options.archive, validation=None).test
    record: dict[str, object] = conditions()
    rows: dict[str, object] = {}
    for preset in options.presets:
        clf = classifier(preset, "auto")
        clf = imgclf.Classifier(clf.model, class_names=test.class_names)
        rows[preset] = race(contenders(clf, test), options.rounds)
        for name, row in rows[preset].items():
            print(f"{preset:6s} {name:36s} {row['median_seconds']:7.2f} s", end="")
            print(f"  {row['times_of_prediction']:.3f} x the prediction", row["range"])
    options.out.mkdir(parents=True, exist_ok=True)
    written = json.dumps(record | {"presets": rows}, indent=2) + "\n"
    (options.out / "evaluate.json").write_text(written)


if __name__ == "__main__":
    main()
