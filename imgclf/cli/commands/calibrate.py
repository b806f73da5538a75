"""`imgclf calibrate`: calibrates probabilities and fits a threshold for "unknown"."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from imgclf.cli import data_options as sources
from imgclf.cli.outputs import (
    check_outputs,
    echo_json,
    echo_written,
    json_option,
    model_folder,
    write_figure,
)
from imgclf.cli.param_types import Fraction
from imgclf.cli.path_types import ModelFile
from imgclf.cli.quiet import load_tensorflow
from imgclf.cli.run_source import recall
from imgclf.cli.split_choice import load_split

__all__ = ["calibrate"]


@click.command()
@click.argument("model", type=ModelFile())
@sources.source_argument
@sources.archive_option
@sources.selection_options
@click.option(
    "--split",
    type=click.Choice(["validation", "test", "all"]),
    help="Split to fit on. Default: validation; or all, for a folder or table that the run was "
    "not trained on.",
)
@click.option(
    "--precision",
    type=Fraction(),
    metavar="FRACTION",
    help="Fit a threshold, too: at least this fraction of the answers of `imgclf predict "
    "--unknown` will be right, such as 0.99.",
)
@click.option(
    "--certainty",
    type=Fraction(),
    default=0.95,
    show_default=True,
    help="Confidence that this precision holds for new images.",
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
    """Calibrate the probabilities of MODEL on SOURCE.

    MODEL is a run folder or a .keras file, SOURCE is as for `imgclf train`. Fits a temperature on
    images that the model was not trained on. If the cross-validated loss falls, it is written to
    the model file, else the file stays as it is. No prediction changes its class. The file is
    replaced completely or not at all.

    Prints the metrics before and after, and draws calibrated.png and threshold.png beside the
    model.
    """
    import imgclf

    home = model_folder(model)
    place = Path(model).expanduser()
    file = place / "model.keras" if place.is_dir() else place
    figures = ["calibrated.png", *(["threshold.png"] if precision is not None else [])]
    check_outputs(file, *(home / name for name in figures))
    load_tensorflow()
    classifier = imgclf.load(model)
    known = recall(home, source)
    images = load_split(
        classifier, source, split, known, archive, selection, default="validation"
    ).images
    had_threshold = classifier.threshold is not None
    calibration = classifier.calibrate(images)
    threshold = None
    if precision is not None:
        threshold = classifier.fit_threshold(images, precision=precision, certainty=certainty)
    written = []
    if calibration.is_better or threshold is not None:
        written.append(classifier.save(file))
    written.append(write_figure(home / "calibrated.png", calibration.plot()))
    if threshold is not None:
        written.append(write_figure(home / "threshold.png", threshold.plot()))
    if as_json:
        found = None if threshold is None else threshold.to_dict()
        echo_json({"calibration": calibration.to_dict(), "threshold": found})
        return
    click.echo(str(calibration))
    if had_threshold and classifier.threshold is None:
        click.echo(
            'The threshold for "unknown" was of the previous probabilities and is removed: fit '
            "another one with --precision."
        )
    if threshold is not None:
        click.echo(f"\n{threshold}")
    echo_written(written)
