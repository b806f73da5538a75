"""Can a search with a time limit find a network that beats the tutorial's in the same time?

The default space and recipes, all 45,000 training images of CIFAR-10 and 5,000 for validation.
First, the preset `seed2017` is trained, which sets the time and the accuracy to beat. Then the
search runs for its minutes; its time is the time of the row, so its best network can be compared on
the test images with that of other searches of the same length. Last, the winner is retrained by its
own recipe with a new seed, for as many epochs as fit into the time of `seed2017`. The test images
are only used after a training or the search has ended.
"""

from __future__ import annotations

import dataclasses
import time
from typing import Any

from recorder import Recorder, arguments

import imgclf

FRESH_SEED = 1000  # added to the seed of the row; the search uses none of these


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--minutes", type=float, default=20.0, help="of the search")
    parser.add_argument("--algorithm", default="bayesian")
    parser.add_argument(
        "--train-seconds",
        type=float,
        help="instead of the time of seed2017; 0 means no training besides the search",
    )
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--run-dir", help="the folder of the search; without it nothing is stored")
    options = parser.parse_args()
    data = imgclf.load_cifar10(archive=options.archive, validation="per-batch-tail")
    data = dataclasses.replace(
        data,
        train=data.train[: options.images],
        validation=data.validation[: options.images],
        test=data.test[: options.images],
    )
    if options.train_seconds is not None:
        tutorial: dict[str, Any] = {"seconds": options.train_seconds}
    else:
        clf = imgclf.Classifier.from_preset("seed2017", data, seed=options.seed)
        tutorial = trained(clf, data)

    # From here on, the time is that of the search.
    recorder = Recorder(options)
    started = time.monotonic()
    result = imgclf.search(
        data,
        algorithm=options.algorithm,
        minutes=options.minutes,
        workers=options.workers,
        run_dir=options.run_dir,
        seed=options.seed,
        verbose=2,
    )
    seconds = time.monotonic() - started
    found = result.best_classifier.evaluate(data.test)

    retrained = None
    if tutorial["seconds"]:
        winner = imgclf.Classifier.from_blocks(
            result.best_blocks, data, result.best_recipe.replace(seed=FRESH_SEED + options.seed)
        )
        retrained = trained(winner, data, minutes=tutorial["seconds"] / 60)
    training = sum(trial.seconds for trial in result.trials)
    recorder.curve.append((round(seconds, 2), round(found.accuracy, 4)))
    recorder.finish(
        algorithm=options.algorithm,
        trials=[record(trial) for trial in result.trials],
        stopped_by=result.stopped_by,
        overrun=round(seconds / (60 * options.minutes) - 1, 4),
        overhead=round(1 - training / (seconds * options.workers), 4),
        seed2017=tutorial,
        winner_trained_anew=retrained,
        best_blocks=list(map(repr, result.best_blocks)),
        best_recipe=repr(result.best_recipe),
    )


def trained(clf: imgclf.Classifier, data: imgclf.Dataset, **settings: Any) -> dict[str, Any]:
    """Trains, and returns seconds and test accuracy."""
    started = time.monotonic()
    clf.fit(dataclasses.replace(data, validation=None), verbose=0, **settings)
    seconds = time.monotonic() - started
    evaluation = clf.evaluate(data.test)
    return {
        "seconds": round(seconds, 2),
        "epochs": clf.recipe.epochs,
        "test_accuracy": round(evaluation.accuracy, 4),
        "test_accuracy_interval": [round(end, 4) for end in evaluation.accuracy_interval],
    }


def record(trial: Any) -> dict[str, Any]:
    return {
        "number": trial.number,
        "status": trial.status,
        "validation_accuracy": trial.score,
        "seconds": trial.seconds,
        "epochs": trial.epochs_run,
        "parameters": trial.parameters,
        "macs": trial.macs,
        "milliseconds": trial.milliseconds,
        "network": list(map(repr, trial.blocks)),
        "recipe": repr(trial.recipe),
    }


if __name__ == "__main__":
    main()
