from __future__ import annotations

import dataclasses
import gc
import json
import re

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest

import imgclf
from imgclf import choice, conv, conv_maxpool, dense, flatten, global_pool, maxpool, repeat
from imgclf.data.sources.digits import load_digits
from imgclf.errors import ArgumentError, ArgumentTypeError, RunFolderError, SearchError
from imgclf.search.algorithms import ALGORITHMS
from imgclf.search.engine import trainer as searching
from imgclf.search.results.result import Blocks, SearchResult
from imgclf.search.results.trial import Trial
from imgclf.search.run_search import search
from imgclf.training.recipe.recipe import Recipe

BLOCKS = [conv_maxpool(choice(2, 4, 8), kernel_size=choice(1, 3)), flatten()]
RECIPE = Recipe(epochs=1, batch_size=64, learning_rate=choice(0.003, 0.01), precision="float32")


@pytest.fixture(scope="module")
def data():
    whole = load_digits()
    return imgclf.Dataset(whole.train[:256], whole.validation[:100], whole.test[:50])


def gist(result):
    return [(trial.number, trial.blocks, trial.recipe, trial.score) for trial in result.trials]


@pytest.mark.parametrize("algorithm", ["random", "bayesian"])
def test_a_search_gives_trials_and_a_classifier_of_the_best_score(data, algorithm):
    seen = []
    result = search(
        data, BLOCKS, recipe=RECIPE, algorithm=algorithm, max_trials=4, on_trial=seen.append
    )
    assert [trial.number for trial in result.trials] == [1, 2, 3, 4]
    assert tuple(seen) == result.trials
    assert len({(trial.blocks, trial.recipe) for trial in result.trials}) == 4
    assert result.best().score == max(trial.score for trial in result.trials)
    assert result.stopped_by == "max_trials"
    clf = result.best_classifier
    assert clf.evaluate(data.validation).accuracy == pytest.approx(result.best().score, abs=1e-6)
    assert clf.blocks == result.best().blocks == tuple(result.best_blocks)
    assert clf.recipe == result.best_recipe == result.best().recipe
    assert clf.class_names == data.class_names
    assert clf.model.count_params() == result.best().parameters


def test_the_models_of_earlier_trials_are_released(data):
    alive, frozen = [], gc.get_freeze_count()

    def count(trial):
        alive.append(sum(issubclass(type(one), keras.Model) for one in gc.get_objects()))

    search(data, BLOCKS, recipe=RECIPE, algorithm="random", max_trials=4, on_trial=count)
    assert 1 <= max(alive) <= alive[0] + 1
    assert gc.get_freeze_count() <= frozen  # nothing is kept out of collections for good


def test_hyperband_trains_the_better_ones_again_for_longer(data):
    result = search(data, BLOCKS, recipe=RECIPE, epochs=3, algorithm="hyperband", max_trials=5)
    epochs = [trial.recipe.epochs for trial in result.trials]
    assert epochs[:3] == [1, 1, 1]
    promoted = result.trials[epochs.index(3)]
    first = max(result.trials[: epochs.index(3)], key=lambda trial: trial.score)
    assert promoted.blocks == first.blocks
    assert promoted.recipe == first.recipe.replace(epochs=3)


def test_the_same_seed_gives_the_same_search_and_another_seed_another(data):
    once, again, other = (
        search(data, BLOCKS, recipe=RECIPE, algorithm="random", max_trials=1, seed=seed)
        for seed in (0, 0, 1)
    )
    assert gist(once) == gist(again)
    assert gist(once) != gist(other)


def test_the_default_space_is_searched_by_name(data):
    result = search(data, epochs=1, max_trials=1, max_params=60_000)
    assert result.best().parameters <= 60_000
    assert result.best().recipe.epochs == 1


def test_candidates_that_cannot_fit_are_never_built(data, monkeypatch):
    built = []
    build = searching.new_network
    monkeypatch.setattr(
        searching, "new_network", lambda *args: (built.append(args[2]), build(*args))[1]
    )
    blocks = [repeat(maxpool(padding="valid"), 1, 9), flatten()]  # 8×8 allows three
    recipe = RECIPE.replace(learning_rate=0.01)
    result = search(data, blocks, recipe=recipe, algorithm="random", max_trials=9)
    assert sorted(len(trial.blocks) for trial in result.trials) == [2, 3, 4]
    assert built == [trial.blocks for trial in result.trials]
    assert result.stopped_by == "space"


