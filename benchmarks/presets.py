"""Trains a preset on CIFAR-10 and records accuracy, time and memory.

    python benchmarks/presets.py seed2017 --archive cifar-10-python.tar.gz
    python benchmarks/presets.py fast --archive cifar-10-python.tar.gz --seeds 0 1 2

For `seed2017` the tutorial's quick check on one batch comes first. The clock starts with this
process, before imgclf and TensorFlow are imported.
"""

from __future__ import annotations

import time

STARTED = time.monotonic()

import argparse  # noqa: E402
import json  # noqa: E402
from pathlib import Path  # noqa: E402

from conditions import conditions, peak_memory_mb  # noqa: E402

import imgclf  # noqa: E402


def one_batch(archive: str | None) -> dict[str, object]:
    """The tutorial's quick check: its network on the first batch."""
    data = imgclf.load_cifar10(archive=archive, batches=(1,))
    clf = imgclf.Classifier.from_preset("seed2017", data)
    history = clf.fit(data, verbose=2).history["val_accuracy"]
    return {"val_accuracy_after_epoch_1": history[0], "val_accuracy_after_epoch_50": history[-1]}


def run(name: str, archive: str | None, seed: int) -> dict[str, object]:
    """One training on all batches, judged on the test pictures."""
    started = time.monotonic()
    data = imgclf.load_cifar10(archive=archive)
    clf = imgclf.Classifier.from_preset(name, data, seed=seed)
    history = clf.fit(data, verbose=2).history["val_accuracy"]
    trained = time.monotonic()
    evaluation = clf.evaluate(data.test)
    return {
        "seed": seed,
        "test_accuracy": evaluation.accuracy,
        "test_accuracy_interval": evaluation.accuracy_interval,
        "val_accuracy": history,
        "seconds_reading_and_training": trained - started,
        "peak_memory_mb": peak_memory_mb(),
    }


def main() -> None:
    """Reads the command line, runs, and writes one JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("preset")
    parser.add_argument("--archive")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument(
        "--data-name", default="CIFAR-10", help="what the archive is, for the record"
    )
    parser.add_argument("--out", default=Path(__file__).parent / "results", type=Path)
    options = parser.parse_args()
    record: dict[str, object] = {
        "preset": options.preset,
        "data": options.data_name,
        **conditions(),
    }
    record["runs"] = [run(options.preset, options.archive, seed) for seed in options.seeds]
    record["seconds_of_the_process"] = time.monotonic() - STARTED
    if options.preset == "seed2017":
        record["one_batch"] = one_batch(options.archive)
    options.out.mkdir(parents=True, exist_ok=True)
    target = options.out / f"{options.preset}.json"
    target.write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
