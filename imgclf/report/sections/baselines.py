"""Compares the network with simple baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgclf.formatting import show_interval
from imgclf.markup import table
from imgclf.report.page import Section, scrolling
from imgclf.report.sections.classes import bar

if TYPE_CHECKING:
    from imgclf.evaluation.baselines import Baselines
    from imgclf.evaluation.evaluation import Evaluation

__all__ = ["baselines"]


def baselines(found: Baselines | None, evaluation: Evaluation) -> Section | None:
    """Shows a row for each baseline, the network last."""
    if found is None:
        return None
    rows = [[one.name, bar(one.accuracy), show_interval(one.interval)] for one in found]
    interval = show_interval(evaluation.accuracy_interval)
    sampled = found.num_test_images < len(evaluation)
    on = f"{found.num_test_images:,}"
    name = "the network"
    if sampled:
        on = f"a random sample of {found.num_test_images:,} of the {len(evaluation):,}"
        name = f"the network, on all {len(evaluation):,}"
    rows.append([name, bar(evaluation.accuracy), interval])
    lead = (
        f"{found.compared_with(evaluation)} Baselines were trained on {found.num_train_images:,} "
        f"images of 16×16 pixels and evaluated on {on}."
    )
    body = scrolling("Baselines", table("", ["baseline", "accuracy", "95% interval"], rows))
    return Section("baselines", "Baselines", body, lead)
