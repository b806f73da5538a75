"""`imgclf compare`: compares trained classifiers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imgclf.cli import data_options as sources
from imgclf.cli.outputs import echo_result, json_option, model_folder, write_figure
from imgclf.cli.path_types import OutputFile, keep_inputs
from imgclf.cli.quiet import load_tensorflow
from imgclf.cli.run_source import check_source, recall, remembered
from imgclf.cli.split_choice import load_split
from imgclf.errors import DataError, MissingFileError
from imgclf.files.model_path import looks_like_model, model_path
from imgclf.formatting import list_names

if TYPE_CHECKING:
    from imgclf.classifier.classifier import Classifier
    from imgclf.data.split import Split

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
@click.option(
    "--out",
    type=OutputFile(".png"),
    metavar="FILE",
    help="PNG file for a plot of the differences.",
)
@json_option
def compare(
    *,
    models: tuple[str, ...],
    archive: str | None,
    split: str,
    out: Path | None,
    as_json: bool,
    **selection: Any,
) -> None:
    """Compare two or more MODELs on the same images.

    A MODEL is a run folder or a .keras file. SOURCE is cifar10, digits, a folder or a table, as
    for `imgclf train`. Default: the source that the runs were trained on, which must be the same.
    """
    runs, source = _sort_out(models)
    keep_inputs(out, *runs)
    source, trained_archive = _source_of(runs, source)

    import imgclf
    from imgclf.data.known_images import common_images
    from imgclf.evaluation.comparison import compare_evaluations

    load_tensorflow()
    place = archive if archive is not None else trained_archive
    classifiers = {run: imgclf.load(run) for run in runs}
    chosen = []
    for run, classifier in classifiers.items():
        known = recall(model_folder(run), source)
        try:
            images = load_split(classifier, source, split, known, place, selection).images
        except DataError as error:
            raise DataError(f"{run} cannot be evaluated on {source}: {error}") from error
        chosen.append(images)
    # Of runs that divide the data differently: what all of them have set aside.
    common = common_images(chosen)
    splits = dict(zip(runs, common if len(common[0]) else chosen, strict=True))
    _check_alike(classifiers, splits)
    evaluations = {run: one.evaluate(splits[run]) for run, one in classifiers.items()}
    comparison = compare_evaluations(evaluations)
    if out is not None:
        write_figure(out, comparison.plot())
    echo_result(comparison, as_json)


def _sort_out(models: tuple[str, ...]) -> tuple[list[str], str | None]:
    """Returns the models, and the source if the last argument is not a model.

    Raises:
        ModelFileError: naming the argument that should be a model and is not.
    """
    runs, last = list(models[:-1]), models[-1]
    source: str | None = last
    if _is_meant_as_model(last):
        runs, source = [*models], None
    for run in runs:
        model_path(run)
    if source is not None and not Path(source).expanduser().exists():
        from imgclf.data.sources.registry import NAMES

        if source not in NAMES:
            raise MissingFileError(f"There is no model and no source {source!r}.")
    if len({model_path(run).resolve() for run in runs}) < len(runs):
        raise click.UsageError("Each model must be given once.")
    if len(runs) < 2:
        raise click.UsageError(
            f"At least two models are required. Received: {', '.join(runs) or 'none'}"
            + ("." if source is None else f", and the source {source}.")
        )
    if source is not None:
        from imgclf.data.sources import registry

        registry.check_source(source)
    return runs, source


def _is_meant_as_model(name: str) -> bool:
    place = Path(name).expanduser()
    return looks_like_model(name) or (place / "config.json").is_file()


def _check_alike(classifiers: dict[str, Classifier], splits: dict[str, Split]) -> None:
    """Refuses what cannot be compared, before test evaluations are counted."""
    from imgclf.evaluation.comparison import what_differs

    (first, one), *others = classifiers.items()
    for run, other in others:
        if other.class_names != one.class_names:
            raise DataError(
                f"{first} and {run} have different classes: {list_names(one.class_names)}; and "
                f"{list_names(other.class_names)}. Only models of the same classes, in the same "
                "order, can be compared."
            )
        if why := what_differs(splits[first], splits[run]):
            raise DataError(
                f"The images of {first} and {run} differ {why}. The runs divide the data "
                "differently: give a SOURCE that neither was trained on."
            )


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
    check_source(name)
    options = known[run]
    return name, None if options is None else options[1].archive
