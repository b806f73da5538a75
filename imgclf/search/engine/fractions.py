"""Parts of the training images: all candidates see a part, the better ones more.

What a candidate reaches on a fifth of the images costs a fifth of the time, and mostly tells
the good ones from the bad ones. Of each three candidates that have been through a part, the best
one that has not gone on goes on to the next part; this is successive halving without waiting (Li
et al. 2018, "A System for Massively Parallel Hyperparameter Tuning", ASHA). Hyperband has rounds of
its own: its last round trains on the last part, the round before on the part before.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from imgclf import checks
from imgclf.data.split import Split
from imgclf.errors import ArgumentError
from imgclf.search.results.result import Trial

__all__ = ["check_train_fractions", "part_of_round", "promotion", "take_part"]

# Of so many candidates one goes on.
_RATE = 3


def check_train_fractions(train_fractions: Any) -> tuple[float, ...]:
    """Rising numbers above 0, of which the last is 1.

    Raises:
        ArgumentError: if they are not.
    """
    if not isinstance(train_fractions, (list, tuple)) or not train_fractions:
        raise ArgumentError(
            "`train_fractions` must be numbers such as (0.2, 1.0). "
            + checks.received("train_fractions", train_fractions)
        )
    numbers = tuple(
        checks.number("train_fractions", part, low=0, high=1, above=True)
        for part in train_fractions
    )
    if numbers[-1] != 1 or list(numbers) != sorted(set(numbers)):
        raise ArgumentError(
            "`train_fractions` must rise and end in 1.0. "
            + checks.received("train_fractions", tuple(train_fractions))
        )
    return numbers


def take_part(train: Split, part: float) -> Split:
    """The same part of each class; of two parts the larger one holds the smaller.

    Args:
        train: training images.
        part: above 0, up to 1.

    Example:
        >>> import imgclf
        >>> train = imgclf.load_digits().train
        >>> len(train), len(take_part(train, 0.2))
        (1259, 256)
    """
    if part == 1:
        return train
    order = np.random.default_rng(0).permutation(len(train))
    labels = np.asarray(train.labels)[order]
    chosen = [
        order[labels == label][: int(np.ceil(part * np.sum(labels == label)))]
        for label in np.unique(labels)
    ]
    return train[np.sort(np.concatenate(chosen))]


def promotion(
    trials: Collection[Trial], train_fractions: Sequence[float], promoted: Collection[int | None]
) -> tuple[Trial, float] | None:
    """The trial that goes on to more images now, and to which part; None if none does.

    Args:
        trials: those that are over.
        train_fractions: of the training images.
        promoted: numbers of the trials that have gone on.
    """
    for before, after in reversed(list(itertools.pairwise(train_fractions))):
        reached = [
            trial for trial in trials if trial.train_fraction == before and trial.score is not None
        ]
        ranked = sorted(reached, key=lambda trial: (-(trial.score or 0), trial.number))
        for trial in ranked[: len(reached) // _RATE]:
            if trial.number not in promoted:
                return trial, after
    return None


def part_of_round(train_fractions: Sequence[float], values: dict[str, Any]) -> float:
    """The part for a trial of Hyperband, by its values."""
    rounds_left = int(values["tuner/bracket"]) - int(values["tuner/round"])
    return train_fractions[max(0, len(train_fractions) - 1 - rounds_left)]
