"""What a report asks of a classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np

    from imgclf.architecture.blocks.block import Block
    from imgclf.data.split import Split
    from imgclf.evaluation.evaluation import Evaluation
    from imgclf.evaluation.robustness import Robustness
    from imgclf.explanation.explanation import Explanation
    from imgclf.training.recipe.recipe import Recipe
    from imgclf.typing import ArrayLike, KerasModel

__all__ = ["ReportableClassifier"]


class ReportableClassifier(Protocol):
    """A classifier that a report can be written about; `imgclf.Classifier` is one."""

    @property
    def model(self) -> KerasModel:
        """The Keras model."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes."""

    @property
    def image_shape(self) -> tuple[int | None, int | None, int]:
        """Height, width and channels."""

    @property
    def blocks(self) -> Sequence[Block] | None:
        """The blocks that the network was built from, if any."""

    @property
    def recipe(self) -> Recipe:
        """How `fit` trains it."""

    @property
    def trained_recipe(self) -> Recipe | None:
        """How it was trained; None before."""

    @property
    def history(self) -> Mapping[str, Sequence[float]]:
        """Values by epoch; empty before training."""

    @property
    def temperature(self) -> float:
        """What its logits are divided by; 1 if it is not calibrated."""

    @property
    def run_dir(self) -> Path | None:
        """The run folder, if there is one."""

    def predict_proba(self, source: Split) -> np.ndarray:
        """Returns (N, classes) probabilities."""

    def evaluate(self, data: Split) -> Evaluation:
        """Evaluates on labelled images."""

    def explain(self, source: ArrayLike) -> Explanation:
        """Returns a heat map for each image."""

    def evaluate_robustness(self, data: Split, *, sample: int) -> Robustness:
        """Evaluates on damaged images."""
