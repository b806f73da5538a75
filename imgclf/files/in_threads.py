"""Applies one function to many items on every core: the only thread pool of imgclf."""

from __future__ import annotations

import collections
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import numpy as np

__all__ = ["in_threads"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(
    function: Callable[[Item], Result],
    items: Iterable[Item] | np.ndarray,
    chunk: int,
    max_waiting: int | None = None,
) -> Iterator[Result]:
    """Calls a function with each item and yields the results in order.

    Threads suit reading and decoding, which release the interpreter lock. If the caller stops, or
    an item raises, no further chunk is begun.

    Args:
        function: is called with one item.
        items: a list or an array; or any iterable, which is read as far as needed.
        chunk: how many items a thread takes at a time. Handing over a single item costs as much as
            reading a small file.
        max_waiting: how many chunks may be done or under way before the caller takes the first
            result, which bounds the memory; 4 for each core if left out.

    Example:
        >>> list(in_threads(abs, [-2, 1, -3], chunk=2))
        [2, 1, 3]
    """
    num_threads = os.cpu_count() or 1
    if max_waiting is None:
        max_waiting = 4 * num_threads

    def apply(some: Sequence[Item] | np.ndarray) -> list[Result]:
        return [function(item) for item in some]

    chunks = _chunks(items, chunk)
    waiting: collections.deque[Future[list[Result]]] = collections.deque()
    with ThreadPoolExecutor(num_threads) as pool:
        try:
            for some in chunks:
                waiting.append(pool.submit(apply, some))
                if len(waiting) > max_waiting:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _chunks(items: Any, chunk: int) -> Iterator[Any]:
    if hasattr(items, "__len__") and hasattr(items, "__getitem__"):
        for start in range(0, len(items), chunk):
            yield items[start : start + chunk]
        return
    iterator = iter(items)
    while some := list(itertools.islice(iterator, chunk)):
        yield some
