"""The ledger of a data set: what became of every file, with totals that add up."""

from __future__ import annotations

import collections
import os
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from imgclf.errors import ArgumentError
from imgclf.files.csv_file import write_csv
from imgclf.formatting import plural, show_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["FATES", "Ledger", "LedgerRow", "relative_path"]

# What can become of a file.
FATES = ("used", "skipped", "duplicate", "excluded", "ignored")

_EXAMPLES = 3


class LedgerRow(NamedTuple):
    """One file.

    Args:
        path: relative to the ledger's root, with "/" between folders; a folder that was not entered
            ends in "/".
        fate: "used"; "skipped", as it cannot be used; "duplicate", left out since its copy is in
            another split or class; "excluded", since it was asked for; "ignored", no image.
        split: "train", "validation" or "test", if it is used.
        class_name: "" if it is in no class.
        reason: why it is not used; of a used file, whose copy it is.
    """

    path: str
    fate: str
    split: str = ""
    class_name: str = ""
    reason: str = ""


class Ledger:
    """What became of every file that was found or listed.

    A file costs some 20 bytes beside its path and, if it has one, its reason.

    Args:
        root: the folder that the paths are relative to.
        rows: the files; their paths may be absolute.

    Raises:
        ArgumentError: if a path is in it twice: each file has one fate.

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

    def __init__(self, root: str | os.PathLike[str], rows: Sequence[LedgerRow]) -> None:
        self.root = os.fspath(root)
        rows = sorted(rows)
        self._paths = [row.path for row in rows]
        for earlier, later in zip(self._paths, self._paths[1:], strict=False):
            if earlier == later:
                raise ArgumentError(f"The ledger has two rows for the file {show_path(later)}.")
        # Few texts, many files: numbers stand for them.
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
        """A path as the ledger shows it: from the root on, with "/"."""
        return relative_path(path, self.root)

    def totals(self) -> dict[str, int]:
        """How many files had which fate; the sum is `len(ledger)`."""
        counts = self._count(0)
        return {fate: counts.get(fate, 0) for fate in FATES}

    def splits(self) -> dict[str, int]:
        """How many files each split uses."""
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

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes all rows as a CSV file, whole or not at all.

        Args:
            path: the file; its columns are path, fate, split, class and reason.
        """
        write_csv(path, ("path", "fate", "split", "class", "reason"), iter(self))


_IN_WORDS = {"duplicate": "left out as duplicates"}


def relative_path(path: str | os.PathLike[str], root: str | os.PathLike[str]) -> str:
    """A path from `root` on, with "/"; as it is if it lies elsewhere."""
    text, start = os.fspath(path), os.path.join(os.fspath(root), "")
    below = text[len(start) :] if text.startswith(start) else text
    return below.replace(os.sep, "/")
