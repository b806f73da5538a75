"""`imgclf evaluate`: what a trained classifier is worth on images with known classes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imgclf.cli import data_options as sources
from imgclf.cli.outputs import echo_json, home_of, json_option, write_figure
from imgclf.cli.quiet import load_tensorflow
from imgclf.cli.split_choice import SPLITS, choose

if TYPE_CHECKING:
    from imgclf.data.dataset import Dataset
    from imgclf.data.split import Split
    from imgclf.evaluation.evaluation import Evaluation

__all__ = ["evaluate"]

_SLICES = ("class", "size", "brightness", "folder")


@click.command()
@click.argument("model")
@sources.source_argument
@sources.archive_option
@sources.selection_options
@click.option(
    "--split",
    type=click.Choice(SPLITS),
    help="Which images. If left out: test; of a folder or table that the run was not trained on "
    "and that names no test images itself: all.",
)
@click.option(
    "--slices",
    "by",
    multiple=True,
    type=click.Choice(_SLICES),
    help="What to sort images by, to see where the accuracy is worse; can be given more than "
    "once. If left out: class, and size of image files, brightness of others.",
)
@click.option(
    "--baselines",
    "with_baselines",
    is_flag=True,
    help="Judge simple ways to name images, too: what does the network add?",
)
@click.option(
    "--duplicates",
    is_flag=True,
    help="Look for the images among those trained on, and give the accuracy without them, too.",
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
    by: tuple[str, ...],
    with_baselines: bool,
    duplicates: bool,
    robustness: bool,
    out: str | None,
    as_json: bool,
    **selection: Any,
) -> None:
    """Evaluate MODEL (a run folder or a .keras file) on SOURCE.

    The classes are the model's: a folder with another name is an error, and one that is missing
    has no images. What the run was trained on is cut as it was then.

    Prints the report and writes confusion.png, mistakes.png, calibration.png, slices.csv,
    label_errors.csv and evaluation.json, which has all figures.
    """
    import imgclf
    from imgclf.evaluation.summary import weak_points

    load_tensorflow()
    classifier = imgclf.load(model)
    known = sources.recall(home_of(model), source)
    data, name = choose(classifier, source, split, known, archive, selection)
    _check_wishes(name, split, known is not None, with_baselines, duplicates)
    images = data.splits()[name]
    evaluation = classifier.evaluate(images)
    slices = [one for kind in by or _usual_slices(images) for one in evaluation.slices(kind)]
    # What the model was trained on it has learned with its wrong labels.
    learned = split == "train" or (name == "train" and known is not None)
    label_errors = [] if learned else evaluation.label_errors()
    simple = imgclf.baselines(data, name) if with_baselines else None
    more = _measure_more(classifier, evaluation, data, images, duplicates, robustness)
    record = evaluation.to_dict() | {
        "slices": [_plain(one) for one in slices],
        "label_errors": [_plain(one) for one in label_errors],
    }
    if simple is not None:
        record["baselines"] = simple.to_dict()
    record |= {title: result.to_dict() for title, result in more.items()}
    folder = Path(out) if out else home_of(model)
    written = _write(folder, evaluation, record)
    written += [
        write_figure(folder / f"{title}.png", result.plot()) for title, result in more.items()
    ]
    if as_json:
        echo_json(record)
        return
    click.echo(str(evaluation))
    if found := weak_points(slices, label_errors):
        click.echo(f"\n{found}")
    if simple is not None:
        click.echo(f"\n{simple}\n  {simple.compared_with(evaluation)}")
    for result in more.values():
        click.echo(f"\n{result}")
    click.echo("\nWritten:")
    for path in written:
        click.echo(f"  {path}")


def _check_wishes(
    name: str, split: str | None, is_known: bool, with_baselines: bool, duplicates: bool
) -> None:
    """Baselines and duplicates need images that were not trained on, and those that were."""
    if with_baselines and name == "train":
        shown = "train" if split == "train" else "all"
        raise click.UsageError(
            f"--baselines goes with --split test or validation, not {shown}: they learn from the "
            "train images of SOURCE."
        )
    if duplicates and (name == "train" or not is_known):
        raise click.UsageError(
            "--duplicates goes with the validation or test images of what the run was trained on."
        )


def _measure_more(
    classifier: Any,
    evaluation: Evaluation,
    data: Dataset,
    images: Split,
    duplicates: bool,
    robustness: bool,
) -> dict[str, Any]:
    """What was asked for beyond the evaluation, by the name of its figure."""
    from imgclf.evaluation.deduplicated import deduplicated_score

    more: dict[str, Any] = {}
    if duplicates:
        click.echo("Looking for the images among those trained on", err=True)
        more["duplicates"] = deduplicated_score(
            evaluation, data.train, images, mirrored=data.flip_safe
        )
    if robustness:
        click.echo("Damaging images", err=True)
        # The look at these images is counted already.
        more["robustness"] = classifier.evaluate_robustness(dataclasses.replace(images, role=None))
    return more


def _usual_slices(images: Split) -> list[str]:
    """What costs little: the size of a file stands in its header, pixels at hand are averaged."""
    from imgclf.data.image_files import ImageFiles

    return ["class", "size" if isinstance(images.images, ImageFiles) else "brightness"]


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
    "slices": ("by", "name", "num_images", "accuracy", "rest_accuracy", "p_value", "is_worse"),
    "label_errors": (
        "index",
        "path",
        "label",
        "suggested",
        "label_probability",
        "suggested_probability",
    ),
}
