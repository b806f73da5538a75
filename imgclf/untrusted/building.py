"""Keeps Keras from allocating more memory for a network than its file can fill.

Keras makes all weights of a network before it reads those in the file, so a small file can ask for
any amount of memory. Therefore each weight is counted before a layer makes it.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from imgclf.untrusted.errors import UnsafeFileError
from imgclf.untrusted.network_config import MAX_VALUES
from imgclf.untrusted.weights import Weight

__all__ = ["building_within"]

# Keras is patched during a load, so only one load runs at a time. Trusted layers may load another
# file while they are loaded.
_LOCK = threading.RLock()

if hasattr(os, "register_at_fork"):
    # A fork waits until no other thread is loading: in the child that thread would not exist, the
    # lock would stay taken, and Keras patched.
    os.register_at_fork(
        before=_LOCK.acquire, after_in_parent=_LOCK.release, after_in_child=_LOCK.release
    )


@contextlib.contextmanager
def building_within(weights: Iterable[Weight]) -> Iterator[None]:
    """Bounds the weights and tensors that this thread makes within the block.

    Weights start as zeros, whatever the layer asks for: the file's values follow, and some
    initialisers take long for large weights.

    Args:
        weights: the arrays in the file; layers may make as many values in all.

    Raises:
        UnsafeFileError: if a layer would exceed the bounds, before it takes memory.
    """
    import keras

    layer, tensor = keras.layers.Layer, keras.KerasTensor
    bounds = _Bounds(sum(weight.size for weight in weights))
    thread = threading.get_ident()

    def counted(self: Any, *args: Any, **settings: Any) -> Any:
        if threading.get_ident() != thread:
            return add_weight(self, *args, **settings)
        given = dict(zip(("shape", "initializer", "dtype"), args, strict=False)) | settings
        bounds.count_weight(self.name, given.get("shape") or ())
        return add_weight(self, **given | {"initializer": "zeros"})

    def bounded(self: Any, shape: Any, *args: Any, **settings: Any) -> None:
        if threading.get_ident() == thread:
            bounds.check_tensor(shape)
        make_tensor(self, shape, *args, **settings)

    with _LOCK:
        # Read here: before the lock they may be those of another thread's load.
        add_weight, make_tensor = layer.add_weight, tensor.__init__
        layer.add_weight, tensor.__init__ = counted, bounded
        try:
            yield
        except Exception as error:
            if bounds.refusal is None:
                raise
            # Keras has put the name of the layer and all its arguments around the reason.
            raise UnsafeFileError(bounds.refusal) from error
        finally:
            layer.add_weight, tensor.__init__ = add_weight, make_tensor


class _Bounds:
    def __init__(self, values: int) -> None:
        self.all = self.left = values
        self.refusal: str | None = None

    def count_weight(self, name: str, shape: Any) -> None:
        sides = (shape,) if isinstance(shape, int) else tuple(shape)
        self.left -= math.prod(int(side) for side in sides)
        if self.left < 0:
            self._refuse(
                f"Layer {name!r} asks for weights of {'×'.join(map(str, sides)) or 1}; with those "
                f"before it, that is more than the {self.all:,} values in the file."
            )

    def check_tensor(self, shape: Any) -> None:
        sides = (shape,) if isinstance(shape, int) else tuple(shape)
        if math.prod(side for side in sides if isinstance(side, int)) > MAX_VALUES:
            shown = "×".join("?" if side is None else f"{side:,}" for side in sides)
            self._refuse(f"The network makes a tensor of {shown} values, too many to load.")

    def _refuse(self, reason: str) -> None:
        self.refusal = reason
        raise UnsafeFileError(reason)
