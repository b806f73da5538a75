"""Checks where a file or folder is to be written, before anything is done for it.

Links are followed, as a shell does. What is no regular file (a device, a pipe, a folder) is
refused, since an atomic write would replace it.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from imgclf.errors import OutputError
from imgclf.formatting import show_path
from imgclf.typing import StrPath

__all__ = ["make_folder", "output_error", "output_file", "output_folder"]

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)


def output_file(path: StrPath) -> Path:
    """Returns the file that a write to `path` makes or replaces: links are followed.

    Args:
        path: it need not exist, nor its folder.

    Raises:
        OutputError: if no file can be written there. Nothing was changed.

    Example:
        >>> output_file("/dev/null")
        Traceback (most recent call last):
            ...
        imgclf.errors.OutputError: /dev/null: is a device, not a regular file. Nothing was written.
    """
    given = Path(path)
    found = _status(given)
    target = Path(os.path.realpath(given))
    if found is None:
        _check_parent(target.parent)
        return target
    if not stat.S_ISREG(found.st_mode):
        raise output_error(path, f"is {_kind(found)}, not a regular file")
    # The links in /proc lead to files that may have no name any more.
    if not target.exists() or not target.samefile(given):
        raise output_error(path, "is an open file without a name")
    if not os.access(target, os.W_OK):
        raise output_error(path, "is write-protected")
    _check_parent(target.parent)
    return target


def output_folder(path: StrPath) -> Path:
    """Returns the folder that files are written to: links are followed.

    Args:
        path: it need not exist, nor those above it.

    Raises:
        OutputError: if it is no folder, cannot be made, or cannot be written to. Nothing was
            changed.
    """
    folder = Path(os.path.realpath(path))
    found = _status(Path(path))
    if found is not None and not stat.S_ISDIR(found.st_mode):
        raise output_error(path, f"is {_kind(found)}, not a folder")
    _check_parent(folder)
    return folder


def make_folder(path: StrPath) -> Path:
    """Makes a folder and those above it, unless it exists, and returns it.

    Raises:
        OutputError: if it cannot be made.
    """
    folder = output_folder(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(path, f"cannot be made ({error.strerror})", error) from error
    return folder


def output_error(path: StrPath, reason: str, cause: OSError | None = None) -> OutputError:
    """Returns the error of a write that is refused, or has failed and left the old file."""
    left = "Nothing was written" if cause is None else "What was there was left as it was"
    error = OutputError(f"{show_path(path)}: {reason}. {left}.")
    error.filename = os.fspath(path)
    error.strerror, error.errno = (reason, None) if cause is None else (cause.strerror, cause.errno)
    return error


def _kind(found: os.stat_result) -> str:
    return next((name for is_kind, name in _KINDS if is_kind(found.st_mode)), "a file")


def _status(path: Path) -> os.stat_result | None:
    """Returns what is at a path, None if nothing is."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        return None  # `_check_parent` names the file that is in the place of a folder
    except OSError as error:
        raise output_error(path, f"cannot be written ({error.strerror})") from error


def _check_parent(folder: Path) -> None:
    """Checks that a folder can be made and written to."""
    existing = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    if not existing.is_dir():
        raise output_error(existing, "is a file, not a folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise output_error(existing, "is a folder that cannot be written to")
