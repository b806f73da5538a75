"""`imgclf report`: writes an HTML page about a run, and a model card."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from imgclf.cli import data_options as sources
from imgclf.cli.outputs import check_outputs, echo_written, model_folder, quiet_option
from imgclf.cli.path_types import ModelFile, OutputFile, Source
from imgclf.cli.quiet import load_tensorflow
from imgclf.cli.run_source import check_source, known_images, recall, remembered
from imgclf.cli.split_choice import SPLITS, load_split

if TYPE_CHECKING:
    from imgclf.classifier.classifier import Classifier
    from imgclf.data.dataset import Dataset
    from imgclf.data.split import Split

__all__ = ["report"]

_FILE, _CARD = "report.html", "model-card.md"


@click.command()
@click.argument("run", type=ModelFile())
@click.argument("source", required=False, type=Source())
@sources.archive_option
@sources.selection_options
@click.option(
    "--split",
    type=click.Choice(SPLITS),
    help="Split to evaluate. Default: test.",
)
@click.option(
    "--out",
    type=OutputFile(".html", ".htm"),
    metavar="FILE",
    help="HTML file. Default: report.html in the run folder.",
)
@click.option("--title", help="Title of the page.")
@click.option(
    "--watts",
    type=click.FloatRange(min=0, min_open=True),
    default=100.0,
    show_default=True,
    help="Power that the machine is assumed to draw while training, for the energy estimate.",
)
@quiet_option
def report(
    *,
    run: str,
    source: str | None,
    archive: str | None,
    split: Literal["train", "validation", "test", "all"] | None,
    out: Path | None,
    title: str | None,
    watts: float,
    quiet: bool,
    **selection: Any,
) -> None:
    """Write an HTML page and a model card about RUN.

    RUN is a run folder or a .keras file. SOURCE is what to evaluate on. Default: the test images of
    the source that the run was trained on. The page is one file that opens offline.
    """
    import imgclf

    home = model_folder(run)
    page_path = out or home / _FILE
    if source is None:
        source = _trained_on(home)
    check_outputs(page_path, page_path.with_name(_CARD))
    load_tensorflow()
    classifier = imgclf.load(run)
    data = _read(classifier, home, source, split, archive, selection)
    page = classifier.report(
        page_path,
        data,
        split=split if isinstance(data, imgclf.Dataset) and split != "all" else None,
        title=title,
        watts=watts,
        verbose=0 if quiet else "auto",
    )
    echo_written([page, page.with_name(_CARD)])


def _trained_on(home: Path) -> str:
    trained_on = remembered(home)
    if trained_on is None:
        raise click.UsageError(
            f"{home} does not say what it was trained on: give a SOURCE to evaluate on."
        )
    check_source(trained_on[0])
    return trained_on[0]


def _read(
    classifier: Classifier,
    home: Path,
    source: str,
    split: str | None,
    archive: str | None,
    selection: dict[str, Any],
) -> Dataset | Split:
    """Loads the whole data set that the run was trained on, or a split of another source."""
    known = recall(home, source)
    chosen = {name: value for name, value in selection.items() if value is not None}
    if known is None or chosen or split == "all":
        return load_split(classifier, source, split, known, archive, selection).images
    like = str(home) if known_images(home) is not None else None
    options = dataclasses.replace(known, archive=archive or known.archive, split_like=like)
    return sources.load(source, options)
