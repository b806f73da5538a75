"""`imgclf predict`: predicts the classes of images."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imgclf.cli import data_options as sources
from imgclf.cli.file_progress import FileProgress
from imgclf.cli.outputs import json_option, json_text
from imgclf.cli.param_types import Fraction
from imgclf.cli.path_types import ModelFile, OutputFile, check_images_exist, keep_inputs
from imgclf.cli.quiet import load_tensorflow
from imgclf.files.csv_file import escape, write_csv
from imgclf.formatting import is_terminal

if TYPE_CHECKING:
    from imgclf.classifier.prediction import Prediction

__all__ = ["predict"]

# Bad files listed on stderr if the CSV file lists them all.
_SHOWN = 10

_Skipped = list[tuple[Path, str]]


@click.command()
@click.argument("model", type=ModelFile())
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.option(
    "--out",
    type=OutputFile(".csv", instead="For JSON: --json."),
    metavar="FILE",
    help="Write the predictions to this CSV file instead of printing a line per image.",
)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Number of most likely classes to list.",
)
@click.option(
    "--threshold",
    type=Fraction(zero=True, one=True),
    metavar="PROBABILITY",
    help='Call an image "unknown" if its most likely class has a lower probability than this, '
    "such as 0.8 or 80%.",
)
@sources.max_pixels_option
@click.option(
    "--unknown",
    is_flag=True,
    help='Call an image "unknown" below the threshold that `imgclf calibrate --precision` stored '
    "in the model.",
)
@json_option
def predict(
    model: str,
    images: tuple[str, ...],
    out: Path | None,
    top: int,
    threshold: float | None,
    max_pixels: int | None,
    unknown: bool,
    as_json: bool,
) -> None:
    """Predict the class of each IMAGE with MODEL.

    MODEL is a run folder or a .keras file. A folder stands for all images in it and its subfolders.
    Prints a line per image: its path and the most likely classes. Files that cannot be read are
    listed with the reason; the exit code is 1 only if no file could be read.
    """
    import imgclf
    from imgclf.data.decoding.given_images import place_of
    from imgclf.data.sources.folder import images_at

    if unknown and threshold is not None:
        raise click.UsageError("--unknown and --threshold cannot be combined.")
    skipped: _Skipped = []
    places = [Path(place_of(image, "IMAGE")) for image in images]
    paths = [path for place in places for path in images_at(place, skipped)]
    keep_inputs(out, model, *paths)
    check_images_exist(paths, skipped)
    load_tensorflow()
    classifier = imgclf.load(model)
    if max_pixels is not None:
        classifier.max_pixels = max_pixels
    top = min(top, classifier.num_classes)
    found = classifier.predict_files(paths, skipped=skipped, unknown=unknown)
    if out is not None or not is_terminal(sys.stdout):  # printed lines show the progress
        found = FileProgress().over(found, len(paths))
    records = (
        _error_record(*answer) if isinstance(answer, tuple) else _record(answer, top, threshold)
        for answer in _in_order(found, skipped)
    )
    if out is not None:
        count = write_csv(out, _header(top), (_row(one, top) for one in _shown(records, as_json)))
    else:
        count = sum(1 for _ in _shown(records, as_json, lines=True))
    _summarize(count, skipped, out)


def _in_order(
    predictions: Iterator[Prediction], skipped: _Skipped
) -> Iterator[Prediction | tuple[Path, str]]:
    """Yields predictions, with bad files in their places."""
    reported = 0
    for prediction in predictions:
        yield from skipped[reported:]
        reported = len(skipped)
        yield prediction
    yield from skipped[reported:]


def _record(prediction: Prediction, top: int, threshold: float | None) -> dict[str, Any]:
    from imgclf.classifier.prediction import UNKNOWN

    classes = [
        {"class_name": escape(name), "probability": round(share, 6)}
        for name, share in prediction.top(top)
    ]
    known = prediction.known and (threshold is None or prediction.probability >= threshold)
    return {
        "path": escape(str(prediction.source)),
        "class_name": classes[0]["class_name"] if known else UNKNOWN,
        "probability": classes[0]["probability"],
        "top": classes,
    }


def _error_record(path: Path, reason: str) -> dict[str, Any]:
    return {"path": escape(str(path)), "error": reason}


def _shown(
    records: Iterator[dict[str, Any]], as_json: bool, *, lines: bool = False
) -> Iterator[dict[str, Any]]:
    """Prints each record as it passes and yields it; keeps none, as there may be many."""
    mark = "["
    for record in records:
        if as_json:
            text = json_text(record).replace("\n", "\n  ")
            click.echo(f"{mark}\n  {text}", nl=False)
            mark = ","
        elif lines and "error" not in record:
            click.echo(_line(record))
        yield record
    if as_json:
        click.echo("\n]" if mark == "," else "[]")


def _line(record: dict[str, Any]) -> str:
    best = ", ".join(f"{one['class_name']} {one['probability']:.1%}" for one in record["top"])
    if record["class_name"] != record["top"][0]["class_name"]:
        best = f"{record['class_name']} ({best})"
    return f"{record['path']}: {best}"


def _header(top: int) -> list[str]:
    ranked = [
        name for place in range(1, top + 1) for name in (f"class_{place}", f"probability_{place}")
    ]
    return ["path", "class", "probability", *ranked, "error"]


def _row(record: dict[str, Any], top: int) -> Sequence[Any]:
    if "error" in record:
        return [record["path"], *[None] * (2 + 2 * top), record["error"]]
    ranked = [value for one in record["top"] for value in one.values()]
    return [record["path"], record["class_name"], record["probability"], *ranked, None]


def _summarize(count: int, skipped: _Skipped, out: Path | None) -> None:
    """Says on stderr what could be read; exits with 1 if nothing could."""
    listed = skipped if out is None else skipped[:_SHOWN]
    for path, reason in listed:
        click.echo(f"{escape(str(path))}: {reason}", err=True)
    if len(listed) < len(skipped):
        click.echo(f"… and {len(skipped) - len(listed)} more, all in {out}.", err=True)
    read = count - len(skipped)
    if out is not None or skipped:
        words = f"{read:,} of {count:,} images read"
        if skipped:
            words += f", {len(skipped):,} not, for the reasons above"
        click.echo(f"{words}." + (f" Written: {out}" if out else ""), err=True)
    if not read:
        click.get_current_context().exit(1)
