"""Does the search beat the tutorial's hand-made network at an equal number of training steps?

On one CIFAR-10 batch: the preset `seed2017` and the winner of a search of the default space, each
trained anew from three fresh seeds, same batch size and epochs. Validation accuracy is that of the
last epoch for both.

    python benchmarks/search_vs_seed.py --archive cifar-10-python.tar.gz --trials 20 --epochs 10
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import platform
import statistics
from pathlib import Path
from typing import Any

import imgclf
from imgclf.training.presets import get_preset
from imgclf.tuning.space import default_recipe

BATCH_SIZE = 256  # the tutorial's; equal for all, so that equal epochs are equal steps
FRESH_SEEDS = (101, 102, 103)  # none of them was used in the search


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--archive", help="the CIFAR-10 archive; downloaded if left out")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--max-macs", type=int, help="the most multiply-adds a picture may cost")
    parser.add_argument("--run-dir", help="to go on with a search that was stopped")
    parser.add_argument("--out", default="benchmarks/results/search_vs_seed.json", type=Path)
    options = parser.parse_args()

    data = imgclf.load_cifar10(archive=options.archive, batches=(1,))
    preset = get_preset("seed2017")
    hand_made = [
        accuracy(
            imgclf.Classifier.from_preset("seed2017", data, epochs=options.epochs, seed=seed), data
        )
        for seed in FRESH_SEEDS
    ]
    result = imgclf.search(
        data,
        recipe=default_recipe(imgclf.Recipe(epochs=options.epochs, batch_size=BATCH_SIZE)),
        max_trials=options.trials,
        max_macs=options.max_macs,
        run_dir=options.run_dir,
        on_trial=lambda trial: print(
            f"trial {trial.number}: {trial.score} {trial.blocks}", flush=True
        ),
    )
    print(result)
    searched = [
        accuracy(
            imgclf.Classifier.from_blocks(
                result.best_blocks, data, result.best_recipe.replace(seed=seed)
            ),
            data,
        )
        for seed in FRESH_SEEDS
    ]
    record = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "versions": {
            "python": platform.python_version(),
            "imgclf": imgclf.__version__,
            **{
                name: importlib.metadata.version(name)
                for name in ("tensorflow", "keras", "keras-tuner")
            },
        },
        "processor": processor(),
        "settings": {
            "trials": len(result.trials),
            "epochs": options.epochs,
            "batch_size": BATCH_SIZE,
            "steps": options.epochs * -(-len(data.train) // BATCH_SIZE),
            "max_macs": options.max_macs,
            "seeds": list(FRESH_SEEDS),
        },
        "seed2017": summary(hand_made),
        "search": summary(searched),
        "best_score_in_search": result.best.score,
        "seed2017_blocks": list(map(repr, preset.blocks(data.image_shape))),
        "best_blocks": list(map(repr, result.best_blocks)),
        "best_recipe": repr(result.best_recipe),
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n")
    print(f"seed2017 {record['seed2017']}\nsearch   {record['search']}\n→ {options.out}")


def accuracy(clf: imgclf.Classifier, data: imgclf.Dataset) -> float:
    """Validation accuracy after the last epoch."""
    assert clf.recipe.batch_size == BATCH_SIZE
    clf.fit(data, verbose=0)
    return clf.history["val_accuracy"][-1]


def summary(values: list[float]) -> dict[str, Any]:
    return {
        "mean": round(statistics.mean(values), 4),
        "spread": round(statistics.stdev(values), 4),
        "each": [round(value, 4) for value in values],
    }


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), "unknown")


if __name__ == "__main__":
    main()
