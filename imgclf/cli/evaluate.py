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

__all__ = ["choose", "evaluate"]

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
    "--duplicates",
    is_flag=True,
    help="Look for the pictures among those trained on, and give the accuracy without them, too.",
)
@click.option(
    "--robustness",
    is_flag=True,
    help="Measure what is left of the accuracy under blur, noise, darkness and the like.",
)
@click.option("--out", help="Folder for the figures; that of the model if left out.")
@json_option
def evaluate(
    *,
    model: str,
    source: str,
    archive: str | None,
    split: str | None,
    duplicates: bool,
    robustness: bool,
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
    data, name = choose(classifier, source, split, known, archive, selection)
    pictures = data.splits()[name]
    if duplicates and (name == "train" or known is None):
        raise click.UsageError(
            "--duplicates goes with the validation or test pictures of what the run was trained on."
        )
    evaluation = classifier.evaluate(pictures)
    folder = Path(out) if out else home_of(model)
    more = _measure_more(classifier, evaluation, data, pictures, duplicates, robustness)
    written = _write(folder, evaluation)
    written += [
        write_figure(folder / f"{title}.png", result.plot()) for title, result in more.items()
    ]
    if as_json:
        echo_json(
            evaluation.to_dict() | {title: result.to_dict() for title, result in more.items()}
        )
        return
    click.echo(str(evaluation))
    for result in more.values():
        click.echo(f"\n{result}")
    click.echo("\nWritten:")
    for path in written:
        click.echo(f"  {path}")


def _measure_more(
    classifier: Any,
    evaluation: Evaluation,
    data: Dataset,
    pictures: Split,
    duplicates: bool,
    robustness: bool,
) -> dict[str, Any]:
    """What was asked for beyond the evaluation, by the name of its figure."""
    from imgclf.evaluation.clean_score import clean_score

    more: dict[str, Any] = {}
    if duplicates:
        click.echo("Looking for the pictures among those trained on", err=True)
        more["duplicates"] = clean_score(evaluation, data.train, pictures, mirrored=data.flip_safe)
    if robustness:
        click.echo("Damaging pictures", err=True)
        # The look at these pictures is counted already.
        more["robustness"] = classifier.robustness(dataclasses.replace(pictures, role=None))
    return more


def choose(
    classifier: Any,
    source: str,
    split: str | None,
    known: sources.DataOptions | None,
    archive: str | None,
    selection: dict[str, Any],
) -> tuple[Dataset, str]:
    """The data, read as the model needs it, and the name of the split that is asked for."""
    given = {name: value for name, value in selection.items() if value is not None}
    if _is_named(source):
        if given:
            name = next(iter(given)).replace("_", "-")
            raise click.UsageError(f"--{name} goes with folders and tables only.")
        options = dataclasses.replace(known or sources.DataOptions(), archive=archive)
        return _with_split(sources.load(source, options), split or "test")
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
    if split == "all" and len(data.splits()) == 1:
        return data, "train"
    return _with_split(data, split)


def _names_test(source: str) -> bool:
    """Whether a folder or table says itself which of its pictures are for testing."""
    place = Path(source)
    if place.is_dir():
        return (place / "test").is_dir() and (place / "train").is_dir()
    if place.suffix.lower() != ".csv" or not place.is_file():
        return False
    from imgclf.data.table import names_splits

    return names_splits(place)


def _with_split(data: Dataset, split: str) -> tuple[Dataset, str]:
    splits = data.splits()
    if split not in splits:
        raise DataError(
            f"{data.name} has no pictures for --split {split}. There is: {', '.join(splits)}."
        )
    return data, split


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
