"""`confirm`: the best networks of a search trained anew, and whether the first is really better.

A training that has ended is a line of the journal, with the images that it named right; one that
was under way goes on from its own run folder.

confirm/
  config.json      the networks, the seeds and the data: another confirmation is refused
  confirm.jsonl    a line a training
  runs/            a folder for each training that is under way
  trial-4-1.keras  the networks that were trained, so that the best can be had
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imgclf import checks
from imgclf.classifier.classifier import Classifier, load, reading_of
from imgclf.data.dataset import Dataset, check_dataset
from imgclf.errors import ArgumentError, ArgumentTypeError, ImgclfError, RunFolderError, SearchError
from imgclf.search.engine.journal import Journal
from imgclf.search.results.confirm_baselines import baseline
from imgclf.search.results.significance import Difference, compare_all, mean_interval
from imgclf.training.loop.run_folder import RunFolder

if TYPE_CHECKING:
    from imgclf.search.results.result import Trial

__all__ = ["Confirmation", "Network", "Run", "confirm", "finalists"]


@dataclasses.dataclass(frozen=True)
class Run:
    """One training of one network.

    Args:
        network: its name, such as "trial 4" or "seed2017".
        seed: of its weights and the order of the images.
        accuracy: on the validation images, of the weights that the training ended with; None if
            it failed.
        seconds: how long building and training took; of a training that went on after it was
            stopped, the last part.
        epochs: that it was trained for.
        correct: which validation images were named right, eight a byte, as hexadecimal digits.
        reason: why it failed.
    """

    network: str
    seed: int
    accuracy: float | None
    seconds: float
    epochs: int
    correct: str = dataclasses.field(default="", repr=False)
    reason: str | None = None


@dataclasses.dataclass(frozen=True)
class Network:
    """One network with all its trainings.

    Args:
        name: such as "trial 4" or "seed2017".
        runs: its trainings, one a seed.
        is_baseline: whether it is not of the search.
        parameters: how many numbers it holds.
    """

    name: str
    runs: tuple[Run, ...]
    is_baseline: bool
    parameters: int

    @property
    def accuracies(self) -> list[float]:
        """Of the trainings that did not fail."""
        return [run.accuracy for run in self.runs if run.accuracy is not None]

    @property
    def mean(self) -> float | None:
        """The mean accuracy; None if all failed."""
        return float(np.mean(self.accuracies)) if self.accuracies else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95% interval of the mean, by Student's t over the seeds; None with less than two."""
        return mean_interval(self.accuracies) if len(self.accuracies) > 1 else None

    @property
    def seconds(self) -> float:
        """The mean time of a training."""
        return float(np.mean([run.seconds for run in self.runs]))


