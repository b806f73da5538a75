"""The ledger of a data set: the fate of every file, with totals that add up."""

from __future__ import annotations

import collections
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from imgclf.errors import ArgumentError
from imgclf.files.csv_file import write_csv
from imgclf.formatting import plural, show_path
from imgclf.typing import StrPath

__all__ = ["FATES", "Ledger", "LedgerRow", "relative_path"]

# The possible fates of a file. The word is a column of `files.csv` in run folders.
FATES = ("used", "skipped", "duplicate", "excluded", "ignored")

_EXAMPLES = 3


class LedgerRow(NamedTuple):
    """One file.

    Args:
        path: relative to the ledger's root, with "/"; a folder that was not entered ends in "/".
        fate: "used"; "skipped", because it cannot be used; "duplicate", because a copy is in
            another split or class; "excluded" by the user; "ignored", because it is no image.
        split: "train", "validation" or "test", if it is used.
        class_name: "" if it is in no class.
        reason: why it is not used; of a used copy, the original.
    """

    path: str
    fate: str
    split: str = ""
    class_name: str = ""
    reason: str = ""


class Ledger:
    """The fate of every file that was found or listed.

    A file costs some 20 bytes in addition to its path and reason.

    Args:
        root: the folder that the paths are relative to.
        rows: the files; their paths may be absolute.

    Raises:
        ArgumentError: if two rows have the same path.

    Example:
        >>> ledger = Ledger(
        ...     "photos",
        ...     [
        ...         LedgerRow("photos/cat/1.jpg", "used", "train", "cat"),
        ...         LedgerRow("photos/cat/2.jpg", "skipped", "", "cat", "is empty (0 bytes)."),
        ...     ],
        ... )
        >>> ledger.totals()
        {'used': 1, 'skipped': 1, 'duplicate': 0, 'excluded': 0, 'ignored': 0}
        >>> print(ledger)
        2 files: 1 used (1 train), 1 skipped.
          skipped: cat/2.jpg: is empty (0 bytes).
    """

    def __init__(self, root: StrPath, rows: Sequence[LedgerRow]) -> None:
        self.root = os.fspath(root)
        rows = sorted(rows)
        self._paths = [row.path for row in rows]
        for earlier, later in zip(self._paths, self._paths[1:], strict=False):
            if earlier == later:
                raise ArgumentError(f"The ledger has two rows for the file {show_path(later)}.")
        # Many files share few texts, so rows hold their indices.
        self._texts: list[str] = list(dict.fromkeys(text for row in rows for text in row[1:]))
        numbers = {text: number for number, text in enumerate(self._texts)}
        self._cells = np.array(
            [[numbers[text] for text in row[1:]] for row in rows], np.int32
        ).reshape(len(rows), 4)

    def __len__(self) -> int:
        return len(self._paths)

    def __iter__(self) -> Iterator[LedgerRow]:
        for path, cells in zip(self._paths, self._cells, strict=True):
            fate, split, class_name, reason = (self._texts[number] for number in cells)
            yield LedgerRow(self.relative(path), fate, split, class_name, reason)

    def relative(self, path: str) -> str:
        """Returns a path relative to the root, with "/"."""
        return relative_path(path, self.root)

    def totals(self) -> dict[str, int]:
        """Counts the files by fate; the sum is `len(ledger)`."""
        counts = self._count(0)
        return {fate: counts.get(fate, 0) for fate in FATES}

    def splits(self) -> dict[str, int]:
        """Counts the used files by split."""
        counts = self._count(1)
        return {name: counts[name] for name in ("train", "validation", "test") if name in counts}

    def _count(self, column: int) -> dict[str, int]:
        numbers = collections.Counter(self._cells[:, column].tolist())
        return {self._texts[number]: count for number, count in numbers.items()}

    def __str__(self) -> str:
        parts = []
        for fate, count in self.totals().items():
            if count:
                parts.append(f"{count:,} {_IN_WORDS.get(fate, fate)}")
                if fate == "used":
                    split = ", ".join(f"{some:,} {name}" for name, some in self.splits().items())
                    parts[-1] += f" ({split})"
        lines = [f"{plural(len(self), 'file')}: {', '.join(parts)}."]
        for fate in FATES[1:3]:
            lines += self._examples(fate)
        return "\n".join(lines)

    def _examples(self, fate: str) -> list[str]:
        number = self._texts.index(fate) if fate in self._texts else -1
        places = np.flatnonzero(self._cells[:, 0] == number)
        lines = [
            f"  {fate}: {show_path(self.relative(self._paths[place]))}: "
            f"{self._texts[self._cells[place, 3]]}"
            for place in places[:_EXAMPLES]
        ]
        if len(places) > _EXAMPLES:
            lines[-1] += f" And {len(places) - _EXAMPLES:,} more."
        return lines

    def __repr__(self) -> str:
        return f"Ledger({show_path(self.root)!r}, {len(self):,} files)"

    def save(self, path: StrPath, digests: Mapping[str, bytes | None] | None = None) -> None:
        """Writes all rows as a CSV file, atomically.

        Args:
            path: the file; its columns are path, fate, split, class and reason.
            digests: the SHA-256 of files, by the paths that the rows were given with; adds a column
                sha256.
        """
        columns = ("path", "fate", "split", "class", "reason")
        if digests is None:
            write_csv(path, columns, iter(self))
            return
        found = ((digests.get(own) or b"").hex() for own in self._paths)
        rows = ((*row, digest) for row, digest in zip(self, found, strict=True))
        write_csv(path, (*columns, "sha256"), rows)


_IN_WORDS = {"duplicate": "left out as duplicates"}


def relative_path(path: StrPath, root: StrPath) -> str:
    """Returns a path relative to `root`, with "/"; unchanged if it lies elsewhere."""
    text, start = os.fspath(path), os.path.join(os.fspath(root), "")
    below = text[len(start) :] if text.startswith(start) else text
    return below.replace(os.sep, "/")
