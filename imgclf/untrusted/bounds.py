"""The memory and the time that building one network may take."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from typing import Any, NoReturn

from imgclf.untrusted.errors import UnsafeFileError
from imgclf.untrusted.network_config import MAX_VALUES
from imgclf.untrusted.weights import Weight, item_size

__all__ = ["Bounds"]

# Some layers make weights that are not stored, such as those of LoRA, or make stored ones twice.
_TIMES, _SPARE = 2, 2**24  # bytes
# Of this thread on a processor; keras.applications on a slow one: 20.
_MAX_SECONDS, _BYTES_A_SECOND = 60, 10_000_000


class Bounds:
    """Counts what a network takes, and refuses what is more than its file calls for.

    Args:
        weights: the arrays in the file.
        timed: whether the time is bounded, too.
    """

    def __init__(self, weights: Iterable[Weight], *, timed: bool = True) -> None:
        stored = sum(weight.num_bytes for weight in weights)
        self.left = self.most = _TIMES * stored + _SPARE
        self.seconds = _MAX_SECONDS + stored / _BYTES_A_SECOND if timed else math.inf
        self.end = time.thread_time() + self.seconds
        self.refusal: str | None = None

    def count_weight(self, name: str, shape: Any, dtype: str) -> None:
        """Counts a weight that a layer is about to make.

        Raises:
            UnsafeFileError: if it exceeds the bounds.
        """
        sides = (shape,) if isinstance(shape, int) else tuple(shape)
        self.left -= math.prod(int(side) for side in sides) * item_size(dtype)
        if self.left < 0:
            self._refuse(
                f"Layer {name!r} asks for weights of {'×'.join(map(str, sides)) or 1}; with those "
                f"before it, that is more than the {self.most:,} bytes that its file calls for."
            )
        self.check_time()

    def check_tensor(self, shape: Any) -> None:
        """Checks a symbolic tensor that is about to be made.

        Raises:
            UnsafeFileError: if the values of one image are too many.
        """
        sides = (shape,) if isinstance(shape, int) else tuple(shape)
        if math.prod(side for side in sides if isinstance(side, int)) > MAX_VALUES:
            shown = "×".join("?" if side is None else f"{side:,}" for side in sides)
            self._refuse(f"The network makes a tensor of {shown} values, too many to load.")
        self.check_time()

    def check_time(self) -> None:
        """Raises `UnsafeFileError` if building has taken too long."""
        if time.thread_time() > self.end:
            self._refuse(f"The network takes more than {self.seconds:,.0f} seconds to build.")

    def raise_refusal(self) -> None:
        """Raises `UnsafeFileError` if anything was refused, even if Keras went on from there."""
        if self.refusal is not None:
            raise UnsafeFileError(self.refusal)

    def _refuse(self, reason: str) -> NoReturn:
        self.refusal = reason
        raise UnsafeFileError(reason)
