"""Accuracy against cost: the Pareto front of a search, and its trials within a limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from imgclf import checks
from imgclf.errors import SearchError
from imgclf.search.results.trial import Trial

__all__ = ["cost_field", "pareto_front", "within_limits"]

# Each limit, and the field of a trial that it bounds.
_LIMITED_FIELDS = {"max_ms": "milliseconds", "max_params": "parameters", "max_macs": "macs"}


def cost_field(trials: Sequence[Trial]) -> str:
    """Names the field that holds the cost of an image.

    It is "milliseconds", or "macs" if any trial with a score was not timed.
    """
    timed = all(trial.milliseconds is not None for trial in trials if trial.score is not None)
    return "milliseconds" if timed else "macs"


def pareto_front(trials: Sequence[Trial], cost: str) -> list[Trial]:
    """Returns the trials that no other trial beats in both accuracy and cost.

    Args:
        trials: in any order; those without a score or a cost are skipped.
        cost: the field of a trial that holds its cost.

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


def within_limits(trials: Sequence[Trial], limits: Mapping[str, float | None]) -> list[Trial]:
    """Returns the trials that are within all limits; an unknown cost is within none.

    Args:
        trials: of a search.
        limits: `max_ms`, `max_params` and `max_macs`; None is no limit.

    Raises:
        SearchError: if there is no such trial; the message gives the lowest cost.
        ArgumentError: if a limit is not a number above 0.
    """
    remaining = [trial for trial in trials if trial.score is not None]
    for name, limit in limits.items():
        if limit is None:
            continue
        checks.number(name, limit, low=0, above=True)
        field = _LIMITED_FIELDS[name]
        costs = [cost for trial in remaining if (cost := _cost(trial, field)) is not None]
        remaining = [trial for trial in remaining if _is_within(trial, field, limit)]
        if not remaining:
            cheapest = f"the cheapest has {min(costs):,g}" if costs else "none was measured"
            raise SearchError(
                f"No trial has {field} of at most {name}={limit:,g}: {cheapest}. Search with that "
                "limit, or allow more."
            )
    return remaining


def _is_within(trial: Trial, field: str, limit: float) -> bool:
    cost = _cost(trial, field)
    return cost is not None and cost <= limit


def _cost(trial: Trial, field: str) -> float | None:
    cost: float | None = getattr(trial, field)
    return cost
