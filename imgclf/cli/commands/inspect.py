"""`imgclf inspect`: shows what is in a data set, photos or a model file, without TensorFlow."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import click

from imgclf.cli import data_options as sources
from imgclf.cli.file_progress import FileProgress
from imgclf.cli.outputs import echo_result, json_option, write_figure
from imgclf.cli.path_types import OutputFile, Source
from imgclf.errors import ImgclfError
from imgclf.files.output_paths import output_folder
from imgclf.formatting import plural

if TYPE_CHECKING:
    from imgclf.inspection.finding import Severity
    from imgclf.inspection.photo_inspection import PhotoInspection

    FailOn: TypeAlias = Severity | Literal["never"]

__all__ = ["inspect"]

# The options that go with a check of photos.
_CHECK_OPTIONS = frozenset({"exclude", "class_names", *sources.TABLE_OPTIONS})


@click.command()
@click.argument("source", type=Source(model=True))
@click.option(
    "--batch",
    type=click.Choice(["1", "2", "3", "4", "5", "test"]),
    help="For cifar10: only this official batch, in its official order.",
)
@click.option("--sample", type=int, help="Index of an image to show, from 0.")
@sources.archive_option
@sources.image_options
@click.option(
    "--out",
    metavar="PATH",
    help="For photos: folder for contact sheets, findings.json, files.csv and exclude.csv. "
    "Otherwise: PNG file for the sample, or the first images.",
)
@click.option(
    "--fail-on",
    type=click.Choice(["problem", "warning", "never"]),
    help="For photos: the severity that makes the exit code 1. Default: problem.",
)
@json_option
def inspect(
    source: str,
    batch: str | None,
    sample: int | None,
    out: str | None,
    fail_on: FailOn | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Show what is in SOURCE.

    SOURCE is a folder of photos, a table (.csv, .tsv, .txt), cifar10, digits, or a model file.

    Photos (a folder or a table) are checked for broken files, duplicates within and across classes
    and splits, unusual images, imbalanced classes, and facts that give the class away. The exit
    code is 1 if there is a problem. --exclude leaves out what an earlier check found; the options
    of tables and --class-names say what is checked. With any other option on how images are read,
    or --sample, they are shown as training would see them.

    A model file (.keras, or a run folder) is checked without loading it; the exit code is 1 if it
    is not safe to load.
    """
    from imgclf.files.model_path import looks_like_model

    changes = {"batch": batch, "sample": sample, **settings}
    given = {name for name, value in changes.items() if value is not None}
    if looks_like_model(source):
        asked = {**changes, "out": out, "fail_on": fail_on}
        _refuse([name for name, value in asked.items() if value is not None])
        _inspect_model(source, as_json)
    elif _holds_photos(source) and not given - _CHECK_OPTIONS:
        options = {name: settings[name] for name in _CHECK_OPTIONS & given}
        _inspect_photos(source, options, out, fail_on or "problem", as_json)
    else:
        if fail_on is not None:
            raise click.UsageError("--fail-on requires photos that are only checked.")
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
        raise click.UsageError("--batch requires the source cifar10.")
    if out is not None:
        OutputFile(".png").convert(out, None, None)
    data: Any
    if batch is not None:
        number = batch if batch == "test" else int(batch)
        data = imgclf.load_cifar10_batch(number, archive=settings["archive"])
    else:
        data = sources.load(source, sources.DataOptions(**settings))
    found = imgclf.inspect(data, sample=sample)
    echo_result(found, as_json)
    if out is not None:
        click.echo(f"Written: {write_figure(Path(out), found.plot())}", err=as_json)


def _holds_photos(source: str) -> bool:
    from imgclf.data.sources.registry import source_at

    row = source_at(source)
    return row is not None and not row.is_named


def _inspect_photos(
    source: str, options: dict[str, Any], out: str | None, fail_on: FailOn, as_json: bool
) -> None:
    import imgclf

    place = Path(source).expanduser()
    if out is not None:
        _check_folder(Path(out), source, place)
    progress = FileProgress()
    try:
        found = imgclf.inspect(place, progress=progress, **options)
    finally:
        progress.close()
    echo_result(found, as_json)
    if out is not None:
        written = found.save(out)
        sheets = sum(path.suffix == ".png" for path in written)
        click.echo(
            f"\nWritten to {out}: findings.json, files.csv, exclude.csv "
            f"({_excluded_text(found)}), contact sheets: {sheets}",
            err=as_json,
        )
        if found.excluded or found.left_out:
            options = options | {"exclude": str(Path(out) / "exclude.csv")}
        click.echo(_next_step(source, options), err=as_json)
    elif any(finding.groups for finding in found.findings):
        words = ["imgclf", "inspect", source, *sources.option_words(options)]
        click.echo(f"\nTo see them:  {shlex.join(words)} --out FOLDER", err=as_json)
    if fail_on != "never" and found.reaches(fail_on):
        click.get_current_context().exit(1)


def _next_step(source: str, options: dict[str, Any]) -> str:
    """Returns the command that trains, or what must be done before it works."""
    from imgclf.data.sources.registry import load_source

    try:
        load_source(source, **options)
    except (ImgclfError, OSError) as error:
        return f"Before training:  {error}"
    return f"Next:  {shlex.join(['imgclf', 'train', source, *sources.option_words(options)])}"


def _excluded_text(found: PhotoInspection) -> str:
    earlier = len(found.left_out)
    count = len(found.excluded) + earlier
    text = plural(count, "file")
    return f"{text}, {earlier:,} of them excluded before" if earlier else text


def _check_folder(out: Path, source: str, place: Path) -> None:
    """Refuses a folder before the check, so that errors come first."""
    if out.suffix.lower() == ".png":
        raise click.UsageError(
            f"--out {out} must be a folder: photos have several contact sheets. A PNG file "
            "requires --sample."
        )
    folder = output_folder(out)
    if place.is_dir() and folder.is_relative_to(place.resolve()):
        raise click.UsageError(
            f"--out {out} is inside {source}: the contact sheets would become images of it. "
            "Use another folder."
        )


def _refuse(options: list[str]) -> None:
    if options:
        raise click.UsageError(
            f"--{options[0].replace('_', '-')} requires images, not a model file."
        )


def _inspect_model(source: str, as_json: bool) -> None:
    from imgclf.files import check_model_file

    found = check_model_file(source)
    echo_result(found, as_json)
    if not found.is_safe:
        click.get_current_context().exit(1)
