"""`search`: tries candidates of a space one after another, and keeps the best.

What this module owns is the call and its arguments. keras-tuner's oracles propose the candidates
(`oracle`), `coordinator` decides what is next and writes it down, and `train_trial` trains.
"""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from imgclf import checks
from imgclf.classifier.classifier import Classifier
from imgclf.classifier.loading import load
from imgclf.data.dataset import Dataset
from imgclf.data.free_memory import available_memory
from imgclf.errors import ArgumentError, SearchError
from imgclf.search.engine.coordinator import Coordinator
from imgclf.search.engine.deadline import Clock
from imgclf.search.engine.fractions import check_train_fractions
from imgclf.search.engine.live_table import make_display
from imgclf.search.engine.local_workers import run_on_workers
from imgclf.search.engine.oracle import ALGORITHMS, Proposer
from imgclf.search.engine.remote_workers import be_chief, be_worker, check_address
from imgclf.search.engine.search_folder import SearchFolder
from imgclf.search.engine.trainer import Trainer, forgetting_fast
from imgclf.search.results.result import SearchResult, Trial, best_of
from imgclf.search.space.given_space import given_space
from imgclf.search.space.hypermodel_space import HyperModelSpace
from imgclf.search.space.latency import Speed, measure_speed
from imgclf.search.space.space import Space, each_recipe
from imgclf.training.loop.run_folder import RunFolder

__all__ = ["run_worker", "search"]

# Trials of a search that has a limit neither of time nor of their number.
_TRIALS = 20

# The part of the memory which is free at the start that a training may need.
_MEMORY_PART = 0.8


