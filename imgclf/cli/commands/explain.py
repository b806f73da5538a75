"""`imgclf explain`: shows which regions of images lead to a prediction."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from imgclf.cli.outputs import echo_json, json_option, write_figure
from imgclf.cli.path_types import ModelFile, OutputFile, check_images_exist, keep_inputs
from imgclf.cli.quiet import load_tensorflow

__all__ = ["explain"]

# More images in one figure are too small to see.
_MOST = 40


@click.command()
@click.argument("model", type=ModelFile())
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.option(
    "--out",
    type=OutputFile(".png"),
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
    help="Class to explain. Default: the predicted one.",
)
@json_option
def explain(
    model: str,
    images: tuple[str, ...],
    out: Path,
    method: Literal["grad-cam", "occlusion"],
    target: str | None,
    as_json: bool,
) -> None:
    """Draw a heat map of each IMAGE for MODEL.

    MODEL is a run folder or a .keras file. The heat map shows which regions lead to the prediction.
    A folder stands for all images in it and its subfolders; at most 40 images in all. If covering
    the hot region does not lower the probability more than covering another region, a line says so:
    do not trust that heat map.
    """
    import imgclf
    from imgclf.data.decoding.given_images import place_of
    from imgclf.data.sources.folder import images_at

    paths = [path for image in images for path in images_at(Path(place_of(image, "IMAGE")), None)]
    if not 0 < len(paths) <= _MOST:
        raise click.UsageError(f"The figure takes 1 to {_MOST} images. Received: {len(paths):,}.")
    keep_inputs(out, model, *paths)
    check_images_exist(paths, all_of_them=True)
    load_tensorflow()
    classifier = imgclf.load(model)
    explanation = classifier.explain(paths, method=method, targets=target)
    write_figure(out, explanation.plot(names=[path.name for path in paths]))
    if as_json:
        record = explanation.to_dict()
        for path, entry in zip(paths, record["images"], strict=True):
            entry["path"] = str(path)
        echo_json(record)
        return
    click.echo(f"{explanation}\nWritten: {out}")
