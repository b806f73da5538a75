"""The number format of the heavy products, by the processor."""

from __future__ import annotations

import functools
import time
from pathlib import Path

from imgclf.typing import KerasModel

__all__ = ["dtype_policy", "has_fast_bfloat16", "precision_note"]

# Instructions that multiply bfloat16 numbers directly, as Linux names them (Intel and AMD).
_FLAGS = {"avx512_bf16", "amx_bf16"}

# bfloat16 keeps three digits, so where it is hardly faster, float32 is the better choice.
_MIN_SPEEDUP = 1.2


def has_fast_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether bfloat16 is faster than float32 on this processor.

    On Linux with an x86 processor its list of instructions decides. Elsewhere a convolution is
    timed in both formats, once per process, in about a second.
    """
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        lines = []
    flags = next((line for line in lines if line.startswith("flags")), None)
    if flags is None:
        return _is_faster()
    return not _FLAGS.isdisjoint(flags.split())


@functools.cache
def _is_faster() -> bool:
    return _seconds("float32") > _MIN_SPEEDUP * _seconds("bfloat16")


def _seconds(dtype: str) -> float:
    """The shortest time of a convolution like those in the middle of a network."""
    import tensorflow as tf

    images = tf.cast(tf.fill([64, 16, 16, 64], 0.5), dtype)
    kernel = tf.cast(tf.fill([3, 3, 64, 64], 0.5), dtype)
    convolve = tf.function(lambda: tf.reduce_sum(tf.nn.conv2d(images, kernel, 1, "SAME")))
    convolve().numpy()  # the first call compiles
    times = []
    for _ in range(10):
        started = time.perf_counter()
        convolve().numpy()
        times.append(time.perf_counter() - started)
    return min(times)


def dtype_policy(precision: str) -> str:
    """Returns the Keras dtype policy for a recipe's `precision`.

    Weights are float32 in both.

    Example:
        >>> dtype_policy("float32"), dtype_policy("bfloat16")
        ('float32', 'mixed_bfloat16')
    """
    if precision == "auto":
        precision = "bfloat16" if has_fast_bfloat16() else "float32"
    return "mixed_bfloat16" if precision == "bfloat16" else "float32"


def precision_note(model: KerasModel, precision: str) -> str:
    """Describes in one line which format a model computes in, and why.

    Args:
        model: a `keras.Model`.
        precision: of its recipe.
    """
    formats = {layer.compute_dtype for layer in model.layers} - {"float32"}
    used = sorted(formats)[0] if formats else "float32"
    if precision != "auto":
        return f"computing in {used}"
    if used == "bfloat16":
        return (
            "computing in bfloat16, which this processor is fast at "
            '(precision="float32" turns it off)'
        )
    return "computing in float32"
