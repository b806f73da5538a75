"""Sizes of memory and disk as people write them: `"2 GB"`."""

from __future__ import annotations

import re
from typing import Any

from imgclf import checks
from imgclf.errors import ArgumentError

__all__ = ["byte_size"]

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def byte_size(name: str, value: Any) -> int:
    """Bytes as an int, or written with a unit of a thousand: kB, MB, GB or TB.

    Raises:
        ArgumentError: if it is neither.

    Example:
        >>> byte_size("max_disk", "2 GB"), byte_size("max_disk", 5_000)
        (2000000000, 5000)
    """
    if not isinstance(value, str):
        return checks.integer(name, value, low=1)
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", value)
    size = int(float(found[1]) * _UNITS.get(found[2].upper(), 0)) if found else 0
    if size < 1:
        raise ArgumentError(
            f'`{name}` must be a number of bytes, or such as "500 MB" or "2 GB". '
            + checks.received(name, value)
        )
    return size
