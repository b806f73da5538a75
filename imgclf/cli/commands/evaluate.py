"""`imgclf evaluate`: evaluates a trained classifier on labelled images."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imgclf.cli import data_options as sources
from imgclf.cli.outputs import (
    check_outputs,
    echo_json,
    echo_written,
    json_bytes,
    json_option,
    model_folder,
    write_figure,
)
from imgclf.cli.path_types import ModelFile, OutputFolder
from imgclf.cli.quiet import load_tensorflow
from imgclf.cli.run_source import recall, remembered
from imgclf.cli.split_choice import SPLITS, ChosenSplit, load_split

if TYPE_CHECKING:
    from imgclf.classifier.classifier import Classifier
    from imgclf.data.dataset import Dataset
    from imgclf.data.split import Split
    from imgclf.evaluation.evaluation import Evaluation
    from imgclf.evaluation.label_errors import LabelError
    from imgclf.evaluation.slices import Slice

__all__ = ["evaluate"]

_FILES = (
    *("confusion.png", "mistakes.png", "calibration.png"),
    *("slices.csv", "label_errors.csv", "evaluation.json", "duplicates.png", "robustness.png"),
)

_SLICES = ("class", "size", "brightness", "folder")


@click.command()
@click.argument("model", type=ModelFile())
@sources.source_argument
@sources.archive_option
@sources.selection_options
@click.option(
    "--split",
    type=click.Choice(SPLITS),
    help="Split to evaluate. Default: test, which is every image that the run was not trained or "
    "validated on.",
)
@click.option(
    "--slices",
    "by",
    multiple=True,
    type=click.Choice(_SLICES),
    help="Compare the accuracy of slices of the images; can be repeated. Default: class, and "
    "size for image files, brightness for others.",
)
@click.option(
    "--baselines",
    "with_baselines",
    is_flag=True,
    help="Evaluate simple baselines, too, trained on the training images of SOURCE.",
)
@click.option(
    "--duplicates",
    is_flag=True,
    help="Search the training images for duplicates and report the accuracy without them.",
)
@click.option(
    "--robustness",
    is_flag=True,
    help="Measure the accuracy under blur, noise, darkness and other damage.",
)
@click.option(
    "--out", type=OutputFolder(), help="Folder for the files. Default: the model's folder."
)
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
    out: Path | None,
    as_json: bool,
    **selection: Any,
) -> None:
    """Evaluate MODEL on SOURCE.

    MODEL is a run folder or a .keras file, SOURCE is as for `imgclf train`. The classes are the
    model's: a folder with another name is an error, a missing folder counts as a class without
    images. Images are known by content: those that MODEL was trained or validated on are left out,
    wherever they are now, and counted. Its test images stay test images; new ones are added.

    Prints a summary and writes confusion.png, mistakes.png, calibration.png, slices.csv,
    label_errors.csv, and evaluation.json with all metrics.
    """
    import imgclf
    from imgclf.evaluation.summary import weak_points

    folder = out or model_folder(model)
    check_outputs(*(folder / name for name in _FILES))
    load_tensorflow()
    classifier = imgclf.load(model)
    known = recall(model_folder(model), source)
    chosen = load_split(classifier, source, split, known, archive, selection)
    data, name = chosen.data, chosen.name
    _check_options(name, with_baselines, duplicates)
    _check_slices(by, chosen.images)
    evaluation = classifier.evaluate(chosen.images)
    left_out = evaluation.num_left_out + chosen.num_left_out
    images = dataclasses.replace(chosen.images, images=evaluation.images, labels=evaluation.labels)
    evaluation = dataclasses.replace(evaluation, num_left_out=left_out)
    slices = [one for kind in by or _usual_slices(images) for one in evaluation.slices(kind)]
    # The model has learned the wrong labels of its training images.
    label_errors = [] if name == "train" else evaluation.label_errors()
    simple = imgclf.baselines(data, name) if with_baselines else None
    train = _training_images(classifier, chosen, known, model) if duplicates else None
    more = _measure_more(classifier, evaluation, data, images, train, robustness)
    record = evaluation.to_dict() | {
        "slices": [_plain(one) for one in slices],
        "label_errors": [_plain(one) for one in label_errors],
    }
    if simple is not None:
        record["baselines"] = simple.to_dict()
    record |= {title: result.to_dict() for title, result in more.items()}
    written = _write(folder, evaluation, record)
    for title, result in more.items():
        written.append(write_figure(folder / f"{title}.png", result.plot()))
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
    echo_written(written)


def _check_options(name: str, with_baselines: bool, duplicates: bool) -> None:
    """Refuses options that need images that were not trained on, and those that were."""
    if with_baselines and name in ("train", "all"):
        raise click.UsageError(
            f"--baselines requires --split test or validation, not {name}: baselines are trained "
            "on the training images of SOURCE."
        )
    if duplicates and name == "train":
        raise click.UsageError(
            "--duplicates requires images that were not trained on: --split test or validation."
        )


def _check_slices(by: tuple[str, ...], images: Split) -> None:
    """Refuses slices that these images do not have, before the evaluation is counted."""
    from imgclf.data.image_files import ImageFiles

    if not isinstance(images.images, ImageFiles):
        for kind in ("size", "folder"):
            if kind in by:
                raise click.UsageError(f"--slices {kind} requires image files.")


def _training_images(
    classifier: Classifier, chosen: ChosenSplit, known: sources.DataOptions | None, model: str
) -> Split:
    """Returns what the model was trained on, from SOURCE or from where the run was trained."""
    from imgclf.errors import ImgclfError

    if known is not None:
        return chosen.data.train
    trained_on = remembered(model_folder(model))
    reason = "the model does not say what it was trained on"
    if trained_on is not None:
        source, options = trained_on
        try:
            return load_split(classifier, source, "train", options, options.archive, {}).images
        except ImgclfError as error:
            reason = f"they cannot be read: {error}"
    if chosen.name != "all" and classifier.run_dir is not None:
        return chosen.data.train  # as many of them as SOURCE has
    raise click.UsageError(f"--duplicates requires the training images, but {reason}")


def _measure_more(
    classifier: Classifier,
    evaluation: Evaluation,
    data: Dataset,
    images: Split,
    train: Split | None,
    robustness: bool,
) -> dict[str, Any]:
    """Returns the further results asked for, by name."""
    from imgclf.evaluation.deduplicated import deduplicated_score

    more: dict[str, Any] = {}
    if train is not None:
        click.echo("Searching the training images for duplicates", err=True)
        more["duplicates"] = deduplicated_score(evaluation, train, images, mirrored=data.flip_safe)
    if robustness:
        click.echo("Evaluating on damaged images", err=True)
        # This evaluation of the test images has been counted already.
        uncounted = dataclasses.replace(images, role=None) if images.role == "test" else images
        more["robustness"] = classifier.evaluate_robustness(uncounted)
    return more


def _usual_slices(images: Split) -> list[str]:
    """Chooses what is cheap: a file's size is in its header, pixels in memory are averaged."""
    from imgclf.data.image_files import ImageFiles

    return ["class", "size" if isinstance(images.images, ImageFiles) else "brightness"]


def _plain(one: Slice | LabelError) -> dict[str, Any]:
    """Returns a record as JSON types."""
    return {
        name: list(value) if isinstance(value, tuple) else None if value != value else value  # noqa: PLR0124, NaN
        for name, value in dataclasses.asdict(one).items()
    }


def _write(folder: Path, evaluation: Evaluation, record: dict[str, Any]) -> list[Path]:
    from imgclf.files import atomic
    from imgclf.files.csv_file import write_csv

    written = [
        write_figure(folder / "confusion.png", evaluation.plot_confusion()),
        write_figure(folder / "mistakes.png", evaluation.plot_mistakes()),
        write_figure(folder / "calibration.png", evaluation.plot_calibration()),
    ]
    for name, columns in _TABLES.items():
        rows = [[one[column] for column in columns] for one in record[name]]
        write_csv(folder / f"{name}.csv", columns, rows)
        written.append(folder / f"{name}.csv")
    path = folder / "evaluation.json"
    atomic.write_bytes(path, json_bytes(record) + b"\n")
    return [*written, path]


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
