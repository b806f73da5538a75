"""`Confirmation`: the best networks of a search, trained again, and how they compare."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from imgclf.classifier.classifier import Classifier
from imgclf.search.results.significance import Difference, mean_interval

__all__ = ["Confirmation", "RetrainedNetwork", "Run"]


@dataclasses.dataclass(frozen=True)
class Run:
    """One training of one network.

    Args:
        network: its name, such as "trial 4" or "seed2017".
        seed: of its weights and the order of the images.
        accuracy: on the validation images, with the weights at the end of the training; None if
            it failed.
        seconds: time of building and training; of a training that was resumed, the time since
            then.
        epochs: number of epochs.
        correct: which validation images were classified correctly, as hexadecimal digits of eight
            images a byte.
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
class RetrainedNetwork:
    """One network with all its trainings.

    Args:
        name: such as "trial 4" or "seed2017".
        runs: its trainings, one for each seed.
        trial_number: of the trial it was found by; None for a baseline.
        parameters: number of parameters.
    """

    name: str
    runs: tuple[Run, ...]
    trial_number: int | None
    parameters: int

    @property
    def is_baseline(self) -> bool:
        """Whether it does not come from the search."""
        return self.trial_number is None

    @property
    def accuracies(self) -> list[float]:
        """The accuracies of the trainings that did not fail."""
        return [run.accuracy for run in self.runs if run.accuracy is not None]

    @property
    def mean(self) -> float | None:
        """The mean accuracy; None if all trainings failed."""
        return float(np.mean(self.accuracies)) if self.accuracies else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95% interval of the mean, by Student's t over the seeds; None with fewer than two."""
        return mean_interval(self.accuracies) if len(self.accuracies) > 1 else None

    @property
    def seconds(self) -> float:
        """The mean time of a training."""
        return float(np.mean([run.seconds for run in self.runs]))


class Confirmation:
    """The accuracies of the best networks with fresh seeds, and how they compare.

    `str()` is a table.

    Args:
        networks: those of the search by their mean, the best first; then the baselines.
        differences: by name, between the first network and each other one of which at least two
            trainings did not fail.
        num_validation: number of validation images that all were evaluated on.
        seconds: the time that each training was limited to; None if each used its own recipe.
        classifier: returns the best classifier.
    """

    def __init__(
        self,
        networks: tuple[RetrainedNetwork, ...],
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
    def first(self) -> RetrainedNetwork:
        """The network of the search with the highest mean."""
        return self.networks[0]

    @property
    def best_classifier(self) -> Classifier:
        """The training of the first network with the highest accuracy."""
        return self._classifier()

    def statements(self) -> list[str]:
        """Returns a sentence on the first network and each other one."""
        num_seeds = len(self.first.accuracies)
        return [
            f"{self.first.name} {difference.text(name, num_seeds)}"
            for name, difference in self.differences.items()
        ]

    def notes(self) -> list[str]:
        """Returns how the numbers were measured, a string for each note."""
        time = (
            f"The epochs of each training were fitted to {self.seconds:g} seconds."
            if self.seconds is not None
            else "Each network was trained by its own recipe, so the times differ."
        )
        return [
            "Mean ± half of its 95% interval by Student's t over the seeds. " + time,
            f"Evaluated on the same {self.num_validation:,} validation images that selected the "
            "networks, with the weights at the end of each training. The test images were not "
            "used.",
            "A difference is significant if it holds over seeds (Welch's t test) and over images "
            "(paired t test), corrected for the number of comparisons (Holm).",
        ]

    def table(self) -> list[dict[str, Any]]:
        """Returns a plain dict for each network."""
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
        """Returns the cells of the table, its head first."""
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
        paragraphs = ["\n".join([lines[0], rule, *lines[1:]]), "\n".join(self.statements())]
        return "\n\n".join([*filter(None, paragraphs), "\n".join(self.notes())])

    def _repr_html_(self) -> str:
        from imgclf.markup import notebook
        from imgclf.search.results.tables import confirmation_html

        return notebook(confirmation_html(self.rows(), self.statements(), self.notes()))


def _cells(network: RetrainedNetwork) -> tuple[str, ...]:
    epochs = sorted({run.epochs for run in network.runs})
    return (
        network.name,
        _accuracy(network),
        " ".join("–" if run.accuracy is None else f"{run.accuracy:.1%}" for run in network.runs),
        f"{network.seconds:.1f}",
        " to ".join(str(number) for number in [epochs[0], *epochs[1:][-1:]]),
        f"{network.parameters:,}",
    )


def _accuracy(network: RetrainedNetwork) -> str:
    if network.mean is None:
        return "failed"
    if network.interval is None:
        return f"{network.mean:.1%}"
    return f"{network.mean:.1%} ± {(network.interval[1] - network.mean) * 100:.1f}"
