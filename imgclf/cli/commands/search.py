"""`imgclf search`: looks for a better network and recipe."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imgclf.cli import data_options as sources
from imgclf.cli.quiet import load_tensorflow

if TYPE_CHECKING:
    from imgclf.data.dataset import Dataset
    from imgclf.search.results.confirmation import Confirmation, Run
    from imgclf.search.results.result import SearchResult

__all__ = ["search"]

# How many of the best networks --confirm trains anew.
_TOP = 3


@click.command()
@sources.source_argument
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    help="How long this call may take, from the start of the search.",
)
@click.option(
    "--max-trials",
    type=click.IntRange(min=1),
    help="Those of earlier calls included; 20 if left out and --minutes, too.",
)
@click.option(
    "--algorithm",
    type=click.Choice(["bayesian", "random", "hyperband"]),
    default="bayesian",
    show_default=True,
)
@click.option("--epochs", type=click.IntRange(min=1), help="Of each trial.")
@click.option(
    "--train-fractions",
    metavar="0.2,1",
    help="Train all candidates on a part of the images, and one of three on the next part.",
)
@click.option(
    "--early-stopping/--no-early-stopping",
    default=True,
    show_default=True,
    help="Stop bad trials early.",
)
@click.option("--max-params", type=click.IntRange(min=1), help="Numbers in a network.")
@click.option("--max-macs", type=click.IntRange(min=1), help="Multiply-adds for an image.")
@click.option(
    "--max-ms",
    type=click.FloatRange(0, min_open=True),
    help="Milliseconds for an image on this processor, by an estimate.",
)
@click.option("--max-memory", metavar="SIZE", help="Of a training, such as 2GB, by an estimate.")
@click.option("--max-disk", metavar="SIZE", help="Of the folder, such as 500MB.")
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Of so many of the best trials the models stay.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Trials at the same time on this machine, each in a process.",
)
@click.option("--chief", metavar="HOST:PORT", help="Hand the trials out to workers from here.")
@click.option(
    "--worker", metavar="HOST:PORT", help="Train for the chief there; with its --out and settings."
)
@click.option(
    "--confirm",
    is_flag=True,
    help="Behind the search, train the best three networks and two baselines anew, with three "
    "fresh seeds each, and say whether the first is really better.",
)
@click.option("--batch", type=click.IntRange(1, 5), help="Only this CIFAR-10 batch.")
@click.option("--out", default="runs/search", show_default=True, help="Folder; goes on if there.")
@sources.archive_option
@sources.image_options
@sources.validation_option
@sources.cache_options
@sources.evening_options
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
def search(
    source: str,
    batch: int | None,
    out: str,
    worker: str | None,
    train_fractions: str | None,
    confirm: bool,
    **settings: Any,
) -> None:
    """Search for a better network for SOURCE, by validation accuracy.

    SOURCE is cifar10, digits, a folder of images or a CSV file, read as `imgclf train` reads it.
    The same command with the same --out goes on where a search was stopped or killed.
    """
    from imgclf.search.run_search import run_worker
    from imgclf.search.run_search import search as run_search

    if batch is not None and source != "cifar10":
        raise click.UsageError("--batch goes with the source cifar10 only.")
    options = sources.DataOptions.take(settings)
    evening = {name: settings.pop(name) for name in ("class_weight", "sampling")}
    data = sources.load(source, options) if batch is None else sources.load_batch(batch, options)
    given = {name: value for name, value in settings.items() if value is not None}
    if train_fractions is not None:
        given["train_fractions"] = _train_fractions(train_fractions)
    if worker is not None and given.get("chief"):
        raise click.UsageError("--chief and --worker are two roles: give one of them.")
    if worker is not None and confirm:
        raise click.UsageError("--confirm goes with the chief: a worker has no result.")
    load_tensorflow()
    if worker is not None:
        trials = run_worker(worker, data, run_dir=Path(out), epochs=given.get("epochs"))
        click.echo(f"{trials} trials were run here. The chief has the result.")
        return
    if any(evening.values()):
        given["recipe"] = _evened(data, evening)
    result = run_search(data, run_dir=Path(out), verbose="auto", **given)
    sources.remember(Path(out), source, options)
    click.echo(str(result))
    click.echo(f"\nThe best blocks:\n{result.best_blocks!r}")
    if confirm:
        click.echo(f"\n{_confirmed(result, data, Path(out))}")
    scripts = result.save_scripts(out, data=sources.code(source, options, batch))
    page = result.report(Path(out) / "search.html")
    click.echo(f"\nIn {out}: journal.jsonl, best.keras")
    click.echo("The winner as code, and all of it as a page:")
    for path in (*scripts, page):
        click.echo(f"  {path}")
    words = ["imgclf", "evaluate", str(Path(out) / "best.keras"), source]
    words += [] if options.archive is None else ["--archive", options.archive]
    click.echo(f"Next:  {shlex.join(words)}")


def _confirmed(result: SearchResult, data: Dataset, out: Path) -> Confirmation:
    """The confirmation of the search; one that was stopped goes on."""
    from imgclf.search.results.confirm import finalists

    # A search that was prolonged may have other best ones, which the folder of these would refuse.
    numbers = [str(trial.number) for trial in finalists(result.ranked(), _TOP)]
    folder = out / "-".join(["confirm", *numbers])
    return result.confirm(data, _TOP, run_dir=folder, on_run=_echo_run)


def _echo_run(run: Run) -> None:
    said = run.reason if run.accuracy is None else f"{run.accuracy:.1%}"
    click.echo(f"{run.network}, seed {run.seed}: {said}, {run.seconds:.1f} s", err=True)


def _train_fractions(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is not such as 0.2,1.", param_hint="'--train-fractions'"
        ) from None


def _evened(data: Dataset, evening: dict[str, Any]) -> Any:
    """The recipes that are searched, each of them evening out the classes."""
    from imgclf.architecture.choices import choice
    from imgclf.search.space.default_space import default_recipe

    return choice(*(recipe.replace(**evening) for recipe in default_recipe(data).options))
