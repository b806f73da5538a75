"""SOURCE on the command line: its options, and how it is loaded."""

from __future__ import annotations

import csv
import dataclasses
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from imgclf.cli.param_types import ByteSize, Fraction, ImageSize
from imgclf.cli.path_types import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from imgclf.data.cache import CacheSettings
    from imgclf.data.dataset import Dataset

__all__ = [
    "TABLE_OPTIONS",
    "DataOptions",
    "archive_option",
    "balancing_options",
    "cache_options",
    "echo_ledger",
    "image_options",
    "load",
    "load_batch",
    "max_pixels_option",
    "option_words",
    "selection_options",
    "source_argument",
    "source_name",
    "validation_option",
    "with_cache_settings",
]

# The options that say how a table is read.
TABLE_OPTIONS = (
    "path_column",
    "label_column",
    "split_column",
    "delimiter",
    "encoding",
    "root",
)

_Command = TypeVar("_Command", bound="Callable[..., Any]")

source_argument = click.argument("source", type=Source())
archive_option = click.option(
    "--archive",
    metavar="PATH",
    help="For cifar10: your own archive or unpacked folder, instead of the download.",
)
max_pixels_option = click.option(
    "--max-pixels",
    type=click.IntRange(1, 178_956_970),
    help="Skip images with more pixels than this. Default: 89478485, or the value of the "
    "model's training.",
)


def _one_or_more(
    context: click.Context,  # noqa: ARG001
    parameter: click.Parameter,  # noqa: ARG001
    value: tuple[str, ...],
) -> str | list[str] | None:
    return (value[0] if len(value) == 1 else list(value)) if value else None


def _delimiter(
    context: click.Context,  # noqa: ARG001
    parameter: click.Parameter,  # noqa: ARG001
    value: str | None,
) -> str | None:
    return "\t" if value in ("\\t", "tab") else value


def _names(
    context: click.Context,  # noqa: ARG001
    parameter: click.Parameter,  # noqa: ARG001
    value: str | None,
) -> list[str] | None:
    """Reads names as a row of a CSV file, so that quotes keep a comma."""
    return None if value is None else next(csv.reader([value], skipinitialspace=True), [])


_BALANCING_OPTIONS = (
    click.option(
        "--class-weight",
        type=click.Choice(["balanced"]),
        help="Weight all classes equally in the loss, however many images they have.",
    ),
    click.option(
        "--sampling",
        type=click.Choice(["balanced"]),
        help="Draw the same number of images of each class in an epoch.",
    ),
)

_FRACTION_OPTIONS = (
    click.option(
        "--validation",
        type=Fraction(),
        metavar="FRACTION",
        help="Fraction of the images to set aside for validation, such as 0.1.",
    ),
    click.option(
        "--test",
        type=Fraction(),
        metavar="FRACTION",
        help="Fraction of the images to set aside for testing, such as 0.1.",
    ),
    click.option(
        "--split-like",
        type=click.Path(exists=True),
        metavar="RUN",
        help="Split as in a run folder: images that it knows, by content, are in the same split "
        "as there; only new ones are divided.",
    ),
)

_TABLE_OPTIONS = (
    click.option(
        "--path-column",
        metavar="COLUMN",
        help="For a table: the column of the paths. Usual headers are found.",
    ),
    click.option(
        "--label-column",
        metavar="COLUMN",
        multiple=True,
        callback=_one_or_more,
        help="For a table: the column of the classes. Given several times: columns that are 1 for "
        "their class, else 0.",
    ),
    click.option(
        "--split-column",
        metavar="COLUMN",
        help="For a table: the column that says train, val or test.",
    ),
    click.option(
        "--delimiter",
        metavar="CHARACTER",
        callback=_delimiter,
        help="For a table: the delimiter of the columns; \\t is a tab. Found by default.",
    ),
    click.option(
        "--encoding",
        help="For a table: its encoding, such as latin-1. Default: UTF-8.",
    ),
    click.option(
        "--root",
        type=click.Path(exists=True, file_okay=False, resolve_path=True),
        metavar="FOLDER",
        help="For a table: the folder that paths are relative to. Default: its own.",
    ),
)

