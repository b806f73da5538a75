"""`Journal`: a file of records, each of them on the disk before `append` returns."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from imgclf.errors import RunFolderError
from imgclf.files.stored_json import parse_object, read_bytes, show_error
from imgclf.formatting import show_path

__all__ = ["Journal"]

# The largest are confirmations, of which each record has a bit for each validation image.
_MAX_BYTES = 64 * 2**20
_MAX_RECORD = 4 * 2**20

_REMEDY = "The file was left as it is; use another run_dir, or remove the line."


class Journal:
    """An append-only file with a JSON object on each line.

    Args:
        path: of the file; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[dict[str, Any]]:
        """Returns all records. A last line that a killed process left unfinished is removed.

        Raises:
            RunFolderError: if another line cannot be read, or the file is no journal.
        """
        if not os.path.lexists(self.path):
            return []
        data = read_bytes(self.path, _MAX_BYTES)
        complete = data.rfind(b"\n") + 1
        lines = data[:complete].split(b"\n")[:-1]
        records = [self._record(line, number) for number, line in enumerate(lines, start=1)]
        if complete < len(data):
            self._truncate(complete)
        return records

    def _truncate(self, size: int) -> None:
        self._check_own()
        with self.path.open("r+b") as file:
            file.truncate(size)
            os.fsync(file.fileno())

    def _record(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            if len(line) > _MAX_RECORD:
                raise ValueError(f"it has {len(line):,} bytes")
            return parse_object(line)
        except ValueError as error:
            raise RunFolderError(
                f"{show_path(self.path)}, line {number}: is damaged ({show_error(error)}). "
                f"{_REMEDY}"
            ) from error

    def _check_own(self) -> None:
        if self.path.is_symlink():
            raise RunFolderError(
                f"{show_path(self.path)}: is a link, which imgclf does not write to. Replace it by "
                "the file."
            )

    def append(self, record: dict[str, Any]) -> None:
        """Appends a record; returns when it is on the disk."""
        line = json.dumps(record, allow_nan=False) + "\n"
        self._check_own()
        with self.path.open("ab") as file:
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())
