"""Writes files atomically; all of imgclf writes this way.

A temporary file beside the target → write → fsync → verify → `os.replace` → fsync of the folder. A
process that is killed at any moment leaves the old file or the new one, never half of one. It may
leave the temporary file, which `remove_leftovers` recognizes by its name.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from imgclf.typing import StrPath

__all__ = ["LEFTOVER", "STALE_AFTER", "remove_leftovers", "replacing", "write_bytes", "write_text"]

# How the names of temporary files begin.
LEFTOVER = ".imgclf-"

# Seconds after which a temporary file belongs to no process that is still writing.
STALE_AFTER = 24 * 3600


@contextlib.contextmanager
def replacing(path: StrPath, verify: Callable[[Path], None] | None = None) -> Iterator[Path]:
    """Yields a temporary path to write to, which replaces `path` at the end.

    Args:
        path: the target; its folder is made if need be.
        verify: called with the finished temporary file; if it raises, the target stays.

    Yields:
        A path in the same folder with the same suffix. If the block raises, it is removed and the
        target stays as it was.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(
        prefix=f"{LEFTOVER}{target.stem}-", suffix=target.suffix, dir=target.parent
    )
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        _sync(temporary)
        if verify is not None:
            verify(temporary)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
        _sync(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: StrPath, data: bytes) -> None:
    """Writes `data` to `path`, atomically."""

    def verify(written: Path) -> None:
        if written.stat().st_size != len(data):
            raise OSError(f"{written.name} is shorter than what was written to it")

    with replacing(path, verify) as temporary:
        temporary.write_bytes(data)


def write_text(path: StrPath, text: str) -> None:
    """Writes `text` to `path` as UTF-8, atomically."""
    write_bytes(path, text.encode())


def remove_leftovers(folder: StrPath, older_than: float = 0.0) -> None:
    """Removes temporary files and folders of processes that were killed.

    Args:
        folder: it need not exist.
        older_than: seconds since they were changed; `STALE_AFTER` where other processes may be
            writing.
    """
    for path in Path(folder).glob(f"{LEFTOVER}*"):
        # Another process may be cleaning up, too; and what cannot be removed does no harm.
        with contextlib.suppress(OSError):
            if time.time() - path.lstat().st_mtime < older_than:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()


def _sync(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return  # Windows has no such call for folders
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    # There is no call that only reads it.
    mask = os.umask(0)
    os.umask(mask)
    return mask
