"""Two Keras optimisers with parameter groups: Nesterov SGD, and Muon for the filters.

The output layer does best with a learning rate of its own, filters with a rule of their own.
Keras's `MultiOptimizer` could give each group an optimiser, but has no learning rate that
callbacks can read or change. Here one learning rate moves all groups, each by its own factor.

They are registered with Keras under `imgclf`, though no saved model needs them: imgclf saves models
without their optimiser.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from imgclf.backend.keras_internals import variable_index
from imgclf.typing import KerasSchedule, Tensor

__all__ = ["FilterMuon", "GroupedSGD"]

# Newton–Schulz iteration of degree five: x ← a x + b (x xᵀ) x + c (x xᵀ)² x drives all singular
# values of x towards 1. Source: K. Jordan et al. 2024, "Muon: an optimizer for hidden layers in
# neural networks"; the coefficients are those of that text.
_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


@keras.saving.register_keras_serializable(package="imgclf")
class GroupedSGD(keras.optimizers.Optimizer):
    """Gradient descent with Nesterov momentum and a rate of its own for the output layer.

    Args:
        learning_rate: of all but the output layer's kernel; a number or a Keras schedule.
        momentum: of all.
        head_factor: times `learning_rate` is the rate of the output layer's kernel.
        head: the `path` of that kernel, such as "logits/kernel".
        weight_decay: taken off the parameters at each step, times their learning rate.
        **settings: what every Keras optimiser takes.

    Example:
        >>> optimizer = GroupedSGD(0.1, head_factor=0.5, head="logits/kernel")
        >>> round(float(optimizer.learning_rate), 3)
        0.1
    """

    def __init__(
        self,
        learning_rate: KerasSchedule | float = 0.01,
        momentum: float = 0.9,
        head_factor: float = 1.0,
        head: str = "",
        weight_decay: float | None = None,
        name: str | None = None,
        **settings: Any,
    ) -> None:
        # Keras's own decay knows no groups: it is taken off in `update_step` here.
        super().__init__(learning_rate=learning_rate, name=name, **settings)
        self.momentum = momentum
        self.head_factor = head_factor
        self.head = head
        self.decay = weight_decay or 0.0

    def build(self, variables: Sequence[Tensor]) -> None:
        """Makes a momentum for each variable."""
        if self.built:
            return
        super().build(variables)
        self.momentums = [
            self.add_variable_from_reference(variable, name="momentum") for variable in variables
        ]
        # Kept by place: what `update_step` gets from Keras are the backend's variables, without
        # their paths.
        self._factors = [self._factor(variable) for variable in variables]

    def update_step(self, gradient: Tensor, variable: Tensor, learning_rate: Tensor) -> None:
        """One step for one variable."""
        factor = self._factors[variable_index(self, variable)]
        rate = ops.cast(learning_rate, variable.dtype) * factor
        step = rate * self._direction(ops.cast(gradient, variable.dtype), variable)
        if self.decay:
            step += rate * self.decay * variable
        self.assign_sub(variable, step)

    def _factor(self, variable: Any) -> float:
        return self.head_factor if self.head and variable.path.endswith(self.head) else 1.0

    def _direction(self, gradient: Any, variable: Any) -> Any:
        """The gradient with its momentum, looking one step ahead (Nesterov)."""
        velocity = self.momentums[variable_index(self, variable)]
        momentum = self._momentum_of(variable)
        ahead = momentum * velocity + gradient
        self.assign(velocity, ahead)
        return gradient + momentum * ahead

    def _momentum_of(self, variable: Any) -> float:  # noqa: ARG002
        return self.momentum

    def get_config(self) -> dict[str, Any]:
        """The settings, for Keras."""
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "head_factor": self.head_factor,
            "head": self.head,
            "weight_decay": self.decay or None,
        }


@keras.saving.register_keras_serializable(package="imgclf")
class FilterMuon(GroupedSGD):
    """Muon for the filters of convolutions, Nesterov SGD for all else.

    A filter bank is seen as a matrix of one row a filter. Each step it is scaled to a norm of
    √filters, then moved by the orthogonal matrix nearest to its momentum: so all directions are
    learned alike, not only those of the largest gradients (K. Jordan et al. 2024, "Muon"; for
    convolutions in airbench94_muon). Keras's own `Muon` leaves variables of four dimensions to
    AdamW.

    Norms of filters are set by the optimiser, so a normalisation should follow each convolution.

    Args:
        learning_rate: of the filters: the length of a step along each direction.
        momentum: of the filters.
        sgd_momentum: of all else.
        head_factor: as in `GroupedSGD`.
        head: as in `GroupedSGD`.
        weight_decay: as in `GroupedSGD`; not of the filters, whose norm is fixed.
        iterations: how often Newton–Schulz is applied; three bring singular values near to 1.
        **settings: what every Keras optimiser takes.

    Example:
        >>> FilterMuon(0.24, momentum=0.6).iterations_of_newton_schulz
        3
    """

    def __init__(
        self,
        learning_rate: KerasSchedule | float = 0.24,
        momentum: float = 0.6,
        sgd_momentum: float = 0.85,
        iterations: int = 3,
        **settings: Any,
    ) -> None:
        super().__init__(learning_rate, momentum, **settings)
        self.sgd_momentum = sgd_momentum
        self.iterations_of_newton_schulz = iterations

    def update_step(self, gradient: Tensor, variable: Tensor, learning_rate: Tensor) -> None:
        """One step for one variable."""
        if len(variable.shape) != 4:
            super().update_step(gradient, variable, learning_rate)
            return
        rate = ops.cast(learning_rate, variable.dtype)
        direction = self._direction(ops.cast(gradient, variable.dtype), variable)
        norm = ops.sqrt(ops.sum(ops.square(variable)))
        scaled = variable * (math.sqrt(variable.shape[-1]) / (norm + 1e-12))
        step = orthogonal(direction, self.iterations_of_newton_schulz)
        self.assign(variable, scaled - rate * step)

    def _momentum_of(self, variable: Any) -> float:
        return self.momentum if len(variable.shape) == 4 else self.sgd_momentum

    def get_config(self) -> dict[str, Any]:
        """The settings, for Keras."""
        return {
            **super().get_config(),
            "sgd_momentum": self.sgd_momentum,
            "iterations": self.iterations_of_newton_schulz,
        }


def orthogonal(kernel: Tensor, iterations: int) -> Tensor:
    """About the orthogonal matrix that is nearest to a filter bank seen as one row a filter.

    Args:
        kernel: (height, width, channels, filters) tensor.
        iterations: of Newton–Schulz; singular values end between about 0.7 and 1.2.

    Returns:
        A tensor of the same shape and dtype.
    """
    a, b, c = _NEWTON_SCHULZ
    shape = kernel.shape
    matrix = ops.reshape(kernel, (-1, shape[-1]))
    tall = matrix.shape[0] > matrix.shape[1]
    if tall:  # the products below are over the shorter side
        matrix = ops.transpose(matrix)
    matrix = matrix / (ops.sqrt(ops.sum(ops.square(matrix))) + 1e-7)
    for _ in range(iterations):
        gram = ops.matmul(matrix, ops.transpose(matrix))
        matrix = a * matrix + ops.matmul(b * gram + c * ops.matmul(gram, gram), matrix)
    if tall:
        matrix = ops.transpose(matrix)
    return ops.reshape(matrix, shape)
