"""`imgclf train`: trains a classifier in a run folder."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from imgclf.cli import data_options as sources
from imgclf.cli.outputs import (
    echo_json,
    echo_result,
    evaluate_command,
    free_folder,
    json_option,
    quiet_option,
)
from imgclf.cli.param_types import PresetName
from imgclf.cli.path_types import ModelFile, OutputFolder, WeightsFile
from imgclf.cli.process import PROCESS_STARTED
from imgclf.cli.quiet import load_tensorflow
from imgclf.cli.run_source import remember, split_as_before
from imgclf.cli.run_update import run_update
from imgclf.errors import OtherImagesError
from imgclf.formatting import plural

if TYPE_CHECKING:
    from imgclf.classifier.classifier import Classifier
    from imgclf.data.dataset import Dataset
    from imgclf.data.split import Split
    from imgclf.training.budget.budget import Budget

__all__ = ["train"]

# What a run folder holds, the most useful first; "head" and "fine-tune" are phases.
_WRITTEN = [
    *("model.keras", "log.csv", "curves.png", "config.json", "data.json", "images.csv"),
    "files.csv",
    *("checkpoints/", "head/", "fine-tune/", "features/"),
]

_BATCH_FOLDER = "one-batch"


@click.command()
@sources.source_argument
@click.option(
    "--preset",
    type=PresetName(),
    default="fast",
    show_default=True,
    help="See `imgclf presets`.",
)
@click.option(
    "--weights",
    type=WeightsFile(),
    metavar="PATH",
    help="Weights of a pretrained backbone: imagenet (default), a weights file, or none.",
)
@click.option(
    "--from-model",
    type=ModelFile(),
    metavar="MODEL",
    help="Transfer learning from your own run folder or .keras file.",
)
@click.option(
    "--out",
    type=OutputFolder(),
    help="Run folder. Default: runs/NAME, or the next free runs/NAME-2, …",
)
@click.option("--epochs", type=click.IntRange(min=1), help="Default: the preset's.")
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    help="Train as many epochs as fit this time, counted from the start of the command.",
)
@click.option(
    "--fine-tune-epochs",
    type=click.IntRange(min=0),
    help="Epochs of fine-tuning a pretrained network, after those of its output layer.",
)
@click.option("--batch-size", type=click.IntRange(min=1), help="Images per step.")
@click.option("--learning-rate", type=float, help="Peak learning rate.")
@sources.balancing_options
@click.option("--seed", type=click.IntRange(min=0), help="For weights, shuffling, augmentation.")
@sources.archive_option
@click.option(
    "--one-batch-first",
    is_flag=True,
    help="For cifar10: train on batch 1 alone first, then on all five from scratch.",
)
@sources.image_options
@sources.cache_options
@sources.validation_option
@click.option(
    "--resume",
    type=click.Choice(["auto", "force"]),
    default="auto",
    show_default=True,
    help="force: resume in a run folder even if its recipe or data differ.",
)
@click.option(
    "--update",
    is_flag=True,
    help="Train the run in --out further on a SOURCE that has more images or classes now, and "
    "compare before and after.",
)
@click.option(
    "--plan",
    "plan_only",
    is_flag=True,
    help="Time a few steps, estimate the whole training, and stop without writing anything.",
)
@quiet_option
@json_option
def train(
    *,
    source: str,
    preset: str,
    out: Path | None,
    minutes: float | None,
    one_batch_first: bool,
    resume: Literal["auto", "force"],
    update: bool,
    plan_only: bool,
    quiet: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Train a classifier on SOURCE.

    SOURCE is cifar10, digits, a folder with a subfolder of images for each class, or a table
    (.csv, .tsv, .txt).

    The same command with the same --out resumes a stopped run at the exact batch and ends with
    the same weights. Ctrl-C saves before it stops; a second Ctrl-C stops at once. Training never
    uses the test images: `imgclf evaluate` does.

    If SOURCE has grown since, --update continues from the model in --out: test images stay test
    images, a new class gets a new output, and the new images are divided.
    """
    _check_options(
        source,
        {
            "--one-batch-first": one_batch_first,
            "--plan": plan_only,
            "--minutes": minutes is not None,
            "--epochs": settings["epochs"] is not None,
            "--update": update,
            "--resume force": resume == "force",
        },
    )
    options = sources.DataOptions.take(settings)
    changes = {name: value for name, value in settings.items() if value is not None}
    budget = None if minutes is None else _budget(minutes)
    if update:
        if out is None:
            raise click.UsageError("--update requires --out: the run to train further.")
        run_update(source, Path(out), options, changes, budget, quiet=quiet, as_json=as_json)
        return
    if plan_only:
        _echo_plan(sources.load(source, options), preset, changes, budget, as_json)
        return
    run = out or free_folder(Path("runs") / sources.source_name(source))

    reports = []
    if one_batch_first:
        data = sources.load_batch(source, 1, options)
        reports.append(
            _train(data, preset, changes, run / _BATCH_FOLDER, resume=resume, quiet=quiet)
        )
        if not as_json:
            _echo_report("On batch 1 alone", reports[0])
    data = sources.load(source, split_as_before(run, options) if resume == "auto" else options)
    try:
        reports.append(_train(data, preset, changes, run, budget, resume=resume, quiet=quiet))
    except OtherImagesError as error:
        raise _with_command(error, source, run) from error
    remember(run, source, options)
    command = evaluate_command(run, source, options.archive)
    if as_json:
        report = reports[-1] | {"next": command}
        echo_json(report | ({_BATCH_FOLDER: reports[0]} if one_batch_first else {}))
        return
    _echo_report("On all five batches" if one_batch_first else "Trained", reports[-1])
    click.echo(f"In {run}: {', '.join(name for name in _WRITTEN if (run / name).exists())}")
    click.echo(f"Next:  {command}")


