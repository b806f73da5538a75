"""`imgclf inspect`: what is in data, photos or a model file. Needs no TensorFlow."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imgclf.cli import data_options as sources
from imgclf.cli.file_progress import FileProgress
from imgclf.cli.outputs import echo_json, json_option, write_figure
from imgclf.formatting import plural

if TYPE_CHECKING:
    from imgclf.inspection.photo_inspection import PhotoInspection

__all__ = ["inspect"]


@click.command()
@sources.source_argument
@click.option(
    "--batch",
    type=click.Choice(["1", "2", "3", "4", "5", "test"]),
    help="For cifar10: only this official batch, in its official order.",
)
@click.option("--sample", type=int, help="An image to look at, counted from 0.")
@sources.archive_option
@sources.image_options
@click.option(
    "--out",
    metavar="PATH",
    help="For photos: a folder to write contact sheets, findings.json, files.csv and exclude.csv "
    "into. Else: a PNG file to draw the sample, or the first images, into.",
)
@click.option(
    "--fail-on",
    type=click.Choice(["problem", "warning", "never"]),
    help="For photos: what makes the exit code 1. The default is problem.",
)
@json_option
def inspect(
    source: str,
    batch: str | None,
    sample: int | None,
    out: str | None,
    fail_on: str | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Show what is in SOURCE: photos, cifar10, digits, or a model file.

    Photos, a folder or a CSV file, are checked from top to bottom: broken files, copies within and
    across classes and splits, odd images, imbalanced classes, facts that give the class away. The
    exit code is 1 if there is a problem. With --exclude those of an earlier check are left out, and
    what remains is checked. With any other option on how they are read, or --sample, they are shown
    as training would see them.

    A model file (.keras, or the folder of a run) is checked without loading it; the exit code is 1
    if anything speaks against loading it.
    """
    from imgclf.files.model_path import looks_like_model

    changes = {"batch": batch, "sample": sample, **settings}
    if looks_like_model(source):
        given = {**changes, "out": out, "fail_on": fail_on}
        _refuse([name for name, value in given.items() if value is not None])
        _inspect_model(source, as_json)
    elif _holds_photos(source) and {name for name in changes if changes[name] is not None} <= {
        "exclude"
    }:
        _inspect_photos(source, settings["exclude"], out, fail_on or "problem", as_json)
    else:
        if fail_on is not None:
            raise click.UsageError("--fail-on goes with the check of photos only.")
        _inspect_data(source, batch, sample, out, as_json, settings)


def _inspect_data(
    source: str,
    batch: str | None,
    sample: int | None,
    out: str | None,
    as_json: bool,
    settings: dict[str, Any],
) -> None:
    import imgclf

    if batch is not None and source != "cifar10":
        raise click.UsageError("--batch goes with the source cifar10 only.")
    data: Any
    if batch is not None:
        number = batch if batch == "test" else int(batch)
        data = imgclf.load_cifar10_batch(number, archive=settings["archive"])
    else:
        data = sources.load(source, sources.DataOptions(**settings))
    found = imgclf.inspect(data, sample=sample)
    if as_json:
        echo_json(found.to_dict())
    else:
        click.echo(str(found))
    if out is not None:
        click.echo(f"Written: {write_figure(Path(out), found.plot())}", err=as_json)


def _holds_photos(source: str) -> bool:
    from imgclf.data.sources.registry import NAMES

    place = Path(source).expanduser()
    is_table = place.suffix.lower() == ".csv" and place.is_file()
    return source not in NAMES and (place.is_dir() or is_table)


def _inspect_photos(
    source: str, exclude: str | None, out: str | None, fail_on: str, as_json: bool
) -> None:
    import imgclf

    place = Path(source).expanduser()
    if out is not None:
        _make_folder(Path(out), source, place)
    progress = FileProgress()
    try:
        found = imgclf.inspect(place, progress=progress, exclude=exclude)
    finally:
        progress.close()
    if as_json:
        echo_json(found.to_dict())
    else:
        click.echo(str(found))
    if out is not None:
        written = found.save(out)
        sheets = sum(path.suffix == ".png" for path in written)
        click.echo(
            f"\nWritten to {out}: findings.json, files.csv, exclude.csv "
            f"({_excluded_text(found)}), contact sheets: {sheets}",
            err=as_json,
        )
        if found.excluded or found.left_out:
            words = ["imgclf", "train", source, "--exclude", str(Path(out) / "exclude.csv")]
            click.echo(f"Next:  {shlex.join(words)}", err=as_json)
    elif any(finding.groups for finding in found.findings):
        words = ["imgclf", "inspect", source, *(["--exclude", exclude] if exclude else [])]
        click.echo(f"\nTo see them:  {shlex.join(words)} --out FOLDER", err=as_json)
    if fail_on != "never" and found.reaches(fail_on):
        click.get_current_context().exit(1)


def _excluded_text(found: PhotoInspection) -> str:
    earlier = len(found.left_out)
    count = len(found.excluded) + earlier
    text = plural(count, "file")
    return f"{text}, {earlier:,} of them left out before" if earlier else text


def _make_folder(out: Path, source: str, place: Path) -> None:
    """Makes the folder before the work, so that what is wrong with it is said at once."""
    if out.suffix.lower() == ".png":
        raise click.UsageError(
            f"--out {out} must be a folder: photos have several contact sheets. A PNG file goes "
            "with --sample."
        )
    if place.is_dir() and out.resolve().is_relative_to(place.resolve()):
        raise click.UsageError(
            f"--out {out} is inside {source}: what is written there would become images of it. "
            "Name another folder."
        )
    out.mkdir(parents=True, exist_ok=True)


def _refuse(options: list[str]) -> None:
    if options:
        raise click.UsageError(f"--{options[0].replace('_', '-')} goes with images only.")


def _inspect_model(source: str, as_json: bool) -> None:
    from imgclf.files import check_model_file

    found = check_model_file(source)
    if as_json:
        echo_json(found.to_dict())
    else:
        click.echo(str(found))
    if not found.is_safe:
        click.get_current_context().exit(1)