def test_candidates_of_equal_content_are_tried_once(data):
    # With no repetition, the repeated block's filters make no difference.
    blocks = [repeat(conv(choice(2, 3)), 0, 1), global_pool()]
    result = search(
        data, blocks, recipe=RECIPE.replace(learning_rate=0.01), algorithm="bayesian", max_trials=9
    )
    assert len(result.trials) == 3


def test_a_space_in_which_nothing_fits_says_why(data):
    with pytest.raises(SearchError) as caught:
        search(data, [conv(choice(2, 4)), flatten()], recipe=RECIPE, max_params=10)
    assert str(caught.value).startswith("No candidate of the space can be used. The last: has ")
    assert str(caught.value).endswith(" parameters, more than max_params=10.")


def test_a_failed_trial_is_recorded_and_the_search_continues(data, tmp_path):
    recipe = RECIPE.replace(learning_rate=choice(1e30, 0.01), optimizer="sgd", epochs=2)
    result = search(
        data,
        [flatten(), dense(8), dense(8)],
        recipe=recipe,
        algorithm="random",
        max_trials=2,
        run_dir=tmp_path,
    )
    failed, good = sorted(result.trials, key=lambda trial: trial.recipe.learning_rate)[::-1]
    assert (failed.status, failed.score) == ("failed", None)
    assert failed.reason.startswith("NotFiniteError: The loss became ")
    assert (good.status, good.reason) == ("completed", None)
    assert result.best() == good
    assert "failed: NotFiniteError" in str(result)
    again = search(
        data,
        [flatten(), dense(8), dense(8)],
        recipe=recipe,
        algorithm="random",
        max_trials=2,
        run_dir=tmp_path,
    )
    assert again.trials == result.trials


def test_a_search_in_which_all_fails_says_the_last_reason(data):
    recipe = Recipe(epochs=3, optimizer="sgd", learning_rate=choice(1e30, 1e31))
    with pytest.raises(SearchError, match=r"^All 2 trials failed. The last: NotFiniteError: The"):
        search(data, [flatten(), dense(8), dense(8)], recipe=recipe, max_trials=2)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_search_that_was_stopped_resumes_to_the_same_end(data, tmp_path, algorithm):
    settings = {"recipe": RECIPE.replace(epochs=2), "algorithm": algorithm, "max_trials": 3}

    class KilledError(Exception):
        pass

    def kill(trial):
        if trial.number == 2:
            raise KilledError

    whole = search(data, BLOCKS, **settings)
    with pytest.raises(KilledError):
        search(data, BLOCKS, run_dir=tmp_path, on_trial=kill, **settings)
    with (tmp_path / "journal.jsonl").open("ab") as file:
        file.write(b'{"number": 3, "blo')  # as a kill in the middle of a write leaves it
    new = []
    resumed = search(data, BLOCKS, run_dir=tmp_path, on_trial=new.append, **settings)
    assert [trial.number for trial in new] == [3]
    assert gist(resumed) == gist(whole)
    expected = whole.best_classifier.predict_proba(data.test)
    np.testing.assert_allclose(
        resumed.best_classifier.predict_proba(data.test), expected, atol=1e-6
    )


def test_a_finished_search_comes_back_from_its_folder_and_can_be_prolonged(data, tmp_path):
    settings = {"recipe": RECIPE, "algorithm": "random", "run_dir": tmp_path}
    first = search(data, BLOCKS, max_trials=2, **settings)
    new = []
    again = search(data, BLOCKS, max_trials=2, on_trial=new.append, **settings)
    assert again.trials == first.trials
    assert new == []
    assert imgclf.load(tmp_path / "best.keras").blocks == again.best_classifier.blocks
    longer = search(data, BLOCKS, max_trials=3, **settings)
    assert longer.trials[:2] == first.trials
    lines = (tmp_path / "journal.jsonl").read_text().splitlines()
    assert [json.loads(line)["number"] for line in lines] == [1, 2, 3]


def rename_as_in_0_1_0(path):
    """Replaces the names of a stored search or confirmation by those of version 0.1.0."""
    old = {
        "ema_momentum": "averaging",
        "precise_batch_norm": "exact_statistics",
        "progressive_size": "early_size",
        "progressive_fraction": "early_part",
        "fine_tune_fraction": "fine_tune_part",
        "train_fractions": "parts",
        "train_fraction": "part",
        "hyperparameters": "values",
    }
    text = path.read_text()
    for name, earlier in old.items():
        text = re.sub(rf"\b{name}\b", earlier, text)
    path.write_text(text)


