"""Markdown tables for the docs page."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

NOTHING = "–"


def table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    rows = [heads, ["---"] * len(heads), *lines]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def show(value: float | None, form: str, unit: str = "") -> str:
    """A value with its unit, or a dash if there is none."""
    return NOTHING if value is None else f"{value:{form}}{unit}"


def mean_and_spread(found: list[float], form: str) -> str:
    """The mean ± the standard deviation; a single value is shown alone."""
    if not found:
        return NOTHING
    middle = f"{statistics.mean(found):{form}}"
    if len(found) == 1:
        return middle
    spread = f"{statistics.stdev(found):{form.replace('.1', '.2') if '%' in form else form}}"
    return f"{middle} ± {spread}"
