"""Keeps Keras from allocating more memory for a network than its file can fill.

Keras makes all weights of a network before it reads those in the file, so a small file can ask for
any amount of memory. Therefore each weight is counted before a layer makes it.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from imgclf.untrusted.bounds import Bounds
from imgclf.untrusted.errors import UnsafeFileError
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
def building_within(weights: Iterable[Weight], *, timed: bool = True) -> Iterator[None]:
    """Bounds the weights and tensors that this thread makes within the block, and its time.

    Weights start as zeros, whatever the layer asks for: the file's values follow, and some
    initialisers take long for large weights. If timed, a `Sequential` is connected once, not anew
    with each of its layers, which takes Keras seconds for a hundred of them.

    Args:
        weights: the arrays in the file; layers may make twice as many bytes in all.
        timed: whether the time is bounded, too; trusted code may compute what it likes.

    Raises:
        UnsafeFileError: if a layer would exceed the bounds, before it takes memory.
    """
    import keras

    layer, tensor, sequence = keras.layers.Layer, keras.KerasTensor, keras.Sequential
    bounds = Bounds(weights, timed=timed)
    thread = threading.get_ident()

    def counted(self: Any, *args: Any, **settings: Any) -> Any:
        if threading.get_ident() != thread:
            return add_weight(self, *args, **settings)
        given = dict(zip(("shape", "initializer", "dtype"), args, strict=False)) | settings
        dtype = keras.backend.standardize_dtype(given.get("dtype") or self.variable_dtype)
        bounds.count_weight(self.name, given.get("shape") or (), dtype)
        return add_weight(self, **given | {"initializer": "zeros"})

    def bounded(self: Any, shape: Any, *args: Any, **settings: Any) -> None:
        if threading.get_ident() == thread:
            bounds.check_tensor(shape)
        make_tensor(self, shape, *args, **settings)

    def connected_later(self: Any, layer: Any, rebuild: bool = True) -> None:
        if threading.get_ident() == thread and timed:
            bounds.check_time()
            rebuild = False  # `from_config` builds the whole, and a call what it left
        add_layer(self, layer, rebuild=rebuild)

    with _LOCK:
        # Read here: before the lock they may be those of another thread's load.
        add_weight, make_tensor, add_layer = layer.add_weight, tensor.__init__, sequence.add
        layer.add_weight, tensor.__init__, sequence.add = counted, bounded, connected_later
        try:
            yield
            bounds.raise_refusal()
        except Exception as error:
            if bounds.refusal is None:
                raise
            # Keras has put the name of the layer and all its arguments around the reason.
            raise UnsafeFileError(bounds.refusal) from error
        finally:
            layer.add_weight, tensor.__init__, sequence.add = add_weight, make_tensor, add_layer
