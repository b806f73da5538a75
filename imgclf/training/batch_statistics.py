"""Batch normalisation whose running statistics suit the size of the batches."""

from __future__ import annotations

from imgclf.architecture.blocks import BatchNorm, batch_norm

__all__ = ["norm_for"]

# Pictures that running statistics reach over, and the most that is kept of them a step: trainings
# of few pictures may have few hundred steps.
_PICTURES = 2000
_MOST_KEPT = 0.97


def norm_for(batch_size: int) -> BatchNorm:
    """Batch normalisation with running statistics of about 2,000 pictures.

    An average that keeps the part m of itself a step is as exact as the mean of
    (1 + m) / (1 - m) batches: over fewer pictures it is noise, over more it lags behind the
    weights. A factor is not learned: the next normalisation would undo it.

    Args:
        batch_size: pictures in a step.

    Example:
        >>> norm_for(500)
        batch_norm(momentum=0.6, epsilon=1e-05, scale=False)
        >>> norm_for(32).momentum
        0.97
    """
    batches = max(1.0, _PICTURES / batch_size)
    momentum = min(_MOST_KEPT, (batches - 1) / (batches + 1))
    return batch_norm(momentum=round(momentum, 2), epsilon=1e-5, scale=False)
