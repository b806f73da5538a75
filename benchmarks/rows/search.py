"""Does the search beat the tutorial's hand-made network at an equal number of training steps?

On one CIFAR-10 batch: the preset `seed2017` and the winner of a search of the default space, each
trained anew from three fresh seeds, same batch size and epochs. Validation accuracy is that of the
last epoch for both.
"""

from __future__ import annotations

import statistics
from typing import Any

from recorder import Recorder, arguments

import imgclf
from imgclf.search.space import default_recipe

BATCH_SIZE = 256  # the tutorial's; equal for all, so that equal epochs are equal steps
FRESH_SEEDS = (101, 102, 103)  # none of them was used in the search


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--max-macs", type=int, help="the most multiply-adds a picture may cost")
    parser.add_argument("--run-dir", help="to go on with a search that was stopped")
    options = parser.parse_args()
    recorder = Recorder(options)

    data = imgclf.load_cifar10(archive=options.archive, batches=(1,))
    if options.pictures:
        data = imgclf.Dataset(
            train=data.train[: options.pictures],
            validation=data.validation[: options.pictures],
            test=data.test[: options.pictures],
        )
    hand_made = imgclf.presets.get_preset("seed2017")
    tutorial = [
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
    winner = [
        accuracy(
            imgclf.Classifier.from_blocks(
                result.best_blocks, data, result.best_recipe.replace(seed=seed)
            ),
            data,
        )
        for seed in FRESH_SEEDS
    ]
    recorder.write(
        trials=len(result.trials),
        epochs=options.epochs,
        batch_size=BATCH_SIZE,
        steps=options.epochs * -(-len(data.train) // BATCH_SIZE),
        fresh_seeds=list(FRESH_SEEDS),
        seed2017=summary(tutorial),
        search=summary(winner),
        best_score_in_search=result.best().score,
        seed2017_blocks=list(map(repr, hand_made.blocks(data.image_shape))),
        best_blocks=list(map(repr, result.best_blocks)),
        best_recipe=repr(result.best_recipe),
    )


def accuracy(clf: imgclf.Classifier, data: imgclf.Dataset) -> float:
    """Validation accuracy after the last epoch."""
    clf.fit(data, batch_size=BATCH_SIZE, verbose=0)
    return clf.history["val_accuracy"][-1]


def summary(values: list[float]) -> dict[str, Any]:
    return {
        "mean": round(statistics.mean(values), 4),
        "spread": round(statistics.stdev(values), 4),
        "each": [round(value, 4) for value in values],
    }


if __name__ == "__main__":
    main()
