"""`imgclf predict`: names and probabilities for pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from imgclf.cli.outputs import echo_json, json_option
from imgclf.cli.quiet import load_tensorflow
from imgclf.errors import DataError

__all__ = ["predict"]


@click.command()
@click.argument("model")
@click.argument("pictures", nargs=-1, required=True, metavar="PICTURE...")
@click.option("--top", type=click.IntRange(min=1), default=3, show_default=True)
@json_option
def predict(model: str, pictures: tuple[str, ...], top: int, as_json: bool) -> None:
    """Say what is on each PICTURE, by MODEL (a run folder or a .keras file).

    A folder stands for all pictures in it. One line a picture: its path and the likeliest classes.
    """
    import imgclf

    paths = [path for picture in pictures for path in _expand(Path(picture))]
    load_tensorflow()
    classifier = imgclf.load(model)
    count = min(top, classifier.num_classes)
    ranked = [one.top(count) for one in classifier.predict(paths)]
    if as_json:
        echo_json([_record(path, best) for path, best in zip(paths, ranked, strict=True)])
        return
    for path, best in zip(paths, ranked, strict=True):
        shown = ", ".join(f"{name} {probability:.1%}" for name, probability in best)
        click.echo(f"{path}: {shown}")


def _expand(place: Path) -> list[Path]:
    """The pictures in a folder, sorted; a file stands for itself."""
    from imgclf.data.images import IMAGE_SUFFIXES

    if not place.is_dir():
        return [place]
    found = sorted(path for path in place.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    if not found:
        raise DataError(f"{place}: there are no pictures in this folder.")
    return found


def _record(path: Path, best: list[tuple[str, float]]) -> dict[str, Any]:
    classes = [{"class_name": name, "probability": float(share)} for name, share in best]
    return {"path": str(path), **classes[0], "top": classes}
