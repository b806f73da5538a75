"""The HTML page of a search."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from imgclf.errors import ImgclfError
from imgclf.formatting import show_duration, show_percent
from imgclf.markup import join
from imgclf.report.charts import chart
from imgclf.report.page import Section, page, scrolling
from imgclf.search.results.confirmation import Confirmation
from imgclf.search.results.importance import Importance
from imgclf.search.results.search_plots import (
    plot_importance,
    plot_parallel,
    plot_progress,
    plot_tradeoff,
)
from imgclf.search.results.tables import confirmation_html, html_table
from imgclf.search.results.trial import Trial, best_trial, rank_trials
from imgclf.version import __version__

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["SearchPageData", "search_page"]

_END_REASONS = {
    "max_trials": "the number of trials was reached",
    "minutes": "the time was over",
    "space": "the space was exhausted",
}


@dataclasses.dataclass(frozen=True)
class SearchPageData:
    """What the page of a search shows.

    Args:
        trials: in the order in which they were run; at least one has a score.
        stopped_by: why the search ended.
        winner: the number of the winner.
        scripts: of the winner, by their titles.
        importance: of the settings.
        confirmation: None if there is none.
    """

    trials: Sequence[Trial]
    stopped_by: str
    winner: int
    scripts: Mapping[str, str]
    importance: Importance
    confirmation: Confirmation | None


def search_page(data: SearchPageData) -> str:
    """Returns the text of the page.

    Args:
        data: what it shows.
    """
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return page(
        f"Search: {len(data.trials)} trials, the best {best_trial(data.trials).score:.1%}",
        _summary(data),
        [
            _confirmation_section(data.confirmation),
            Section("winner", f"The winner: trial {data.winner}", _scripts(data.scripts)),
            Section("progress", "Progress", _progress(data.trials)),
            _plot_section(
                "trade-off",
                "Accuracy and cost",
                lambda: plot_tradeoff(data.trials),
                "Each point is a trial. No trial is both better and cheaper than one on the line. "
                "Select one with result.best(max_ms=…).",
            ),
            _importance_section(data.importance),
            _plot_section(
                "settings",
                "All settings",
                lambda: plot_parallel(data.trials),
                "Each line is a trial, through its settings to its accuracy. The fainter the line, "
                "the worse the trial. The best one is highlighted.",
            ),
            Section(
                "trials",
                "Trials",
                scrolling("trials", html_table(rank_trials(data.trials))),
                "Accuracy is the highest of all epochs on the validation images. That of the best "
                "trial is likely to be too high.",
            ),
        ],
        footer=f"Made by imgclf {__version__} on {today}.",
    )


def _summary(data: SearchPageData) -> Markup:
    best = best_trial(data.trials)
    accuracy = show_percent(best.score or 0.0, best.accuracy_interval)
    duration = show_duration(sum(trial.seconds for trial in data.trials))
    texts = [
        f"Trial {best.number} classified {accuracy} of the validation images correctly. "
        f"{len(data.trials)} trials took {duration}. The search ended because "
        f"{_END_REASONS.get(data.stopped_by, data.stopped_by)}."
    ]
    if data.confirmation is None:
        texts.append(
            "Not confirmed yet: the score of the best of many trials is likely to be too high. "
            "result.confirm(data) trains the best networks again."
        )
    else:
        texts += [f"With fresh seeds, {text}." for text in data.confirmation.statements()]
    return join(Markup("<p>{}</p>").format(text) for text in texts)


def _confirmation_section(confirmation: Confirmation | None) -> Section | None:
    if confirmation is None:
        return None
    return Section(
        "confirmation",
        "Confirmed with fresh seeds",
        confirmation_html(confirmation.rows(), confirmation.statements(), confirmation.notes()),
        "The best networks, trained again with seeds that the search did not use.",
    )


def _scripts(scripts: Mapping[str, str]) -> Markup:
    blocks = []
    for number, (title, code) in enumerate(scripts.items()):
        body = Markup('<pre tabindex="0"><code>{}</code></pre>').format(code)
        opened = Markup(" open") if number == 0 else ""
        blocks.append(
            Markup("<details{}><summary>{}</summary>\n{}</details>").format(opened, title, body)
        )
    return join(blocks)


def _progress(trials: Sequence[Trial]) -> Markup:
    accuracies = "validation accuracy of each trial and the best so far"
    drawn = [
        chart(plot_progress(trials), f"{accuracies}, by trial"),
        chart(plot_progress(trials, by="time"), f"{accuracies}, by time"),
    ]
    return Markup('<div class="charts">{}</div>').format(join(drawn))


def _importance_section(importance: Importance) -> Section:
    body: Markup | str = importance.note
    if importance.settings:
        plot = chart(plot_importance(importance), "how much each setting matters")
        body = Markup('{}\n<p class="note">{}</p>').format(plot, importance.note)
    return Section(
        "importance",
        "Which settings matter",
        body,
        "By how many points of accuracy predictions get worse if the values of a setting are "
        "shuffled.",
    )


def _plot_section(name: str, title: str, draw: Callable[[], Axes], lead: str) -> Section | None:
    try:
        plot = chart(draw(), title)
    except ImgclfError:
        return None
    return Section(name, title, plot, lead)
