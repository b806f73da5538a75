"""The tables of a search: trials as text, CSV and HTML, and a confirmation as HTML."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from imgclf.files.csv_file import write_csv
from imgclf.formatting import show_interval
from imgclf.markup import join, table
from imgclf.report.page import scrolling
from imgclf.search.results.network_summary import summarize_trial
from imgclf.search.results.trial import Trial

__all__ = ["confirmation_html", "html_table", "text_table", "write_trials"]

_TEXT_HEADS = ("trial", "accuracy", "95% interval", "parameters", "ms", "seconds")
_NETWORK_HEAD = "network and recipe"

_CSV_COLUMNS = (
    "number", "score", "low", "high", "status", "reason", "seconds", "epochs_run", "parameters",
    "macs", "milliseconds", "num_validation",
)  # fmt: skip

_HTML_HEADS = (
    *("trial", "accuracy", "95% interval", _NETWORK_HEAD, "status", "parameters"),
    *("multiply-adds", "ms", "seconds", "epochs"),
)


def text_table(trials: Sequence[Trial]) -> str:
    """Returns a table for a terminal.

    Args:
        trials: at least one.
    """
    rows = [_text_cells(trial) for trial in trials]
    networks = [summarize_trial(trial) for trial in trials]
    widths = [max(map(len, column)) for column in zip(_TEXT_HEADS, *rows, strict=True)]
    lines = [
        "  ".join([cell.rjust(width) for cell, width in zip(row, widths, strict=True)] + [network])
        for row, network in zip((_TEXT_HEADS, *rows), (_NETWORK_HEAD, *networks), strict=True)
    ]
    rule = "─" * (sum(widths) + 2 * len(widths) + len(_NETWORK_HEAD))
    return "\n".join([lines[0], rule, *lines[1:]])


def _text_cells(trial: Trial) -> tuple[str, ...]:
    return (
        str(trial.number),
        "–" if trial.score is None else f"{trial.score:.1%}",
        _interval(trial),
        f"{trial.parameters:,}",
        "" if trial.milliseconds is None else f"{trial.milliseconds:.2f}",
        f"{trial.seconds:.1f}",
    )


def _interval(trial: Trial) -> str:
    interval = trial.accuracy_interval
    return "" if interval is None else show_interval(interval)


def write_trials(path: Path, trials: Sequence[Trial]) -> None:
    """Writes a CSV file: a row for each trial, a column for each hyperparameter.

    Args:
        path: of the file; an existing one is replaced.
        trials: in the order of the rows.
    """
    settings = list(dict.fromkeys(name for trial in trials for name in trial.hyperparameters))
    rows = (_csv_row(trial, settings) for trial in trials)
    write_csv(path, [*_CSV_COLUMNS, "network", *settings], rows)


def _csv_row(trial: Trial, settings: list[str]) -> list[Any]:
    low, high = trial.accuracy_interval or (None, None)
    known = {**dataclasses.asdict(dataclasses.replace(trial, blocks=())), "low": low, "high": high}
    blocks = ", ".join(map(repr, trial.blocks))
    return [
        *(known[name] for name in _CSV_COLUMNS),
        f"[{blocks}]" if trial.blocks else None,
        *(trial.hyperparameters.get(name) for name in settings),
    ]


def html_table(trials: Sequence[Trial], caption: str = "") -> Markup:
    """Returns an HTML table, which the script of a page makes sortable.

    Args:
        trials: in the order of the rows.
        caption: of the table.
    """
    return table(caption, _HTML_HEADS, map(_html_row, trials), text_columns=(3,), sortable=True)


def _html_row(trial: Trial) -> list[str]:
    return [
        _number(trial.number, "{}"),
        _number(trial.score, "{:.1%}"),
        _interval(trial),
        Markup("<code>{}</code>").format(summarize_trial(trial)),
        trial.status,
        _number(trial.parameters, "{:,}"),
        _number(trial.macs, "{:,}"),
        _number(trial.milliseconds, "{:.2f}"),
        _number(trial.seconds, "{:.1f}"),
        _number(trial.epochs_run, "{}"),
    ]


def _number(value: float | None, form: str) -> Markup:
    """Returns a number as text, with the value by which a table is sorted."""
    text = "–" if value is None else form.format(value)
    return Markup('<data value="{}">{}</data>').format("" if value is None else value, text)


def confirmation_html(
    rows: Sequence[tuple[str, ...]], statements: Sequence[str], notes: Sequence[str]
) -> Markup:
    """Returns a confirmation as HTML.

    Args:
        rows: of its table, the head first.
        statements: how the first network compares with each other one.
        notes: how the numbers were measured.
    """
    heads, *cells = rows
    items = join(Markup("<li>{}</li>").format(text) for text in statements)
    paragraphs = join(Markup('<p class="note">{}</p>').format(text) for text in notes)
    compared = Markup('<ul class="plain">{}</ul>').format(items)
    return join([scrolling("networks", table("", heads, cells)), compared, paragraphs])