def search(
    data: Dataset,
    blocks: Any = "default",
    *,
    recipe: Any = None,
    algorithm: str = "bayesian",
    max_trials: int | None = None,
    minutes: float | None = None,
    epochs: int | None = None,
    train_fractions: Any = (1.0,),
    early_stopping: bool = True,
    max_params: int | None = None,
    max_macs: int | None = None,
    max_ms: float | None = None,
    max_memory: Any = None,
    max_disk: Any = None,
    keep: int = 3,
    workers: int = 1,
    chief: str | None = None,
    run_dir: Any = None,
    seed: int = 0,
    verbose: Any = 0,
    on_trial: Callable[[Trial], None] | None = None,
) -> SearchResult:
    """Searches for the network and the recipe with the highest validation accuracy.

    A trial's score is the highest validation accuracy of all its epochs, and the weights of that
    epoch are kept. Being the best of many looks at the same images, it is too high as a forecast:
    `result.best_classifier.evaluate(data.test)` tells what to expect. The test images are never
    looked at here.

    Candidates that cannot fit, exceed a limit, or equal one already tried are drawn anew before any
    network is built. A trial that fails is recorded with its reason, and the search goes on.

    With a `run_dir` the search can be killed at any moment: the same call goes on, no trial that
    was over is lost or run again, and one that was running goes on from its last checkpoint. By
    one worker and with the same seed it proposes the same trials as a search that was never
    stopped, as long as no time limits it.

    Args:
        data: needs `train` and `validation`.
        blocks: a list of blocks in which values or blocks are `choice`, `between`, `optional` or
            `repeat`; or "default" for a space that scales with the images. Or anyone's
            `keras_tuner.HyperModel`, or a function `build(hp)` that gives a Keras model.
        recipe: how to train; its fields, and those of its augmentation, may be choices. Or a
            `choice` of recipes. If left out, optimiser, learning rate, label smoothing and
            augmentation are searched, with few epochs a trial; `Recipe()` keeps them fixed, and is
            what a hypermodel has if it is left out.
        algorithm: "bayesian" begins with the middle of the space and learns from the trials
            before; "random"; "hyperband" trains many candidates for few epochs and the better ones
            anew for more, up to the recipe's.
        max_trials: how many trials at most, those of a resumed run included. If left out, 20, or
            as many as there is time for.
        minutes: how long this call may take; None for no limit. A trial that would not end in time
            gets fewer epochs, down to half of them, as its recipe then says; or is not begun.
            Training stops at the next batch when the time is over: such a trial is "cut", and
            goes on in the next call with the same `run_dir`.
        epochs: of each trial; the recipe's if left out.
        train_fractions: of the training images, rising to 1. With (0.2, 1.0) each candidate is
            trained on a fifth, and of every three the best one anew on all. The algorithm learns
            from the first fraction alone.
        early_stopping: give a trial up when, after an epoch, the upper end of its accuracy's 95%
            interval is below the median of what the trials before had by then.
        max_params: the most numbers that a network may hold.
        max_macs: the most multiply-adds that an image may cost.
        max_ms: the most milliseconds that an image may take on this processor, by an estimate
            made before the network is; the trial has what was measured.
        max_memory: the most memory that a training may need by an estimate, in bytes or as "2 GB";
            most of what is free at the start if left out.
        max_disk: the most that `run_dir` may take, in bytes or as "2 GB". Of the models kept the
            worse ones give way first, then checkpoints.
        keep: of so many trials, the best ones, the models stay in `run_dir`.
        workers: processes that train at the same time on this machine. A script that asks for more
            than one needs `if __name__ == "__main__":` around what it does.
        chief: HOST:PORT at which this call hands out the trials to workers on other machines, in
            place of training itself; `imgclf.search.run_worker` is what they call. Needs a
            `run_dir` that all of them can reach.
        run_dir: a folder for `journal.jsonl`, a line a trial, and `best.keras`. The same call again
            goes on after the last recorded trial.
        seed: of the draws. The recipe's seed decides weights and order.
        verbose: 0 is silent, 1 or "auto" a live table on a terminal and a line a trial elsewhere,
            2 always a line a trial.
        on_trial: called with each new `Trial` when it has ended.

    Returns:
        A `SearchResult`.

    Raises:
        SearchError: if no trial could be run.
        RunFolderError: if the folder holds another search, or is in use.
        ArgumentError: if there is nothing to search, or an argument cannot be used.

    Example:
        >>> import imgclf
        >>> from imgclf import Recipe, choice, conv_maxpool, flatten
        >>> data = imgclf.load_digits()
        >>> space = [conv_maxpool(choice(4, 8)), flatten()]
        >>> result = imgclf.search(data, space, recipe=Recipe(epochs=1), max_trials=2)
        >>> sorted(trial.blocks[0].filters for trial in result.trials)
        [4, 8]
    """
    clock = Clock(None if minutes is None else checks.number("minutes", minutes, low=0, above=True))
    space = given_space(
        data,
        blocks,
        recipe,
        epochs,
        max_params=max_params,
        max_macs=max_macs,
        max_ms=max_ms,
        max_memory=None if max_memory is None else checks.byte_size("max_memory", max_memory),
    )
    checks.one_of("algorithm", algorithm, ALGORITHMS)
    checks.integer("seed", seed, low=0)
    checks.integer("keep", keep, low=1)
    checks.integer("workers", workers, low=1)
    checks.flag("early_stopping", early_stopping)
    checks.one_of("verbose", verbose, ["auto", 0, 1, 2])
    if max_trials is not None:
        checks.integer("max_trials", max_trials, low=1)
    elif minutes is None:
        max_trials = _TRIALS
    if chief is not None:
        check_address("chief", chief)
        if run_dir is None:
            raise ArgumentError("`chief` needs a `run_dir` that its workers can reach, too.")
    train_fractions = check_train_fractions(train_fractions)
    most_epochs = _most_epochs(space.recipe, algorithm)
    disk = None if max_disk is None else checks.byte_size("max_disk", max_disk)
    foreign = _foreign(space)
    with contextlib.ExitStack() as stack:
        folder = None
        if run_dir is not None:
            claimed = RunFolder(run_dir)
            stack.enter_context(claimed.lock())
            claimed.claim(_config(space, data, algorithm, seed, train_fractions, early_stopping))
            folder = SearchFolder(claimed.path, keep, disk)
        elif workers > 1:  # they hand over their models by files
            place = stack.enter_context(tempfile.TemporaryDirectory())
            folder = SearchFolder(Path(place), 1, disk)
        space = _measured(space, folder)
        coordinator = Coordinator(
            Proposer(algorithm, space, max_trials, seed, most_epochs),
            folder,
            clock,
            max_trials,
            train_fractions,
            early_stopping,
            stack.enter_context(make_display(verbose, on_trial)),
        )
        best = None
        if chief is not None:
            be_chief(coordinator, chief)
        elif workers > 1 and folder is not None:
            run_on_workers(coordinator, data, folder, workers, foreign)
        else:
            with forgetting_fast():
                best = _run_here(coordinator, Trainer(data, folder, foreign))
        if run_dir is None and folder is not None and folder.best.exists():
            best = load(folder.best)
        return _result(coordinator, best, folder if run_dir is not None else None)


def run_worker(
    chief: str,
    data: Dataset,
    blocks: Any = "default",
    *,
    run_dir: Any,
    recipe: Any = None,
    epochs: int | None = None,
) -> int:
    """Trains for a search that runs on another machine, until it is over.

    Args:
        chief: HOST:PORT, as the chief was given it.
        data: the same as the chief's.
        blocks: the same.
        run_dir: the chief's folder, by the path that it has here.
        recipe: the same.
        epochs: the same.

    Returns:
        How many trials were run here.

    Raises:
        SearchError: if the chief cannot be reached, or searches another space.
    """
    space = given_space(data, blocks, recipe, epochs)
    folder = SearchFolder(checks.existing_path("run_dir", run_dir), keep=1)
    trainer = Trainer(data, folder, _foreign(space))
    with forgetting_fast():
        return be_worker(space, trainer, check_address("chief", chief))


