"""Accuracy against cost: which trials no other beats in both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from imgclf import checks
from imgclf.errors import SearchError

if TYPE_CHECKING:
    from imgclf.search.results.result import Trial

__all__ = ["LIMITS", "cost_of", "pareto_front", "within"]

# The limits that a choice can have, and the field of a trial that each is about.
LIMITS = {"max_ms": "milliseconds", "max_params": "parameters", "max_macs": "macs"}


def cost_of(trials: Sequence[Trial]) -> str:
    """The field that tells what an image costs: milliseconds, or macs where any is unknown."""
    known = all(trial.milliseconds is not None for trial in trials if trial.score is not None)
    return "milliseconds" if known else "macs"


def pareto_front(trials: Sequence[Trial], cost: str) -> list[Trial]:
    """The trials than which no other is both as good and cheaper, or better and as cheap.

    Args:
        trials: in any order; those without a score or a cost are passed over.
        cost: the field of a trial that says what it costs.

    Returns:
        The cheapest first.
    """
    known = [
        trial for trial in trials if trial.score is not None and _cost(trial, cost) is not None
    ]
    known.sort(key=lambda trial: (_cost(trial, cost), -(trial.score or 0.0), trial.number))
    front: list[Trial] = []
    for trial in known:
        if not front or (trial.score or 0.0) > (front[-1].score or 0.0):
            front.append(trial)
    return front


def within(trials: Sequence[Trial], limits: dict[str, Any]) -> list[Trial]:
    """The trials that keep all limits; those whose cost is not known keep none.

    Args:
        trials: of a search.
        limits: by the names of `LIMITS`; None is no limit.

    Raises:
        SearchError: if there is none; the message says what the cheapest costs.
        ArgumentError: if a limit is no number above 0.
    """
    left = [trial for trial in trials if trial.score is not None]
    for name, limit in limits.items():
        if limit is None:
            continue
        checks.number(name, limit, low=0, above=True)
        field = LIMITS[name]
        costs = [cost for trial in left if (cost := _cost(trial, field)) is not None]
        left = [trial for trial in left if _keeps(trial, field, limit)]
        if not left:
            cheapest = f"the cheapest has {min(costs):,g}" if costs else "none was measured"
            raise SearchError(
                f"No trial has {field} of at most {name}={limit:,g}: {cheapest}. Search with that "
                "limit, or allow more."
            )
    return left


def _keeps(trial: Trial, field: str, limit: float) -> bool:
    cost = _cost(trial, field)
    return cost is not None and cost <= limit


def _cost(trial: Trial, field: str) -> float | None:
    cost: float | None = getattr(trial, field)
    return cost
