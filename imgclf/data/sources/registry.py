"""The registry of data sources: one row for each, shared by Python and the command line.

A new source is a function that loads a `Dataset`, and a row here. Its options are the parameters of
the function, which is imported when it is needed: a path that is none is refused without NumPy.
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgclf import checks
from imgclf.data.sources.table_columns import TABLE_SUFFIXES
from imgclf.errors import ArgumentError, ArgumentTypeError

if TYPE_CHECKING:
    from imgclf.data.dataset import Dataset

__all__ = [
    "NAMES",
    "SOURCES",
    "DataSource",
    "check_source",
    "load_source",
    "source_at",
]


@dataclasses.dataclass(frozen=True)
class DataSource:
    """One kind of data.

    Args:
        title: what messages call it; of a named source, its name.
        loader: imports the function that loads it; that of a place takes the path first.
        is_at: whether a path is of this kind, by its name or by what is there; None for a source
            that has a name instead of a path.
    """

    title: str
    loader: Callable[[], Callable[..., Dataset]]
    is_at: Callable[[Path], bool] | None = None

    @property
    def load(self) -> Callable[..., Dataset]:
        """The function that loads it."""
        return self.loader()

    @property
    def is_named(self) -> bool:
        """Whether it has a name instead of a path."""
        return self.is_at is None

    @property
    def options(self) -> tuple[str, ...]:
        """The names of its options."""
        names = tuple(inspect.signature(self.load).parameters)
        return names if self.is_named else names[1:]


def _is_table(path: Path) -> bool:
    return path.suffix.lower() in TABLE_SUFFIXES and path.is_file()


def _cifar10() -> Callable[..., Dataset]:
    from imgclf.data.sources.cifar10 import load_cifar10

    return load_cifar10


def _digits() -> Callable[..., Dataset]:
    from imgclf.data.sources.digits import load_digits

    return load_digits


def _folder() -> Callable[..., Dataset]:
    from imgclf.data.sources.folder import load_folder

    return load_folder


def _csv() -> Callable[..., Dataset]:
    from imgclf.data.sources.table import load_csv

    return load_csv


SOURCES = (
    DataSource("cifar10", _cifar10),
    DataSource("digits", _digits),
    DataSource("a folder of images", _folder, Path.is_dir),
    DataSource("a table (.csv, .tsv, .txt)", _csv, _is_table),
)

NAMES = tuple(source.title for source in SOURCES if source.is_named)


def source_at(source: str) -> DataSource | None:
    """Finds the row of a name, folder or file; None if there is nothing of a known kind.

    A name takes precedence: a folder called `digits` is written as `./digits`.

    Example:
        >>> source_at("digits").options
        ('validation', 'test', 'seed', 'split_like')
    """
    place = Path(source).expanduser()
    for row in SOURCES:
        if source == row.title if row.is_at is None else bool(source) and row.is_at(place):
            return row
    return None


def check_source(source: str) -> DataSource:
    """Returns the row of a name, folder or file.

    Raises:
        ArgumentError: if there is no such source; the message proposes the nearest.
    """
    row = source_at(source)
    if row is None:
        raise ArgumentError(_unknown(source, Path(source).expanduser()))
    return row


def load_source(source: str, **options: Any) -> Dataset:
    """Loads a source by its name or path.

    Args:
        source: "cifar10", "digits", a folder of images, or a table.
        **options: the options of the function that loads it; None leaves an option to its default.

    Raises:
        ArgumentError: if there is no such source, or an option does not apply to it.

    Example:
        >>> load_source("digits", validation=0.2).name
        'digits'
    """
    if not isinstance(source, str):
        raise ArgumentTypeError(f"`source` must be a text. {checks.received('source', source)}")
    row = check_source(source)
    given = {name: value for name, value in options.items() if value is not None}
    for name, value in given.items():
        if name not in row.options:
            raise ArgumentError(
                f"`{name}` does not apply to the source {source!r}. {checks.received(name, value)}"
            )
    place = [] if row.is_named else [Path(source).expanduser()]
    return row.load(*place, **given)


def _unknown(source: str, place: Path) -> str:
    titles = [*map(repr, NAMES), *(row.title for row in SOURCES if not row.is_named)]
    kind = "is a file of another kind" if place.is_file() else "there is no such file or folder"
    message = (
        f"`source` must be {', '.join(titles[:-1])} or {titles[-1]}; "
        f"{kind}. {checks.received('source', source)}"
    )
    near = difflib.get_close_matches(source, NAMES, n=1) or _near_place(place)
    return f"{message} Did you mean {near[0]!r}?" if near else message


def _near_place(place: Path) -> list[str]:
    parent = place.parent
    if not parent.is_dir():
        return []
    names = [
        entry.name
        for entry in sorted(parent.iterdir())
        if any(row.is_at is not None and row.is_at(entry) for row in SOURCES)
    ]
    return [str(parent / name) for name in difflib.get_close_matches(place.name, names, n=1)]
