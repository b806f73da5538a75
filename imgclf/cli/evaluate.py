"""`imgclf evaluate`: what a trained classifier is worth on pictures with known classes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imgclf.cli import sources
from imgclf.cli.outputs import echo_json, home_of, json_option, write_figure
from imgclf.cli.quiet import load_tensorflow
from imgclf.errors import DataError

if TYPE_CHECKING:
    from imgclf.data.split import Split
    from imgclf.evaluation.evaluation import Evaluation

__all__ = ["evaluate"]

_SPLITS = ("train", "validation", "test", "all")


@click.command()
@click.argument("model")
@sources.source_argument
@sources.archive_option
@sources.selection_options
@click.option(
    "--split",
    type=click.Choice(_SPLITS),
    help="Which pictures. If left out: test; of a folder or table that the run was not trained on "
    "and that names no test pictures itself: all.",
)
@click.option("--out", help="Folder for the figures; that of the model if left out.")
@json_option
def evaluate(
    *,
    model: str,
    source: str,
    archive: str | None,
    split: str | None,
    out: str | None,
    as_json: bool,
    **selection: Any,
) -> None:
    """Evaluate MODEL (a run folder or a .keras file) on SOURCE.

    The classes are the model's: a folder with another name is an error, and one that is missing
    has no pictures. What the run was trained on is cut as it was then.

    Prints the report and writes confusion.png, mistakes.png, calibration.png and evaluation.json.
    """
    import imgclf

    load_tensorflow()
    classifier = imgclf.load(model)
    known = sources.recall(home_of(model), source)
    pictures = _choose(classifier, source, split, known, archive, selection)
    evaluation = classifier.evaluate(pictures)
    written = _write(Path(out) if out else home_of(model), evaluation)
    if as_json:
        echo_json(evaluation.to_dict())
        return
    click.echo(str(evaluation))
    click.echo("\nWritten:")
    for path in written:
        click.echo(f"  {path}")


def _choose(
    classifier: Any,
    source: str,
    split: str | None,
    known: sources.DataOptions | None,
    archive: str | None,
    selection: dict[str, Any],
) -> Split:
    """The pictures that are asked for, read as the model needs them."""
    given = {name: value for name, value in selection.items() if value is not None}
    if _is_named(source):
        if given:
            name = next(iter(given)).replace("_", "-")
            raise click.UsageError(f"--{name} goes with folders and tables only.")
        options = dataclasses.replace(known or sources.DataOptions(), archive=archive)
        return _split_of(sources.load(source, options), split or "test")
    if archive is not None:
        raise click.UsageError("--archive goes with the source cifar10 only.")
    height, width, channels = classifier.image_shape
    reading: dict[str, Any] = {
        "image_size": None if None in (height, width) else (height, width),
        "color": "gray" if channels == 1 else "rgb",
        "resize": classifier.resize,
        "max_pixels": classifier.max_pixels,
        "class_names": classifier.class_names,
    }
    reading |= ({} if known is None else known.selection) | given
    if split is None:
        split = "test" if known is not None or _names_test(source) else "all"
    return _read(source, split, reading)


def _is_named(source: str) -> bool:
    from imgclf.data.source import NAMES

    return source in NAMES


def _read(source: str, split: str, reading: dict[str, Any]) -> Split:
    import imgclf

    read = imgclf.load_csv if Path(source).suffix.lower() == ".csv" else imgclf.load_folder
    if split == "all":
        reading = reading | {"validation": None, "test": None}
    data = read(source, **reading)
    click.echo(f"{data.name}: {split} pictures", err=True)
    for note in data.notes:
        click.echo(f"  {note}", err=True)
    sources.echo_ledger(data)
    return data.train if split == "all" and len(data.splits()) == 1 else _split_of(data, split)


def _names_test(source: str) -> bool:
    """Whether a folder or table says itself which of its pictures are for testing."""
    place = Path(source)
    if place.is_dir():
        return (place / "test").is_dir() and (place / "train").is_dir()
    if place.suffix.lower() != ".csv" or not place.is_file():
        return False
    from imgclf.data.table import names_splits

    return names_splits(place)


def _split_of(data: Any, split: str) -> Split:
    splits = data.splits()
    if split not in splits:
        raise DataError(
            f"{data.name} has no pictures for --split {split}. There is: {', '.join(splits)}."
        )
    chosen: Split = splits[split]
    return chosen


def _write(folder: Path, evaluation: Evaluation) -> list[Path]:
    from imgclf.files import atomic

    written = [
        write_figure(folder / "confusion.png", evaluation.plot_confusion()),
        write_figure(folder / "mistakes.png", evaluation.plot_mistakes()),
        write_figure(folder / "calibration.png", evaluation.plot_calibration()),
    ]
    record = folder / "evaluation.json"
    atomic.write_text(record, json.dumps(evaluation.to_dict(), indent=2, ensure_ascii=False) + "\n")
    return [*written, record]
