"""The error of a file that is refused."""

from __future__ import annotations

__all__ = ["UnsafeFileError"]


class UnsafeFileError(ValueError):
    """A file is damaged, or holds what is not safe to read; the message says what and where."""
