"""Writes what commands produce: figures, JSON, lists of files, the next command."""

from __future__ import annotations

import itertools
import json
import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click

from imgclf.files.output_paths import output_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "check_outputs",
    "echo_json",
    "echo_result",
    "echo_written",
    "evaluate_command",
    "free_folder",
    "json_bytes",
    "json_option",
    "json_text",
    "model_folder",
    "quiet_option",
    "write_figure",
]

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
quiet_option = click.option("--quiet", is_flag=True, help="Show no progress.")


class Result(Protocol):
    """What the API returns: text for people, plain values for JSON."""

    def to_dict(self) -> Mapping[str, object]:
        """Returns plain values."""


def json_bytes(value: object) -> bytes:
    """Returns plain values as JSON in UTF-8."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    # File names may hold bytes that are not text; \udcff is how JSON writes such a byte.
    return text.encode("utf-8", "backslashreplace")


def json_text(value: object) -> str:
    """Returns plain values as JSON that stdout can print, whatever its encoding."""
    encoding = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "")
    if encoding == "utf8":
        return json_bytes(value).decode()
    return json.dumps(value, indent=2)  # JSON's own escapes


def echo_json(value: object) -> None:
    """Prints plain values as JSON."""
    click.echo(json_text(value))


def echo_result(result: Result, as_json: bool) -> None:
    """Prints a result as text, or as JSON."""
    if as_json:
        echo_json(result.to_dict())
    else:
        click.echo(str(result))


def echo_written(paths: Iterable[Path]) -> None:
    """Lists the files that a command wrote."""
    click.echo("\n".join(["\nWritten:", *(f"  {path}" for path in paths)]))


def evaluate_command(model: Path, source: str, archive: str | None) -> str:
    """Returns the command line that evaluates a model."""
    words = ["imgclf", "evaluate", str(model), source]
    return shlex.join(words if archive is None else [*words, "--archive", archive])


def free_folder(wanted: Path) -> Path:
    """Returns the folder itself, or the first of `name-2`, `name-3`, … that does not exist."""
    numbered = (wanted.with_name(f"{wanted.name}-{number}") for number in itertools.count(2))
    return next(place for place in itertools.chain([wanted], numbered) if not place.exists())


def model_folder(model: str) -> Path:
    """Returns the run folder, or the folder of a model file."""
    place = Path(model).expanduser()
    return place if place.is_dir() else place.parent


def check_outputs(*paths: Path) -> None:
    """Refuses files that cannot be written, before anything is computed for them."""
    for path in paths:
        output_file(path)


def write_figure(path: Path, figure: Figure | Axes) -> Path:
    """Writes a figure as a PNG file and returns its path."""
    from imgclf import plots
    from imgclf.files import atomic

    atomic.write_bytes(path, plots.figure_png(figure))
    return path