def _foreign(space: Space | HyperModelSpace) -> HyperModelSpace | None:
    """The space if its networks are built by anyone's code."""
    return space if isinstance(space, HyperModelSpace) else None


def _run_here(coordinator: Coordinator, trainer: Trainer) -> Classifier | None:
    """Trains in this process; gives the best classifier where there is no folder to keep it."""
    best = None
    while job := coordinator.next_job():
        trial = trainer.run(
            job,
            deadline=coordinator.clock.deadline,
            worth=coordinator.worth(),
            alone=not coordinator.has_score(),
        )
        coordinator.finish(trial)
        everyone = [*coordinator.trials, *coordinator.cut]
        if trainer.folder is None and trial.score is not None and best_of(everyone) is trial:
            best = trainer.classifier
    return best


def _result(
    coordinator: Coordinator, best: Classifier | None, folder: SearchFolder | None
) -> SearchResult:
    trials = sorted([*coordinator.trials, *coordinator.cut], key=lambda trial: trial.number)
    if not any(trial.score is not None for trial in trials):
        stopped_by = coordinator.stopped_by
        if coordinator.trials:
            raise SearchError(f"All {len(trials)} trials failed. The last: {trials[-1].reason}")
        if stopped_by == "minutes":
            raise SearchError("The time was over before the first trial had seen a batch.")
        raise SearchError(
            f"No candidate of the space can be used. The last: {coordinator.proposer.refused}."
        )
    if folder is not None:
        folder.settle(trials)
        trials = [
            dataclasses.replace(trial, weights=folder.weights_of(trial.number)) for trial in trials
        ]
    found = best or (folder.best if folder is not None else None)
    assert found is not None  # noqa: S101  # a score has a classifier, or a file
    return SearchResult(
        tuple(trials),
        coordinator.stopped_by or "max_trials",
        found,
        run_dir=None if folder is None else folder.path,
        space=_foreign(coordinator.proposer.space),
    )


def _most_epochs(recipe: Any, algorithm: str) -> int:
    """What Hyperband divides; the others leave it alone."""
    epochs = [each.epochs for each in each_recipe(recipe)]
    if algorithm == "hyperband" and (not isinstance(epochs[0], int) or len(set(epochs)) > 1):
        received = epochs[0] if len(set(epochs)) == 1 else epochs
        raise ArgumentError(
            '`epochs` must be an int where the algorithm is "hyperband", which varies them '
            f"itself. {checks.received('epochs', received)}"
        )
    return epochs[0]


def _config(
    space: Space | HyperModelSpace,
    data: Dataset,
    algorithm: str,
    seed: int,
    train_fractions: tuple[float, ...],
    early_stopping: bool,  # one of many settings
) -> dict[str, Any]:
    """What makes a search this search; budget and number of trials may change from call to call."""
    assert data.validation is not None  # noqa: S101  # given_space has checked it
    return {
        "search": {
            **space.settings(),
            "algorithm": algorithm,
            "seed": seed,
            "train_fractions": list(train_fractions),
            "early_stopping": early_stopping,
            "max_params": space.max_params,
            "max_macs": space.max_macs,
            "max_ms": space.max_ms,
            "max_memory": space.max_memory,
            "image_shape": list(space.image_shape),
            "class_names": list(data.class_names),
            "train": data.train.fingerprint(),
            "validation": data.validation.fingerprint(),
        }
    }


def _measured(
    space: Space | HyperModelSpace, folder: SearchFolder | None
) -> Space | HyperModelSpace:
    """The space with limits of this machine; a search that goes on keeps those it began with."""

    def recall(name: str, measure: Callable[[], Any]) -> Any:
        return measure() if folder is None else folder.remembered(name, measure)

    if isinstance(space, HyperModelSpace):
        return space
    if space.max_memory is None:
        memory = recall("available_memory", available_memory)
        limit = None if memory is None else max(1, int(_MEMORY_PART * memory))
        space = dataclasses.replace(space, max_memory=limit)
    if space.max_ms is not None:
        recipe = each_recipe(space.recipe)[0]
        speed = recall(
            "milliseconds", lambda: dataclasses.asdict(measure_speed(space.image_shape, recipe))
        )
        space = dataclasses.replace(space, speed=Speed(**speed))
    return space
