"""The one rule for valid probabilities: what a model may return and what an `Evaluation` takes."""

from __future__ import annotations

import numpy as np

from imgclf.errors import DataError
from imgclf.typing import ArrayLike

__all__ = ["are_probabilities", "check_probabilities"]

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


def check_probabilities(probabilities: ArrayLike, num_classes: int) -> np.ndarray:
    """Probabilities as an (N, num_classes) array of float32 or float64.

    Raises:
        DataError: if they are none.
    """
    try:
        array = np.asarray(probabilities)
    except ValueError as error:
        raise DataError(
            "`probabilities` must be one array: every row needs one value a class."
        ) from error
    if array.dtype.kind not in "fiu":
        raise DataError(f"`probabilities` must be floats. Received: dtype={array.dtype}.")
    if array.ndim != 2 or array.shape[1] != num_classes:
        raise DataError(
            f"`probabilities` must have the shape (N, {num_classes}), a column a class name. "
            f"Received: shape={array.shape}."
        )
    array = array.astype(np.result_type(array.dtype, np.float32), copy=False)
    if not np.isfinite(array).all():
        raise DataError("`probabilities` holds values that are not finite (NaN or infinity).")
    if not are_probabilities(array):
        sums = array.sum(axis=1, dtype=np.float64)
        raise DataError(
            "`probabilities` must be 0 or above, each row with the sum 1 (outputs of a softmax, "
            f"not logits). Received: a lowest value of {array.min():g}, "
            f"sums from {sums.min():g} to {sums.max():g}."
        )
    return array
