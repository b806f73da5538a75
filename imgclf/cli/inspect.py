"""`imgclf inspect`: what is in data or in a model file. Needs no TensorFlow: it answers at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from imgclf.cli import sources
from imgclf.cli.outputs import echo_json, json_option, write_figure

__all__ = ["inspect"]


@click.command()
@sources.source_argument
@click.option(
    "--batch",
    type=click.Choice(["1", "2", "3", "4", "5", "test"]),
    help="For cifar10: only this official batch, in its official order.",
)
@click.option("--sample", type=int, help="A picture to look at, counted from 0.")
@sources.archive_option
@sources.picture_options
@click.option("--out", help="PNG file to draw the sample, or the first pictures, into.")
@json_option
def inspect(
    source: str,
    batch: str | None,
    sample: int | None,
    out: str | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Show what is in SOURCE: cifar10, digits, a folder of pictures, a CSV file, or a model file.

    A model file (.keras, or the folder of a run) is checked without loading it; the exit code is 1
    if anything speaks against loading it.
    """
    from imgclf.files.kinds import looks_like_model

    if looks_like_model(source):
        given = {"batch": batch, "sample": sample, "out": out, **settings}
        _refuse([name for name, value in given.items() if value is not None])
        _inspect_model(source, as_json)
        return

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


def _refuse(options: list[str]) -> None:
    if options:
        raise click.UsageError(f"--{options[0].replace('_', '-')} goes with pictures only.")


def _inspect_model(source: str, as_json: bool) -> None:
    from imgclf.files import check_model_file

    found = check_model_file(source)
    if as_json:
        echo_json(found.to_dict())
    else:
        click.echo(str(found))
    if not found.is_safe:
        click.get_current_context().exit(1)
