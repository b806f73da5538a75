"""Writes files atomically; all of imgclf writes this way.

A temporary file beside the target → write → fsync → verify → `os.replace` → fsync of the folder. A
process that is killed at any moment leaves the old file or the new one, never half of one. It may
leave the temporary file, which `remove_leftovers` recognizes by its name.

A link is followed: the file that it leads to is replaced. The mode of a file that is replaced is
kept, and its owner where the system allows that. What is no regular file is refused.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from imgclf.errors import OutputError
from imgclf.files.output_paths import make_folder, output_error, output_file
from imgclf.typing import StrPath

__all__ = ["LEFTOVER", "STALE_AFTER", "remove_leftovers", "replacing", "write_bytes", "write_text"]

# How the names of temporary files begin.
LEFTOVER = ".imgclf-"

# Seconds after which a temporary file belongs to no process that is still writing.
STALE_AFTER = 24 * 3600


# Errors of the disk, whoever was writing; others of the block within `replacing` are its own.
_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)


@contextlib.contextmanager
def replacing(path: StrPath, verify: Callable[[Path], None] | None = None) -> Iterator[Path]:
    """Yields a temporary path to write to, which replaces `path` at the end.

    Args:
        path: the target; its folder is made if need be.
        verify: called with the finished temporary file; if it raises, the target stays.

    Yields:
        A path in the same folder with the same suffix. If the block raises, it is removed and the
        target stays as it was.

    Raises:
        OutputError: if there cannot be a file, or the disk is full.
    """
    target = output_file(path)
    before = target.stat() if target.exists() else None
    make_folder(target.parent)
    with _naming(path):
        handle, name = tempfile.mkstemp(
            prefix=f"{LEFTOVER}{target.stem[:64]}-", suffix=Path(path).suffix, dir=target.parent
        )
        os.close(handle)
    temporary = Path(name)
    try:
        with _naming(path, only=_OF_THE_DISK):
            yield temporary
        with _naming(path):
            _sync(temporary)
        if verify is not None:
            verify(temporary)
        with _naming(path):
            _make_like(temporary, before)
            temporary.replace(target)
            _sync(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _naming(path: StrPath, only: tuple[int, ...] | None = None) -> Iterator[None]:
    """Turns an `OSError` within it into one that names the target, not the temporary file."""
    try:
        yield
    except OSError as error:
        other = only is not None and error.errno not in only
        if other or isinstance(error, OutputError) or error.strerror is None:
            raise
        raise output_error(path, f"cannot be written ({error.strerror})", error) from error


def _make_like(temporary: Path, before: os.stat_result | None) -> None:
    """Gives a new file the mode and owner of the one that it replaces, else those of any file."""
    if before is None:
        temporary.chmod(0o666 & ~_umask())
        return
    now = temporary.stat()
    if os.name != "nt" and (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
        with contextlib.suppress(OSError):  # only the superuser gives files away
            os.chown(temporary, before.st_uid, before.st_gid)
    temporary.chmod(stat.S_IMODE(before.st_mode))


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
    try:
        found = re.search(r"^Umask:\s*(\d+)", Path("/proc/self/status").read_text(), re.MULTILINE)
    except OSError:
        found = None
    if found:
        return int(found[1], 8)
    # There is no call that only reads it, and this one changes it for all threads.
    mask = os.umask(0)
    os.umask(mask)
    return mask
