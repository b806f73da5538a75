"""Which number format the heavy products are computed in, decided by the processor at hand."""

from __future__ import annotations

from pathlib import Path

__all__ = ["dtype_policy", "has_fast_bfloat16"]

# Instructions that multiply bfloat16 numbers directly, as Linux names them (Intel and AMD).
_FLAGS = {"avx512_bf16", "amx_bf16"}


def has_fast_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor multiplies bfloat16 numbers directly; False where it cannot be told."""
    try:
        text = cpuinfo.read_text()
    except OSError:
        return False
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return not _FLAGS.isdisjoint(flags.split())


def dtype_policy(precision: str) -> str:
    """The Keras dtype policy for a recipe's `precision`.

    Weights stay float32 in both.

    Example:
        >>> dtype_policy("float32"), dtype_policy("bfloat16")
        ('float32', 'mixed_bfloat16')
    """
    if precision == "auto":
        precision = "bfloat16" if has_fast_bfloat16() else "float32"
    return "mixed_bfloat16" if precision == "bfloat16" else "float32"
