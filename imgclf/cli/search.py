"""`imgclf search`: looks for a better network and recipe."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imgclf.cli import sources
from imgclf.cli.quiet import load_tensorflow

if TYPE_CHECKING:
    from imgclf.search.result import Trial
    from imgclf.training.recipe import Recipe

__all__ = ["search"]


@click.command()
@sources.source_argument
@click.option("--minutes", type=float, help="How long this call may take.")
@click.option("--max-trials", type=click.IntRange(min=1), default=20, show_default=True)
@click.option(
    "--algorithm",
    type=click.Choice(["bayesian", "random", "hyperband"]),
    default="bayesian",
    show_default=True,
)
@click.option("--epochs", type=click.IntRange(min=1), help="Of each trial.")
@click.option("--batch", type=click.IntRange(1, 5), help="Only this CIFAR-10 batch.")
@click.option("--out", default="runs/search", show_default=True, help="Folder; goes on if there.")
@sources.archive_option
@sources.picture_options
@sources.validation_option
@sources.cache_options
@sources.evening_options
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
def search(source: str, batch: int | None, out: str, **settings: Any) -> None:
    """Search for a better network for SOURCE, by validation accuracy.

    SOURCE is cifar10, digits, a folder of pictures or a CSV file, read as `imgclf train` reads it.
    """
    from imgclf.search.run import search as run_search

    if batch is not None and source != "cifar10":
        raise click.UsageError("--batch goes with the source cifar10 only.")
    options = sources.DataOptions.take(settings)
    evening = {name: settings.pop(name) for name in ("class_weight", "sampling")}
    data = sources.load(source, options) if batch is None else sources.load_batch(batch, options)
    given = {name: value for name, value in settings.items() if value is not None}
    load_tensorflow()
    if any(evening.values()):
        given["recipe"] = _evened(evening)
    result = run_search(data, run_dir=Path(out), on_trial=_echo_trial, **given)
    sources.remember(Path(out), source, options)
    click.echo(str(result))
    click.echo(f"\nThe best blocks:\n{result.best_blocks!r}")
    click.echo(f"\nIn {out}: journal.jsonl, best.keras")
    words = ["imgclf", "evaluate", str(Path(out) / "best.keras"), source]
    words += [] if options.archive is None else ["--archive", options.archive]
    click.echo(f"Next:  {shlex.join(words)}")


def _echo_trial(trial: Trial) -> None:
    score = "–" if trial.score is None else f"{trial.score:.1%}"
    why = f" ({trial.status}: {trial.reason})" if trial.reason else ""
    click.echo(
        f"trial {trial.number}: {score}{why}, {trial.parameters:,} parameters, "
        f"{trial.seconds:.1f} s",
        err=True,
    )


def _evened(evening: dict[str, Any]) -> Recipe:
    from imgclf.search.space import default_recipe
    from imgclf.training.recipe import Recipe

    return default_recipe(Recipe(**evening))
