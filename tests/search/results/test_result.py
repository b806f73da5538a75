"""What a search's result offers behind the trials: choice by cost, tables, code, plots, a page."""

from __future__ import annotations

import csv
import dataclasses
import html.parser
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest

import imgclf
from imgclf import Augmentation, Recipe, batch_norm, conv, flatten, initializer
from imgclf.architecture.blocks.block import Block
from imgclf.architecture.layers import Activate, Convolve
from imgclf.errors import ArgumentError, SearchError
from imgclf.search.results.result import SearchResult
from imgclf.search.results.trial import Trial

RECIPE = Recipe(epochs=1, precision="float32", augmentation=Augmentation(shift=1))
BLOCKS = (
    conv(4, normalization=batch_norm(momentum=0.6), kernel_initializer="dirac"),
    conv(4, kernel_initializer=initializer("truncated_normal", stddev=0.1)),
    flatten(),
)


def trial(number, score, milliseconds=None, **changes):
    settings = {"seconds": 10.0, "parameters": 100 * number, "macs": 1000 * number, **changes}
    return Trial(number, BLOCKS, RECIPE, score, milliseconds=milliseconds, **settings)


@pytest.fixture(scope="module")
def data():
    return imgclf.load_digits()


@pytest.fixture(scope="module")
def result(data):
    """Sixty trials in which filters matter, the rate a little, and the dropout not at all."""
    rng = np.random.default_rng(0)
    trials = []
    for number in range(1, 61):
        values = {
            "0.conv.filters": int(rng.choice([8, 16, 32])),
            "recipe.learning_rate": float(10 ** rng.uniform(-3, -2)),
            "1.flatten.dropout": float(rng.uniform(0, 0.5)),
            "2.dense.present": bool(rng.random() < 0.5),
        }
        if values["2.dense.present"]:
            values["2.dense.units"] = int(rng.choice([16, 32]))
        score = 0.5 + 0.1 * np.log2(values["0.conv.filters"] / 8)
        score += 10 * values["recipe.learning_rate"] + 0.01 * rng.normal()
        changes = {"hyperparameters": values, "num_validation": 200, "epochs_run": 1}
        if number % 20 == 0:
            trials.append(trial(number, None, status="failed", reason="<b>bad</b>", **changes))
        else:
            trials.append(trial(number, float(score), float(rng.lognormal()), **changes))
    clf = imgclf.Classifier.from_blocks(list(BLOCKS), data, RECIPE)
    return SearchResult(tuple(trials), "minutes", clf)


def test_the_best_within_a_limit():
    result = SearchResult(
        (trial(1, 0.7, 1.0), trial(2, 0.8, 2.0), trial(3, 0.9, 3.0), trial(4, None)), "space", None
    )
    assert result.best().number == 3
    assert result.best(max_ms=2).number == 2
    assert result.best(max_params=100, max_macs=2000).number == 1
    with pytest.raises(SearchError) as caught:
        result.best(max_ms=0.5)
    assert str(caught.value) == (
        "No trial has milliseconds of at most max_ms=0.5: the cheapest has 1. Search with that "
        "limit, or allow more."
    )
    with pytest.raises(ArgumentError, match="`max_ms` must be a number above 0"):
        result.best(max_ms=0)
    unknown = SearchResult((trial(1, 0.7),), "space", None)
    with pytest.raises(SearchError, match="max_ms=1: none was measured"):
        unknown.best(max_ms=1)


def test_the_front_holds_what_no_other_beats():
    trials = (
        trial(1, 0.7, 1.0), trial(2, 0.65, 1.5), trial(3, 0.9, 3.0), trial(4, 0.9, 3.5),
        trial(5, 0.8, 3.0), trial(6, None),
    )  # fmt: skip
    result = SearchResult(trials, "space", None)
    assert [one.number for one in result.pareto()] == [1, 3]
    for one in result.pareto():
        assert not any(
            other.score is not None
            and other.score >= one.score
            and other.milliseconds <= one.milliseconds
            and (other.score, other.milliseconds) != (one.score, one.milliseconds)
            for other in trials
        )
    by_macs = SearchResult((trial(1, 0.7, 1.0), trial(2, 0.6)), "space", None)
    assert by_macs.plot_tradeoff().get_xlabel() == "multiply-adds"


def test_the_interval_of_a_trial_is_wilsons():
    assert trial(1, 0.5).accuracy_interval is None
    low, high = trial(1, 0.75, num_validation=100).accuracy_interval
    assert (round(low, 3), round(high, 3)) == (0.657, 0.825)


def test_the_table_can_be_opened_in_a_spreadsheet(result, tmp_path):
    path = result.to_csv(tmp_path / "trials.csv")
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 60
    best = result.best()
    assert rows[0]["number"] == str(best.number)
    assert float(rows[0]["score"]) == best.score
    assert float(rows[0]["low"]) < best.score < float(rows[0]["high"])
    assert rows[0]["0.conv.filters"] == "32"
    assert rows[0]["network"].startswith("[conv(4, ")
    assert rows[-1]["reason"] == "<b>bad</b>"


