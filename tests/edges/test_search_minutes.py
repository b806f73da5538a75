"""A search whose minutes are too few for three networks says so before it starts."""

from __future__ import annotations

import pytest

import imgclf
from imgclf import Recipe, choice, conv_maxpool, flatten
from imgclf.search.engine.coordinator import Coordinator
from imgclf.search.engine.deadline import Deadline
from imgclf.search.engine.live_table import TrialDisplay
from imgclf.search.engine.oracle import Proposer
from imgclf.search.engine.trainer import Trainer
from imgclf.search.space.make_space import make_space
from imgclf.search.time_check import few_networks_note

SPACE = [conv_maxpool(choice(2, 4, 8)), flatten()]


@pytest.fixture(scope="module")
def data():
    whole = imgclf.load_digits()
    return imgclf.Dataset(whole.train[:100], whole.validation[:50])


def note(data, minutes, seconds, *, epochs=20, max_trials=None, algorithm="random", measured=True):
    space = make_space(data, SPACE, Recipe(epochs=epochs), None)
    proposer = Proposer(algorithm, space, max_trials, 0, epochs)
    search = Coordinator(
        proposer, None, Deadline(minutes), max_trials, (1.0,), False, TrialDisplay()
    )
    calls = []

    def measure(job):
        calls.append(job)
        return seconds

    # As of a network of a million times as many multiply-adds.
    found = few_networks_note(search, 10**8 if measured else 100, measure)
    assert bool(calls) == (measured and minutes is not None and minutes >= 1)
    return found


@pytest.mark.parametrize(
    ("minutes", "seconds", "settings", "expected"),
    [
        (2, 50.0, {}, "Set minutes=3 or epochs=13."),
        (2, 100.0, {}, "Set minutes=6 or epochs=6."),
        (2, 4000.0, {}, "Set minutes=240."),
        (2, 100.0, {"max_trials": 2}, "Set minutes=4 or epochs=9."),
        (2, 39.0, {}, None),
        (2, None, {}, None),  # it would fail: its trial will say so
        (60, 39.0, {}, None),
        (2, 100.0, {"max_trials": 1}, None),
    ],
)
def test_the_time_of_three_networks_is_compared(data, minutes, seconds, settings, expected):
    found = note(data, minutes, seconds, **settings)
    if expected is None:
        assert found is None
        return
    wanted = settings.get("max_trials", 3)
    assert found.startswith(
        f"minutes={minutes} is too short to try {wanted} networks, the fewest that can be "
        f"compared: one of 20 epochs takes about "
    )
    assert found.endswith(f" here. {expected}")


def test_nothing_is_measured_where_the_answer_is_clear(data):
    assert note(data, 30, 1e9, measured=False) is None
    few = note(data, 0.01, 1e9, measured=False)
    assert few.startswith("minutes=0.01 is too short to try 3 networks, ")
    assert "takes at least 1.0 s here" in few


def test_without_minutes_nothing_is_said(data):
    assert note(data, None, 1e9) is None


def test_what_is_measured_is_the_time_of_a_training(data):
    space = make_space(data, SPACE, Recipe(epochs=2, batch_size=50), None)
    proposer = Proposer("random", space, 3, 0, 2)
    search = Coordinator(proposer, None, Deadline(), 3, (1.0,), False, TrialDisplay())
    job = search.next_job()
    assert 0 < Trainer(data, None).measure_seconds(job) < 120


@pytest.mark.parametrize("verbose", [0, 2])
def test_it_is_said_before_the_first_trial(data, verbose, capsys, recwarn):
    seen = []

    def on_trial(trial):
        seen.append((capsys.readouterr().err, [str(one.message) for one in recwarn]))

    imgclf.search(
        data,
        SPACE,
        recipe=Recipe(epochs=1),
        minutes=0.03,
        max_trials=3,
        verbose=verbose,
        on_trial=on_trial,
    )
    if not seen:  # the time was over before the first trial ended
        on_trial(None)
    printed, warned = seen[0]
    place = printed if verbose else " ".join(warned)
    assert "minutes=0.03 is too short to try 3 networks, the fewest that can be compared" in place
