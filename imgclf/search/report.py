"""The HTML page of a search, and the tables that notebooks show."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from imgclf import plots
from imgclf.errors import ImgclfError
from imgclf.markup import join, table
from imgclf.report.page import Section, page

if TYPE_CHECKING:
    from imgclf.search.confirm import Confirmation
    from imgclf.search.result import SearchResult, Trial

__all__ = ["confirmation_part", "report_page", "trials_table"]

_HEADS = (
    "trial", "accuracy", "95% interval", "status", "parameters", "multiply-adds", "ms", "seconds",
    "epochs", "network and recipe",
)  # fmt: skip


def report_page(result: SearchResult) -> str:
    """The text of the page.

    Args:
        result: of a search.
    """
    from imgclf import __version__

    best = result.best()
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return page(
        f"Search: {len(result.trials)} trials, the best {best.score:.1%}",
        _summary(result),
        [
            _confirmation(result),
            Section("winner", "The best network", _winner(result)),
            Section("progress", "Progress", _progress(result)),
            _figure_section(
                "trade-off",
                "Accuracy and cost",
                result.plot_tradeoff,
                "Each point is a trial. No trial is better and cheaper than one on the line. Take "
                "one by result.best(max_ms=…).",
            ),
            _importance(result),
            _figure_section(
                "settings",
                "All settings",
                result.plot_parallel,
                "Each line is a trial, from setting to setting to its accuracy; the darker, the "
                "better.",
            ),
            Section(
                "trials",
                "Trials",
                _scrolling(trials_table(result._ranked(), len(result.trials))),
                "Accuracy is the highest of all epochs on the validation pictures: that of the "
                "best trial owes something to luck.",
            ),
        ],
        footer=f"Made by imgclf {__version__} on {today}.",
    )


def trials_table(trials: Sequence[Trial], total: int) -> Markup:
    """Trials as an HTML table.

    Args:
        trials: to be shown.
        total: how many there are.
    """
    from imgclf.search.result import network_text

    rows = []
    for trial in trials:
        interval = trial.accuracy_interval
        cells = [
            _sorting(trial.number, str(trial.number)),
            _sorting(trial.score, "–" if trial.score is None else f"{trial.score:.1%}"),
            "" if interval is None else f"{interval[0]:.1%} to {interval[1]:.1%}",
            trial.status,
            _sorting(trial.parameters, f"{trial.parameters:,}"),
            _sorting(trial.macs, "" if trial.macs is None else f"{trial.macs:,}"),
            _sorting(
                trial.milliseconds,
                "" if trial.milliseconds is None else f"{trial.milliseconds:.2f}",
            ),
            _sorting(trial.seconds, f"{trial.seconds:.1f}"),
            "" if trial.epochs_run is None else str(trial.epochs_run),
            Markup("<code>{}</code>").format(network_text(trial)),
        ]
        rows.append(cells)
    shown = "" if len(trials) == total else f"the best {len(trials)} of {total} trials"
    return table(shown, _HEADS, rows)


def confirmation_part(confirmation: Confirmation) -> Markup:
    """A confirmation as HTML: the table, how the first compares, what the figures stand for.

    Args:
        confirmation: of a search.
    """
    heads, *rows = confirmation.rows()
    says = join(Markup("<li>{}</li>").format(text) for text in confirmation.statements())
    notes = join(Markup('<p class="note">{}</p>').format(text) for text in confirmation.notes())
    return join([_scrolling(table("", heads, rows)), Markup("<ul>{}</ul>").format(says), notes])


def _summary(result: SearchResult) -> Markup:
    best = result.best()
    interval = best.accuracy_interval
    reach = "" if interval is None else f" ({interval[0]:.1%} to {interval[1]:.1%})"
    why = {
        "max_trials": "the number of trials was reached",
        "minutes": "the time was over",
        "space": "the space was exhausted",
    }.get(result.stopped_by, result.stopped_by)
    seconds = sum(trial.seconds for trial in result.trials)
    took = f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds"
    text = (
        f"Trial {best.number} named {best.score:.1%}{reach} of the validation pictures right. "
        f"{len(result.trials)} trials took {took}; the search ended since {why}."
    )
    parts = [Markup("<p>{}</p>").format(text)]
    if result.confirmation is None:
        text = (
            "The best of many owes something to luck. Not confirmed yet: result.confirm(data) "
            "trains the best ones anew."
        )
        parts.append(Markup("<p>{}</p>").format(text))
    else:
        texts = result.confirmation.statements()
        parts += [Markup("<p>{}</p>").format(f"With fresh seeds, {text}.") for text in texts]
    return join(parts)


def _confirmation(result: SearchResult) -> Section | None:
    if result.confirmation is None:
        return None
    return Section(
        "confirmation",
        "Confirmed with fresh seeds",
        confirmation_part(result.confirmation),
        "The best networks, trained anew with seeds that the search did not use.",
    )


def _winner(result: SearchResult) -> Markup:
    parts = []
    for title, form in (("In imgclf", "imgclf"), ("In plain Keras", "keras")):
        code = _or_reason(lambda form=form: result.to_code(form))  # type: ignore[misc]
        block = Markup('<pre tabindex="0"><code>{}</code></pre>').format(code)
        opened = Markup(" open") if form == "imgclf" else ""
        parts.append(
            Markup("<details{}><summary>{}</summary>\n{}</details>").format(opened, title, block)
        )
    return join(parts)


def _progress(result: SearchResult) -> Markup:
    figures = [
        _svg(result.plot(), "validation accuracy of each trial and the best so far, by trial"),
        _svg(result.plot(by="time"), "validation accuracy of each trial, and the best, by time"),
    ]
    return join(Markup("<figure>{}</figure>").format(figure) for figure in figures)


def _importance(result: SearchResult) -> Section:
    found = result.importance()
    body: Markup | str = found.note
    if found.settings:
        axes = plots.search_importance(
            [setting.name for setting in found.settings],
            [setting.points for setting in found.settings],
            [setting.spread for setting in found.settings],
        )
        figure = _svg(axes, "how much each setting mattered")
        body = Markup("<figure>{}</figure>\n<p class='note'>{}</p>").format(figure, found.note)
    return Section(
        "importance",
        "Which settings mattered",
        body,
        "By how many points a forecast of the accuracy is worse if the values of a setting are "
        "mixed up.",
    )


def _figure_section(name: str, title: str, draw: Callable[[], Any], lead: str) -> Section | None:
    try:
        figure = _svg(draw(), title)
    except ImgclfError:
        return None
    return Section(name, title, Markup("<figure>{}</figure>").format(figure), lead)


def _svg(axes: Any, alt: str) -> Markup:
    # matplotlib escapes what it writes, and colours and ids are ours.
    return Markup(plots.figure_svg(axes, alt))  # noqa: S704


def _scrolling(content: Markup) -> Markup:
    return Markup('<div class="scroll" tabindex="0">{}</div>').format(content)


def _sorting(value: float | None, text: str) -> Markup:
    """A text with the number that a table is sorted by."""
    return Markup('<data value="{}">{}</data>').format("" if value is None else value, text)


def _or_reason(make: Callable[[], str]) -> str:
    try:
        return make()
    except ImgclfError as error:
        return f"# {error}"
