"""A write to a run folder that failed, as an error that says what is still there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from imgclf.errors import RunFolderError

__all__ = ["naming_failed_write"]


@contextlib.contextmanager
def naming_failed_write(what: str, so_now: str) -> Iterator[None]:
    """Turns an `OSError` within it into a `RunFolderError`.

    Args:
        what: what cannot be written where.
        so_now: what is left, and what to do.
    """
    try:
        yield
    except OSError as error:
        raise RunFolderError(f"{what} ({error.strerror or error}). {so_now}") from error
