"""`imgclf train`: a classifier from a source and a preset, in a run folder."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imgclf.cli import data_options as sources
from imgclf.cli.outputs import echo_json, free_folder, json_option
from imgclf.cli.process import PROCESS_STARTED
from imgclf.cli.quiet import load_tensorflow
from imgclf.formatting import plural

if TYPE_CHECKING:
    from imgclf.classifier.classifier import Classifier
    from imgclf.data.dataset import Dataset
    from imgclf.data.split import Split
    from imgclf.training.budget.budget import Budget

__all__ = ["train"]

# What a run folder holds, the most useful first; "head" and "fine-tune" are phases.
_WRITTEN = [
    *("model.keras", "log.csv", "curves.png", "config.json", "data.json", "files.csv"),
    *("checkpoints/", "head/", "fine-tune/", "features/"),
]

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
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    help="Train as many epochs as fit into this time, which begins with the command.",
)
@click.option(
    "--fine-tune-epochs",
    type=click.IntRange(min=0),
    help="Epochs of the upper layers after those of the output layer; with a pretrained network.",
)
@click.option("--batch-size", type=click.IntRange(min=1), help="Images in a step.")
@click.option("--learning-rate", type=float, help="The highest learning rate.")
@sources.evening_options
@click.option("--seed", type=click.IntRange(min=0), help="First weights, order, augmentation.")
@sources.archive_option
@click.option(
    "--one-batch-first",
    is_flag=True,
    help="For cifar10: train on batch 1 alone and report, then on all five from nothing.",
)
@sources.image_options
@sources.cache_options
@sources.validation_option
@click.option(
    "--resume",
    type=click.Choice(["auto", "force"]),
    default="auto",
    show_default=True,
    help="Whether to go on in a folder whose run differs, too (force).",
)
@click.option(
    "--plan",
    "plan_only",
    is_flag=True,
    help="Take a few steps, say how long it would take, and stop. Keeps nothing.",
)
@click.option("--quiet", is_flag=True, help="No progress.")
@json_option
def train(
    *,
    source: str,
    preset: str,
    out: str | None,
    minutes: float | None,
    one_batch_first: bool,
    resume: str,
    plan_only: bool,
    quiet: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Train a classifier on SOURCE: cifar10, digits, a folder of images, or a CSV file.

    The same command with the same --out goes on where a run was stopped, at the very batch, and
    ends in the same weights. Ctrl-C saves before it ends the run; a second one ends it at once.
    The test images are left alone: `imgclf evaluate` looks at them.
    """
    if one_batch_first and source != "cifar10":
        raise click.UsageError("--one-batch-first goes with the source cifar10 only.")
    if one_batch_first and (plan_only or minutes is not None):
        raise click.UsageError("--one-batch-first trains twice: without --plan and --minutes.")
    if minutes is not None and settings["epochs"] is not None:
        raise click.UsageError("--minutes decides the epochs: give it or --epochs.")
    options = sources.DataOptions.take(settings)
    changes = {name: value for name, value in settings.items() if value is not None}
    budget = None if minutes is None else _budget(minutes)
    if plan_only:
        _echo_plan(sources.load(source, options), preset, changes, budget, as_json)
        return
    run = Path(out) if out else free_folder(Path("runs") / sources.source_name(source))

    reports = []
    if one_batch_first:
        data = sources.load_batch(1, options)
        reports.append(
            _train(data, preset, changes, run / _BATCH_FOLDER, resume=resume, quiet=quiet)
        )
        if not as_json:
            _echo_report("On batch 1 alone", reports[0])
    data = sources.load(source, options)
    reports.append(_train(data, preset, changes, run, budget, resume=resume, quiet=quiet))
    sources.remember(run, source, options)
    command = _evaluate_command(run, source, options)
    if as_json:
        report = reports[-1] | {"next": command}
        echo_json(report | ({_BATCH_FOLDER: reports[0]} if one_batch_first else {}))
        return
    _echo_report("On all five batches" if one_batch_first else "Trained", reports[-1])
    click.echo(f"In {run}: {', '.join(name for name in _WRITTEN if (run / name).exists())}")
    click.echo(f"Next:  {command}")


def _budget(minutes: float) -> Budget:
    """From the start of the process on, so that loading TensorFlow and the images counts."""
    from imgclf.training.budget.budget import Budget

    return Budget(minutes, PROCESS_STARTED)


def _echo_plan(
    data: Dataset, preset: str, changes: dict[str, Any], budget: Budget | None, as_json: bool
) -> None:
    load_tensorflow()
    click.echo("Timing a few steps", err=True)
    plan = _classifier(data, preset, changes).plan(data, minutes=budget)
    if as_json:
        echo_json(plan.to_dict())
    else:
        click.echo(str(plan))


def _train(
    data: Dataset,
    preset: str,
    changes: dict[str, Any],
    run: Path,
    budget: Budget | None = None,
    *,
    resume: str,
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
        "train_images": len(data.train),
        "final": {name: values[-1] for name, values in history.items()},
        "macro": _macro_figures(classifier, data.validation),
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
        raise click.UsageError("--weights goes with --preset, not with --from-model.")
    return imgclf.Classifier.from_model(from_model, data, **changes)


def _macro_figures(classifier: Any, validation: Split | None) -> dict[str, float] | None:
    """What counts each class alike, where the classes are imbalanced."""
    from imgclf.evaluation.scores.by_class import are_imbalanced

    if validation is None or not are_imbalanced(validation.labels):
        return None
    evaluation = classifier.evaluate(validation)
    return {
        "val_balanced_accuracy": evaluation.balanced_accuracy,
        "val_macro_f1": evaluation.macro_f1,
    }


def _echo_report(title: str, report: dict[str, Any]) -> None:
    final = report["final"]
    accuracy = final.get("val_accuracy")
    shown = "no validation images" if accuracy is None else f"validation accuracy {accuracy:.1%}"
    if report["macro"]:
        balanced, macro = report["macro"].values()
        shown += f" (balanced {balanced:.1%}, macro F1 {macro:.1%})"
    epochs = report["epochs"]
    trained = plural(epochs, "epoch")
    click.echo(
        f"{title}: {report['train_images']:,} images, {trained}, loss {final['loss']:.4f}, {shown}"
    )


def _evaluate_command(run: Path, source: str, options: sources.DataOptions) -> str:
    words = ["imgclf", "evaluate", str(run), source]
    if options.archive is not None:
        words += ["--archive", options.archive]
    return shlex.join(words)
