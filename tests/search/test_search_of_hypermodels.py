"""Searches in the hypermodels of others: functions `build(hp)`, and keras-tuner's `HyperModel`."""

from __future__ import annotations

import dataclasses
import json

import keras
import keras_tuner
import pytest

import imgclf
from imgclf import Recipe, choice, conv, global_pool
from imgclf.errors import ArgumentError, RunFolderError, SearchError
from imgclf.search.algorithms import ALGORITHMS
from imgclf.search.results.confirm import finalists
from imgclf.search.run_search import search
from imgclf.search.space.hyper_classifier import HyperClassifier

RECIPE = Recipe(epochs=2, batch_size=64, precision="float32")


@pytest.fixture(scope="module")
def data():
    whole = imgclf.load_digits()
    return imgclf.Dataset(whole.train[:256], whole.validation[:100], whole.test[:50])


def build(hp):
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Rescaling(1 / 16)])
    model.add(keras.layers.Flatten())
    model.add(keras.layers.Dense(hp.Choice("units", [4, 8, 16, 32]), "relu"))
    model.add(keras.layers.Dense(10, "softmax"))
    return model


class Compiled(keras_tuner.HyperModel):
    def build(self, hp):
        model = build(hp)
        optimizer = keras.optimizers.Adam(hp.Float("rate", 1e-3, 1e-1, sampling="log"))
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model


class KilledError(Exception):
    pass


def kill_after_two(trial):
    if trial.number == 2:
        raise KilledError


@pytest.fixture(scope="module")
def found(data, tmp_path_factory):
    """A search that was stopped behind its second trial, and gone on with."""
    folder = tmp_path_factory.mktemp("search")
    settings = {"recipe": RECIPE, "algorithm": "random", "max_trials": 3, "run_dir": folder}
    with pytest.raises(KilledError):
        search(data, build, on_trial=kill_after_two, **settings)
    return search(data, build, **settings)


def gist(result):
    return [(each.number, each.hyperparameters, each.recipe, each.curve) for each in result.trials]


def test_a_function_is_searched_and_gone_on_with_to_the_same_end(found, data):
    whole = search(data, build, recipe=RECIPE, algorithm="random", max_trials=3)
    assert gist(found) == gist(whole)
    assert len({each.hyperparameters["units"] for each in found.trials}) == 3
    best = found.best()
    clf = found.best_classifier
    assert clf.model.layers[-2].units == best.hyperparameters["units"]
    assert clf.model.count_params() == best.parameters == 75 * best.hyperparameters["units"] + 10
    assert best.macs == 74 * best.hyperparameters["units"]
    assert clf.evaluate(data.validation).accuracy == pytest.approx(best.score, abs=1e-6)
    assert (clf.blocks, clf.recipe) == (None, RECIPE)
    assert f"units={best.hyperparameters['units']}" in str(found)


def test_a_model_that_its_hypermodel_compiles_keeps_its_optimizer(data, capsys):
    result = search(data, Compiled(), recipe=RECIPE, max_trials=2, verbose=2)
    assert [each.status for each in result.trials] == ["completed"] * 2
    rate = float(result.best_classifier.model.optimizer.learning_rate)
    assert rate == pytest.approx(result.best().hyperparameters["rate"])
    assert result.trials[0].hyperparameters == {"units": 4, "rate": 1e-3}  # its defaults come first
    assert ", units 4 · rate 0.001, " in capsys.readouterr().err


def test_its_winner_is_confirmed_and_becomes_code(found, data, tmp_path):
    confirmation = found.confirm(data, top=1, seeds=2, baselines=[], run_dir=tmp_path / "confirm")
    assert confirmation.first.name == f"trial {found.winner.number}"
    assert len(confirmation.first.accuracies) == 2
    with pytest.raises(ArgumentError, match=r'^`form` must be "keras" for a network that a hyper'):
        found.to_code()
    (script,) = found.save_scripts(tmp_path)
    assert script.name == "winner_keras.py"
    namespace = {"__name__": "winner"}
    exec(script.read_text(), namespace)
    assert namespace["build_model"]().count_params() == found.winner.parameters
    page = found.report(tmp_path / "search.html").read_text()
    assert "Confirmed with fresh seeds" in page
    assert f"units={found.winner.hyperparameters['units']}" in page


def test_what_hyperband_trained_twice_is_confirmed_once(found):
    first, *others = found.ranked()
    longer = dataclasses.replace(
        first,
        number=9,
        hyperparameters={**first.hyperparameters, "tuner/epochs": 4, "tuner/round": 1},
        recipe=first.recipe.replace(epochs=4),
    )
    assert finalists([longer, first, *others], 2) == [longer, others[0]]


def test_another_hypermodel_is_refused_in_its_folder(found, data):
    def more(hp):
        model = build(hp)
        hp.Int("further", 1, 2)
        return model

    with pytest.raises(RunFolderError, match=r"differs in: search.blocks.hyperparameters.further"):
        search(data, more, recipe=RECIPE, algorithm="random", run_dir=found.run_dir)


def named_as_a_field(hp):
    """Has a hyperparameter with the name that 0.1.0 had for a field of the recipe."""
    hp.Choice("averaging", [1, 2])
    return build(hp)


