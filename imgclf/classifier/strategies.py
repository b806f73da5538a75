"""How a classifier is trained: the whole network at once, or in the phases of transfer learning.

A strategy is a value: the saved file has its name, and `load` brings it back.
"""

from __future__ import annotations

import dataclasses
from contextlib import AbstractContextManager
from typing import ClassVar, TypeAlias, final

from imgclf import checks
from imgclf.architecture.temperature import without_temperature
from imgclf.backend.keras_settings import check_backend
from imgclf.errors import ArgumentTypeError
from imgclf.training.budget.budget import Budget
from imgclf.training.budget.plan import Plan, TransferPlan
from imgclf.training.loop import fit as loop
from imgclf.training.loop.options import FitOptions, TrainingData
from imgclf.training.loop.progress import announce
from imgclf.training.loop.training import Training
from imgclf.training.recipe.rate_callbacks import scheduled_by_callbacks
from imgclf.training.recipe.recipe import Recipe
from imgclf.training.transfer.head import check_head
from imgclf.training.transfer.phases import PhasedTraining, plan_phases, prepared_phases
from imgclf.typing import KerasModel

__all__ = ["Phases", "Strategy", "WholeNetwork", "check_strategy", "strategy_named"]


@final
@dataclasses.dataclass(frozen=True)
class WholeNetwork:
    """Trains all layers in one run."""

    name: ClassVar[str] = "whole-network"

    def check(self, model: KerasModel) -> None:
        """Any model can be trained so."""

    def prepared(
        self, model: KerasModel, data: TrainingData, recipe: Recipe, options: FitOptions
    ) -> AbstractContextManager[Training]:
        """Checks all that may be refused, and changes nothing."""
        return loop.prepared(model, data, _scheduled(model, recipe, options), options)

    def plan(
        self, model: KerasModel, data: TrainingData, recipe: Recipe, budget: Budget | None
    ) -> Plan:
        """Times a few steps, and returns what the run will take."""
        return loop.plan(model, data, recipe, budget)


@final
@dataclasses.dataclass(frozen=True)
class Phases:
    """Trains the new output layer first, then the upper layers of the body if asked for."""

    name: ClassVar[str] = "phases"

    def check(self, model: KerasModel) -> None:
        """Raises `ArgumentError` unless the model, or what is calibrated, ends in a new layer."""
        check_head(without_temperature(model))

    def prepared(
        self, model: KerasModel, data: TrainingData, recipe: Recipe, options: FitOptions
    ) -> AbstractContextManager[PhasedTraining]:
        """Checks all that may be refused, and changes nothing."""
        return prepared_phases(model, data, _scheduled(model, recipe, options), options)

    def plan(
        self, model: KerasModel, data: TrainingData, recipe: Recipe, budget: Budget | None
    ) -> TransferPlan:
        """Times a few steps of each phase, and returns what they will take."""
        return plan_phases(model, data, recipe, budget)


Strategy: TypeAlias = WholeNetwork | Phases


def _scheduled(model: KerasModel, recipe: Recipe, options: FitOptions) -> Recipe:
    """The recipe, without its schedule where a callback has one."""
    chosen = scheduled_by_callbacks(model, recipe, options.callbacks)
    if chosen != recipe:
        announce(
            options.verbose,
            f"LearningRateScheduler decides the learning rate, from {recipe.learning_rate:g} on: "
            "schedule and warm-up of the recipe are left out",
        )
    return chosen


def check_strategy(strategy: Strategy | None, model: KerasModel) -> Strategy:
    """The strategy, `WholeNetwork()` in place of None, if the model can be trained by it.

    Raises:
        ArgumentTypeError: if it is no strategy.
        ArgumentError: if it does not fit the model.
        BackendError: if Keras does not run on TensorFlow.
    """
    check_backend()
    if strategy is None:
        return WholeNetwork()
    if not isinstance(strategy, (WholeNetwork, Phases)):
        raise ArgumentTypeError(
            "`strategy` must be WholeNetwork() or Phases(). "
            + checks.received("strategy", strategy)
        )
    strategy.check(model)
    return strategy


def strategy_named(name: str) -> Strategy:
    """The strategy of a name that a saved file holds.

    Example:
        >>> strategy_named("phases")
        Phases()
    """
    return Phases() if name == Phases.name else WholeNetwork()
