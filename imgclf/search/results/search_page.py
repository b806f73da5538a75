"""The HTML page of a search, and the tables that notebooks show."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from imgclf import plots
from imgclf.errors import ImgclfError
from imgclf.formatting import show_duration
from imgclf.markup import join, table
from imgclf.report.charts import chart
from imgclf.report.page import Section, page, scrolling

if TYPE_CHECKING:
    from imgclf.search.results.confirm import Confirmation
    from imgclf.search.results.result import SearchResult, Trial

__all__ = ["confirmation_part", "report_page", "trials_table"]

_HEADS = ("trial", "accuracy", "95% interval")
_WORDS = "network and recipe"
_MORE = ("status", "parameters", "multiply-adds", "ms", "seconds", "epochs")


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
            Section("winner", f"The winner: trial {result.winner.number}", _winner(result)),
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
                "Each line is a trial, from setting to setting to its accuracy: the fainter, the "
                "worse. The best one stands out.",
            ),
            Section(
                "trials",
                "Trials",
                scrolling("trials", trials_table(result.ranked())),
                "Accuracy is the highest of all epochs on the validation images: that of the "
                "best trial owes something to luck.",
            ),
        ],
        footer=f"Made by imgclf {__version__} on {today}.",
    )


def trials_table(trials: Sequence[Trial], caption: str = "") -> Markup:
    """Trials as an HTML table, which the script of a page makes sortable.

    Args:
        trials: to be shown.
        caption: what they are.
    """
    heads = [Markup('<th scope="col">{}</th>').format(name) for name in (*_HEADS, *_MORE)]
    heads.insert(len(_HEADS), Markup('<th scope="col" class="words">{}</th>').format(_WORDS))
    return Markup(
        '<table class="sortable"><caption>{}</caption>\n<thead><tr>{}</tr></thead>\n'
        "<tbody>{}</tbody></table>"
    ).format(caption, join(heads), join(map(_row, trials)))


def _row(trial: Trial) -> Markup:
    from imgclf.search.results.result import network_text

    low, high = trial.accuracy_interval or (None, None)
    more = [
        trial.status,
        _number(trial.parameters, "{:,}"),
        _number(trial.macs, "{:,}"),
        _number(trial.milliseconds, "{:.2f}"),
        _number(trial.seconds, "{:.1f}"),
        _number(trial.epochs_run, "{}"),
    ]
    return Markup(
        '<tr><th scope="row">{}</th><td>{}</td><td>{}</td>'
        '<td class="words"><code>{}</code></td>{}</tr>\n'
    ).format(
        _number(trial.number, "{}"),
        _number(trial.score, "{:.1%}"),
        "" if low is None else f"{low:.1%} to {high:.1%}",
        network_text(trial),
        join(Markup("<td>{}</td>").format(cell) for cell in more),
    )


def confirmation_part(confirmation: Confirmation) -> Markup:
    """A confirmation as HTML: the table, how the first compares, what the figures stand for.

    Args:
        confirmation: of a search.
    """
    heads, *rows = confirmation.rows()
    says = join(Markup("<li>{}</li>").format(text) for text in confirmation.statements())
    notes = join(Markup('<p class="note">{}</p>').format(text) for text in confirmation.notes())
    listed = Markup('<ul class="plain">{}</ul>').format(says)
    return join([scrolling("networks", table("", heads, rows)), listed, notes])


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
    took = show_duration(seconds)
    text = (
        f"Trial {best.number} named {best.score:.1%}{reach} of the validation images right. "
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
        chart(result.plot(), "validation accuracy of each trial and the best so far, by trial"),
        chart(result.plot(by="time"), "validation accuracy of each trial, and the best, by time"),
    ]
    return Markup('<div class="charts">{}</div>').format(join(figures))


def _importance(result: SearchResult) -> Section:
    found = result.importance()
    body: Markup | str = found.note
    if found.settings:
        axes = plots.search_importance(
            [setting.name for setting in found.settings],
            [setting.points for setting in found.settings],
            [setting.spread for setting in found.settings],
        )
        figure = chart(axes, "how much each setting mattered")
        body = Markup('{}\n<p class="note">{}</p>').format(figure, found.note)
    return Section(
        "importance",
        "Which settings mattered",
        body,
        "By how many points a forecast of the accuracy is worse if the values of a setting are "
        "mixed up.",
    )


def _figure_section(name: str, title: str, draw: Callable[[], Any], lead: str) -> Section | None:
    try:
        figure = chart(draw(), title)
    except ImgclfError:
        return None
    return Section(name, title, figure, lead)


def _number(value: float | None, form: str) -> Markup:
    """A number as text, and as what a table is sorted by."""
    text = "–" if value is None else form.format(value)
    return Markup('<data value="{}">{}</data>').format("" if value is None else value, text)


def _or_reason(make: Callable[[], str]) -> str:
    try:
        return make()
    except ImgclfError as error:
        return f"# {error}"
