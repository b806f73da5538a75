"""The plots of a search, drawn from its trials."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from imgclf import checks, plots
from imgclf.errors import SearchError
from imgclf.search.results.importance import Importance
from imgclf.search.results.pareto import cost_field, pareto_front
from imgclf.search.results.trial import Trial
from imgclf.typing import Axes

__all__ = ["plot_importance", "plot_parallel", "plot_progress", "plot_tradeoff"]

_COST_LABELS = {"milliseconds": "milliseconds for an image", "macs": "multiply-adds"}


def plot_progress(
    trials: Sequence[Trial],
    *,
    by: str = "trial",
    baseline: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draws the score of each trial and the best so far."""
    checks.one_of("by", by, ["trial", "time"])
    scores = [math.nan if trial.score is None else trial.score for trial in trials]
    best: list[float] = []
    for score in scores:
        seen = [value for value in [*best[-1:], score] if not math.isnan(value)]
        best.append(max(seen, default=math.nan))
    times = None
    if by == "time":
        times = list(itertools.accumulate(trial.seconds for trial in trials))
    return plots.search_progress(scores, best, baseline=baseline, ax=ax, seconds=times)


def plot_tradeoff(trials: Sequence[Trial], *, ax: Axes | None = None) -> Axes:
    """Draws accuracy against the cost of an image, with the Pareto front."""
    cost = cost_field(trials)
    shown = [
        trial for trial in trials if trial.score is not None and getattr(trial, cost) is not None
    ]
    if not shown:
        raise SearchError("There is no trial with a score of which the cost is known.")
    return plots.search_trade_off(
        [getattr(trial, cost) for trial in shown],
        [float(trial.score or 0) for trial in shown],
        [shown.index(trial) for trial in pareto_front(shown, cost)],
        [str(trial.number) for trial in shown],
        _COST_LABELS[cost],
        ax=ax,
    )


def plot_importance(importance: Importance, *, ax: Axes | None = None) -> Axes:
    """Draws how much each setting matters."""
    if not importance.settings:
        raise SearchError(importance.note)
    return plots.search_importance(
        [setting.name for setting in importance.settings],
        [setting.points for setting in importance.settings],
        [setting.spread for setting in importance.settings],
        ax=ax,
    )


def plot_parallel(trials: Sequence[Trial], *, ax: Axes | None = None) -> Axes:
    """Draws each trial with a score as a line through its settings."""
    shown = [trial for trial in trials if trial.score is not None]
    return plots.search_parallel(
        [trial.hyperparameters for trial in shown],
        [float(trial.score or 0) for trial in shown],
        ax=ax,
    )
