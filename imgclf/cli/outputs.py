"""What commands write and where: free run folders, figures, JSON on stdout."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["echo_json", "free_folder", "home_of", "json_option", "write_figure"]

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")


def echo_json(value: Any) -> None:
    """Prints plain values as JSON."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    # Names of files may hold bytes that are no text; \udcff is how JSON writes such a one.
    click.echo(text.encode("utf-8", "backslashreplace").decode())


def free_folder(wanted: Path) -> Path:
    """The folder itself, or the first of `name-2`, `name-3`, … that is not there yet."""
    numbered = (wanted.with_name(f"{wanted.name}-{number}") for number in itertools.count(2))
    return next(place for place in itertools.chain([wanted], numbered) if not place.exists())


def home_of(model: str) -> Path:
    """The run folder, or the folder that a model file is in."""
    place = Path(model)
    return place if place.is_dir() else place.parent


def write_figure(path: Path, figure: Figure | Axes) -> Path:
    """Writes a figure as PNG, whole or not at all, and returns its path."""
    from imgclf import plots
    from imgclf.files import atomic

    atomic.write_bytes(path, plots.figure_png(figure))
    return path
