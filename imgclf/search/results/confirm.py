"""`confirm`: trains the best networks of a search again, with seeds that the search did not use.

Each training that ends is a line of the journal, with the images that it classified correctly; one
that was killed resumes from its own run folder.

confirm/
  config.json      the networks, the seeds and the data: another confirmation is refused
  confirm.jsonl    a line for each training
  runs/            a folder for each training that is running
  trial-4-1.keras  the trained networks
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import math
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from imgclf import checks
from imgclf.classifier.classifier import Classifier
from imgclf.classifier.loading import load
from imgclf.classifier.predicting import image_settings
from imgclf.data.dataset import Dataset, check_dataset
from imgclf.errors import ArgumentError, ArgumentTypeError, ImgclfError, RunFolderError, SearchError
from imgclf.files.journal import Journal
from imgclf.files.stored_json import (
    STORED_ERRORS,
    Check,
    check_record,
    number,
    optional,
    show_error,
    text,
    whole,
)
from imgclf.search.results.confirm_baselines import make_baseline
from imgclf.search.results.confirmation import Confirmation, RetrainedNetwork, Run
from imgclf.search.results.significance import compare_all
from imgclf.search.results.trial import Trial
from imgclf.search.space.hypermodel_space import HyperModelSpace
from imgclf.training.loop.options import TrainingData
from imgclf.training.loop.run_folder import RunFolder
from imgclf.typing import StrPath, Verbose

__all__ = ["confirm", "finalists"]


@dataclasses.dataclass(frozen=True)
class _Entrant:
    """A network that is to be trained.

    Args:
        name: such as "trial 4" or "seed2017".
        make: makes its classifier for a seed.
        identity: plain values that distinguish it from other networks.
        trial_number: None for a baseline.
    """

    name: str
    make: Callable[[int], Classifier]
    identity: Any
    trial_number: int | None = None


def confirm(
    ranked: Sequence[Trial],
    data: Dataset,
    space: HyperModelSpace | None,
    *,
    top: int,
    seeds: int,
    baselines: Sequence[str],
    seconds: float | None,
    run_dir: StrPath | None,
    verbose: Verbose,
    on_run: Callable[[Run], None] | None,
) -> Confirmation:
    """Does what `SearchResult.confirm` describes.

    Args:
        ranked: the trials, the best first.
        data: that was searched with.
        space: builds networks that have no blocks.
        top: number of networks.
        seeds: number of trainings of each.
        baselines: names of presets, or "default".
        seconds: of each training; None for the epochs of its recipe.
        run_dir: where trainings are kept; None to keep nothing.
        verbose: as in `fit`.
        on_run: called after each training.
    """
    _check(data, top, seeds, baselines, seconds, verbose)
    checks.callback("on_run", on_run, "a Run")
    entrants = [
        *_best_entrants(ranked, data, space, top),
        *(_baseline_entrant(name, data) for name in dict.fromkeys(baselines)),
    ]
    used = {trial.recipe.seed for trial in ranked}
    fresh = list(itertools.islice((seed for seed in itertools.count(1) if seed not in used), seeds))
    with contextlib.ExitStack() as stack:
        folder = None
        if run_dir is not None:
            folder = RunFolder(run_dir)
            stack.enter_context(folder.lock())
            folder.claim(_config(entrants, fresh, data, seconds), TrainingData.of(data))
        runner = _Runner(data, seconds, None if folder is None else folder.path, verbose, on_run)
        networks = [runner.train_all(entrant, fresh) for entrant in entrants]
    return _confirmation(networks, runner, data, seconds)


def _check(data: Any, top: Any, seeds: Any, baselines: Any, seconds: Any, verbose: Any) -> None:
    check_dataset(data)
    if data.validation is None or not len(data.validation):
        raise ArgumentError(
            "`data` must have validation images: networks are evaluated on them. "
            "Received: data.validation=None."
        )
    checks.integer("top", top, low=1)
    checks.integer("seeds", seeds, low=2)
    checks.one_of("verbose", verbose, ["auto", 0, 1, 2])
    if seconds is not None:
        checks.number("seconds", seconds, low=0, above=True)
    if isinstance(baselines, str) or not isinstance(baselines, Sequence):
        raise ArgumentTypeError(
            "`baselines` must be a list of names, such as ['default']. "
            + checks.received("baselines", baselines)
        )


def finalists(ranked: Sequence[Trial], top: int) -> list[Trial]:
    """Returns the best trials; one network trained for different numbers of epochs counts once.

    Args:
        ranked: the best first.
        top: number of trials.
    """
    found: dict[str, Trial] = {}
    for trial in ranked:
        if trial.score is not None:
            found.setdefault(json.dumps(_network_identity(trial), sort_keys=True), trial)
    return list(found.values())[:top]


def _network_identity(trial: Trial) -> list[Any]:
    """Returns what all trials of one network share, whatever their epochs."""
    blocks = [block.to_dict() for block in trial.blocks]
    return [
        blocks or trial.searched_hyperparameters,
        trial.recipe.replace(epochs=1).to_dict(),
    ]


def _best_entrants(
    ranked: Sequence[Trial], data: Dataset, space: HyperModelSpace | None, top: int
) -> list[_Entrant]:
    return [
        _Entrant(
            f"trial {trial.number}",
            _maker(trial, data, space),
            [json.loads(json.dumps(_network_identity(trial))), trial.recipe.epochs],
            trial.number,
        )
        for trial in finalists(ranked, top)
    ]


def _maker(
    trial: Trial, data: Dataset, space: HyperModelSpace | None
) -> Callable[[int], Classifier]:
    def make(seed: int) -> Classifier:
        recipe = trial.recipe.replace(seed=seed)
        if trial.blocks:
            return Classifier.from_blocks(list(trial.blocks), data, recipe)
        if space is None:
            raise SearchError(
                f"Trial {trial.number} has no blocks: its network cannot be built again without "
                "the hypermodel. Run the search again with its run_dir."
            )
        model = space.build(trial.hyperparameters, recipe)
        return Classifier(model, data.class_names, recipe=recipe, **image_settings(data))

    return make


def _baseline_entrant(name: str, data: Dataset) -> _Entrant:
    make, recipe = make_baseline(name, data)
    return _Entrant(name, make, [name, recipe.to_dict()])


def _config(
    entrants: list[_Entrant], seeds: list[int], data: Dataset, seconds: float | None
) -> dict[str, Any]:
    assert data.validation is not None  # noqa: S101  # checked by _check
    return {
        "confirm": {
            "networks": {entrant.name: entrant.identity for entrant in entrants},
            "seeds": seeds,
            "seconds": seconds,
            "class_names": list(data.class_names),
            "train": data.train.fingerprint(),
            "validation": data.validation.fingerprint(),
        }
    }


# What a line of the journal may hold.
_STORED: dict[str, Check] = {
    "network": text(1_000),
    "seed": whole(0, 2**63),
    "accuracy": optional(number(0, 1)),
    "seconds": number(0, 1e9),
    "parameters": whole(0, 2**53),
    "epochs": whole(0, 10**9),
    "correct": text(4 * 2**20),
    "reason": optional(text(100_000)),
}


class _Training(NamedTuple):
    run: Run
    parameters: int


class _Runner:
    """Runs the trainings that are not in the journal yet."""

    def __init__(
        self,
        data: Dataset,
        seconds: float | None,
        folder: Path | None,
        verbose: Verbose,
        on_run: Callable[[Run], None] | None,
    ) -> None:
        self.data = data
        self.seconds = seconds
        self.folder = folder
        self.verbose = verbose
        self.on_run = on_run
        self.journal = None if folder is None else Journal(folder / "confirm.jsonl")
        self.known: dict[tuple[str, int], _Training] = {}
        for record in [] if self.journal is None else self.journal.read():
            training = _read_training(record, len(data.validation or ()))
            self.known[training.run.network, training.run.seed] = training
        # The best training of each network, if no folder keeps them.
        self.models: dict[str, tuple[float, Classifier]] = {}

    def train_all(self, entrant: _Entrant, seeds: list[int]) -> RetrainedNetwork:
        trainings = [self._train_once(entrant, seed) for seed in seeds]
        return RetrainedNetwork(
            entrant.name,
            tuple(training.run for training in trainings),
            entrant.trial_number,
            max(training.parameters for training in trainings),
        )

    def _train_once(self, entrant: _Entrant, seed: int) -> _Training:
        if (entrant.name, seed) in self.known:
            return self.known[entrant.name, seed]
        started = time.monotonic()
        accuracy, correct, reason, parameters, epochs = None, "", None, 0, 0
        try:
            clf = entrant.make(seed)
            parameters = clf.model.count_params()
            right = self._fit(clf, self._run_folder(entrant.name, seed))
            accuracy, correct = float(right.mean()), np.packbits(right).tobytes().hex()
            epochs = (clf.trained_recipe or clf.recipe).epochs
            self._keep(entrant.name, seed, accuracy, clf)
        except RunFolderError:
            raise
        except (ImgclfError, ValueError, MemoryError) as error:
            reason = f"{type(error).__name__}: {error}"
        seconds = round(time.monotonic() - started, 3)
        run = Run(entrant.name, seed, accuracy, seconds, epochs, correct, reason)
        if self.journal is not None:
            self.journal.append({**dataclasses.asdict(run), "parameters": parameters})
            shutil.rmtree(self._run_folder(entrant.name, seed) or "", ignore_errors=True)
        if self.on_run is not None:
            self.on_run(run)
        return _Training(run, parameters)

    def _fit(self, clf: Classifier, run_dir: Path | None) -> np.ndarray:
        """Trains, and returns which validation images are then classified correctly."""
        validation = self.data.validation
        assert validation is not None  # noqa: S101  # checked by _check
        clf.fit(
            self.data,
            minutes=None if self.seconds is None else self.seconds / 60,
            run_dir=run_dir,
            verbose=self.verbose,
        )
        right: np.ndarray = clf.predict_proba(validation).argmax(axis=1) == validation.labels
        return right

    def _run_folder(self, name: str, seed: int) -> Path | None:
        return None if self.folder is None else self.folder / "runs" / _file_name(name, seed)

    def _keep(self, name: str, seed: int, accuracy: float, clf: Classifier) -> None:
        if self.folder is not None:
            clf.save(self.folder / f"{_file_name(name, seed)}.keras")
        elif name not in self.models or accuracy > self.models[name][0]:
            self.models[name] = accuracy, clf

    def best_classifier(self, network: RetrainedNetwork) -> Classifier:
        if self.folder is None:
            return self.models[network.name][1]
        best = max(network.runs, key=lambda run: -1.0 if run.accuracy is None else run.accuracy)
        return load(self.folder / f"{_file_name(network.name, best.seed)}.keras")


def _file_name(name: str, seed: int) -> str:
    return f"{name.replace(' ', '-')}-{seed}"


def _read_training(record: dict[str, Any], num_validation: int) -> _Training:
    try:
        check_record(record, _STORED, tuple(_STORED)[:5])
        run = Run(**{name: value for name, value in record.items() if name != "parameters"})
        digits = 2 * math.ceil(num_validation / 8)
        if run.accuracy is not None and len(bytes.fromhex(run.correct)) * 2 != digits:
            raise ValueError(f"'correct' must have {digits} digits, not {len(run.correct)}")
        return _Training(run, record["parameters"])
    except STORED_ERRORS as error:
        raise RunFolderError(
            f"The record of a training cannot be read ({type(error).__name__}: "
            f"{show_error(error)}). Use another run_dir."
        ) from error


def _confirmation(
    networks: list[RetrainedNetwork], runner: _Runner, data: Dataset, seconds: float | None
) -> Confirmation:
    assert data.validation is not None  # noqa: S101  # checked by _check
    searched = [network for network in networks if not network.is_baseline]
    searched.sort(key=lambda network: (len(network.accuracies) < 2, -(network.mean or 0.0)))
    first = searched[0]
    if len(first.accuracies) < 2:
        reasons = [run.reason for run in first.runs if run.reason]
        raise SearchError(f"No network could be trained twice. The last: {reasons[-1]}")
    ordered = (*searched, *(network for network in networks if network.is_baseline))
    others = [network for network in ordered[1:] if len(network.accuracies) > 1]
    num_images = len(data.validation)
    differences = compare_all(
        _correct(first, num_images), [_correct(other, num_images) for other in others]
    )
    return Confirmation(
        ordered,
        {other.name: one for other, one in zip(others, differences, strict=True)},
        num_images,
        seconds,
        lambda: runner.best_classifier(first),
    )


def _correct(network: RetrainedNetwork, num_images: int) -> np.ndarray:
    """Returns (seeds, images) booleans of the trainings that did not fail."""
    return np.array(
        [
            np.unpackbits(np.frombuffer(bytes.fromhex(run.correct), np.uint8), count=num_images)
            for run in network.runs
            if run.accuracy is not None
        ],
        dtype=bool,
    )
