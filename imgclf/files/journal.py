"""`Journal`: a file of records, each of them on the disk before `append` returns."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from imgclf.errors import RunFolderError

__all__ = ["Journal"]


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
            RunFolderError: if another line cannot be read.
        """
        if not self.path.exists():
            return []
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            with self.path.open("r+b") as file:
                file.truncate(whole)
                os.fsync(file.fileno())
        lines = data[:whole].splitlines()
        return [self._record(line, number) for number, line in enumerate(lines, start=1)]

    def _record(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            record = json.loads(line)
        except ValueError as error:
            raise RunFolderError(
                f"{self.path}, line {number}: is damaged ({error}). The file was left as it is; "
                "use another run_dir, or remove the line."
            ) from error
        if not isinstance(record, dict):
            raise RunFolderError(
                f"{self.path}, line {number}: must be a JSON object. The file was left as it is; "
                "use another run_dir, or remove the line."
            )
        return record

    def append(self, record: dict[str, Any]) -> None:
        """Appends a record; returns when it is on the disk."""
        line = json.dumps(record, allow_nan=False) + "\n"
        with self.path.open("ab") as file:
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())