def test_a_hyperparameter_with_the_former_name_of_a_field_keeps_its_name(data, tmp_path):
    settings = {"recipe": RECIPE.replace(epochs=1), "max_trials": 1, "run_dir": tmp_path}
    first = search(data, named_as_a_field, **settings)
    again = search(data, named_as_a_field, **settings)
    assert again.trials == first.trials
    assert set(again.trials[0].hyperparameters) == {"averaging", "units"}


def broken_at_8(hp):
    if hp.Choice("units", [4, 8, 16, 32]) == 8:
        raise KeyError("filters")
    return build(hp)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_trial_that_raises_is_recorded_and_the_search_continues(data, tmp_path, algorithm):
    recipe = RECIPE.replace(epochs=1)
    settings = {"recipe": recipe, "max_trials": 4, "algorithm": algorithm, "run_dir": tmp_path}
    result = search(data, broken_at_8, **settings)
    (failed,) = [each for each in result.trials if each.score is None]
    assert failed.hyperparameters["units"] == 8
    assert (failed.status, failed.reason) == ("failed", "KeyError: 'filters'")
    assert (failed.parameters, failed.macs) == (0, None)
    assert len(result.trials) == 4
    lines = (tmp_path / "journal.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert [record["reason"] for record in records].count("KeyError: 'filters'") == 1
    assert search(data, broken_at_8, **settings).trials == result.trials


def failing_loss(labels, probabilities):
    raise AttributeError("no such loss\n  in this Keras")


def broken_in_training(hp):
    model = build(hp)
    loss = failing_loss if hp.Boolean("broken") else "sparse_categorical_crossentropy"
    model.compile("adam", loss, metrics=["accuracy"])
    return model


def test_a_trial_whose_training_raises_is_recorded_in_a_line(data):
    recipe = RECIPE.replace(epochs=1)
    result = search(data, broken_in_training, recipe=recipe, algorithm="random", max_trials=8)
    assert {each.status for each in result.trials if each.hyperparameters["broken"]} == {"failed"}
    assert {each.status for each in result.trials if not each.hyperparameters["broken"]} == {
        "completed"
    }
    (reason,) = {each.reason for each in result.trials if each.hyperparameters["broken"]}
    assert reason == "AttributeError: no such loss in this Keras"


def test_limits_are_kept_and_cost_no_trial(data):
    settings = {"recipe": RECIPE.replace(epochs=1), "algorithm": "random", "max_trials": 9}
    result = search(data, build, max_params=700, **settings)
    assert sorted(each.hyperparameters["units"] for each in result.trials) == [4, 8]
    assert (result.stopped_by, {each.status for each in result.trials}) == ("space", {"completed"})
    with pytest.raises(SearchError) as caught:
        search(data, build, max_macs=10, **settings)
    assert str(caught.value).startswith("No candidate of the space can be used. The last: takes ")
    for name in ("max_ms", "max_memory"):
        with pytest.raises(ArgumentError, match=f"^`{name}` applies to networks of blocks"):
            search(data, build, **{name: 1000}, **settings)


def test_the_recipe_of_a_hypermodel_may_be_searched_too(data):
    recipe = RECIPE.replace(epochs=9, learning_rate=choice(0.01, 0.1), batch_size=choice(32, 64))
    result = search(data, build, recipe=recipe, epochs=1, algorithm="random", max_trials=3)
    assert {each.recipe.epochs for each in result.trials} == {1}
    for each in result.trials:
        assert each.recipe.learning_rate == each.hyperparameters["recipe.learning_rate"]


def test_two_workers_train_what_they_can_import(data):
    recipe = RECIPE.replace(epochs=1)
    result = search(data, build, recipe=recipe, algorithm="random", max_trials=2, workers=2)
    assert [each.status for each in result.trials] == ["completed"] * 2
    accuracy = result.best_classifier.evaluate(data.validation).accuracy
    assert accuracy == pytest.approx(result.best().score, abs=1e-6)


def test_two_workers_cannot_have_what_they_cannot_import(data):
    def inner(hp):
        return build(hp)

    with pytest.raises(ArgumentError, match=r"^With more than one worker, `hypermodel` must be"):
        search(data, inner, recipe=RECIPE, max_trials=2, workers=2)


def test_a_hyper_classifier_is_searched_as_its_own_space(data):
    hyper = HyperClassifier([conv(choice(2, 4)), global_pool()], (8, 8, 1), 10, Recipe(epochs=5))
    result = search(data, hyper, epochs=1, algorithm="random", max_trials=9)
    assert sorted(each.blocks[0].filters for each in result.trials) == [2, 4]
    assert {each.recipe.epochs for each in result.trials} == {1}
    small = search(data, hyper, recipe=RECIPE, algorithm="random", max_trials=9, max_params=60)
    assert [(each.blocks[0].filters, each.recipe) for each in small.trials] == [(2, RECIPE)]
    other = HyperClassifier([conv(choice(2, 4)), global_pool()], (9, 8, 1), 10)
    with pytest.raises(ArgumentError) as caught:
        search(data, other)
    assert str(caught.value) == (
        "The HyperClassifier is for images of (9, 8, 1) and 10 classes, but the data has "
        "(8, 8, 1) and 10."
    )