_SELECTION_OPTIONS = (
    *_TABLE_OPTIONS,
    click.option(
        "--max-skipped",
        type=click.FloatRange(0, 1),
        metavar="FRACTION",
        help="Fraction of the files that may be unusable. Default: 0.05.",
    ),
    click.option(
        "--exclude",
        type=click.Path(exists=True, dir_okay=False, resolve_path=True),
        metavar="FILE",
        help="CSV file with a column path that lists images to leave out, as `imgclf inspect "
        "--out` writes it.",
    ),
    click.option(
        "--groups",
        metavar="PATTERN",
        help="Keep images of a group in the same split: a regular expression with one group in "
        "parentheses, such as 'patient([0-9]+)', for the path below SOURCE; for a CSV file, a "
        "column.",
    ),
    max_pixels_option,
)

_READING_OPTIONS = (
    click.option(
        "--class-names",
        metavar="NAMES",
        callback=_names,
        help="The classes in their order, separated by commas, such as cat,dog. Confirms folders "
        "and labels that may be something else.",
    ),
    click.option(
        "--image-size",
        type=ImageSize(),
        metavar="SIZE",
        help="64, or height×width such as 48x64. Chosen from the images by default.",
    ),
    click.option(
        "--color",
        type=click.Choice(["rgb", "gray"]),
        help="Chosen from the images by default.",
    ),
    click.option(
        "--resize",
        type=click.Choice(["crop", "pad", "stretch"]),
        help="How images are resized. Default: crop.",
    ),
    click.option(
        "--background",
        metavar="COLOR",
        help="Colour behind transparent images, such as black or '#808080'. Default: white.",
    ),
    click.option(
        "--white-level",
        type=click.FloatRange(0, min_open=True),
        metavar="VALUE",
        help="Value of white in grey images of more than 8 bits, such as 4095. Recognised by "
        "default.",
    ),
)

_CACHE_OPTIONS = (
    click.option(
        "--cache",
        type=click.Choice(["auto", "memory", "disk", "off"]),
        help="Where decoded images are kept after the first epoch. Default: auto, which is "
        "memory if all fit, else the disk.",
    ),
    click.option(
        "--cache-size",
        type=ByteSize(),
        metavar="SIZE",
        help="Limit of --cache memory or --cache disk, such as 500MB or 20GB.",
    ),
)


def validation_option(command: _Command) -> _Command:
    """Adds the options that say how many images are set aside."""
    return _with_options(command, _FRACTION_OPTIONS)


def balancing_options(command: _Command) -> _Command:
    """Adds the options for imbalanced classes."""
    return _with_options(command, _BALANCING_OPTIONS)


def cache_options(command: _Command) -> _Command:
    """Adds the options that say where decoded images are kept."""
    return _with_options(command, _CACHE_OPTIONS)


def image_options(command: _Command) -> _Command:
    """Adds the options that say how images of folders and tables are read."""
    return _with_options(command, (*_READING_OPTIONS, *_SELECTION_OPTIONS))


def selection_options(command: _Command) -> _Command:
    """Adds the options that say which images of folders and tables are used."""
    return _with_options(command, _SELECTION_OPTIONS)


def _with_options(command: _Command, options: Iterable[Callable[[_Command], _Command]]) -> _Command:
    for option in reversed(tuple(options)):
        command = option(command)
    return command