class Confirmation:
    """What the best networks reach with fresh seeds, and how they compare. `str()` is a table.

    Args:
        networks: of the search by their mean, the best first; then the baselines.
        differences: of the first from each other network of which two trainings did not fail.
        num_validation: the images that all were judged by.
        seconds: the time that each training was fitted to; None if each had its own recipe.
        classifier: gives the best classifier when it is asked for.
    """

    def __init__(
        self,
        networks: tuple[Network, ...],
        differences: dict[str, Difference],
        num_validation: int,
        seconds: float | None,
        classifier: Callable[[], Classifier],
    ) -> None:
        self.networks = networks
        self.differences = differences
        self.num_validation = num_validation
        self.seconds = seconds
        self._classifier = classifier

    @property
    def first(self) -> Network:
        """The network of the search with the highest mean."""
        return self.networks[0]

    @property
    def best_classifier(self) -> Classifier:
        """Of the first network, the training that named the most validation images right."""
        return self._classifier()

    def statements(self) -> list[str]:
        """How the first compares with each other network, in words."""
        seeds = len(self.first.accuracies)
        return [
            f"{self.first.name} is {text}" if not text.startswith("cannot") else
            f"{self.first.name} {text}"
            for name, difference in self.differences.items()
            for text in [difference.text(name, seeds)]
        ]  # fmt: skip

    def notes(self) -> list[str]:
        """What the figures stand for."""
        pace = (
            f"Epochs of each training were fitted to {self.seconds:g} seconds."
            if self.seconds is not None
            else "Each was trained by its own recipe, so the times differ."
        )
        return [
            "mean ± half of a 95% interval by Student's t over the seeds. " + pace,
            f"Judged by the same {self.num_validation:,} validation images that chose them, by "
            "the weights at the end of each training; test images were not looked at.",
            "A difference counts if it holds against the luck of the seeds (Welch's t test) and of "
            "the images (paired t test), corrected for the number of comparisons (Holm).",
        ]

    def table(self) -> list[dict[str, Any]]:
        """A plain dict a network."""
        return [
            {
                "network": network.name,
                "baseline": network.is_baseline,
                "mean": network.mean,
                "interval": network.interval,
                "accuracies": network.accuracies,
                "seeds": [run.seed for run in network.runs],
                "failed": [run.reason for run in network.runs if run.reason is not None],
                "epochs": [run.epochs for run in network.runs],
                "seconds": network.seconds,
                "parameters": network.parameters,
                "difference": None
                if network.name not in self.differences
                else dataclasses.asdict(self.differences[network.name]),
            }
            for network in self.networks
        ]

    def rows(self) -> list[tuple[str, ...]]:
        """The cells of the table, its heads first."""
        heads = ("network", "accuracy", "each training", "seconds", "epochs", "parameters")
        return [heads, *map(_cells, self.networks)]

    def __repr__(self) -> str:
        return f"Confirmation({self.first.name} {_accuracy(self.first)})"

    def __str__(self) -> str:
        rows = self.rows()
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(
                [row[0].ljust(widths[0])]
                + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            ).rstrip()
            for row in rows
        ]
        rule = "─" * (sum(widths) + 2 * len(widths) - 2)
        parts = ["\n".join([lines[0], rule, *lines[1:]]), "\n".join(self.statements())]
        return "\n\n".join([*filter(None, parts), "\n".join(self.notes())])

    def _repr_html_(self) -> str:
        from imgclf.markup import notebook
        from imgclf.search.results.search_page import confirmation_part

        return notebook(confirmation_part(self))


def _cells(network: Network) -> tuple[str, ...]:
    epochs = sorted({run.epochs for run in network.runs})
    return (
        network.name,
        _accuracy(network),
        " ".join("–" if run.accuracy is None else f"{run.accuracy:.1%}" for run in network.runs),
        f"{network.seconds:.1f}",
        " to ".join(str(count) for count in [epochs[0], *epochs[1:][-1:]]),
        f"{network.parameters:,}",
    )


def _accuracy(network: Network) -> str:
    if network.mean is None:
        return "failed"
    if network.interval is None:
        return f"{network.mean:.1%}"
    return f"{network.mean:.1%} ± {(network.interval[1] - network.mean) * 100:.1f}"


@dataclasses.dataclass(frozen=True)
class _Entrant:
    """A network that is to be trained: how it is made for a seed."""

    name: str
    make: Callable[[int], Classifier]
    identity: Any
    is_baseline: bool = False


def confirm(
    ranked: Sequence[Trial],
    data: Dataset,
    space: Any,
    *,
    top: int,
    seeds: int,
    baselines: Sequence[str],
    seconds: float | None,
    run_dir: Any,
    verbose: Any,
    on_run: Callable[[Run], None] | None,
) -> Confirmation:
    """What `SearchResult.confirm` says.

    Args:
        ranked: the trials, the best first.
        data: see there, as all that follows.
        space: a `HyperModelSpace`, or None.
        top: see there.
        seeds: see there.
        baselines: see there.
        seconds: see there.
        run_dir: see there.
        verbose: see there.
        on_run: see there.
    """
    _check(data, top, seeds, baselines, seconds, verbose)
    entrants = [
        *_best(ranked, data, space, top),
        *(_baseline(name, data) for name in dict.fromkeys(baselines)),
    ]
    used = {trial.recipe.seed for trial in ranked}
    fresh = list(itertools.islice((seed for seed in itertools.count(1) if seed not in used), seeds))
    with contextlib.ExitStack() as stack:
        folder = None
        if run_dir is not None:
            folder = RunFolder(run_dir)
            stack.enter_context(folder.lock())
            folder.claim(_config(entrants, fresh, data, seconds))
        runner = _Runner(data, seconds, None if folder is None else folder.path, verbose, on_run)
        networks = [runner.network(entrant, fresh) for entrant in entrants]
    return _confirmation(networks, runner, data, seconds)


