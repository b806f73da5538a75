"""`imgclf compare`: which of several trained classifiers is better, if that can be said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from imgclf.cli import data_options as sources
from imgclf.cli.outputs import echo_json, home_of, json_option, write_figure
from imgclf.cli.quiet import load_tensorflow
from imgclf.cli.split_choice import choose

__all__ = ["compare"]


@click.command()
@click.argument("models", nargs=-1, required=True, metavar="MODEL MODEL… [SOURCE]")
@sources.archive_option
@sources.selection_options
@click.option(
    "--split",
    type=click.Choice(["validation", "test"]),
    default="validation",
    show_default=True,
    help="Which images. Each look at the test images is counted in the run's folder.",
)
@click.option("--out", metavar="FILE", help="A .png file for the differences as an image.")
@json_option
def compare(
    *,
    models: tuple[str, ...],
    archive: str | None,
    split: str,
    out: str | None,
    as_json: bool,
    **selection: Any,
) -> None:
    """Compare two or more MODELs (run folders or .keras files) on the same images.

    SOURCE is cifar10, digits, a folder or a CSV file, as for `imgclf train`; if it is left out,
    what the runs were trained on, which must be the same.
    """
    import imgclf
    from imgclf.evaluation.comparison import compare_evaluations

    runs, source = _sort_out(models)
    if len(set(runs)) < len(runs):
        raise click.UsageError("A model is named twice.")
    if len(runs) < 2:
        raise click.UsageError(
            f"There must be two models to compare, or more. Received: {', '.join(runs) or 'none'}."
        )
    if out is not None and Path(out).suffix.lower() != ".png":
        raise click.UsageError("--out must end in .png.")
    source, remembered = _source_of(runs, source)
    load_tensorflow()
    evaluations = {}
    for run in runs:
        classifier = imgclf.load(run)
        known = sources.recall(home_of(run), source)
        place = archive if archive is not None else remembered
        data, name = choose(classifier, source, split, known, place, selection)
        evaluations[run] = classifier.evaluate(data.splits()[name])
    comparison = compare_evaluations(evaluations)
    if out is not None:
        write_figure(Path(out), comparison.plot())
    if as_json:
        echo_json(comparison.to_dict())
        return
    click.echo(str(comparison))


def _sort_out(models: tuple[str, ...]) -> tuple[list[str], str | None]:
    """The models, and the source if the last of them is none."""
    runs, last = list(models[:-1]), models[-1]
    if _is_model(last):
        return [*runs, last], None
    return runs, last


def _is_model(name: str) -> bool:
    place = Path(name).expanduser()
    return place.suffix == ".keras" or (place / "model.keras").is_file()


def _source_of(runs: list[str], source: str | None) -> tuple[str, str | None]:
    """The source, and the archive that it was read from, if the runs know it."""
    known = {run: sources.remembered(home_of(run)) for run in runs}
    if source is not None:
        return source, None
    for run, one in known.items():
        if one is None:
            raise click.UsageError(
                f"{run} does not say what it was trained on: name a SOURCE after the models."
            )
    found = {one[0]: run for run, one in known.items() if one is not None}
    if len(found) > 1:
        told = "; ".join(f"{run} on {name}" for name, run in found.items())
        raise click.UsageError(
            f"The models were trained on different data ({told}): name a SOURCE after the models."
        )
    [(name, run)] = found.items()
    options = known[run]
    return name, None if options is None else options[1].archive
