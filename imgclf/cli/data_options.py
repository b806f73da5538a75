"""SOURCE on the command line: its options, how it is loaded, and what a run remembers of it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imgclf import checks
from imgclf.errors import ArgumentError, RunFolderError

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgclf.data.dataset import Dataset

__all__ = [
    "DataOptions",
    "archive_option",
    "cache_options",
    "code",
    "echo_ledger",
    "evening_options",
    "image_options",
    "load",
    "load_batch",
    "max_pixels_option",
    "recall",
    "remember",
    "remembered",
    "selection_options",
    "source_argument",
    "source_name",
    "validation_option",
]

# The file in a run folder that says what was trained on.
_RECORD = "data.json"

source_argument = click.argument("source")
archive_option = click.option(
    "--archive",
    metavar="PATH",
    help="For cifar10: an archive or unpacked folder of your own, instead of the download.",
)
validation_option = click.option(
    "--validation",
    type=float,
    metavar="PART",
    help="The part of the images to set aside for validation, such as 0.1.",
)
max_pixels_option = click.option(
    "--max-pixels",
    type=click.IntRange(1, 178_956_970),
    help="Images with more are skipped unread. If left out: 89478485, or what the model was "
    "trained with.",
)


class _ImageSize(click.ParamType):
    """`64` or `48x64` (height × width)."""

    name = "image_size"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if not isinstance(value, str):
            return value
        sides = value.lower().replace("×", "x").split("x")
        if len(sides) > 2 or not all(side.strip().isdecimal() for side in sides):
            self.fail(
                f"{value!r} is neither a side such as 64 nor height×width: 48x64.", param, ctx
            )
        numbers = [int(side) for side in sides]
        return numbers[0] if len(numbers) == 1 else tuple(numbers)


class _Size(click.ParamType):
    """`500MB`, `20GB`, or a plain number of bytes."""

    name = "size"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        try:
            return checks.byte_size("size", value)
        except ArgumentError:
            self.fail(f"{value!r} is no size such as 500MB or 20GB.", param, ctx)


def cache_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say where decoded images are kept."""
    for option in _CACHE_OPTIONS:
        command = option(command)
    return command


def evening_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options for classes of which one has many more images than another."""
    for option in reversed(_EVENING_OPTIONS):
        command = option(command)
    return command


def image_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say how images of folders and tables are read."""
    for option in (*_SELECTION_OPTIONS, *_READING_OPTIONS):
        command = option(command)
    return command


