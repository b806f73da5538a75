"""`imgclf explain`: which parts of images speak for a class."""

from __future__ import annotations

from pathlib import Path

import click

from imgclf.cli.outputs import echo_json, json_option, write_figure
from imgclf.cli.quiet import load_tensorflow

__all__ = ["explain"]

# More in one figure are too small to see anything.
_MOST = 40


@click.command()
@click.argument("model")
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("explain.png"),
    show_default=True,
    metavar="FILE",
    help="PNG file for the figure.",
)
@click.option(
    "--method",
    type=click.Choice(["grad-cam", "occlusion"]),
    default="grad-cam",
    show_default=True,
    help="grad-cam is fast; occlusion works with any model.",
)
@click.option(
    "--target",
    metavar="CLASS",
    help="The class to explain, in place of the one that is predicted.",
)
@json_option
def explain(
    model: str,
    images: tuple[str, ...],
    out: Path,
    method: str,
    target: str | None,
    as_json: bool,
) -> None:
    """Draw what on each IMAGE speaks for its class, by MODEL (a run folder or a .keras file).

    A folder stands for all images in it and in folders inside; at most 40 in all. Beside each
    image stands the same with its heat map. Where covering the hot part lowers the probability
    no more than covering another part, a line says so: do not believe that map.
    """
    import imgclf
    from imgclf.data.sources.folder import images_at

    paths = [path for image in images for path in images_at(Path(image), None)]
    if not 0 < len(paths) <= _MOST:
        raise click.UsageError(
            f"Name 1 to {_MOST} images, for a figure that can be looked at. Received: "
            f"{len(paths):,}."
        )
    load_tensorflow()
    classifier = imgclf.load(model)
    explanation = classifier.explain(paths, method=method, targets=target)
    write_figure(out, explanation.plot())
    if as_json:
        record = explanation.to_dict()
        for path, entry in zip(paths, record["images"], strict=True):
            entry["path"] = str(path)
        echo_json(record)
        return
    click.echo(f"{explanation}\nWritten: {out}")
