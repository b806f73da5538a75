"""Types of arguments that name files and folders: checked before anything heavy is imported."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from imgclf import checks
from imgclf.errors import MissingFileError
from imgclf.files.model_path import looks_like_model, model_path
from imgclf.files.output_paths import output_file, output_folder
from imgclf.formatting import show_path

__all__ = [
    "ModelFile",
    "OutputFile",
    "OutputFolder",
    "Source",
    "WeightsFile",
    "check_images_exist",
    "keep_inputs",
]


class _Input(click.ParamType):
    """A path that is checked, and kept as it was given."""

    def convert(
        self,
        value: str,
        param: click.Parameter | None,  # noqa: ARG002
        ctx: click.Context | None,  # noqa: ARG002
    ) -> str:
        """Returns the text as it was given."""
        self.check(value)
        return value

    def check(self, value: str) -> None:
        """Raises an error of imgclf if the text names nothing that can be used."""
        raise NotImplementedError


class ModelFile(_Input):
    """A run folder or a model file that is there."""

    name = "model"

    def check(self, value: str) -> None:
        """Refuses what is no model."""
        model_path(value)


class Source(_Input):
    """The name of a data set, or a folder or table that is there.

    Args:
        model: whether a model file is one, too.
    """

    name = "source"

    def __init__(self, *, model: bool = False) -> None:
        self.model = model

    def check(self, value: str) -> None:
        """Refuses what is no source."""
        if not (self.model and looks_like_model(value)):
            from imgclf.data.sources.registry import check_source

            check_source(value)


class OutputFile(click.ParamType):
    """A file to write.

    Args:
        suffixes: what its name may end in, the usual one first.
        instead: a sentence about what to use for other formats.
    """

    name = "file"

    def __init__(self, *suffixes: str, instead: str = "") -> None:
        self.suffixes, self.instead = suffixes, instead

    def convert(
        self, value: str | Path, param: click.Parameter | None, ctx: click.Context | None
    ) -> Path:
        """Returns the path, if a file can be written there."""
        path = _path(self, value, param, ctx)
        output_file(path)
        if path.suffix.lower() not in self.suffixes:
            allowed = " or ".join(self.suffixes)
            hint = f" {self.instead}" if self.instead else ""
            self.fail(f"{str(value)!r} must end in {allowed}.{hint}", param, ctx)
        return path


class OutputFolder(click.ParamType):
    """A folder to write files into."""

    name = "folder"

    def convert(
        self, value: str | Path, param: click.Parameter | None, ctx: click.Context | None
    ) -> Path:
        """Returns the path, if files can be written there."""
        path = _path(self, value, param, ctx)
        output_folder(path)
        return path


class WeightsFile(_Input):
    """`imagenet`, `none`, or a file of weights that is there."""

    name = "weights"

    def check(self, value: str) -> None:
        """Refuses files that are not there."""
        if value not in ("imagenet", "none") and not Path(value).expanduser().is_file():
            raise MissingFileError(
                "`weights` must be 'imagenet', 'none' or a file; there is no such file. "
                + checks.received("weights", value)
            )


def check_images_exist(
    paths: Sequence[Path], skipped: Sequence[object] = (), *, all_of_them: bool = False
) -> None:
    """Refuses paths of images that are not there.

    Args:
        paths: of the command line, folders listed.
        skipped: what could not be listed, which the command reports.
        all_of_them: whether each must be there; otherwise one is enough.

    Raises:
        MissingFileError: if they are not there.
    """
    missing = [path for path in paths if not os.path.lexists(path)]
    if missing and (all_of_them or not (skipped or len(missing) < len(paths))):
        more = f", nor {len(missing) - 1:,} more" if len(missing) > 1 else ""
        raise MissingFileError(f"There is no image {show_path(missing[0])!r}{more}.")


def keep_inputs(out: Path | None, *inputs: str | Path) -> None:
    """Refuses an output that would replace what is read.

    Args:
        out: of the command line; None if it was left out.
        inputs: the model and images of the same command.
    """
    if out is None or not out.exists():
        return
    for place in map(Path, inputs):
        files = (place / "model.keras", place) if place.is_dir() else (place,)
        if any(file.is_file() and out.samefile(file) for file in files):
            raise click.UsageError(f"--out {out} would replace {place}, which is read.")


def _path(
    kind: click.ParamType,
    value: str | Path,
    param: click.Parameter | None,
    ctx: click.Context | None,
) -> Path:
    if not os.fspath(value):
        kind.fail(f"a {kind.name} is required; the text is empty.", param, ctx)
    return Path(value).expanduser()
