"""`imgclf compare`: compares trained classifiers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from imgclf.cli import data_options as sources
from imgclf.cli.outputs import echo_result, json_option, model_folder, write_figure
from imgclf.cli.quiet import load_tensorflow
from imgclf.cli.run_source import recall, remembered
from imgclf.cli.split_choice import load_split

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
    help="Split to compare on. Test evaluations are counted in each run folder.",
)
@click.option("--out", metavar="FILE", help="PNG file for a plot of the differences.")
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
    """Compare two or more MODELs on the same images.

    A MODEL is a run folder or a .keras file. SOURCE is cifar10, digits, a folder or a table, as
    for `imgclf train`. Default: the source that the runs were trained on, which must be the same.
    """
    import imgclf
    from imgclf.evaluation.comparison import compare_evaluations

    runs, source = _sort_out(models)
    if len(set(runs)) < len(runs):
        raise click.UsageError("Each model must be given once.")
    if len(runs) < 2:
        raise click.UsageError(
            f"At least two models are required. Received: {', '.join(runs) or 'none'}."
        )
    if out is not None and Path(out).suffix.lower() != ".png":
        raise click.UsageError("--out must end in .png.")
    source, trained_archive = _source_of(runs, source)
    load_tensorflow()
    evaluations = {}
    for run in runs:
        classifier = imgclf.load(run)
        known = recall(model_folder(run), source)
        place = archive if archive is not None else trained_archive
        data, name = load_split(classifier, source, split, known, place, selection)
        evaluations[run] = classifier.evaluate(data.splits()[name])
    comparison = compare_evaluations(evaluations)
    if out is not None:
        write_figure(Path(out), comparison.plot())
    echo_result(comparison, as_json)


def _sort_out(models: tuple[str, ...]) -> tuple[list[str], str | None]:
    """Returns the models, and the source if the last argument is not a model."""
    runs, last = list(models[:-1]), models[-1]
    if _is_model(last):
        return [*runs, last], None
    return runs, last


def _is_model(name: str) -> bool:
    place = Path(name).expanduser()
    return place.suffix == ".keras" or (place / "model.keras").is_file()


def _source_of(runs: list[str], source: str | None) -> tuple[str, str | None]:
    """Returns the source, and its archive if the runs know it."""
    known = {run: remembered(model_folder(run)) for run in runs}
    if source is not None:
        return source, None
    for run, one in known.items():
        if one is None:
            raise click.UsageError(
                f"{run} does not say what it was trained on: give a SOURCE after the models."
            )
    found = {one[0]: run for run, one in known.items() if one is not None}
    if len(found) > 1:
        sources_of = "; ".join(f"{run} on {name}" for name, run in found.items())
        raise click.UsageError(
            f"The models were trained on different data ({sources_of}): give a SOURCE after them."
        )
    [(name, run)] = found.items()
    options = known[run]
    return name, None if options is None else options[1].archive
