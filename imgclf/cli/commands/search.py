"""`imgclf search`: searches for a better network and recipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imgclf.cli import data_options as sources
from imgclf.cli.outputs import echo_written, evaluate_command
from imgclf.cli.param_types import Address, ByteSize, Fractions
from imgclf.cli.path_types import OutputFolder
from imgclf.cli.quiet import load_tensorflow
from imgclf.cli.run_source import remember, split_as_before
from imgclf.formatting import plural
from imgclf.search.algorithms import ALGORITHMS

if TYPE_CHECKING:
    from imgclf.data.dataset import Dataset
    from imgclf.search.results.confirmation import Confirmation, Run
    from imgclf.search.results.result import SearchResult

__all__ = ["search"]

# Networks that --confirm trains again.
_TOP = 3


@click.command()
@sources.source_argument
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    help="Time limit of this call, from the start of the search.",
)
@click.option(
    "--max-trials",
    type=click.IntRange(min=1),
    help="Limit, earlier calls included. Default: 20, unless --minutes is given.",
)
@click.option(
    "--algorithm",
    type=click.Choice(ALGORITHMS),
    default="bayesian",
    show_default=True,
)
@click.option("--epochs", type=click.IntRange(min=1), help="Epochs of each trial.")
@click.option(
    "--train-fractions",
    type=Fractions(),
    metavar="0.2,1",
    help="Train all candidates on the first fraction of the training images, and the best third "
    "on the next.",
)
@click.option(
    "--early-stopping/--no-early-stopping",
    default=True,
    show_default=True,
    help="Stop trials that are unlikely to become the best.",
)
@click.option("--max-params", type=click.IntRange(min=1), help="Limit of parameters of a network.")
@click.option("--max-macs", type=click.IntRange(min=1), help="Limit of multiply-adds per image.")
@click.option(
    "--max-ms",
    type=click.FloatRange(0, min_open=True),
    help="Limit of estimated milliseconds per image on this processor.",
)
@click.option(
    "--max-memory",
    type=ByteSize(),
    metavar="SIZE",
    help="Limit of estimated memory, such as 2GB.",
)
@click.option(
    "--max-disk",
    type=ByteSize(),
    metavar="SIZE",
    help="Limit of the folder's size, such as 500MB.",
)
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Number of best trials whose models are kept.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Trials at the same time on this machine, each in its own process.",
)
@click.option(
    "--chief",
    type=Address(),
    metavar="HOST:PORT",
    help="Serve trials to workers at this address.",
)
@click.option(
    "--worker",
    type=Address(),
    metavar="HOST:PORT",
    help="Run trials for the chief at this address, with the same --out and options.",
)
@click.option(
    "--confirm",
    is_flag=True,
    help="After the search, train the best three networks and two baselines again with three new "
    "seeds each, and report whether the best is significantly better.",
)
@click.option("--batch", type=click.IntRange(1, 5), help="Use only this batch of CIFAR-10.")
@click.option(
    "--out",
    type=OutputFolder(),
    default="runs/search",
    show_default=True,
    help="Folder to write to or resume in.",
)
@sources.archive_option
@sources.image_options
@sources.validation_option
@sources.cache_options
@sources.balancing_options
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
def search(
    source: str,
    batch: int | None,
    out: Path,
    worker: str | None,
    confirm: bool,
    **settings: Any,
) -> None:
    """Search for a better network for SOURCE.

    Networks are compared by validation accuracy. SOURCE is as for `imgclf train`.
    The same command with the same --out resumes a search that was stopped or killed.
    """
    from imgclf.search.run_search import run_worker
    from imgclf.search.run_search import search as run_search

    if worker is not None and settings["chief"]:
        raise click.UsageError("--chief and --worker cannot be combined.")
    if worker is not None and confirm:
        raise click.UsageError("--confirm and --worker cannot be combined.")
    options = sources.DataOptions.take(settings)
    balancing = {name: settings.pop(name) for name in ("class_weight", "sampling")}
    if batch is None:
        data = sources.load(source, split_as_before(Path(out), options))
    else:
        data = sources.load_batch(source, batch, options)
    given = {name: value for name, value in settings.items() if value is not None}
    load_tensorflow()
    if worker is not None:
        trials = run_worker(worker, data, run_dir=out, epochs=given.get("epochs"))
        click.echo(f"{plural(trials, 'trial')} run here. The chief has the result.")
        return
    if any(balancing.values()):
        given["recipe"] = _balanced(data, balancing)
    result = run_search(data, run_dir=out, verbose="auto", **given)
    remember(out, source, options)
    click.echo(str(result))
    click.echo(f"\nThe best blocks:\n{result.best_blocks!r}")
    if confirm:
        click.echo(f"\n{_confirmed(result, data, out)}")
    scripts = result.save_scripts(out)
    page = result.report(out / "search.html")
    click.echo(f"\nIn {out}: journal.jsonl, best.keras")
    echo_written([*scripts, page])
    click.echo(f"Next:  {evaluate_command(out / 'best.keras', source, options.archive)}")


def _confirmed(result: SearchResult, data: Dataset, out: Path) -> Confirmation:
    """Confirms the search; resumes a confirmation that was stopped."""
    from imgclf.search.results.confirm import finalists

    # After more trials the finalists may differ, and the folder of the old ones would refuse them.
    numbers = [str(trial.number) for trial in finalists(result.ranked(), _TOP)]
    folder = out / "-".join(["confirm", *numbers])
    return result.confirm(data, _TOP, run_dir=folder, on_run=_echo_run)


def _echo_run(run: Run) -> None:
    outcome = run.reason if run.accuracy is None else f"{run.accuracy:.1%}"
    click.echo(f"{run.network}, seed {run.seed}: {outcome}, {run.seconds:.1f} s", err=True)


def _balanced(data: Dataset, balancing: dict[str, Any]) -> Any:
    """Returns the default recipes of a search with the options for imbalanced classes."""
    from imgclf.architecture.choices import choice
    from imgclf.search.space.default_space import default_recipe

    return choice(*(recipe.replace(**balancing) for recipe in default_recipe(data).options))
