"""What the Bayesian search learns from, where it looks, and that it beats draws at random."""

from __future__ import annotations

import dataclasses
import math
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

import imgclf
from imgclf import Recipe, between, choice, conv_maxpool, flatten, global_pool
from imgclf.search.engine.objective import expected_accuracy, objective_value
from imgclf.search.engine.oracle import Proposer
from imgclf.search.results.trial import Trial
from imgclf.search.space.make_space import make_space

NETWORK = (conv_maxpool(4), flatten())
THREE = Recipe(epochs=3)
ENDED = [
    Trial(number, NETWORK, THREE, end, 10.0, 1000, 1000, curve=(first, 0.7, end))
    for number, first, end in ((1, 0.4, 0.8), (2, 0.5, 0.85), (3, 0.6, 0.9), (4, 0.5, 0.85))
]


def trial(score, status="completed", curve=None, **changes):
    settings = {"num_validation": 1000, "status": status, "curve": curve or (score,)}
    return Trial(9, NETWORK, THREE, score, 5.0, 1000, 1000, **{**settings, **changes})


def test_a_stopped_trial_counts_as_what_it_would_have_reached():
    assert expected_accuracy(trial(0.25), ENDED) == 0.25
    # Odds of 1 : 3 where the median had 1 : 1, so a third of the median's odds of 0.85 : 0.15.
    expected = expected_accuracy(trial(0.25, "stopped"), ENDED)
    assert expected / (1 - expected) == pytest.approx(0.85 / 0.15 / 3)
    # None ended on that part of the images: nothing is known.
    assert expected_accuracy(trial(0.25, "stopped", train_fraction=0.2), ENDED) == 0.25
    assert expected_accuracy(trial(0.25, "stopped"), ENDED[:3]) == 0.25


@given(score=st.floats(0, 1))
def test_what_is_expected_lies_between_the_score_and_the_median(score):
    expected = expected_accuracy(trial(score, "stopped"), ENDED)
    assert score <= expected <= max(score, 0.85 + 1e-9)


@given(scores=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_a_better_trial_never_has_a_lower_objective(scores):
    low, high = (objective_value(trial(score), []) for score in sorted(scores))
    assert low <= high
    assert math.isfinite(high)


def test_a_point_counts_for_more_where_few_are_wrong():
    near_the_top = objective_value(trial(0.88), []) - objective_value(trial(0.87), [])
    near_the_bottom = objective_value(trial(0.41), []) - objective_value(trial(0.40), [])
    assert near_the_top > 4 * near_the_bottom
    assert objective_value(trial(1.0), []) == pytest.approx(-math.log(0.0005))


def test_the_bayesian_search_looks_near_the_best_and_nowhere_twice():
    best = [conv_maxpool(32), conv_maxpool(32), conv_maxpool(32)]
    proposer, seen = Proposer("bayesian", wide_space(), 24, 0, 3), []
    for number in range(1, 25):
        _, values = proposer.propose(number)
        blocks, recipe = proposer.candidate(values)
        same = [a.filters == b.filters for a, b in zip(blocks, best, strict=False)]
        proposer.record(dataclasses.replace(trial(0.3 + 0.2 * sum(same)), number=number))
        seen.append((tuple(blocks), recipe, sum(same)))
    assert len({(blocks, repr(recipe)) for blocks, recipe, _ in seen}) == 24
    drawn, learned = seen[:6], seen[6:]
    assert mean(same for *_, same in learned) > mean(same for *_, same in drawn) + 0.5


def wide_space():
    return make_space(
        imgclf.load_digits(),
        [*(conv_maxpool(choice(8, 16, 32, 64)) for _ in range(3)), global_pool()],
        Recipe(
            epochs=3,
            learning_rate=between(0.0003, 0.3, log=True),
            label_smoothing=choice(0.0, 0.1, 0.2),
        ),
        None,
    )


def found(algorithm, space, seed, trials):
    """The best accuracy of a search in which a formula takes the place of training."""
    proposer = Proposer(algorithm, space, trials, seed, 3)
    best = 0.0
    for number in range(1, trials + 1):
        status, values = proposer.propose(number)
        assert status == "RUNNING"
        blocks, recipe = proposer.candidate(values)
        accuracy = worth(blocks, recipe)
        best = max(best, accuracy)
        proposer.record(dataclasses.replace(trial(accuracy), number=number))
    return best


def worth(blocks, recipe):
    """At most 90%, with wide filters and a learning rate of 0.03; far from it nearly nothing."""
    away = sum(math.log2(64 / block.filters) for block in blocks[:3]) / 3
    away += abs(math.log(recipe.learning_rate / 0.03)) + 5 * recipe.label_smoothing
    return 0.9 / (1 + math.exp(away - 3)) * (1 + math.exp(-3))


def test_within_few_trials_the_bayesian_search_finds_more_than_draws_at_random():
    space = wide_space()
    seeds = range(5)
    bayesian = [found("bayesian", space, seed, 20) for seed in seeds]
    random = [found("random", space, seed, 20) for seed in seeds]
    assert sum(bayesian) / 5 > sum(random) / 5 + 0.02
