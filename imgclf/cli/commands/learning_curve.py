"""`imgclf learning-curve`: what more images would bring."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from imgclf.cli import data_options as sources
from imgclf.cli.outputs import echo_json, json_option, write_figure
from imgclf.cli.quiet import load_tensorflow

__all__ = ["learning_curve"]


class _Parts(click.ParamType):
    """`0.1,0.3,1`."""

    name = "train_fractions"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return tuple(float(part) for part in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is no list of numbers such as 0.1,0.3,1.", param, ctx)


@click.command("learning-curve")
@sources.source_argument
@click.option("--preset", default="fast", show_default=True, help="See `imgclf presets`.")
@click.option(
    "--train-fractions",
    type=_Parts(),
    default="0.1,0.2,0.4,0.7,1",
    show_default=True,
    help="Parts of the training images, at least three.",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Trainings of each part.",
)
@click.option("--epochs", type=click.IntRange(min=1), help="Of each; the preset's own if left out.")
@click.option("--out", help="Folder for the trainings; runs/NAME-curve if left out. Goes on there.")
@sources.archive_option
@sources.image_options
@sources.validation_option
@sources.cache_options
@click.option("--plan", "plan_only", is_flag=True, help="Say how long it would take, and stop.")
@json_option
def learning_curve(
    *,
    source: str,
    preset: str,
    train_fractions: tuple[float, ...],
    seeds: int,
    epochs: int | None,
    out: str | None,
    plan_only: bool,
    as_json: bool,
    **reading: Any,
) -> None:
    """Train on parts of SOURCE and say what more images should bring.

    The cost is said first. The same command goes on where it was stopped. The test images are
    left alone. Writes learning-curve.png and learning-curve.json.
    """
    from imgclf.studies import learning_curve as more_data

    data = sources.load(source, sources.DataOptions.take(reading))
    load_tensorflow()
    settings: dict[str, Any] = {"train_fractions": train_fractions, "seeds": seeds}
    settings |= {} if epochs is None else {"epochs": epochs}
    if plan_only:
        plan = more_data.plan_learning_curve(data, preset, **settings)
        if as_json:
            echo_json(plan.to_dict())
        else:
            click.echo(str(plan))
        return
    folder = Path(out) if out else Path("runs") / f"{sources.source_name(source)}-curve"
    curve = more_data.learning_curve(data, preset, run_dir=folder, **settings)
    image = write_figure(folder / "learning-curve.png", curve.plot())
    if as_json:
        echo_json(curve.to_dict())
        return
    click.echo(str(curve))
    click.echo(f"\nWritten:\n  {folder / 'learning-curve.json'}\n  {image}")
