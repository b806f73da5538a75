"""`imgclf learning-curve`: estimates the accuracy with more training images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from imgclf.cli import data_options as sources
from imgclf.cli.outputs import echo_json, echo_result, echo_written, json_option, write_figure
from imgclf.cli.param_types import Fractions, PresetName
from imgclf.cli.path_types import OutputFolder
from imgclf.cli.quiet import load_tensorflow

__all__ = ["learning_curve"]


@click.command("learning-curve")
@sources.source_argument
@click.option(
    "--preset",
    type=PresetName(),
    default="fast",
    show_default=True,
    help="See `imgclf presets`.",
)
@click.option(
    "--train-fractions",
    type=Fractions(),
    default="0.1,0.2,0.4,0.7,1",
    show_default=True,
    help="Fractions of the training images, at least three.",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Trainings for each fraction.",
)
@click.option("--epochs", type=click.IntRange(min=1), help="Default: the preset's.")
@click.option(
    "--out",
    type=OutputFolder(),
    help="Folder to write to or resume in. Default: runs/NAME-curve.",
)
@sources.archive_option
@sources.image_options
@sources.validation_option
@sources.cache_options
@click.option("--plan", "plan_only", is_flag=True, help="Estimate how long it takes, and stop.")
@json_option
def learning_curve(
    *,
    source: str,
    preset: str,
    train_fractions: tuple[float, ...],
    seeds: int,
    epochs: int | None,
    out: Path | None,
    plan_only: bool,
    as_json: bool,
    **reading: Any,
) -> None:
    """Estimate the accuracy with more images.

    Trains on fractions of SOURCE, which is as for `imgclf train`. The cost is printed first. The
    same command resumes where it was stopped. Test images are not used. Writes learning-curve.png
    and learning-curve.json.
    """
    from imgclf.studies import learning_curve as study

    data = sources.load(source, sources.DataOptions.take(reading))
    load_tensorflow()
    settings: dict[str, Any] = {"train_fractions": train_fractions, "seeds": seeds}
    settings |= {} if epochs is None else {"epochs": epochs}
    if plan_only:
        plan = study.plan_learning_curve(data, preset, **settings)
        echo_result(plan, as_json)
        return
    folder = out or Path("runs") / f"{sources.source_name(source)}-curve"
    curve = study.learning_curve(data, preset, run_dir=folder, **settings)
    image = write_figure(folder / "learning-curve.png", curve.plot())
    if as_json:
        echo_json(curve.to_dict())
        return
    click.echo(str(curve))
    echo_written([folder / "learning-curve.json", image])
