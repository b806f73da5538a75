"""One budget of memory for all threads that decode images.

A few kilobytes may claim 89 million pixels, which take two gigabytes while they are decoded. Large
images therefore wait for each other; small ones never wait.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

from imgclf.data.free_memory import available_memory

__all__ = ["DECODING_MEMORY", "DecodingMemory"]

_LIMIT = 2**30

# An image that takes less is not counted, so that ordinary images take no lock.
_SMALL = 16 * 2**20

# Whatever takes more is compared with the memory that is free.
_LARGE = 256 * 2**20


class DecodingMemory:
    """Lets threads decode at the same time while their images together stay within a limit.

    Args:
        limit: bytes; a single image that takes more is decoded alone.

    Example:
        >>> memory = DecodingMemory(limit=100)
        >>> with memory.reserve(10):
        ...     pass
    """

    def __init__(self, limit: int = _LIMIT) -> None:
        self.limit = limit
        self._used = 0
        self._free = threading.Condition()

    @contextlib.contextmanager
    def reserve(self, size: int) -> Iterator[None]:
        """Waits until `size` bytes fit into the limit, and counts them within the context.

        Raises:
            MemoryError: if that is more than is free on the machine.
        """
        if size < min(_SMALL, self.limit):
            yield
            return
        with self._free:
            self._free.wait_for(lambda: not self._used or self._used + size <= self.limit)
            self._used += size
        try:
            if size > _LARGE:
                _check_free(size)
            yield
        finally:
            with self._free:
                self._used -= size
                self._free.notify_all()

    def forget(self) -> None:
        """Forgets what other threads have reserved, which do not exist in a forked process."""
        self._used = 0
        self._free = threading.Condition()


def _check_free(size: int) -> None:
    free = available_memory()
    if free is not None and size > free:
        raise MemoryError(
            f"needs about {size / 1e6:,.0f} MB to be decoded, but {free / 1e6:,.0f} MB are free"
        )


DECODING_MEMORY = DecodingMemory()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=DECODING_MEMORY.forget)
