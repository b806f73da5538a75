"""The optimisers of a recipe: one row each, which the recipe, `compile` and `eject` read."""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol

from imgclf.typing import KerasOptimizer, KerasSchedule

__all__ = ["OPTIMIZERS", "OptimizerRow", "OptimizerSettings"]

# Of all weights but the filters, whose momentum is the recipe's. Source: airbench94_muon.
_MUON_SGD_MOMENTUM = 0.85


class OptimizerSettings(Protocol):
    """What an optimiser takes of a recipe."""

    @property
    def learning_rate(self) -> float: ...
    @property
    def head_learning_rate(self) -> float | None: ...
    @property
    def momentum(self) -> float: ...
    @property
    def weight_decay(self) -> float: ...
    @property
    def ema_momentum(self) -> float: ...


@dataclasses.dataclass(frozen=True)
class OptimizerRow:
    """An optimiser by its name in a recipe.

    Args:
        name: what `Recipe.optimizer` is.
        keras_class: of `keras.optimizers`; what `eject` writes.
        settings: beside learning rate, weight decay and average, of `keras_class`; None stands
            for the recipe's momentum.
        own_decay: whether `keras_class` decays weights unless it is told not to.
        grouped_class: of `grouped_optimizers`, made in place of `keras_class`; then the output
            layer may have a learning rate of its own.
        grouped_settings: beside momentum, learning rates, weight decay and average, of
            `grouped_class`.
        lacks: what `keras_class` cannot do of it, in lines of a comment.
    """

    name: str
    keras_class: str
    settings: tuple[tuple[str, float | bool | None], ...] = ()
    own_decay: bool = False
    grouped_class: str = ""
    grouped_settings: tuple[tuple[str, float], ...] = ()
    lacks: tuple[str, ...] = ()

    def make(
        self, recipe: OptimizerSettings, learning_rate: KerasSchedule | float, head: str = ""
    ) -> KerasOptimizer:
        """Makes the optimiser.

        Args:
            recipe: its settings.
            learning_rate: a number or a Keras schedule.
            head: the `path` of the output layer's kernel.
        """
        if not self.grouped_class:
            import keras

            return getattr(keras.optimizers, self.keras_class)(
                learning_rate, **self.keras_settings(recipe)
            )
        from imgclf.training.recipe import grouped_optimizers

        rate = recipe.learning_rate
        head_rate = rate if recipe.head_learning_rate is None else recipe.head_learning_rate
        return getattr(grouped_optimizers, self.grouped_class)(
            learning_rate,
            recipe.momentum,
            head_factor=head_rate / rate,
            head=head,
            **dict(self.grouped_settings),
            **self._shared(recipe),
        )

    def keras_settings(self, recipe: OptimizerSettings) -> dict[str, Any]:
        """The arguments of `keras_class`, beside the learning rate."""
        own = {name: recipe.momentum if value is None else value for name, value in self.settings}
        return own | self._shared(recipe)

    def keras_notes(self, recipe: OptimizerSettings) -> tuple[str, ...]:
        """What `keras_class` does otherwise than imgclf, in lines of a comment."""
        if recipe.head_learning_rate is None:
            return self.lacks
        return (
            *self.lacks,
            f"The output layer had a learning rate of {recipe.head_learning_rate!r}: Keras has no",
            "learning rate for a single layer.",
        )

    def _shared(self, recipe: OptimizerSettings) -> dict[str, Any]:
        settings: dict[str, Any] = {}
        if recipe.weight_decay or self.own_decay:
            settings["weight_decay"] = recipe.weight_decay
        if recipe.ema_momentum:
            settings |= {"use_ema": True, "ema_momentum": recipe.ema_momentum}
        return settings


OPTIMIZERS = {
    row.name: row
    for row in (
        OptimizerRow("adam", "Adam"),
        OptimizerRow("adamw", "AdamW", own_decay=True),
        OptimizerRow(
            "muon",
            "SGD",
            (("momentum", _MUON_SGD_MOMENTUM), ("nesterov", True)),
            grouped_class="FilterMuon",
            grouped_settings=(("sgd_momentum", _MUON_SGD_MOMENTUM),),
            lacks=(
                'Trained by "muon": each step of a convolution\'s filters was orthogonal, which',
                "Keras's own Muon does for matrices only. Nesterov SGD is the nearest; it needs",
                "more epochs, and perhaps another learning rate.",
            ),
        ),
        OptimizerRow("rmsprop", "RMSprop", (("momentum", None),)),
        OptimizerRow(
            "sgd", "SGD", (("momentum", None), ("nesterov", True)), grouped_class="GroupedSGD"
        ),
    )
}