# Options that exclude each other.
_EITHER = (
    ("--one-batch-first", "--plan"),
    ("--one-batch-first", "--minutes"),
    ("--minutes", "--epochs"),
    ("--update", "--plan"),
    ("--update", "--one-batch-first"),
    ("--update", "--resume force"),
)


def _check_options(source: str, given: dict[str, bool]) -> None:
    """Refuses options that do not go together."""
    if given["--one-batch-first"] and source != "cifar10":
        raise click.UsageError("--one-batch-first requires the source cifar10.")
    for one, other in _EITHER:
        if given[one] and given[other]:
            raise click.UsageError(f"{one} and {other} cannot be combined.")


def _with_command(error: OtherImagesError, source: str, run: Path) -> OtherImagesError:
    """Names the command in place of the function that trains a run further."""
    from imgclf.training.loop.run_folder import UPDATE

    words = ["imgclf", "train", source, "--out", str(run), "--update"]
    return OtherImagesError(str(error).replace(UPDATE, shlex.join(words)))


def _budget(minutes: float) -> Budget:
    """Starts with the process, so that loading TensorFlow and the images counts."""
    from imgclf.training.budget.budget import Budget

    return Budget(minutes, PROCESS_STARTED)


def _echo_plan(
    data: Dataset, preset: str, changes: dict[str, Any], budget: Budget | None, as_json: bool
) -> None:
    load_tensorflow()
    click.echo("Timing a few steps", err=True)
    plan = _classifier(data, preset, changes).plan(data, minutes=budget)
    echo_result(plan, as_json)


def _train(
    data: Dataset,
    preset: str,
    changes: dict[str, Any],
    run: Path,
    budget: Budget | None = None,
    *,
    resume: Literal["auto", "force"],
    quiet: bool,
) -> dict[str, Any]:
    load_tensorflow()
    classifier = _classifier(data, preset, changes)
    history = classifier.fit(
        data, minutes=budget, run_dir=run, resume=resume, verbose=0 if quiet else "auto"
    ).history
    return {
        "run": str(run),
        "model": str(run / "model.keras"),
        "preset": None if "from_model" in changes else preset,
        "epochs": len(history["loss"]),
        "num_train_images": len(data.train),
        "final": {name: values[-1] for name, values in history.items()},
        "macro": _macro_metrics(classifier, data.validation),
    }


def _classifier(data: Dataset, preset: str, changes: dict[str, Any]) -> Classifier:
    import imgclf

    changes = dict(changes)
    from_model = changes.pop("from_model", None)
    if changes.get("weights") == "none":
        changes["weights"] = None
    if from_model is None:
        return imgclf.Classifier.from_preset(preset, data, **changes)
    if "weights" in changes:
        raise click.UsageError("--weights and --from-model cannot be combined.")
    return imgclf.Classifier.from_model(from_model, data, **changes)


def _macro_metrics(classifier: Classifier, validation: Split | None) -> dict[str, float] | None:
    """Returns the metrics for imbalanced classes, if the classes are imbalanced."""
    if validation is None:
        return None
    from imgclf.evaluation.metrics import METRICS
    from imgclf.evaluation.scores.by_class import are_imbalanced

    if not are_imbalanced(validation.labels):
        return None
    evaluation = classifier.evaluate(validation)
    return {
        f"val_{metric.name}": evaluation.metric(metric.name)
        for metric in METRICS
        if metric.in_summary == "if imbalanced"
    }


def _echo_report(title: str, report: dict[str, Any]) -> None:
    from imgclf.evaluation.metrics import METRICS

    final = report["final"]
    accuracy = final.get("val_accuracy")
    shown = "no validation images" if accuracy is None else f"validation accuracy {accuracy:.1%}"
    macro = report["macro"] or {}
    more = [
        f"{metric.title} {metric.show(macro[f'val_{metric.name}'])}"
        for metric in METRICS
        if f"val_{metric.name}" in macro
    ]
    if more:
        shown += f" ({', '.join(more)})"
    images = plural(report["num_train_images"], "image")
    epochs = plural(report["epochs"], "epoch")
    click.echo(f"{title}: {images}, {epochs}, loss {final['loss']:.4f}, {shown}")
