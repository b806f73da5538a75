"""Transfer learning with few photos: from five classes of CIFAR-10 to the other five.

A preset is trained on the first five classes. Then, for each number of photos per class and each
seed, the other five are trained starting from that model (output layer only, and with fine-tuning)
and from scratch, with the same photos and preset. The result is the accuracy on the test images of
those five classes.

    python benchmarks/transfer.py --archive cifar-10-python.tar.gz --preset fast --out results.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np

import imgclf
from imgclf.files import atomic

FIRST, OTHER = range(5), range(5, 10)


def classes(split: imgclf.Split, chosen: range, per_class: int | None, seed: int) -> imgclf.Split:
    """The images of some classes, numbered from 0; at most `per_class` of each, by the seed."""
    draw = np.random.default_rng(seed)
    rows = []
    for label in chosen:
        of_class = draw.permutation(np.flatnonzero(split.labels == label))
        rows.append(of_class[:per_class])
    order = np.sort(np.concatenate(rows))
    names = [split.class_names[label] for label in chosen]
    return imgclf.Split(split.images[order], split.labels[order] - chosen.start, names)


def timed(classifier: imgclf.Classifier, data: imgclf.Dataset) -> dict[str, float]:
    started = time.monotonic()
    classifier.fit(data, verbose=0)
    seconds = time.monotonic() - started
    return {"accuracy": classifier.evaluate(data.test).accuracy, "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--archive", required=True)
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--photos", type=int, nargs="+", default=[20, 100, 500])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-photos", type=int, help="Per class of the first five; all.")
    parser.add_argument("--fine-tune-epochs", type=int, default=10)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()

    whole = imgclf.load_cifar10(archive=options.archive)
    first = imgclf.Dataset(
        classes(whole.train, FIRST, options.first_photos, 0),
        test=classes(whole.test, FIRST, None, 0),
    )
    base = imgclf.Classifier.from_preset(options.preset, first)
    report = {"preset": options.preset, "first": timed(base, first), "rows": []}
    print(f"{options.preset} on the first five classes: {report['first']['accuracy']:.1%}")
    test = classes(whole.test, OTHER, None, 0)
    for photos in options.photos:
        for seed in range(options.seeds):
            data = imgclf.Dataset(classes(whole.train, OTHER, photos, seed), test=test)
            from_base = imgclf.Classifier.from_model
            tuned = {"seed": seed, "fine_tune_epochs": options.fine_tune_epochs}
            ways = {
                "output layer": lambda: from_base(base, data, seed=seed),  # noqa: B023
                "fine-tuned": lambda: from_base(base, data, **tuned),  # noqa: B023
                "from nothing": lambda: imgclf.Classifier.from_preset(
                    options.preset,
                    data,  # noqa: B023
                    seed=seed,  # noqa: B023
                    **({"epochs": 40} if options.preset == "quick" else {}),
                ),
            }
            for way, make in ways.items():
                row = {"photos": photos, "seed": seed, "way": way, **timed(make(), data)}
                report["rows"].append(row)
        for way in ways:
            found = [r for r in report["rows"] if (r["photos"], r["way"]) == (photos, way)]
            accuracies = [row["accuracy"] for row in found]
            seconds = statistics.mean(row["seconds"] for row in found)
            print(
                f"{photos} photos per class, {way}: {statistics.mean(accuracies):.1%} "
                f"({min(accuracies):.1%} to {max(accuracies):.1%}) in {seconds:.0f} s",
                flush=True,
            )
    if options.out:
        atomic.write_text(options.out, json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
