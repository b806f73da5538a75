"""Throughput, and the peak of the machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

MATRIX = 4096  # rows and columns: large enough for the product to be bound by arithmetic


def seconds_of(call: Callable[[], Any], times: int = 1) -> float:
    """The mean time of a call."""
    started = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - started) / times


def product_gflops(multiply: Callable[[], Any]) -> float:
    """GFLOP/s of the product of two square matrices of `MATRIX` rows."""
    return 2 * MATRIX**3 / seconds_of(multiply) / 1e9


def measurements(
    products: dict[str, list[float]],
    rates: dict[str, list[float]],
    macs: int,
    precision: str,
) -> dict[str, Any]:
    """The measurements that a throughput row stores.

    Args:
        products: precision → GFLOP/s of matrix products, one per round.
        rates: what is measured → images per second, one per round.
        macs: multiply-adds of the forward pass of an image; the backward pass counts twice that.
        precision: of the training step, a key of `products`.
    """
    peaks = {name: round(max(values), 1) for name, values in products.items()}
    best = {name: round(max(values), 1) for name, values in rates.items()}
    gflops = {name: rate * 3 * 2 * macs / 1e9 for name, rate in best.items() if name != "input"}
    return {
        "peak_gflops": peaks,
        "images_per_second": best,
        "gflops": {name: round(value, 1) for name, value in gflops.items()},
        "part_of_peak": {
            name: round(value / peaks[precision], 3) for name, value in gflops.items()
        },
        "precision": precision,
        "macs": macs,
        "rounds": {"products": products, "images_per_second": rates},
    }
