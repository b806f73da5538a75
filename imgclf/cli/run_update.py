"""`imgclf train … --update`: trains a run further on a source that has grown."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imgclf.cli import data_options as sources
from imgclf.cli.outputs import echo_json, evaluate_command
from imgclf.cli.quiet import load_tensorflow
from imgclf.cli.run_source import remember, remembered
from imgclf.cli.split_choice import reading_options
from imgclf.errors import RunFolderError

if TYPE_CHECKING:
    from imgclf.classifier.classifier import Classifier
    from imgclf.data.dataset import Dataset
    from imgclf.training.budget.budget import Budget

__all__ = ["run_update"]

# Options that an update takes from the run.
_OF_THE_RUN = ("image_size", "color", "resize", "background", "white_level", "split_like")


def run_update(
    source: str,
    run: Path,
    options: sources.DataOptions,
    changes: dict[str, Any],
    budget: Budget | None,
    *,
    quiet: bool,
    as_json: bool,
) -> None:
    """Trains a run further and says what is new, and how accurate it was before and is now.

    Args:
        source: as on the command line.
        run: the folder of a trained run.
        options: how to read the source; what is left out is as before.
        changes: of the recipe.
        budget: of time.
        quiet: show no progress.
        as_json: print JSON.
    """
    import imgclf

    for name in (*_OF_THE_RUN, "weights", "from_model"):
        if name in changes or name in options.given:
            raise click.UsageError(
                f"--{name.replace('_', '-')} cannot be combined with --update, which continues "
                "from the model of the run and keeps its image size and split."
            )
    if not (run / "model.keras").is_file():
        raise RunFolderError(
            f"{str(run)!r} holds no trained run to update. Train it first, without --update."
        )
    load_tensorflow()
    classifier = imgclf.load(run)
    known = remembered(run)
    before = sources.DataOptions() if known is None else known[1]
    options = dataclasses.replace(before, split_like=None, **options.given)
    data = _load(source, run, options, classifier)
    update = imgclf.update_run(run, data, minutes=budget, verbose=0 if quiet else "auto", **changes)
    if update.history is not None:
        remember(run, source, options)
    command = evaluate_command(run, source, options.archive)
    if as_json:
        echo_json({"run": str(run), **update.to_dict(), "next": command})
        return
    click.echo(str(update))
    if update.kept is not None:
        click.echo(f"The files of before are in {update.kept}")
    click.echo(f"Next:  {command}")


def _load(source: str, run: Path, options: sources.DataOptions, classifier: Classifier) -> Dataset:
    """Loads the source with the split and image size of the run, and with all of its classes."""
    from imgclf.data.labels import sort_names
    from imgclf.data.sources.registry import load_source, source_at

    row = source_at(source)
    options = dataclasses.replace(options, split_like=str(run))
    if row is None or row.is_named:
        return sources.load(source, options)
    reading = reading_options(classifier)
    del reading["class_names"]
    for name in ("image_size", "color", "resize"):
        reading[name] = reading[name] or getattr(options, name)
    given = reading | {name: value for name, value in options.given.items() if name not in reading}
    settings = sources.with_cache_settings(given)
    data = load_source(source, **settings)
    if missing := set(classifier.class_names) - set(data.class_names):
        names = sort_names([*data.class_names, *missing])
        data = load_source(source, **{**settings, "class_names": names})
    click.echo(repr(data), err=True)
    sources.echo_ledger(data)
    return data
