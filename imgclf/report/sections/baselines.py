"""What can be had without a network, and what the network adds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgclf.markup import table
from imgclf.report.page import Section, render
from imgclf.report.sections.classes import bar

if TYPE_CHECKING:
    from imgclf.evaluation.baselines import Baselines
    from imgclf.evaluation.evaluation import Evaluation

__all__ = ["baselines_beaten"]


def baselines_beaten(found: Baselines, evaluation: Evaluation) -> Section:
    """A row a baseline, the network last."""
    rows = [
        [one.name, bar(one.accuracy), "{:.1%} to {:.1%}".format(*one.interval)] for one in found
    ]
    low, high = evaluation.accuracy_interval
    rows.append(["the network", bar(evaluation.accuracy), f"{low:.1%} to {high:.1%}"])
    body = render(
        "scroll.html",
        title="Baselines",
        body=table("", ["baseline", "accuracy", "95% interval"], rows),
    )
    lead = (
        f"{found.compared_with(evaluation)} Baselines were trained on {found.num_train_images:,} "
        f"images at 16×16 pixels and evaluated on {found.num_test_images:,}."
    )
    return Section("baselines", "Baselines", body, lead)
