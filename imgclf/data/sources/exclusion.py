"""`exclude=`: the files that the user, or `imgclf inspect`, excludes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from imgclf import checks
from imgclf.errors import ArgumentTypeError, DataError, RunFolderError
from imgclf.files.csv_file import read_rows, text_of
from imgclf.files.stored_json import show_error
from imgclf.formatting import show_path

if TYPE_CHECKING:
    from imgclf.data.sources.image_options import Exclude
    from imgclf.typing import StrPath

__all__ = ["Exclusion"]

_NO_REASON = "asked for by `exclude`."


class Exclusion:
    """The excluded files, with the reasons.

    Args:
        exclude: None; the path of a CSV file with the column `path`, and optionally `reason`, as
            `imgclf inspect --out` writes it; or a list of paths.
        root: the folder that paths are relative to.

    Raises:
        MissingFileError: if there is no such CSV file.
        DataError: if it has no column `path`.
    """

    def __init__(self, exclude: Exclude | None, root: StrPath) -> None:
        self.root = os.path.abspath(root)
        entries = _entries(exclude)
        self._reasons = {self._key(path): reason for path, reason in entries}
        self._shown = {self._key(path): path for path, _ in entries}
        self._met: set[str] = set()

    def _key(self, path: str) -> str:
        return os.path.normpath(os.path.join(self.root, path))

    def reason(self, path: str) -> str | None:
        """Returns why the file is excluded; None if it is not."""
        if not self._reasons:
            return None
        key = self._key(os.path.abspath(path))
        # A list of files can hold a name that is no text only in its escaped form.
        for name in (key, show_path(key)):
            if name in self._reasons:
                self._met.add(name)
                return self._reasons[name]
        return None

    def notes(self) -> tuple[str, ...]:
        """Makes a note on entries that match no file."""
        missing = [shown for key, shown in self._shown.items() if key not in self._met]
        if not missing:
            return ()
        return (
            f"Entries of `exclude` that name none of the files: {len(missing)}, such as "
            f"{show_path(missing[0])}.",
        )


def _entries(exclude: Exclude | None) -> list[tuple[str, str]]:
    if exclude is None:
        return []
    if isinstance(exclude, (str, os.PathLike)):
        return _read(checks.existing_path("exclude", exclude))
    try:
        paths = [os.fspath(path) for path in exclude]
    except TypeError as error:
        raise ArgumentTypeError(
            "`exclude` must be the path of a CSV file or a list of paths. "
            + checks.received("exclude", exclude)
        ) from error
    return [(path, _NO_REASON) for path in paths]


def _read(file: Path) -> list[tuple[str, str]]:
    try:
        rows = read_rows(file, ["path"])
    except RunFolderError as error:  # no regular file, or a huge one
        raise DataError(str(error)) from error
    except ValueError as error:
        raise DataError(
            f"{show_path(file)}: must be a CSV table in UTF-8 with a column 'path', as "
            f"`imgclf inspect --out` writes it ({show_error(error)})."
        ) from error
    entries = [(text_of(row["path"]), row.get("reason") or _NO_REASON) for row in rows]
    return [(path, reason) for path, reason in entries if path]