def test_a_search_of_0_1_0_among_several_recipes_is_resumed(data, tmp_path):
    fast = RECIPE.replace(learning_rate=0.01, ema_momentum=choice(0.0, 0.5))
    recipe = choice(fast, fast.replace(optimizer="sgd", learning_rate=0.1))
    settings = {"recipe": recipe, "max_trials": 1, "run_dir": tmp_path}
    first = search(data, BLOCKS, **settings)
    for name in ("config.json", "journal.jsonl"):
        rename_as_in_0_1_0(tmp_path / name)
    assert "averaging" in (tmp_path / "journal.jsonl").read_text()
    new = []
    assert search(data, BLOCKS, on_trial=new.append, **settings).trials == first.trials
    assert new == []


def test_the_folder_of_another_search_is_refused(data, tmp_path):
    search(data, BLOCKS, recipe=RECIPE, max_trials=1, run_dir=tmp_path)
    with pytest.raises(RunFolderError) as caught:
        search(data, BLOCKS, recipe=RECIPE, max_trials=1, run_dir=tmp_path, seed=3)
    assert str(caught.value) == (
        f"Run folder {str(tmp_path)!r} holds another run. It differs in: search.seed (0 there, "
        "3 now). Use another run_dir, or remove this one."
    )


def test_a_search_by_another_version_is_refused(data, tmp_path):
    search(data, BLOCKS, recipe=RECIPE, max_trials=1, run_dir=tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["versions"]["keras"] = "3.0.0"
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(RunFolderError, match=r'differs in: versions.keras \("3.0.0" there, '):
        search(data, BLOCKS, recipe=RECIPE, max_trials=1, run_dir=tmp_path)


def test_a_record_that_cannot_be_read_is_refused(data, tmp_path):
    search(data, BLOCKS, recipe=RECIPE, max_trials=1, run_dir=tmp_path)
    (tmp_path / "journal.jsonl").write_text('{"number": 1}\n')
    with pytest.raises(RunFolderError) as caught:
        search(data, BLOCKS, recipe=RECIPE, max_trials=1, run_dir=tmp_path)
    assert str(caught.value) == (
        "The record of a trial cannot be read (KeyError: 'blocks'). Use another run_dir."
    )


def test_the_time_ends_a_search_within_a_trial(data):
    recipe = RECIPE.replace(epochs=100_000)
    with pytest.warns(UserWarning, match=r"^minutes=0.02 is too short to try 3 networks, "):
        result = search(data, BLOCKS, recipe=recipe, max_trials=3, minutes=0.02)
    (trial,) = result.trials
    assert trial.status == "timed_out"
    assert result.stopped_by == "minutes"
    assert result.best_classifier.evaluate(data.validation).accuracy == pytest.approx(trial.score)


def test_a_trial_that_timed_out_is_not_recorded(data, tmp_path):
    with pytest.warns(UserWarning, match=r"^minutes=1e-09 is too short to try 3 networks, "):
        search(data, BLOCKS, recipe=RECIPE, max_trials=3, minutes=1e-9, run_dir=tmp_path)
    assert not (tmp_path / "journal.jsonl").exists()
    result = search(data, BLOCKS, recipe=RECIPE, max_trials=1, run_dir=tmp_path)
    assert [trial.status for trial in result.trials] == ["completed"]


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        (
            {"blocks": [flatten()], "recipe": Recipe()},
            ArgumentError,
            "There is nothing to search: neither",
        ),
        ({"blocks": "defualt"}, ArgumentError, "Did you mean 'default'?"),
        ({"blocks": conv(choice(2, 4))}, ArgumentTypeError, "`blocks` must be a list of blocks"),
        ({"recipe": {"epochs": 1}}, ArgumentTypeError, "`recipe` must be a Recipe"),
        ({"algorithm": "bayes"}, ArgumentError, "Did you mean 'bayesian'?"),
        ({"max_trials": 0}, ArgumentError, "`max_trials` must be an int of at least 1"),
        ({"minutes": 0}, ArgumentError, "`minutes` must be a number above 0"),
        ({"epochs": 0}, ArgumentError, "`epochs` must be an int of at least 1"),
        ({"max_params": 0}, ArgumentError, "`max_params` must be an int of at least 1"),
        ({"seed": -1}, ArgumentError, "`seed` must be an int of at least 0"),
        ({"verbose": 7}, ArgumentTypeError, "`verbose` must be one of"),
        ({"run_dir": 7}, ArgumentTypeError, "`run_dir` must be a path"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_trained(data, changes, kind, message):
    with pytest.raises(kind) as caught:
        search(data, **{"blocks": BLOCKS, "recipe": RECIPE, **changes})
    assert message in str(caught.value)


def test_what_cannot_be_called_is_refused_before_anything_is_trained(data):
    with pytest.raises(ArgumentTypeError) as caught:
        search(data, BLOCKS, recipe=RECIPE, on_trial=0)
    assert str(caught.value) == (
        "`on_trial` must be None or a function of a Trial. Received: on_trial=0."
    )
    result = SearchResult([make_trial(0, 0.5)], "max_trials", None)
    with pytest.raises(ArgumentTypeError) as caught:
        result.confirm(data, on_run="print")
    assert str(caught.value) == (
        "`on_run` must be None or a function of a Run. Received: on_run='print'."
    )


def test_a_search_of_no_blocks_says_what_to_add(data):
    with pytest.raises(SearchError) as caught:
        search(data, ())
    assert str(caught.value) == (
        "No candidate of the space can be used. The last: The last block must leave a flat "
        "tensor, but leaves 8×8×1. Add flatten() or global_pool() at the end."
    )


def test_hyperband_does_not_share_the_epochs(data):
    with pytest.raises(ArgumentError) as caught:
        search(data, BLOCKS, recipe=RECIPE.replace(epochs=choice(1, 2)), algorithm="hyperband")
    assert str(caught.value) == (
        '`epochs` must be an int if the algorithm is "hyperband", which varies them itself. '
        "Received: epochs=choice(1, 2)."
    )


def test_data_without_validation_is_refused(data):
    with pytest.raises(ArgumentError) as caught:
        search(dataclasses.replace(data, validation=None), BLOCKS)
    assert str(caught.value) == (
        "`data` must have validation images: a search evaluates candidates on them. Load "
        "it with validation=0.1. Received: data.validation=None."
    )


def test_data_must_be_a_dataset():
    with pytest.raises(ArgumentTypeError) as caught:
        search(np.zeros((3, 8, 8, 1)), BLOCKS)
    assert str(caught.value) == (
        "`data` must be a Dataset, such as load_digits() gives. Received: data='ndarray'."
    )


def make_trial(number, score, status="completed", reason=None):
    blocks = (conv(4, kernel_size=5), flatten())
    return Trial(number, blocks, Recipe(), score, 1.25, 1234, 5678, status, reason, {"a": 1})


def test_a_result_prints_plots_and_ranks_its_trials():
    trials = (make_trial(1, None, "failed", "no memory"), make_trial(2, 0.5), make_trial(3, 0.75))
    result = SearchResult(trials, "max_trials", classifier=None)
    assert repr(result) == "SearchResult(3 trials, best 75.0%)"
    network = "conv 4 5×5 · flatten, adam 0.001"
    assert str(result).splitlines() == [
        "trial  accuracy  95% interval  parameters  ms  seconds  network and recipe",
        "─" * 74,
        f"    3     75.0%                     1,234          1.2  {network}",
        f"    2     50.0%                     1,234          1.2  {network}",
        f"    1         –                     1,234          1.2  failed: no memory · {network}",
    ]
    assert [record["number"] for record in result.table()] == [3, 2, 1]
    json.dumps(result.table())
    axes = result.plot(baseline=0.6)
    assert "baseline 60.0%" in [text.get_text() for text in axes.get_legend().get_texts()]
    plt.close(axes.figure)


def test_of_equal_scores_the_first_is_best_and_a_trial_that_timed_out_never_is():
    trials = (make_trial(1, 0.5), make_trial(2, 0.5), make_trial(3, 0.9, "timed_out"))
    assert SearchResult(trials, "minutes", classifier=None).best().number == 1


def test_the_best_blocks_are_code():
    blocks = Blocks([conv_maxpool(32, kernel_size=5), flatten(dropout=0.5)])
    assert repr(blocks) == "[\n    conv_maxpool(32, kernel_size=5),\n    flatten(dropout=0.5),\n]"
    assert eval(repr(blocks)) == blocks


def test_a_trial_survives_json():
    trial = make_trial(1, 0.5)
    assert Trial.from_dict(json.loads(json.dumps(trial.to_dict()))) == trial
