"""`imgclf calibrate`: probabilities that can be believed, and below which one not to answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from imgclf.cli import data_options as sources
from imgclf.cli.outputs import echo_json, home_of, json_option, write_figure
from imgclf.cli.quiet import load_tensorflow
from imgclf.cli.split_choice import choose

__all__ = ["calibrate"]


@click.command()
@click.argument("model")
@sources.source_argument
@sources.archive_option
@sources.selection_options
@click.option(
    "--split",
    type=click.Choice(["validation", "test", "all"]),
    help="Which images to fit on. If left out: validation; of a folder or table that the run was "
    "not trained on: all.",
)
@click.option(
    "--precision",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="PART",
    help="Fit a threshold too: at least this part of the answers of `imgclf predict --unknown` "
    "will be right, such as 0.99.",
)
@click.option(
    "--certainty",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.95,
    show_default=True,
    help="With which that precision holds for new images.",
)
@json_option
def calibrate(
    *,
    model: str,
    source: str,
    archive: str | None,
    split: str | None,
    precision: float | None,
    certainty: float,
    as_json: bool,
    **selection: Any,
) -> None:
    """Correct the probabilities of MODEL (a run folder or a .keras file) by SOURCE.

    Fits a temperature on images that the model was not trained on, and writes it into the model
    file. No image changes its class. The file is replaced whole or not at all.

    Prints the figures before and after, and draws calibrated.png and threshold.png beside the
    model.
    """
    import imgclf

    load_tensorflow()
    classifier = imgclf.load(model)
    home = home_of(model)
    known = sources.recall(home, source)
    data, name = choose(classifier, source, split, known, archive, selection, default="validation")
    images = data.splits()[name]
    calibration = classifier.calibrate(images)
    threshold = None
    if precision is not None:
        threshold = classifier.fit_threshold(images, precision=precision, certainty=certainty)
    place = Path(model)
    written = [classifier.save(place / "model.keras" if place.is_dir() else place)]
    written.append(write_figure(home / "calibrated.png", calibration.plot()))
    if threshold is not None:
        written.append(write_figure(home / "threshold.png", threshold.plot()))
    if as_json:
        found = None if threshold is None else threshold.to_dict()
        echo_json({"calibration": calibration.to_dict(), "threshold": found})
        return
    click.echo(str(calibration))
    if threshold is not None:
        click.echo(f"\n{threshold}")
    click.echo("\nWritten:")
    for path in written:
        click.echo(f"  {path}")
