"""One word for any data: what the command line takes in place of a `Dataset`."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgclf import checks
from imgclf.data.sources.cifar10 import load_cifar10
from imgclf.data.sources.digits import load_digits
from imgclf.data.sources.folder import load_folder
from imgclf.data.sources.table import load_csv
from imgclf.errors import ArgumentError, ArgumentTypeError

if TYPE_CHECKING:
    from imgclf.data.dataset import Dataset

__all__ = ["NAMES", "load_source"]

NAMES = ("cifar10", "digits")


def load_source(
    source: str,
    *,
    archive: Any = None,
    path: Any = None,
    image_size: Any = None,
    color: str | None = None,
    resize: str = "crop",
    exclude: Any = None,
    groups: Any = None,
    max_pixels: int | None = None,
    cache: Any = None,
    seed: int = 0,
    validation: Any = None,
) -> Dataset:
    """Loads the data that a word stands for.

    Args:
        source: "cifar10", "digits", a folder of images, or a CSV file. A folder with one of the
            two names is written with its path, such as "./digits".
        archive: for "cifar10", as in `load_cifar10`.
        path: for "cifar10", as in `load_cifar10`.
        image_size: for images, as in `load_folder`.
        color: for images, as in `load_folder`.
        resize: for images, as in `load_folder`.
        exclude: for images, as in `load_folder`.
        groups: for images, as in `load_folder`; for a table, the name of a column.
        max_pixels: for images, as in `load_folder`.
        cache: for images, as in `load_folder`, but None leaves it to that function.
        seed: decides which images are set aside.
        validation: what to set aside for validation; None leaves it to the function that loads.

    Raises:
        ArgumentError: if `source` is none of these, or an argument does not apply to it.

    Example:
        >>> load_source("digits").name
        'digits'
    """
    if not isinstance(source, str):
        raise ArgumentTypeError(f"`source` must be a text. {checks.received('source', source)}")
    cifar_options = {"archive": archive, "path": path}
    image_options = {"image_size": image_size, "color": color, "resize": resize}
    image_options |= {"exclude": exclude, "groups": groups}
    image_options |= {
        name: value
        for name, value in (("max_pixels", max_pixels), ("cache", cache))
        if value is not None
    }
    cut = {"seed": seed} | ({} if validation is None else {"validation": validation})
    if source == "cifar10":
        _refuse(image_options, source)
        return load_cifar10(**cifar_options, **cut)
    _refuse(cifar_options, source)
    if source == "digits":
        _refuse(image_options, source)
        return load_digits(**cut)
    place = Path(source).expanduser()
    if source and place.is_dir():
        return load_folder(place, **image_options, **cut)
    if place.suffix.lower() == ".csv" and place.is_file():
        return load_csv(place, **image_options, **cut)
    raise ArgumentError(_unknown(source, place))


def _refuse(options: dict[str, Any], source: str) -> None:
    """An option that would change nothing is a mistake of the caller."""
    for name, value in options.items():
        if value is not None and (name, value) != ("resize", "crop"):
            raise ArgumentError(
                f"`{name}` does not apply to the source {source!r}. {checks.received(name, value)}"
            )


def _unknown(source: str, place: Path) -> str:
    kind = "is a file of another kind" if place.is_file() else "there is no such file or folder"
    message = (
        "`source` must be 'cifar10', 'digits', a folder of images or a .csv file; "
        f"{kind}. {checks.received('source', source)}"
    )
    near = difflib.get_close_matches(source, NAMES, n=1) or _near_place(place)
    return f"{message} Did you mean {near[0]!r}?" if near else message


def _near_place(place: Path) -> list[str]:
    parent = place.parent
    if not parent.is_dir():
        return []
    names = [
        entry.name
        for entry in sorted(parent.iterdir())
        if entry.is_dir() or entry.suffix.lower() == ".csv"
    ]
    return [str(parent / name) for name in difflib.get_close_matches(place.name, names, n=1)]
