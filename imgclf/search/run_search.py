"""`search`: tries candidates of a space one after another, and keeps the best.

This module owns the call and its arguments. `engine.oracle` proposes the candidates,
`engine.coordinator` decides what is next and records it, and `engine.trainer` trains.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from imgclf import checks
from imgclf.backend.keras_settings import check_backend
from imgclf.classifier.classifier import Classifier
from imgclf.classifier.loading import load
from imgclf.data.dataset import Dataset
from imgclf.data.free_memory import available_memory
from imgclf.errors import ArgumentError, SearchError
from imgclf.search.algorithms import ALGORITHMS, Algorithm
from imgclf.search.engine.coordinator import Coordinator
from imgclf.search.engine.deadline import Deadline
from imgclf.search.engine.fractions import check_train_fractions
from imgclf.search.engine.live_table import make_display
from imgclf.search.engine.local_workers import check_main_guard, run_on_workers
from imgclf.search.engine.oracle import Proposer
from imgclf.search.engine.remote_workers import check_address, run_chief, run_remote_worker
from imgclf.search.engine.search_folder import SearchFolder
from imgclf.search.engine.trainer import Trainer, fast_garbage_collection
from imgclf.search.results.result import SearchResult
from imgclf.search.results.trial import Trial, best_trial
from imgclf.search.space.hypermodel_space import HyperModelSpace
from imgclf.search.space.latency import LatencyModel, fit_latency_model
from imgclf.search.space.make_space import BlocksSpace, make_space
from imgclf.search.space.space import RecipeSpace, Space, recipe_options
from imgclf.search.time_check import few_networks_note
from imgclf.training.loop.options import TrainingData
from imgclf.training.loop.run_folder import RunFolder
from imgclf.typing import StrPath, Verbose

__all__ = ["run_worker", "search"]

# Trials of a search that limits neither time nor trials.
_DEFAULT_TRIALS = 20

# The fraction of the memory which is free at the start that a training may need.
_MEMORY_FRACTION = 0.8

_Measured = TypeVar("_Measured")


def search(
    data: Dataset,
    blocks: BlocksSpace = "default",
    *,
    recipe: RecipeSpace | None = None,
    algorithm: Algorithm = "bayesian",
    max_trials: int | None = None,
    minutes: float | None = None,
    epochs: int | None = None,
    train_fractions: Sequence[float] = (1.0,),
    early_stopping: bool = True,
    max_params: int | None = None,
    max_macs: int | None = None,
    max_ms: float | None = None,
    max_memory: int | str | None = None,
    max_disk: int | str | None = None,
    keep: int = 3,
    workers: int = 1,
    chief: str | None = None,
    run_dir: StrPath | None = None,
    seed: int = 0,
    verbose: Verbose = 0,
    on_trial: Callable[[Trial], None] | None = None,
) -> SearchResult:
    """Searches for the network and the recipe with the highest validation accuracy.

    A trial's score is the highest validation accuracy of all its epochs, and the weights of that
    epoch are kept. As the best of many trials on the same images, the best score is likely to be
    too high: `result.best_classifier.evaluate(data.test)` shows what to expect. The search does not
    use the test images.

    Candidates that do not fit, exceed a limit, or equal an earlier one are drawn again before any
    network is built. A trial that fails is recorded with its reason, and the search continues.

    With a `run_dir` the search can be killed at any moment. The same call resumes it: no ended
    trial is lost or run again, and a running one resumes from its last checkpoint. With one worker,
    the same seed and no time limit, it proposes the same trials as a search that was never stopped.

    Args:
        data: needs `train` and `validation`.
        blocks: a list of blocks in which values or blocks are `choice`, `between`, `optional` or
            `repeat`. "default" is a space that scales with the images. Or a
            `keras_tuner.HyperModel`, or a function `build(hp)` that returns a Keras model.
        recipe: how to train; its fields, and those of its augmentation, may be choices. Or a
            `choice` of recipes. By default, optimiser, learning rate, label smoothing and
            augmentation are searched with few epochs a trial; `Recipe()` keeps them fixed, and is
            the default of a hypermodel.
        algorithm: "bayesian" begins with the middle of the space and learns from earlier trials;
            "random" draws each trial; "hyperband" trains many candidates for few epochs and the
            better ones again for more, up to the recipe's.
        max_trials: number of trials, those of a resumed run included. By default 20, or as many as
            there is time for.
        minutes: time limit of this call. If it is too short for three networks, a warning says so
            before the search begins. A trial that would not end in time gets fewer epochs, but
            at least half of them, and its recipe says so; or it does not begin. When the time is
            over, training stops at the next batch: the trial is "timed_out", and the next call
            with the same `run_dir` resumes it.
        epochs: of each trial; those of the recipe by default.
        train_fractions: fractions of the training images, rising to 1. With (0.2, 1.0) each
            candidate is trained on a fifth, and of every three the best one again on all. The
            algorithm learns from the first fraction alone.
        early_stopping: stops a trial if, after an epoch, the upper end of its accuracy's 95%
            interval is below the median that earlier trials had reached by then.
        max_params: limit of a network's parameters.
        max_macs: limit of the multiply-adds for an image.
        max_ms: limit of the milliseconds for an image on this processor, as estimated before the
            network is built; the trial has the measured time.
        max_memory: limit of the memory of a training, as estimated, in bytes or as "2 GB"; by
            default most of what is free at the start.
        max_disk: limit of the size of `run_dir`, in bytes or as "2 GB". The worse of the kept
            models are removed first, then there are no checkpoints.
        keep: number of best trials of which the models stay in `run_dir`.
        workers: number of processes that train at the same time on this machine. A script with
            more than one needs `if __name__ == "__main__":`.
        chief: HOST:PORT at which this call hands out the trials to other machines, instead of
            training itself; they call `imgclf.search.run_worker`. Needs a `run_dir` that all of
            them can reach.
        run_dir: a folder for `journal.jsonl`, a line for each trial, and `best.keras`. The same
            call again resumes after the last recorded trial.
        seed: of the draws. The recipe's seed decides weights and order.
        verbose: 0 is silent, 1 or "auto" a live table on a terminal and a line for each trial
            elsewhere, 2 always a line for each trial.
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
    check_main_guard()
    deadline = Deadline(
        None if minutes is None else checks.number("minutes", minutes, low=0, above=True)
    )
    check_backend()
    space = make_space(
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
    checks.callback("on_trial", on_trial, "a Trial")
    if max_trials is not None:
        checks.integer("max_trials", max_trials, low=1)
    elif minutes is None:
        max_trials = _DEFAULT_TRIALS
    if chief is not None:
        check_address("chief", chief)
        if run_dir is None:
            raise ArgumentError("`chief` needs a `run_dir` that its workers can reach, too.")
    fractions = check_train_fractions(train_fractions)
    most_epochs = _most_epochs(space.recipe, algorithm)
    disk = None if max_disk is None else checks.byte_size("max_disk", max_disk)
    with contextlib.ExitStack() as stack:
        folder = None
        if run_dir is not None:
            claimed = RunFolder(run_dir)
            stack.enter_context(claimed.lock())
            config = _config(space, data, algorithm, seed, fractions, early_stopping)
            claimed.claim(config, TrainingData.of(data))
            folder = SearchFolder(claimed.path, keep, disk)
        elif workers > 1:  # they return their models as files
            temporary = stack.enter_context(tempfile.TemporaryDirectory())
            folder = SearchFolder(Path(temporary), 1, disk)
        space = _measured(space, folder)
        coordinator = Coordinator(
            Proposer(algorithm, space, max_trials, seed, most_epochs),
            folder,
            deadline,
            max_trials,
            fractions,
            early_stopping,
            stack.enter_context(make_display(verbose, on_trial)),
        )
        best = _run(coordinator, data, folder, workers, chief, verbose)
        if run_dir is None and folder is not None and folder.best.exists():
            best = load(folder.best)
        return _result(coordinator, best, folder if run_dir is not None else None, data.code)


def run_worker(
    chief: str,
    data: Dataset,
    blocks: BlocksSpace = "default",
    *,
    run_dir: StrPath,
    recipe: RecipeSpace | None = None,
    epochs: int | None = None,
) -> int:
    """Trains for a search that runs on another machine, until it is over.

    Args:
        chief: HOST:PORT, as given to the chief.
        data: the same as the chief's.
        blocks: the same as the chief's.
        run_dir: the chief's folder, by its path on this machine.
        recipe: the same as the chief's.
        epochs: the same as the chief's.

    Returns:
        Number of trials run here.

    Raises:
        SearchError: if the chief cannot be reached, or searches another space.
    """
    space = make_space(data, blocks, recipe, epochs)
    folder = SearchFolder(checks.existing_path("run_dir", run_dir), keep=1)
    trainer = Trainer(data, folder, _hypermodel_space(space))
    with fast_garbage_collection():
        return run_remote_worker(space, trainer, check_address("chief", chief))


def _hypermodel_space(space: Space | HyperModelSpace) -> HyperModelSpace | None:
    return space if isinstance(space, HyperModelSpace) else None


def _run(
    coordinator: Coordinator,
    data: Dataset,
    folder: SearchFolder | None,
    workers: int,
    chief: str | None,
    verbose: Verbose,
) -> Classifier | None:
    """Runs the trials; returns the best classifier if there is no folder to keep it."""
    if chief is not None:
        run_chief(coordinator, chief)
        return None
    hypermodel_space = _hypermodel_space(coordinator.proposer.space)
    trainer = functools.cache(lambda: Trainer(data, folder, hypermodel_space))
    note = few_networks_note(
        coordinator, len(data.train), lambda job: trainer().measure_seconds(job)
    )
    if note is not None and verbose == 0:
        warnings.warn(note, stacklevel=3)
    elif note is not None:
        coordinator.display.note(note)
    if workers > 1 and folder is not None:
        run_on_workers(coordinator, data, folder, workers, hypermodel_space)
        return None
    with fast_garbage_collection():
        return _run_here(coordinator, trainer())


def _run_here(coordinator: Coordinator, trainer: Trainer) -> Classifier | None:
    """Trains in this process; returns the best classifier if there is no folder to keep it."""
    best = None
    while job := coordinator.next_job():
        trial = trainer.run(
            job,
            deadline=coordinator.deadline.end,
            keep_above=coordinator.keep_above(),
            needs_score=not coordinator.has_score(),
            on_epoch=functools.partial(coordinator.begin_epoch, job.number),
        )
        coordinator.finish(trial)
        trials = [*coordinator.trials, *coordinator.timed_out]
        if trainer.folder is None and trial.score is not None and best_trial(trials) is trial:
            best = trainer.classifier
    return best


def _result(
    coordinator: Coordinator,
    best: Classifier | None,
    folder: SearchFolder | None,
    data_code: str | None,
) -> SearchResult:
    trials = [*coordinator.trials, *coordinator.timed_out]
    trials.sort(key=lambda trial: trial.number)
    if not any(trial.score is not None for trial in trials):
        if coordinator.trials:
            if len(trials) == 1:
                raise SearchError(f"The only trial failed: {trials[0].reason}")
            raise SearchError(f"All {len(trials)} trials failed. The last: {trials[-1].reason}")
        if coordinator.stopped_by == "minutes":
            raise SearchError("The time was over before the first trial had trained on a batch.")
        reason = coordinator.proposer.refused.rstrip(".")
        raise SearchError(f"No candidate of the space can be used. The last: {reason}.")
    if folder is not None:
        folder.prune(trials)
        trials = [
            dataclasses.replace(trial, weights=folder.kept_model(trial.number)) for trial in trials
        ]
    found = best or (folder.best if folder is not None else None)
    assert found is not None  # noqa: S101  # a trial with a score has a classifier, or a file
    return SearchResult(
        tuple(trials),
        coordinator.stopped_by or "max_trials",
        found,
        run_dir=None if folder is None else folder.path,
        space=_hypermodel_space(coordinator.proposer.space),
        data=data_code,
    )


def _most_epochs(recipe: RecipeSpace, algorithm: str) -> int:
    """Returns the epochs that Hyperband divides; other algorithms ignore them."""
    epochs = [each.epochs for each in recipe_options(recipe)]
    if algorithm == "hyperband" and (not isinstance(epochs[0], int) or len(set(epochs)) > 1):
        received = epochs[0] if len(set(epochs)) == 1 else epochs
        raise ArgumentError(
            '`epochs` must be an int if the algorithm is "hyperband", which varies them '
            f"itself. {checks.received('epochs', received)}"
        )
    return epochs[0]


def _config(
    space: Space | HyperModelSpace,
    data: Dataset,
    algorithm: str,
    seed: int,
    train_fractions: tuple[float, ...],
    early_stopping: bool,
) -> dict[str, Any]:
    """Returns what identifies a search; its time and number of trials may change between calls."""
    assert data.validation is not None  # noqa: S101  # checked by make_space
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
    """Returns the space with the limits of this machine; a resumed search keeps its first ones."""

    def recall(name: str, measure: Callable[[], _Measured]) -> _Measured:
        return measure() if folder is None else folder.measured_once(name, measure)

    if isinstance(space, HyperModelSpace):
        return space
    if space.max_memory is None:
        memory = recall("available_memory", available_memory)
        limit = None if memory is None else max(1, int(_MEMORY_FRACTION * memory))
        space = dataclasses.replace(space, max_memory=limit)
    if space.max_ms is not None:
        recipe = recipe_options(space.recipe)[0]
        coefficients = recall(
            "milliseconds", lambda: dataclasses.asdict(fit_latency_model(space.image_shape, recipe))
        )
        space = dataclasses.replace(space, latency_model=LatencyModel(**coefficients))
    return space
