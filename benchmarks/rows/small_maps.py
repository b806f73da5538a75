"""A preset's training step with and without `imgclf.training.speed.small_maps`, alternating.

Both are the bare step of `throughput.py` on one constant batch at full size, in one process. Each
round runs `--steps` steps of both and takes their medians; the ratio is that of the two in a round.
"""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable
from typing import Any

from rate import seconds_of
from recorder import Recorder, arguments
from rows.throughput import what_fit_trains

import imgclf
from imgclf.training.loop import training


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("preset")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--steps", type=int, default=5, help="of each, per round")
    options = parser.parse_args()
    recorder = Recorder(options)
    data = imgclf.load_cifar10(archive=options.archive, validation=None)
    ways = {
        "tensorflow": step_of(options, data, lambda _: contextlib.nullcontext()),
        "products": step_of(options, data, training.small_map_gradients),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name, (step, batch_size) in ways.items():
            seconds = statistics.median(seconds_of(step) for _ in range(options.steps))
            rates[name].append(round(batch_size / seconds, 1))
    recorder.write(rounds=rates)


def step_of(options: Any, data: imgclf.Dataset, context: Any) -> tuple[Callable[[], Any], int]:
    """The step that `fit` would take with this in place of `small_map_gradients`; its batch."""
    ours, training.small_map_gradients = training.small_map_gradients, context
    try:
        clf = imgclf.Classifier.from_preset(
            options.preset, data, seed=options.seed, progressive_size=1.0
        )
        _, step = what_fit_trains(clf, data)
    finally:
        training.small_map_gradients = ours
    step()  # once more before timing
    return step, clf.recipe.batch_size


if __name__ == "__main__":
    main()
