"""The engine of a search, except proposing: time, fractions, early stopping, limits, the folder."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import imgclf
from imgclf import (
    Augmentation,
    Recipe,
    checks,
    choice,
    conv,
    conv_maxpool,
    dense,
    flatten,
    global_pool,
    residual,
)
from imgclf.data.free_memory import available_memory
from imgclf.errors import ArgumentError, ArgumentTypeError, RunFolderError, SearchError
from imgclf.search.engine.deadline import Deadline, estimate_seconds
from imgclf.search.engine.early_stopping import early_stopping_thresholds, should_stop
from imgclf.search.engine.fractions import (
    check_train_fractions,
    hyperband_fraction,
    next_promotion,
    take_fraction,
    trials_at_fraction,
)
from imgclf.search.engine.job import Job
from imgclf.search.engine.live_table import make_display
from imgclf.search.results.network_summary import summarize_blocks
from imgclf.search.results.trial import Trial
from imgclf.search.run_search import search
from imgclf.search.space.latency import LatencyModel, count_layers
from imgclf.search.space.training_memory import estimate_training_bytes

BLOCKS = [conv_maxpool(choice(2, 4, 8)), flatten()]
RECIPE = Recipe(epochs=1, batch_size=64, learning_rate=choice(0.003, 0.01), precision="float32")
NETWORK = (conv_maxpool(4), flatten())


@pytest.fixture(scope="module")
def data():
    whole = imgclf.load_digits()
    return imgclf.Dataset(whole.train[:256], whole.validation[:100], whole.test[:50])


FOUR_EPOCHS = Recipe(epochs=4)


def trial(number=1, score=0.5, seconds=10.0, macs=1_000_000, recipe=FOUR_EPOCHS, **changes):
    settings = {"epochs_run": 4, "num_validation": 100, "curve": (score,) * 4}
    return Trial(number, NETWORK, recipe, score, seconds, 1000, macs, **{**settings, **changes})


def gist(result):
    return [(each.number, each.blocks, each.recipe, each.score) for each in result.trials]


# The budget of time


def job(epochs=4, **changes):
    return Job(9, {}, NETWORK, Recipe(epochs=epochs), **changes)


def clock(left):
    return Deadline(1.0, started=time.monotonic() - 60 + left)


def test_a_trial_that_fits_keeps_its_epochs_and_one_that_does_not_gets_fewer_or_is_not_begun():
    trials = [trial(1, seconds=10), trial(2, seconds=18, macs=2_000_000)]
    assert estimate_seconds(job(), 1_000_000, trials) == pytest.approx(10)
    assert estimate_seconds(job(), 4_000_000, trials) == pytest.approx(34)
    assert estimate_seconds(job(train_fraction=0.5), 2_000_000, trials) == pytest.approx(10)
    assert clock(11).fit_epochs(job(), 1_000_000, trials) == job()
    assert clock(7.7).fit_epochs(job(), 1_000_000, trials).recipe.epochs == 3
    assert clock(4).fit_epochs(job(), 1_000_000, trials) is None
    assert clock(1).fit_epochs(job(), 1_000_000, []) == job()
    assert Deadline().fit_epochs(job(), 1_000_000, trials) == job()


def test_a_trial_that_timed_out_is_resumed_by_the_next_call(data, tmp_path):
    settings = {"recipe": RECIPE.replace(epochs=2), "algorithm": "random", "max_trials": 1}
    whole = search(data, BLOCKS, **settings)
    too_short = pytest.warns(UserWarning, match="^minutes=1e-09 is too short to try a network: ")
    for expected in (too_short, contextlib.nullcontext()):  # it is said once
        with expected:
            cut = search(data, BLOCKS, minutes=1e-9, run_dir=tmp_path, **settings)
        assert (cut.trials[0].status, cut.stopped_by) == ("timed_out", "minutes")
        assert cut.trials[0].curve == ()
        accuracy = cut.best_classifier.evaluate(data.validation).accuracy
        assert accuracy == pytest.approx(cut.trials[0].score, abs=1e-6)
    (checkpoint,) = (tmp_path / "trials" / "0001" / "training" / "checkpoints").glob("*-000002.npz")
    assert checkpoint.name == "epoch-00000-step-000002.npz"  # a batch in each call
    result = search(data, BLOCKS, run_dir=tmp_path, **settings)
    assert gist(result) == gist(whole)
    assert result.trials[0].curve == whole.trials[0].curve


# Early stopping


def test_a_trial_below_the_median_of_the_others_is_stopped():
    others = [trial(n, curve=(0.2 + n / 10, 0.3 + n / 10, 0.9)) for n in range(1, 6)]
    three, six = RECIPE.replace(epochs=3), RECIPE.replace(epochs=6)
    assert early_stopping_thresholds(others, three, 1.0) == pytest.approx((0.5, 0.6))
    assert early_stopping_thresholds(others, six, 1.0) == pytest.approx((0.5, 0.5, 0.6, 0.6, 0.9))
    assert early_stopping_thresholds(others[:3], three, 1.0) == ()
    assert early_stopping_thresholds(others, three, 0.2) == ()
    assert should_stop((0.1, 0.3), (0.5, 0.6), 100)
    assert not should_stop((0.1, 0.55), (0.5, 0.6), 100)  # within its interval
    assert not should_stop((0.1, 0.1, 0.1), (0.5, 0.6), 100)  # it is over anyway


def test_no_trial_is_stopped_while_its_images_are_smaller():
    plain = RECIPE.replace(epochs=4)
    small = plain.replace(progressive_size=0.75, progressive_fraction=0.5)
    curve = (0.5, 0.6, 0.7, 0.8)
    others = [trial(number, recipe=plain, curve=curve) for number in range(1, 5)]
    assert early_stopping_thresholds(others, plain, 1.0) == (0.5, 0.6, 0.7)
    assert early_stopping_thresholds(others, small, 1.0) == (0.0, 0.0, 0.7)
    assert early_stopping_thresholds(others, small.replace(progressive_size=1.0), 1.0) == (
        0.5,
        0.6,
        0.7,
    )
    # Nor does their accuracy until then count for others.
    low = [trial(number, recipe=small, curve=(0.1, 0.1, 0.8, 0.9)) for number in range(5, 9)]
    assert early_stopping_thresholds([*others, *low], plain, 1.0) == pytest.approx((0.5, 0.6, 0.75))
    assert early_stopping_thresholds(low, plain, 1.0) == (0.0, 0.0, 0.8)
    assert not should_stop((0.0,), early_stopping_thresholds(low, plain, 1.0), 100)


@given(curve=st.lists(st.floats(0, 1), min_size=1, max_size=5), images=st.integers(1, 10_000))
def test_a_trial_that_reaches_the_median_is_never_stopped(curve, images):
    assert not should_stop(curve, [max(curve) - 1 / images] * 5, images)


def test_a_search_stops_bad_trials_and_says_why(data, tmp_path):
    settings = {
        "recipe": RECIPE.replace(
            epochs=3, learning_rate=choice(0.01, 0.015, 0.02, 0.03, 1e-9, 1e-8), batch_size=16
        ),
        "algorithm": "random",
        "max_trials": 6,
        "seed": 2,
    }
    result = search(data, NETWORK, run_dir=tmp_path, **settings)
    # Which trials are stopped depends on how well each learns: only the rule is promised.
    for place, each in enumerate(result.trials):
        before = [other for other in result.trials[:place] if other.status == "completed"]
        limits = early_stopping_thresholds(before, each.recipe, 1.0)
        stops = [should_stop(each.curve[:epochs], limits, 100) for epochs in (1, 2)]
        assert each.epochs_run == len(each.curve)
        if each.status == "stopped":
            assert stops[each.epochs_run - 1]
            assert f" after epoch {each.epochs_run}, below the median of " in each.reason
        else:
            assert (each.status, each.epochs_run, stops) == ("completed", 3, [False, False])
    last = result.trials[-1]
    assert (last.recipe.learning_rate, last.status, last.epochs_run) == (1e-8, "stopped", 1)
    assert result.best_recipe.learning_rate >= 0.01
    assert search(data, NETWORK, run_dir=tmp_path, **settings).trials == result.trials


# Train fractions


def test_a_fraction_has_the_same_share_of_each_class_and_is_within_a_larger_one(data):
    small, large = take_fraction(data.train, 0.25), take_fraction(data.train, 0.5)
    assert take_fraction(data.train, 1.0) is data.train
    for name, count in data.train.label_counts().items():
        assert small.label_counts()[name] == int(np.ceil(count / 4))
    held = {image.tobytes() for image in large.images}
    assert all(image.tobytes() in held for image in small.images)


def test_the_best_of_three_is_promoted_to_more_images(data):
    result = search(
        data, BLOCKS, recipe=RECIPE, algorithm="random", max_trials=4, train_fractions=(0.3, 1.0)
    )
    assert [each.train_fraction for each in result.trials] == [0.3, 0.3, 0.3, 1.0]
    first = max(result.trials[:3], key=lambda each: each.score)
    last = result.trials[3]
    assert last.promoted_from == first.number
    assert (last.blocks, last.recipe) == (first.blocks, first.recipe)


def test_promotions_go_from_rung_to_rung():
    parts = (0.1, 0.3, 1.0)
    trials = [trial(n, score=n / 10, train_fraction=0.1) for n in range(1, 10)]
    assert next_promotion(trials[:2], parts, []) is None
    assert next_promotion(trials, parts, []) == (trials[8], 0.3)
    assert next_promotion(trials, parts, [9]) == (trials[7], 0.3)
    assert next_promotion(trials, parts, [9, 8, 7]) is None
    second = [trial(n, score=n / 20, train_fraction=0.3) for n in range(10, 13)]
    assert next_promotion([*trials, *second], parts, [9, 8, 7]) == (second[2], 1.0)


def test_hyperband_trains_its_last_round_on_the_last_fraction():
    assert [hyperband_fraction((0.2, 1.0), 2, number) for number in range(3)] == [0.2, 0.2, 1.0]
    assert hyperband_fraction((0.2, 1.0), 0, 0) == 1.0


@pytest.mark.parametrize(
    "train_fractions", [(), 0.5, (0.5,), (1.0, 0.5), (0.2, 0.2, 1.0), (0.0, 1.0)]
)
def test_fractions_that_do_not_rise_to_one_are_refused(train_fractions):
    with pytest.raises(ArgumentError, match=r"^`train_fractions` must "):
        check_train_fractions(train_fractions)


# Limits before a weight is made


def test_a_network_that_would_be_too_slow_is_not_built(data, tmp_path):
    settings = {"recipe": RECIPE, "max_trials": 1}
    with pytest.raises(SearchError, match=r"The last: takes about .* ms an image, more than max_"):
        search(data, BLOCKS, max_ms=1e-6, **settings)
    result = search(data, BLOCKS, max_ms=1000, run_dir=tmp_path, **settings)
    assert 0 < result.trials[0].milliseconds < 1000
    known = json.loads((tmp_path / "machine.json").read_text())
    assert set(known["milliseconds"]) == {"call", "layer", "macs"}


def test_a_training_that_would_need_too_much_memory_is_not_begun(data):
    with pytest.raises(SearchError, match=r"The last: needs about .* of memory with batch_size=64"):
        search(data, BLOCKS, recipe=RECIPE, max_trials=1, max_memory="10 kB")


def test_layers_and_values_inside_of_residuals_count():
    inner = [conv(4), conv(4)]
    assert count_layers([*inner, flatten()]) == 6
    assert count_layers([residual(inner, activation=None), flatten()]) == 7
    plain, around = (
        estimate_training_bytes([*blocks, flatten()], (8, 8, 4), 10, 0, 1)
        for blocks in (inner, [residual(inner, activation=None)])
    )
    assert around - plain == 8 * 8 * 4 * 6
    assert estimate_training_bytes([conv(4), global_pool()], (None, 8, 4), 10, 0, 1) is None


def test_available_memory_is_the_least_that_anybody_tells(tmp_path):
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:    2000 kB\n")
    assert available_memory(tmp_path / "meminfo", tmp_path) == 2_048_000
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("400000\n")
    assert available_memory(tmp_path / "meminfo", tmp_path) == 600_000
    (tmp_path / "memory.max").write_text("max\n")
    assert available_memory(tmp_path / "meminfo", tmp_path) == 2_048_000
    assert available_memory(tmp_path / "none", tmp_path / "none") is None


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("2 GB", 2 * 10**9),
        ("1.5kb", 1500),
        ("20G", 2 * 10**10),
        ("1 KiB", 1024),
        ("7", 7),
        (12, 12),
    ],
)
def test_sizes_are_read(written, size):
    assert checks.byte_size("max_disk", written) == size


@pytest.mark.parametrize("written", ["", "GB", "2 parsecs", "-1 GB", 0])
def test_sizes_that_are_none_are_refused(written):
    with pytest.raises(ArgumentError, match=r"^`max_disk` must be "):
        checks.byte_size("max_disk", written)


# The folder


def test_the_best_models_stay_and_all_else_goes(data, tmp_path):
    result = search(
        data, BLOCKS, recipe=RECIPE, algorithm="random", max_trials=3, run_dir=tmp_path, keep=2
    )
    best, second, third = sorted(result.trials, key=lambda each: (-each.score, each.number))
    assert third.weights is None
    for each in (best, second):
        clf = imgclf.load(tmp_path / each.weights)
        assert clf.blocks == each.blocks
        assert clf.evaluate(data.validation).accuracy == pytest.approx(each.score, abs=1e-6)
    assert (tmp_path / "best.keras").samefile(tmp_path / best.weights)
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {
        *("config.json", "images.csv", "machine.json", "journal.jsonl", "best.keras"),
        *("lock", "lock.owner"),
        *(best.weights, second.weights),
    }
    assert result.run_dir == tmp_path


def test_models_give_way_where_the_disk_is_bounded(data, tmp_path):
    settings = {"recipe": RECIPE, "algorithm": "random", "max_trials": 3, "run_dir": tmp_path}
    result = search(data, BLOCKS, max_disk="50 kB", **settings)
    assert (tmp_path / "best.keras").exists()
    assert sum(each.weights is not None for each in result.trials) < 3
    with pytest.raises(ArgumentError, match=r"^`max_disk` must be a number of bytes"):
        search(data, BLOCKS, max_disk="much", **settings)


def test_the_setting_in_which_another_space_differs_is_named(data, tmp_path):
    search(data, BLOCKS, recipe=RECIPE, max_trials=1, run_dir=tmp_path)
    other = [conv_maxpool(choice(2, 4)), flatten()]
    with pytest.raises(RunFolderError) as caught:
        search(data, other, recipe=RECIPE, max_trials=1, run_dir=tmp_path)
    assert (
        'It differs in: search.blocks.0.filters ("choice(2, 4, 8)" there, "choice(2, 4)" now).'
        in str(caught.value)
    )
    turned = RECIPE.replace(augmentation=Augmentation(shift=choice(0, 1)))
    with pytest.raises(RunFolderError) as caught:
        search(data, BLOCKS, recipe=turned, max_trials=1, run_dir=tmp_path)
    assert 'search.recipe.augmentation.shift (0 there, "choice(0, 1)" now).' in str(caught.value)


def test_a_plan_that_cannot_be_read_is_refused(data, tmp_path):
    (tmp_path / "trials" / "0001").mkdir(parents=True)
    (tmp_path / "trials" / "0001" / "plan.json").write_text("{")
    with pytest.raises(RunFolderError, match=r"plan.json: is damaged"):
        search(data, BLOCKS, recipe=RECIPE, max_trials=1, run_dir=tmp_path)


def test_a_job_survives_json():
    whole = job(
        train_fraction=0.5, promoted_from=3, stopping_thresholds=(0.1, 0.2), resumable=False
    )
    assert Job.from_dict(json.loads(json.dumps(whole.to_dict()))) == whole
    with pytest.raises(RunFolderError, match=r"^The plan of a trial cannot be read \(KeyError: "):
        Job.from_dict({"number": 1})


# What a trial records, and what is shown


def test_a_trial_has_its_interval_and_its_curve(data):
    (only,) = search(data, BLOCKS, recipe=RECIPE.replace(epochs=2), max_trials=1).trials
    low, high = only.accuracy_interval
    assert low < only.score == max(only.curve) < high
    assert (only.num_validation, only.epochs_run, len(only.curve)) == (100, 2, 2)
    assert only.milliseconds > 0
    assert dataclasses.replace(only, score=None).accuracy_interval is None


def test_a_line_is_shown_for_each_trial(capsys):
    with make_display(2, None) as display:
        display.begin(job(), 75.0)
        display.end(trial(train_fraction=0.2), 60.0)
        display.end(trial(2, score=None, status="failed", reason="no memory"), None)
    assert capsys.readouterr().err == (
        "trial 1: 50.0% ± 9.6%, 20% of the images, conv_maxpool 4 · flatten, 10.0 s, "
        "1,000 parameters, 1:00 left\n"
        "trial 2: failed: no memory, conv_maxpool 4 · flatten, 10.0 s, 1,000 parameters\n"
    )


def test_a_terminal_gets_a_table(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "100")
    seen = []
    with make_display("auto", seen.append) as display:
        display.begin(job(), 75.0)
        display.end(trial(), 3700.0)
        display.begin(job(), 75.0)
    shown = capsys.readouterr().err
    assert "50.0% ± 9.6%" in shown
    assert "conv_maxpool 4 · flatten" in shown
    assert " left" in shown
    assert [each.number for each in seen] == [1]


def test_blocks_are_summarized():
    blocks = [conv(8), conv(8), residual([conv(8)] * 3), global_pool(), dense(16)]
    assert summarize_blocks(blocks) == "conv 8 ×2 · residual(conv 8 ×3) · global_pool · dense 16"


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"keep": 0}, ArgumentError, "`keep` must be an int of at least 1"),
        ({"workers": 0}, ArgumentError, "`workers` must be an int of at least 1"),
        ({"early_stopping": 1}, ArgumentTypeError, "`early_stopping` must be True or False"),
        ({"max_ms": 0}, ArgumentError, "`max_ms` must be a number above 0"),
        ({"max_memory": "x"}, ArgumentError, "`max_memory` must be a number of bytes"),
        ({"train_fractions": (0.5,)}, ArgumentError, "`train_fractions` must rise and end in 1.0"),
        ({"chief": "here"}, ArgumentError, '`chief` must be such as "192.168.0.5:8000"'),
        ({"chief": "127.0.0.1:8000"}, ArgumentError, "`chief` needs a `run_dir`"),
        ({"recipe": choice(1, 2)}, ArgumentTypeError, "`recipe` must be a Recipe, or a choice"),
    ],
)
def test_bad_settings_are_refused_before_anything_is_trained(data, changes, kind, message):
    with pytest.raises(kind) as caught:
        search(data, **{"blocks": BLOCKS, "recipe": RECIPE, **changes})
    assert message in str(caught.value)


def test_recipes_may_be_alternatives(data):
    recipe = choice(
        RECIPE.replace(learning_rate=0.01), RECIPE.replace(optimizer="sgd", learning_rate=0.1)
    )
    result = search(data, NETWORK, recipe=recipe, algorithm="random", max_trials=9)
    assert {each.recipe.optimizer for each in result.trials} == {"adam", "sgd"}
    assert (len(result.trials), result.stopped_by) == (2, "space")


def test_the_speed_follows_layers_and_multiply_adds():
    speed = LatencyModel(call=1.0, layer=0.5, macs=2.0)
    assert speed.estimate([flatten()], 3_000_000) == 1 + 2 * 0.5 + 6


def test_only_trials_with_a_score_at_the_same_fraction_are_compared():
    trials = [
        trial(1, train_fraction=0.3),
        trial(2),
        trial(3, train_fraction=0.3, status="stopped"),
        trial(4, score=None, status="failed", train_fraction=0.3, curve=()),
    ]
    assert [each.number for each in trials_at_fraction(trials, 0.3)] == [1, 3]
    assert [each.number for each in trials_at_fraction(trials, 0.3, completed=True)] == [1]


def test_a_plan_of_0_1_0_is_read():
    plan = {**job(train_fraction=0.5).to_dict(), "values": {"recipe.averaging": 0.5}, "part": 0.5}
    plan["floors"] = [0.25]
    for name in ("hyperparameters", "train_fraction", "stopping_thresholds"):
        del plan[name]
    found = Job.from_dict(plan)
    assert (found.hyperparameters, found.train_fraction) == ({"recipe.ema_momentum": 0.5}, 0.5)
    assert found.stopping_thresholds == (0.25,)
