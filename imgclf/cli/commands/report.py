"""`imgclf report`: one HTML page with all that is known about a run, and a model card."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from imgclf.cli import data_options as sources
from imgclf.cli.outputs import home_of
from imgclf.cli.quiet import load_tensorflow
from imgclf.cli.split_choice import SPLITS, choose

__all__ = ["report"]

_FILE = "report.html"


@click.command()
@click.argument("run")
@click.argument("source", required=False)
@sources.archive_option
@sources.selection_options
@click.option(
    "--split",
    type=click.Choice(SPLITS),
    help="Which images are evaluated; those for testing, if left out.",
)
@click.option("--out", help="The page; report.html in the run folder if left out.")
@click.option("--title", help="Of the page.")
@click.option(
    "--watts",
    type=click.FloatRange(min=0, min_open=True),
    default=100.0,
    show_default=True,
    help="What the machine is taken to draw while training, for the estimate of energy.",
)
@click.option("--quiet", is_flag=True, help="No progress.")
def report(
    *,
    run: str,
    source: str | None,
    archive: str | None,
    split: str | None,
    out: str | None,
    title: str | None,
    watts: float,
    quiet: bool,
    **selection: Any,
) -> None:
    """Write all that is known about RUN (a run folder or a .keras file) as one HTML page.

    SOURCE is what to evaluate on; what the run was trained on if left out, of which the test
    images are taken. The page opens offline; a model card is written beside it.
    """
    import imgclf

    load_tensorflow()
    classifier = imgclf.load(run)
    home = home_of(run)
    data = _read(classifier, home, source, split, archive, selection)
    page = classifier.report(
        Path(out) if out else home / _FILE,
        data,
        split=split if isinstance(data, imgclf.Dataset) else None,
        title=title,
        watts=watts,
        verbose=0 if quiet else "auto",
    )
    from imgclf.report.write import CARD

    click.echo("Written:")
    click.echo(f"  {page}")
    click.echo(f"  {page.with_name(CARD)}")


def _read(
    classifier: Any,
    home: Path,
    source: str | None,
    split: str | None,
    archive: str | None,
    selection: dict[str, Any],
) -> Any:
    """The whole data set that the run was trained on, or a split of another source."""
    trained_on = sources.remembered(home)
    if source is None:
        if trained_on is None:
            raise click.UsageError(
                f"{home} does not say what it was trained on: give a SOURCE to evaluate on."
            )
        source = trained_on[0]
    known = sources.recall(home, source)
    chosen = {name: value for name, value in selection.items() if value is not None}
    if known is None or chosen or split == "all":
        data, name = choose(classifier, source, split, known, archive, selection)
        # Images of another source are in no split of this run.
        images = data.splits()[name]
        return images if known is not None else dataclasses.replace(images, role=None)
    return sources.load(source, dataclasses.replace(known, archive=archive or known.archive))
