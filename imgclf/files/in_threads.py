"""Does one thing with many files on every core."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

__all__ = ["in_threads"]


def in_threads(function: Callable[[Any], Any], things: Any, chunk: int) -> Iterator[Any]:
    """What a function gives for each thing, in order.

    Threads serve for reading and decoding, which give up the interpreter lock.

    Args:
        function: is called with one thing.
        things: a sequence or an array.
        chunk: how many a thread takes at a time; handing over each alone takes as long as reading
            a small file.
    """

    def do(some: Any) -> list[Any]:
        return [function(thing) for thing in some]

    chunks = [things[start : start + chunk] for start in range(0, len(things), chunk)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for results in pool.map(do, chunks):
            yield from results