def test_the_script_of_the_winner_runs(result, data, tmp_path, monkeypatch, capsys):
    code = result.to_code(data="imgclf.load_digits()")
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__main__"}
    exec(compile(code, "winner.py", "exec"), namespace)
    assert namespace["clf"].blocks == BLOCKS
    assert namespace["recipe"] == RECIPE
    assert "accuracy" in capsys.readouterr().out
    with pytest.raises(ArgumentError, match="`form` must be one of 'imgclf', 'keras'"):
        result.to_code("pytorch")


@dataclasses.dataclass(frozen=True, repr=False)
class ConvTwice(Block):
    filters: int

    def parts(self):
        return (Convolve(self.filters, (3, 3)), Activate("relu"))


def test_a_block_of_ones_own_is_imported_from_where_it_is():
    own = dataclasses.replace(trial(1, 0.5), blocks=(ConvTwice(8), flatten()))
    code = SearchResult((own,), "space", None).to_code()
    assert f"\nfrom {__name__} import ConvTwice as conv_twice\n" in code
    assert "\n    conv_twice(8),\n" in code


def test_weights_of_other_trials_are_those_that_were_kept(data, tmp_path):
    clf = imgclf.Classifier.from_blocks(list(BLOCKS), data, RECIPE)
    clf.save(tmp_path / "trials" / "2.keras")
    result = SearchResult(
        (trial(1, 0.9), trial(2, 0.8, weights="trials/2.keras"), trial(3, 0.7)),
        "space",
        clf,
        run_dir=tmp_path,
    )
    assert result.classifier(result.trials[0]) is clf
    assert result.classifier(result.trials[1]).blocks == BLOCKS
    with pytest.raises(SearchError, match="The weights of trial 3 were not kept"):
        result.classifier(result.trials[2])


def test_settings_that_mattered_are_found(result):
    found = result.importance()
    names = [setting.name for setting in found.settings]
    assert names[:2] == ["0.conv.filters", "recipe.learning_rate"]
    assert set(names[2:]) == {"1.flatten.dropout", "2.dense.present", "2.dense.units"}
    first, last = found.settings[0], found.settings[-1]
    assert first.points > 3 * first.spread > 0
    assert abs(last.points) < 0.5
    assert found.error < found.error_of_mean
    assert str(found).splitlines()[0].startswith("0.conv.filters")
    assert found.note.startswith("From 57 trials; the error of predictions is ")
    again = result.importance()
    assert again == found
    axes = result.plot_importance()
    assert axes.get_yticklabels()[0].get_text() == "0.conv.filters"


def test_numbers_of_numpy_count_as_those_of_python(result):
    """keras-tuner draws some as NumPy's; read back from the journal they are Python's."""
    drawn = tuple(
        dataclasses.replace(
            one,
            hyperparameters={
                name: np.float64(value) if isinstance(value, float) else value
                for name, value in one.hyperparameters.items()
            },
        )
        for one in result.trials
    )
    assert SearchResult(drawn, "minutes", None).importance() == result.importance()


def test_too_few_or_random_trials_show_no_importance(result):
    few = SearchResult(result.trials[:15], "space", None)
    assert few.importance().settings == ()
    assert "at least 20 trials are needed" in few.importance().note
    with pytest.raises(SearchError, match="15 trials with a score"):
        few.plot_importance()
    rng = np.random.default_rng(1)
    noise = [
        trial(n, float(rng.random()), hyperparameters={"a": float(rng.random())})
        for n in range(1, 41)
    ]
    found = SearchResult(tuple(noise), "space", None).importance()
    assert found.settings == ()
    assert "are no better than the mean" in found.note


def test_plots_by_time_and_of_all_settings(result):
    axes = result.plot(by="time")
    assert axes.get_xlabel() == "minutes"
    assert result.plot().get_xlabel() == "trial"
    labels = [label.get_text() for label in result.plot_parallel().get_xticklabels()]
    assert labels[0] == "0.conv.filters"
    assert labels[-1] == "accuracy"
    trade = result.plot_tradeoff()
    assert trade.get_xlabel() == "milliseconds for an image"
    shown = [text.get_text() for text in trade.texts]
    assert shown == [str(one.number) for one in result.pareto()]
    with pytest.raises(ArgumentError, match="`by` must be one of 'trial', 'time'"):
        result.plot(by="day")
    with pytest.raises(SearchError, match="of which the cost is known"):
        SearchResult((trial(1, 0.5, macs=None),), "space", None).plot_tradeoff()
    plt.close("all")


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def named(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


def test_the_page_holds_all_and_loads_nothing(result, tmp_path):
    path = result.report(tmp_path / "search.html")
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert not re.search(r"https?://", text)
    titles = [one["id"] for one in page.named("section")]
    assert titles == ["winner", "progress", "trade-off", "importance", "settings", "trials"]
    assert len(page.named("svg")) == 5
    assert all(one["aria-label"] for one in page.named("svg"))
    ids = [one["id"] for _, one in page.found if "id" in one]
    assert len(ids) == len(set(ids))
    assert "&lt;b&gt;bad&lt;/b&gt;" in text
    assert "<b>bad</b>" not in text
    assert len(page.named("tr")) == 61
    assert [one for one in page.named("table") if one.get("class") == "sortable"]
    assert "from imgclf import" in text
    assert "def build_model" in text
    assert "Not confirmed yet" in text


def test_a_notebook_shows_the_best_trials(result):
    shown = result._repr_html_()
    assert "the best 20 of 60 trials" in shown
    assert shown.count("<tr>") == 21