def selection_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which images of folders and tables are used."""
    for option in _SELECTION_OPTIONS:
        command = option(command)
    return command


_EVENING_OPTIONS = (
    click.option(
        "--class-weight",
        type=click.Choice(["balanced"]),
        help="Let each class count alike in the loss, however many images it has.",
    ),
    click.option(
        "--sampling",
        type=click.Choice(["balanced"]),
        help="Show as many images of each class in an epoch.",
    ),
)

_SELECTION_OPTIONS = (
    max_pixels_option,
    click.option(
        "--groups",
        metavar="PATTERN",
        help="Images to keep on one side of a cut: a regular expression with one group in "
        "brackets, such as 'patient([0-9]+)', for the path below SOURCE; for a CSV file, a column.",
    ),
    click.option(
        "--exclude",
        type=click.Path(exists=True, dir_okay=False, resolve_path=True),
        metavar="FILE",
        help="Images to leave out: a CSV file with the column path, as `imgclf inspect --out` "
        "writes it.",
    ),
)

_READING_OPTIONS = (
    click.option(
        "--resize",
        type=click.Choice(["crop", "pad", "stretch"]),
        help="How images are given that size: crop (the default), pad or stretch.",
    ),
    click.option("--color", type=click.Choice(["rgb", "gray"]), help="Chosen if left out."),
    click.option(
        "--image-size",
        type=_ImageSize(),
        metavar="SIZE",
        help="64, or height×width: 48x64. Chosen from the images if left out.",
    ),
)

_CACHE_OPTIONS = (
    click.option(
        "--cache-size",
        type=_Size(),
        metavar="SIZE",
        help="The most that --cache memory or --cache disk may take, such as 500MB or 20GB.",
    ),
    click.option(
        "--cache",
        type=click.Choice(["auto", "memory", "disk", "off"]),
        help="Where decoded images are kept from the first epoch on: auto (the default; memory "
        "if all fit, else the disk), memory, disk, or off.",
    ),
)


@dataclasses.dataclass(frozen=True)
class DataOptions:
    """What the command line says about how to read a source; None leaves it to the library."""

    archive: str | None = None
    image_size: Any = None
    color: str | None = None
    resize: str | None = None
    validation: float | None = None
    exclude: str | None = None
    groups: str | None = None
    max_pixels: int | None = None
    cache: str | None = None
    cache_size: int | None = None

    @classmethod
    def take(cls, settings: dict[str, Any]) -> DataOptions:
        """Takes those that a command has out of its settings."""
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: settings.pop(name) for name in names if name in settings})

    @property
    def selection(self) -> dict[str, Any]:
        """Which images are used, as far as it was said."""
        names = ("validation", "exclude", "groups", "max_pixels")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


def load(source: str, options: DataOptions) -> Dataset:
    """Loads a source and says on stderr what it holds.

    The cut into splits does not depend on a run's seed, so that the test images of one run are
    never training images of another.
    """
    from imgclf.data.sources.registry import load_source

    settings = {name: value for name, value in vars(options).items() if value is not None}
    cache = _cache_settings(settings.pop("cache", None), settings.pop("cache_size", None))
    data = load_source(source, cache=cache, **settings)
    click.echo(repr(data), err=True)
    echo_ledger(data)
    return data


def load_batch(batch: int, options: DataOptions) -> Dataset:
    """Loads one of the five batches of CIFAR-10, as `load` does the whole."""
    import imgclf

    given = {name: value for name, value in vars(options).items() if value is not None}
    foreign = [name for name in given if name not in ("archive", "validation")]
    if foreign:
        name = foreign[0].replace("_", "-")
        raise click.UsageError(f"--{name} goes with folders and tables only.")
    data = imgclf.load_cifar10(batches=(batch,), **given)
    click.echo(repr(data), err=True)
    return data


def code(source: str, options: DataOptions, batch: int | None = None) -> str:
    """The line of Python that loads a source as `load` and `load_batch` do, but for the cache."""
    from imgclf.data.sources.registry import NAMES

    given = {} if batch is None else {"batches": (batch,)}
    given |= {
        name: value
        for name, value in vars(options).items()
        if value is not None and name not in ("cache", "cache_size")
    }
    arguments = [f"{name}={value!r}" for name, value in given.items()]
    if source in NAMES:
        return f"imgclf.load_{source}({', '.join(arguments)})"
    loader = "load_csv" if Path(source).suffix.lower() == ".csv" else "load_folder"
    return f"imgclf.{loader}({', '.join([repr(source), *arguments])})"


def _cache_settings(where: str | None, size: int | None) -> Any:
    """None if nothing was said of it."""
    from imgclf.data.cache import CacheSettings

    if size is not None and where not in ("memory", "disk"):
        raise click.UsageError("--cache-size goes with --cache memory or --cache disk.")
    if where is None:
        return None
    bound = {} if size is None else {f"{where}_bytes": size}
    return CacheSettings(None if where == "off" else where, **bound)


def echo_ledger(data: Dataset) -> None:
    """Says on stderr what became of the files, where there are any."""
    if data.ledger is not None:
        click.echo(str(data.ledger), err=True)


def source_name(source: str) -> str:
    """A name for folders: cifar10, digits, or that of the folder or table."""
    place = Path(source)
    return (place.stem if place.suffix == ".csv" else place.resolve().name) or "data"


def remember(run: Path, source: str, options: DataOptions) -> None:
    """Writes into a run folder what it is trained on; `evaluate` reads the same images then."""
    from imgclf.files import atomic

    run.mkdir(parents=True, exist_ok=True)
    record = {"source": _identity(source), **vars(options)}
    atomic.write_text(run / _RECORD, json.dumps(record, indent=2) + "\n")


def recall(run: Path, source: str) -> DataOptions | None:
    """How the run read this source; None if it was trained on another one, or on an unknown one."""
    known = remembered(run)
    return known[1] if known is not None and known[0] == _identity(source) else None


def remembered(run: Path) -> tuple[str, DataOptions] | None:
    """The source that a run was trained on, and how it read it; None if that is unknown."""
    path = run / _RECORD
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text())
        source = record.pop("source")
        return source, DataOptions(**record)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RunFolderError(
            f"{path}: is damaged ({error}). Delete it; `imgclf evaluate` then takes the source as "
            "images that the run has not seen."
        ) from error


def _identity(source: str) -> str:
    from imgclf.data.sources.registry import NAMES

    return source if source in NAMES else str(Path(source).expanduser().resolve())
