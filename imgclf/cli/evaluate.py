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
    from imgclf.data.dataset import Dataset
    from imgclf.data.split import Split
    from imgclf.evaluation.evaluation import Evaluation

__all__ = ["evaluate"]

_SLICES = ("class", "size", "brightness", "folder")
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
@click.option(
    "--slices",
    "by",
    multiple=True,
    type=click.Choice(_SLICES),
    help="What to sort pictures by, to see where the accuracy is worse; can be given more than "
    "once. If left out: class, and size of picture files, brightness of others.",
)
@click.option(
    "--baselines",
    "with_baselines",
    is_flag=True,
    help="Judge simple ways to name pictures, too: what does the network add?",
)
@click.option("--out", help="Folder for the figures; that of the model if left out.")
@json_option
def evaluate(
    *,
    model: str,
    source: str,
    archive: str | None,
    split: str | None,
    by: tuple[str, ...],
    with_baselines: bool,
    out: str | None,
    as_json: bool,
    **selection: Any,
) -> None:
    """Evaluate MODEL (a run folder or a .keras file) on SOURCE.

    The classes are the model's: a folder with another name is an error, and one that is missing
    has no pictures. What the run was trained on is cut as it was then.

    Prints the report and writes confusion.png, mistakes.png, calibration.png, slices.csv,
    label_errors.csv and evaluation.json, which has all figures.
    """
    import imgclf
    from imgclf.evaluation.summary import what_to_look_at

    load_tensorflow()
    classifier = imgclf.load(model)
    known = sources.recall(home_of(model), source)
    data, split = _choose(classifier, source, split, known, archive, selection)
    if with_baselines and split not in ("test", "validation"):
        raise click.UsageError(
            f"--baselines goes with --split test or validation, not {split}: they learn from the "
            "train pictures of SOURCE."
        )
    pictures = _split_of(data, split)
    evaluation = classifier.evaluate(pictures)
    slices = [one for name in by or _usual_slices(pictures) for one in evaluation.slices(name)]
    # What the model was trained on it has learned with its wrong labels.
    learned = split == "train" or (split == "all" and known is not None)
    label_errors = [] if learned else evaluation.label_errors()
    simple = imgclf.baselines(data, split) if with_baselines else None
    record = evaluation.to_dict() | {
        "slices": [_plain(one) for one in slices],
        "label_errors": [_plain(one) for one in label_errors],
    }
    if simple is not None:
        record["baselines"] = simple.to_dict()
    written = _write(Path(out) if out else home_of(model), evaluation, record)
    if as_json:
        echo_json(record)
        return
    click.echo(str(evaluation))
    if found := what_to_look_at(slices, label_errors):
        click.echo(f"\n{found}")
    if simple is not None:
        click.echo(f"\n{simple}\n  {simple.compared_with(evaluation)}")
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
) -> tuple[Dataset, str]:
    """The data as the model needs it, and which of its splits is asked for: "all" has one."""
    given = {name: value for name, value in selection.items() if value is not None}
    if _is_named(source):
        if given:
            name = next(iter(given)).replace("_", "-")
            raise click.UsageError(f"--{name} goes with folders and tables only.")
        options = dataclasses.replace(known or sources.DataOptions(), archive=archive)
        return sources.load(source, options), split or "test"
    if archive is not None:
        raise click.UsageError("--archive goes with the source cifar10 only.")
    height, width, channels = classifier.image_shape
    reading: dict[str, Any] = {
        "image_size": None if None in (height, width) else (height, width),
        "color": "gray" if channels == 1 else "rgb",
        "resize": classifier.resize,
        "class_names": classifier.class_names,
    }
    reading |= ({} if known is None else known.selection) | given
    if split is None:
        split = "test" if known is not None or _names_test(source) else "all"
    return _read(source, split, reading)


def _is_named(source: str) -> bool:
    from imgclf.data.source import NAMES

    return source in NAMES


def _read(source: str, split: str, reading: dict[str, Any]) -> tuple[Dataset, str]:
    import imgclf

    read = imgclf.load_csv if Path(source).suffix.lower() == ".csv" else imgclf.load_folder
    if split == "all":
        reading = reading | {"validation": None, "test": None}
    data = read(source, **reading)
    click.echo(f"{data.name}: {split} pictures", err=True)
    for note in data.notes:
        click.echo(f"  {note}", err=True)
    sources.echo_ledger(data)
    return data, split


def _names_test(source: str) -> bool:
    """Whether a folder or table says itself which of its pictures are for testing."""
    place = Path(source)
    if place.is_dir():
        return (place / "test").is_dir() and (place / "train").is_dir()
    if place.suffix.lower() != ".csv" or not place.is_file():
        return False
    from imgclf.data.table import names_splits

    return names_splits(place)


def _split_of(data: Dataset, split: str) -> Split:
    splits = data.splits()
    if split == "all" and len(splits) == 1:
        return data.train  # a folder or table that was not divided
    if split not in splits:
        raise DataError(
            f"{data.name} has no pictures for --split {split}. There is: {', '.join(splits)}."
        )
    chosen: Split = splits[split]
    return chosen


def _usual_slices(pictures: Split) -> list[str]:
    """What costs little: the size of a file stands in its header, pixels at hand are averaged."""
    from imgclf.data.image_files import ImageFiles

    return ["class", "size" if isinstance(pictures.images, ImageFiles) else "brightness"]


def _plain(one: Any) -> dict[str, Any]:
    """A record in plain types that JSON has."""
    return {
        name: list(value) if isinstance(value, tuple) else None if value != value else value  # noqa: PLR0124, NaN
        for name, value in dataclasses.asdict(one).items()
    }


def _write(folder: Path, evaluation: Evaluation, figures: dict[str, Any]) -> list[Path]:
    from imgclf.files import atomic
    from imgclf.files.csv_file import write_csv

    written = [
        write_figure(folder / "confusion.png", evaluation.plot_confusion()),
        write_figure(folder / "mistakes.png", evaluation.plot_mistakes()),
        write_figure(folder / "calibration.png", evaluation.plot_calibration()),
    ]
    for name, columns in _TABLES.items():
        rows = [[one[column] for column in columns] for one in figures[name]]
        write_csv(folder / f"{name}.csv", columns, rows)
        written.append(folder / f"{name}.csv")
    record = folder / "evaluation.json"
    # Names of files may hold bytes that are no text; \udcff is how JSON writes such a one.
    text = json.dumps(figures, indent=2, ensure_ascii=False)
    atomic.write_bytes(record, text.encode("utf-8", "backslashreplace") + b"\n")
    return [*written, record]


_TABLES = {
    "slices": ("by", "name", "count", "accuracy", "rest_accuracy", "p_value", "is_worse"),
    "label_errors": (
        "index",
        "path",
        "label",
        "suggested",
        "label_probability",
        "suggested_probability",
    ),
}
