"""`imgclf train`: a classifier from a source and a preset, in a run folder."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imgclf.cli import sources
from imgclf.cli.outputs import echo_json, free_folder, json_option
from imgclf.cli.quiet import load_tensorflow

if TYPE_CHECKING:
    from imgclf.data.dataset import Dataset

__all__ = ["train"]

_BATCH_FOLDER = "one-batch"


@click.command()
@sources.source_argument
@click.option("--preset", default="fast", show_default=True, help="See `imgclf presets`.")
@click.option(
    "--weights",
    metavar="PATH",
    help="Of a pretrained backbone: imagenet (the default), a file of weights, or none.",
)
@click.option(
    "--from-model", metavar="MODEL", help="Learn on from a run folder or .keras file of yours."
)
@click.option("--out", help="Run folder; runs/NAME if left out, or the next free runs/NAME-2, …")
@click.option("--epochs", type=click.IntRange(min=1), help="The preset's own if left out.")
@click.option(
    "--fine-tune-epochs",
    type=click.IntRange(min=0),
    help="Epochs of the upper layers after those of the output layer; with a pretrained network.",
)
@click.option("--batch-size", type=click.IntRange(min=1), help="Pictures in a step.")
@click.option("--learning-rate", type=float, help="The highest learning rate.")
@click.option("--seed", type=click.IntRange(min=0), help="First weights, order, augmentation.")
@sources.archive_option
@click.option(
    "--one-batch-first",
    is_flag=True,
    help="For cifar10: train on batch 1 alone and report, then on all five from nothing.",
)
@sources.picture_options
@sources.validation_option
@click.option(
    "--resume",
    type=click.Choice(["auto", "force"]),
    default="auto",
    show_default=True,
    help="Whether to go on in a folder whose run differs, too (force).",
)
@click.option("--quiet", is_flag=True, help="No progress.")
@json_option
def train(
    *,
    source: str,
    preset: str,
    out: str | None,
    one_batch_first: bool,
    resume: str,
    quiet: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Train a classifier on SOURCE: cifar10, digits, a folder of pictures, or a CSV file.

    The same command with the same --out goes on where a run was stopped, at the very batch, and
    ends in the same weights. Ctrl-C saves before it ends the run; a second one ends it at once.
    The test pictures are left alone: `imgclf evaluate` looks at them.
    """
    if one_batch_first and source != "cifar10":
        raise click.UsageError("--one-batch-first goes with the source cifar10 only.")
    names = [field.name for field in dataclasses.fields(sources.DataOptions)]
    options = sources.DataOptions(**{name: settings.pop(name) for name in names})
    changes = {name: value for name, value in settings.items() if value is not None}
    run = Path(out) if out else free_folder(Path("runs") / sources.source_name(source))

    reports = []
    if one_batch_first:
        data = _first_batch(options)
        reports.append(
            _train(data, preset, changes, run / _BATCH_FOLDER, resume=resume, quiet=quiet)
        )
        if not as_json:
            _echo_report("On batch 1 alone", reports[0])
    data = sources.load(source, options)
    reports.append(_train(data, preset, changes, run, resume=resume, quiet=quiet))
    sources.remember(run, source, options)
    command = _evaluate_command(run, source, options)
    if as_json:
        report = reports[-1] | {"next": command}
        echo_json(report | ({_BATCH_FOLDER: reports[0]} if one_batch_first else {}))
        return
    _echo_report("On all five batches" if one_batch_first else "Trained", reports[-1])
    click.echo(f"In {run}: model.keras, log.csv, curves.png, config.json, data.json, checkpoints/")
    click.echo(f"Next:  {command}")


def _first_batch(options: sources.DataOptions) -> Dataset:
    import imgclf

    given = {} if options.validation is None else {"validation": options.validation}
    data = imgclf.load_cifar10(archive=options.archive, batches=(1,), **given)
    click.echo(repr(data), err=True)
    return data


def _train(
    data: Dataset,
    preset: str,
    changes: dict[str, Any],
    run: Path,
    *,
    resume: str,
    quiet: bool,
) -> dict[str, Any]:
    import imgclf

    load_tensorflow()
    changes = dict(changes)
    from_model = changes.pop("from_model", None)
    if changes.get("weights") == "none":
        changes["weights"] = None
    if from_model is None:
        classifier = imgclf.Classifier.from_preset(preset, data, **changes)
    else:
        if "weights" in changes:
            raise click.UsageError("--weights goes with --preset, not with --from-model.")
        classifier = imgclf.Classifier.from_model(from_model, data, **changes)
    history = classifier.fit(
        data, run_dir=run, resume=resume, verbose=0 if quiet else "auto"
    ).history
    return {
        "run": str(run),
        "model": str(run / "model.keras"),
        "preset": preset if from_model is None else None,
        "epochs": len(history["loss"]),
        "train_images": len(data.train),
        "final": {name: values[-1] for name, values in history.items()},
    }


def _echo_report(title: str, report: dict[str, Any]) -> None:
    final = report["final"]
    accuracy = final.get("val_accuracy")
    shown = "no validation pictures" if accuracy is None else f"validation accuracy {accuracy:.1%}"
    epochs = report["epochs"]
    trained = "1 epoch" if epochs == 1 else f"{epochs} epochs"
    click.echo(
        f"{title}: {report['train_images']:,} pictures, {trained}, "
        f"loss {final['loss']:.4f}, {shown}"
    )


def _evaluate_command(run: Path, source: str, options: sources.DataOptions) -> str:
    words = ["imgclf", "evaluate", str(run), source]
    if options.archive is not None:
        words += ["--archive", options.archive]
    return shlex.join(words)