def _check(data: Any, top: Any, seeds: Any, baselines: Any, seconds: Any, verbose: Any) -> None:
    check_dataset(data)
    if data.validation is None or not len(data.validation):
        raise ArgumentError(
            "`data` must have validation images: networks are judged by them. "
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
    """The best trials; a network that was trained for several numbers of epochs counts once.

    Args:
        ranked: the best first.
        top: how many.
    """
    found: dict[str, Trial] = {}
    for trial in ranked:
        if trial.score is not None:
            found.setdefault(json.dumps(_alike(trial), sort_keys=True), trial)
    return list(found.values())[:top]


def _alike(trial: Trial) -> list[Any]:
    """What trials of one network share, whatever their epochs."""
    blocks = [block.to_dict() for block in trial.blocks]
    # Hyperband's own values count its rounds.
    values = {name: v for name, v in trial.hyperparameters.items() if not name.startswith("tuner/")}
    return [blocks or values, trial.recipe.replace(epochs=1).to_dict()]


def _best(ranked: Sequence[Trial], data: Dataset, space: Any, top: int) -> list[_Entrant]:
    return [
        _Entrant(
            f"trial {trial.number}",
            _maker(trial, data, space),
            [json.loads(json.dumps(_alike(trial))), trial.recipe.epochs],
        )
        for trial in finalists(ranked, top)
    ]


def _maker(trial: Trial, data: Dataset, space: Any) -> Callable[[int], Classifier]:
    def make(seed: int) -> Classifier:
        recipe = trial.recipe.replace(seed=seed)
        if trial.blocks:
            return Classifier.from_blocks(list(trial.blocks), data, recipe)
        if space is None:
            raise SearchError(
                f"Trial {trial.number} has no blocks: what its hypermodel built cannot be built "
                "anew without it. Run the search again from its run_dir."
            )
        model = space.build(trial.hyperparameters, recipe)
        return Classifier(model, data.class_names, recipe=recipe, **reading_of(data))

    return make


def _baseline(name: str, data: Dataset) -> _Entrant:
    make, recipe = baseline(name, data)
    return _Entrant(name, make, [name, recipe.to_dict()], is_baseline=True)


def _config(
    entrants: list[_Entrant], seeds: list[int], data: Dataset, seconds: float | None
) -> dict[str, Any]:
    assert data.validation is not None  # noqa: S101  # _check has seen to it
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


class _Runner:
    """Trains what the journal does not know yet."""

    def __init__(
        self,
        data: Dataset,
        seconds: float | None,
        folder: Path | None,
        verbose: Any,
        on_run: Callable[[Run], None] | None,
    ) -> None:
        self.data = data
        self.seconds = seconds
        self.folder = folder
        self.verbose = verbose
        self.on_run = on_run
        self.journal = None if folder is None else Journal(folder / "confirm.jsonl")
        self.known: dict[tuple[str, int], tuple[Run, int]] = {}
        for record in [] if self.journal is None else self.journal.read():
            run, parameters = _run_from(record)
            self.known[run.network, run.seed] = run, parameters
        # The best training of each network where no folder keeps them.
        self.models: dict[str, tuple[float, Classifier]] = {}

    def network(self, entrant: _Entrant, seeds: list[int]) -> Network:
        found = [self._run(entrant, seed) for seed in seeds]
        runs = tuple(run for run, _ in found)
        return Network(entrant.name, runs, entrant.is_baseline, max(count for _, count in found))

    def _run(self, entrant: _Entrant, seed: int) -> tuple[Run, int]:
        if (entrant.name, seed) in self.known:
            return self.known[entrant.name, seed]
        started = time.monotonic()
        accuracy, correct, reason, parameters, epochs = None, "", None, 0, 0
        try:
            clf = entrant.make(seed)
            parameters = clf.model.count_params()
            right = self._train(clf, self._place(entrant.name, seed))
            accuracy, correct = float(right.mean()), np.packbits(right).tobytes().hex()
            epochs = clf.recipe.epochs
            self._keep(entrant.name, seed, accuracy, clf)
        except RunFolderError:
            raise
        except (ImgclfError, ValueError, MemoryError) as error:
            reason = f"{type(error).__name__}: {error}"
        took = round(time.monotonic() - started, 3)
        run = Run(entrant.name, seed, accuracy, took, epochs, correct, reason)
        if self.journal is not None:
            self.journal.append({**dataclasses.asdict(run), "parameters": parameters})
            shutil.rmtree(self._place(entrant.name, seed) or "", ignore_errors=True)
        if self.on_run is not None:
            self.on_run(run)
        return run, parameters

    def _train(self, clf: Classifier, run_dir: Path | None) -> np.ndarray:
        """Which validation images are named right behind the training."""
        validation = self.data.validation
        assert validation is not None  # noqa: S101  # _check has seen to it
        clf.fit(
            self.data,
            minutes=None if self.seconds is None else self.seconds / 60,
            run_dir=run_dir,
            verbose=self.verbose,
        )
        right: np.ndarray = clf.predict_proba(validation).argmax(axis=1) == validation.labels
        return right

    def _place(self, name: str, seed: int) -> Path | None:
        return None if self.folder is None else self.folder / "runs" / _file_name(name, seed)

    def _keep(self, name: str, seed: int, accuracy: float, clf: Classifier) -> None:
        if self.folder is not None:
            clf.save(self.folder / f"{_file_name(name, seed)}.keras")
        elif name not in self.models or accuracy > self.models[name][0]:
            self.models[name] = accuracy, clf

    def classifier(self, network: Network) -> Classifier:
        if self.folder is None:
            return self.models[network.name][1]
        best = max(network.runs, key=lambda run: -1.0 if run.accuracy is None else run.accuracy)
        return load(self.folder / f"{_file_name(network.name, best.seed)}.keras")


def _file_name(name: str, seed: int) -> str:
    return f"{name.replace(' ', '-')}-{seed}"


def _run_from(record: dict[str, Any]) -> tuple[Run, int]:
    try:
        parameters = int(record.pop("parameters"))
        return Run(**record), parameters
    except (KeyError, TypeError, ValueError) as error:
        raise RunFolderError(
            f"The record of a training cannot be read ({type(error).__name__}: {error}). "
            "Use another run_dir."
        ) from error


def _confirmation(
    networks: list[Network], runner: _Runner, data: Dataset, seconds: float | None
) -> Confirmation:
    assert data.validation is not None  # noqa: S101  # _check has seen to it
    own = [network for network in networks if not network.is_baseline]
    own.sort(key=lambda network: (len(network.accuracies) < 2, -(network.mean or 0.0)))
    first = own[0]
    if len(first.accuracies) < 2:
        reasons = [run.reason for run in first.runs if run.reason]
        raise SearchError(f"No network could be trained twice. The last: {reasons[-1]}")
    ordered = (*own, *(network for network in networks if network.is_baseline))
    others = [network for network in ordered[1:] if len(network.accuracies) > 1]
    count = len(data.validation)
    found = compare_all(_correct(first, count), [_correct(other, count) for other in others])
    differences = {other.name: one for other, one in zip(others, found, strict=True)}
    return Confirmation(ordered, differences, count, seconds, lambda: runner.classifier(first))


def _correct(network: Network, count: int) -> np.ndarray:
    """(seeds, images) booleans of the trainings that did not fail."""
    return np.array(
        [
            np.unpackbits(np.frombuffer(bytes.fromhex(run.correct), np.uint8), count=count)
            for run in network.runs
            if run.accuracy is not None
        ],
        dtype=bool,
    )