@dataclasses.dataclass(frozen=True)
class DataOptions:
    """How the command line says to read a source; None leaves it to the library."""

    archive: str | None = None
    image_size: int | tuple[int, int] | None = None
    color: str | None = None
    resize: str | None = None
    background: str | None = None
    white_level: float | None = None
    validation: float | None = None
    test: float | None = None
    class_names: list[str] | None = None
    path_column: str | None = None
    label_column: str | list[str] | None = None
    split_column: str | None = None
    delimiter: str | None = None
    encoding: str | None = None
    root: str | None = None
    max_skipped: float | None = None
    exclude: str | None = None
    groups: str | None = None
    max_pixels: int | None = None
    cache: Literal["auto", "memory", "disk", "off"] | None = None
    cache_size: int | None = None
    split_like: str | None = None

    @classmethod
    def take(cls, settings: dict[str, Any]) -> DataOptions:
        """Removes the options from a command's settings and returns them."""
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: settings.pop(name) for name in names if name in settings})

    @property
    def given(self) -> dict[str, Any]:
        """The options that were given."""
        return {name: value for name, value in vars(self).items() if value is not None}

    @property
    def selection(self) -> dict[str, Any]:
        """The given options that say which images are used."""
        names = ("validation", "test", "exclude", "groups", "max_pixels", "max_skipped")
        return {
            name: value for name, value in self.given.items() if name in (*names, *TABLE_OPTIONS)
        }


def option_words(given: Mapping[str, Any]) -> list[str]:
    """Returns options as they are typed.

    Example:
        >>> option_words({"root": "photos", "label_column": ["cat", "dog"]})
        ['--root', 'photos', '--label-column', 'cat', '--label-column', 'dog']
    """
    words = []
    for name, value in given.items():
        if value is None:
            continue
        if name == "class_names":
            line = io.StringIO()
            csv.writer(line, lineterminator="").writerow(value)
            value = line.getvalue()  # noqa: PLW2901
        several = value if isinstance(value, (list, tuple)) else [value]
        words += [word for one in several for word in (f"--{name.replace('_', '-')}", str(one))]
    return words


def load(source: str, options: DataOptions) -> Dataset:
    """Loads a source and describes it on stderr.

    The split does not depend on a run's seed, so that the test images of one run are never
    training images of another.
    """
    from imgclf.data.sources.registry import load_source

    data = load_source(source, **with_cache_settings(options.given))
    click.echo(repr(data), err=True)
    echo_ledger(data)
    return data


def load_batch(source: str, batch: int, options: DataOptions) -> Dataset:
    """Loads one of the five batches of CIFAR-10 and describes it on stderr."""
    from imgclf.data.sources.registry import load_source

    if source != "cifar10":
        raise click.UsageError("--batch requires the source cifar10.")
    check_options(source, options.given)
    data = load_source(source, batches=(batch,), **options.given)
    click.echo(repr(data), err=True)
    return data


def check_options(source: str, options: Iterable[str]) -> None:
    """Refuses options that a named source does not have."""
    from imgclf.data.sources.registry import source_at

    row = source_at(source)
    for name in options:
        if row is not None and row.is_named and name not in row.options:
            raise click.UsageError(f"--{name.replace('_', '-')} requires a folder or table.")


def with_cache_settings(given: dict[str, Any]) -> dict[str, Any]:
    """Returns options under the names of the functions that load: `cache` holds both limits."""
    settings = dict(given)
    cache = _cache_settings(settings.pop("cache", None), settings.pop("cache_size", None))
    return {**settings, "cache": cache}


def _cache_settings(
    location: Literal["auto", "memory", "disk", "off"] | None, size: int | None
) -> CacheSettings | None:
    """Returns None if no option was given."""
    from imgclf.data.cache import CacheSettings

    if size is not None and location not in ("memory", "disk"):
        raise click.UsageError("--cache-size requires --cache memory or --cache disk.")
    if location is None:
        return None
    return CacheSettings(
        None if location == "off" else location,
        memory_bytes=size if location == "memory" else None,
        disk_bytes=size if location == "disk" else None,
    )


def echo_ledger(data: Dataset) -> None:
    """Says on stderr what happened to each file, if there are files."""
    if data.ledger is not None:
        click.echo(str(data.ledger), err=True)


def source_name(source: str) -> str:
    """Returns a folder name for a source: cifar10, digits, or the name of the folder or table."""
    place = Path(source)
    return (place.stem if place.is_file() else place.resolve().name) or "data"
