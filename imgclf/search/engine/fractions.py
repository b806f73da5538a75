"""Train fractions: all candidates train on a fraction of the images, the better ones on more.

Training on a fifth of the images takes a fifth of the time, and mostly shows which candidates are
good. Of every three candidates that have ended at a fraction, the best one that was not promoted
yet trains again at the next fraction. This is asynchronous successive halving (Li et al. 2018, "A
System for Massively Parallel Hyperparameter Tuning", ASHA), in which each fraction is a rung.
Hyperband has rounds of its own: the last round of a bracket trains on the last fraction, the round
before on the fraction before.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np

from imgclf import checks
from imgclf.data.split import Split
from imgclf.errors import ArgumentError
from imgclf.search.results.trial import Trial

__all__ = [
    "check_train_fractions",
    "hyperband_fraction",
    "next_promotion",
    "take_fraction",
    "trials_at_fraction",
]

# Of so many candidates at a rung, one is promoted.
_REDUCTION_FACTOR = 3


def check_train_fractions(train_fractions: Any) -> tuple[float, ...]:
    """Returns the fractions as a tuple.

    Raises:
        ArgumentError: if they are not rising numbers above 0 that end in 1.
    """
    if not isinstance(train_fractions, (list, tuple)) or not train_fractions:
        raise ArgumentError(
            "`train_fractions` must be numbers such as (0.2, 1.0). "
            + checks.received("train_fractions", train_fractions)
        )
    numbers = tuple(
        checks.number("train_fractions", fraction, low=0, high=1, above=True)
        for fraction in train_fractions
    )
    if numbers[-1] != 1 or list(numbers) != sorted(set(numbers)):
        raise ArgumentError(
            "`train_fractions` must rise and end in 1.0. "
            + checks.received("train_fractions", tuple(train_fractions))
        )
    return numbers


def take_fraction(train: Split, fraction: float) -> Split:
    """Takes the same fraction of each class; a larger fraction contains a smaller one.

    Args:
        train: training images.
        fraction: above 0, up to 1.

    Example:
        >>> import imgclf
        >>> train = imgclf.load_digits().train
        >>> len(train), len(take_fraction(train, 0.2))
        (1259, 256)
    """
    if fraction == 1:
        return train
    order = np.random.default_rng(0).permutation(len(train))
    labels = np.asarray(train.labels)[order]
    chosen = [
        order[labels == label][: int(np.ceil(fraction * np.sum(labels == label)))]
        for label in np.unique(labels)
    ]
    return train[np.sort(np.concatenate(chosen))]


def trials_at_fraction(
    trials: Iterable[Trial], fraction: float, *, completed: bool = False
) -> list[Trial]:
    """Returns the trials with a score that trained on this fraction.

    Args:
        trials: that have ended.
        fraction: of the training images.
        completed: leaves out those that were stopped early.
    """
    return [
        trial
        for trial in trials
        if trial.score is not None
        and trial.train_fraction == fraction
        and (trial.status == "completed" or not completed)
    ]


def next_promotion(
    trials: Collection[Trial], train_fractions: Sequence[float], promoted: Collection[int | None]
) -> tuple[Trial, float] | None:
    """Returns the trial to promote next, and its new fraction; None if there is none.

    Args:
        trials: that have ended.
        train_fractions: the rungs.
        promoted: numbers of the trials that were promoted already.
    """
    for fraction, next_fraction in reversed(list(itertools.pairwise(train_fractions))):
        at_rung = trials_at_fraction(trials, fraction)
        ranked = sorted(at_rung, key=lambda trial: (-(trial.score or 0), trial.number))
        for trial in ranked[: len(at_rung) // _REDUCTION_FACTOR]:
            if trial.number not in promoted:
                return trial, next_fraction
    return None


def hyperband_fraction(train_fractions: Sequence[float], bracket: int, round_number: int) -> float:
    """Returns the fraction for a round of Hyperband.

    Args:
        train_fractions: of the search.
        bracket: its number is that of the bracket's last round.
        round_number: within the bracket.
    """
    rounds_left = bracket - round_number
    return train_fractions[max(0, len(train_fractions) - 1 - rounds_left)]
