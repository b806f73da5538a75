"""The one rule for valid probabilities: what a model may return and what an `Evaluation` takes."""

from __future__ import annotations

import numpy as np

__all__ = ["are_probabilities"]

# Rounding moves the sum of a softmax away from 1. Measured for 2 to 20,000 classes: by up to 0.012
# in bfloat16, whose 8 bits of precision round the exponentials, their sum and each quotient; by
# 0.0021 in float16; by 1e-6 in float32. The sums of logits are off by far more.
_ROW_SUM_TOLERANCE = 0.02


def are_probabilities(array: np.ndarray) -> bool:
    """Tells whether all rows are finite, not negative, and sum to 1 up to half-precision rounding.

    Args:
        array: (N, classes) floats.

    Example:
        >>> are_probabilities(np.array([[0.7, 0.31]])), are_probabilities(np.array([[2.0, -1.0]]))
        (True, False)
    """
    sums = array.sum(axis=1, dtype=np.float64)
    return bool((array >= 0).all() and (np.abs(sums - 1) <= _ROW_SUM_TOLERANCE).all())
